//! Blocks that are open while the parser reads their parts.

use crate::syntax::Span;
use crate::template::lexer::Tag;
use crate::template::params::Scan;
use crate::template::python::tree::{Expression, Name};
use crate::template::tree::{Body, Branch, Handler, Node, NodeKind, Try};

/// The tag that opened a block.
pub(super) enum Opened {
    Root,
    If(Expression),
    For { target: Expression, iterable: Expression },
    While(Expression),
    Try,
}

/// A further part of a block.
pub(super) enum Section {
    ElseIf(Expression),
    Else,
    Except(Option<Expression>, Option<Name>),
    Finally,
}

/// A block that has no `{% end %}` yet.
pub(super) struct Block {
    opened: Opened,
    /// The parts that are complete: what began each, none for the first, and what it holds.
    parts: Vec<(Option<Section>, Body)>,
    /// What began the part that is being read.
    current: Option<Section>,
    pub(super) body: Body,
    pub(super) scans: Vec<Scan>,
    /// What the opening tag says about parameters: it is reported after the body.
    opening: Option<Scan>,
    pub(super) span: Option<Span>,
    line: usize,
}

/// What a block becomes.
pub(super) struct Closed {
    pub(super) node: Option<Node>,
    pub(super) scans: Vec<Scan>,
    /// False for a `try` that catches nothing.
    pub(super) complete: bool,
}

/// A part stands where Python does not allow it.
pub(super) struct OutOfOrder;

/// The blocks that a part may belong to, as Tinybird lists them.
pub(super) fn owners_of(operator: &str) -> &'static str {
    match operator {
        "else" => "'for', 'if', 'try', 'while'",
        "elif" => "'if'",
        _ => "'try'",
    }
}

impl Block {
    pub(super) fn root() -> Self {
        Self {
            opened: Opened::Root,
            parts: Vec::new(),
            current: None,
            body: Vec::new(),
            scans: Vec::new(),
            opening: None,
            span: None,
            line: 1,
        }
    }

    pub(super) fn new(opened: Opened, tag: Tag<'_>, opening: Scan) -> Self {
        Self { opened, opening: Some(opening), span: Some(tag.span), line: tag.line, ..Self::root() }
    }

    pub(super) fn name(&self) -> &'static str {
        match self.opened {
            Opened::Root => "",
            Opened::If(_) => "if",
            Opened::For { .. } => "for",
            Opened::While(_) => "while",
            Opened::Try => "try",
        }
    }

    pub(super) fn is_loop(&self) -> bool {
        matches!(self.opened, Opened::For { .. } | Opened::While(_))
    }

    /// True if the part belongs to this kind of block at all.
    pub(super) fn may_have(&self, operator: &str) -> bool {
        owners_of(operator).contains(&format!("'{}'", self.name()))
    }

    /// Ends the part that is being read and begins the next.
    pub(super) fn begin(&mut self, section: Section) -> Result<(), OutOfOrder> {
        let first_of_try = self.current.is_none() && matches!(self.opened, Opened::Try);
        let fits = match (&self.current, &section) {
            (Some(Section::Finally), _) => false,
            (Some(Section::Else), next) => matches!(next, Section::Finally),
            (_, next) => !(first_of_try && matches!(next, Section::Else)),
        };
        self.end_part();
        self.current = Some(section);
        if fits { Ok(()) } else { Err(OutOfOrder) }
    }

    fn end_part(&mut self) {
        let body = std::mem::take(&mut self.body);
        self.parts.push((self.current.take(), body));
    }

    pub(super) fn close(mut self) -> Closed {
        self.end_part();
        let complete = !matches!(self.opened, Opened::Try) || self.parts.len() > 1;
        let kind = match self.opened {
            Opened::Root => None,
            Opened::If(condition) => Some(choice(condition, self.parts)),
            Opened::For { target, iterable } => {
                let (body, otherwise) = body_and_otherwise(self.parts);
                Some(NodeKind::For { target, iterable, body, otherwise })
            }
            Opened::While(condition) => {
                let (body, otherwise) = body_and_otherwise(self.parts);
                Some(NodeKind::While { condition, body, otherwise })
            }
            Opened::Try => Some(attempt(self.parts)),
        };
        let node = kind.map(|kind| Node { span: self.span.unwrap_or_default(), line: self.line, kind });
        let mut scans = self.scans;
        scans.extend(self.opening);
        Closed { node, scans, complete }
    }
}

fn choice(condition: Expression, parts: Vec<(Option<Section>, Body)>) -> NodeKind {
    let mut branches = Vec::new();
    let mut otherwise = Vec::new();
    let mut first = Some(condition);
    for (section, body) in parts {
        let condition = match section {
            None => first.take(),
            Some(Section::ElseIf(condition)) => Some(condition),
            Some(_) => None,
        };
        match condition {
            Some(condition) => branches.push(Branch { condition, body }),
            None => otherwise = body,
        }
    }
    NodeKind::If { branches, otherwise }
}

fn body_and_otherwise(parts: Vec<(Option<Section>, Body)>) -> (Body, Body) {
    let mut bodies = parts.into_iter().map(|(_, body)| body);
    (bodies.next().unwrap_or_default(), bodies.next().unwrap_or_default())
}

fn attempt(parts: Vec<(Option<Section>, Body)>) -> NodeKind {
    let mut attempt = Try::default();
    for (section, body) in parts {
        match section {
            None => attempt.body = body,
            Some(Section::Except(class, name)) => attempt.handlers.push(Handler { class, name, body }),
            Some(Section::Finally) => attempt.finally = body,
            Some(_) => attempt.otherwise = body,
        }
    }
    NodeKind::Try(Box::new(attempt))
}
