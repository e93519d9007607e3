//! Tags to a tree of blocks.
//!
//! Errors come in the order in which Tinybird finds them: the form of the tags and the gate-keepers
//! first, tag by tag; whether statements are Python only when all tags have been read.

use std::sync::Arc;

use super::error::{ErrorKind, TemplateError};
use super::gate::{self, Refusal};
use super::lexer::{self, Lexer, Piece, Tag};
use super::names;
use super::params::Scan;
use super::python::SyntaxError;
use super::python::statement::{self, Condition, Set, Snippet};
use super::python::tree::{Constant, Expression, Kind};
use super::tree::{Body, Node, NodeKind};
use super::whitespace::Whitespace;
use crate::syntax::Span;

mod block;

use block::{Block, Closed, Opened};

/// How deep blocks may nest: Python's own limit on indentation.
const MAX_BLOCKS: usize = 98;

/// What a template is made of.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) body: Body,
    /// What each tag says about parameters, in the order in which Tinybird reports them.
    pub(super) scans: Vec<Scan>,
}

type Checked<T> = Result<T, TemplateError>;

/// Reads a whole template, which starts at byte `offset` of the SQL text.
pub(super) fn parse(body: &str, offset: usize) -> Checked<Parsed> {
    let mut parser = Parser {
        lexer: Lexer::new(body, offset),
        blocks: vec![Block::root()],
        whitespace: Whitespace::All,
        syntax: None,
    };
    while let Some(piece) = parser.lexer.next()? {
        match piece {
            Piece::Text(text) => parser.text(text),
            Piece::Expression(tag) => parser.print(tag)?,
            Piece::Statement(tag) => parser.statement(tag)?,
        }
    }
    parser.finish()
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    /// The open blocks, the innermost last; the first is the template itself.
    blocks: Vec<Block>,
    whitespace: Whitespace,
    /// The first statement that is not Python.
    syntax: Option<TemplateError>,
}

impl Parser<'_> {
    fn block(&mut self) -> &mut Block {
        if self.blocks.is_empty() {
            self.blocks.push(Block::root());
        }
        let last = self.blocks.len() - 1;
        &mut self.blocks[last]
    }

    fn push(&mut self, tag: Tag<'_>, kind: NodeKind) {
        self.block().body.push(Node { span: tag.span, line: tag.line, kind });
    }

    fn text(&mut self, text: &str) {
        let (span, line) = (self.lexer.place(), self.lexer.line());
        let kind = NodeKind::Text(self.whitespace.apply(text).into());
        self.block().body.push(Node { span, line, kind });
    }

    fn print(&mut self, tag: Tag<'_>) -> Checked<()> {
        let expression = match statement::snippet(tag.content) {
            Ok(Snippet::Expression(expression)) => expression,
            Ok(Snippet::Statement(node)) => return Err(Refusal::Expression(node).at(tag.span)),
            Err(_) if first_word(tag.content).contains("from") => {
                return Err(lexer::parse_error("\"from\" is a forbidden word", tag.last_line, tag.span));
            }
            Err(error) => return Err(syntax_error(&error, tag)),
        };
        gate::allow(&expression).map_err(|refusal| refusal.at(tag.span))?;
        let scan = Scan::of_expression(&expression, tag);
        self.block().scans.push(scan);
        self.push(tag, NodeKind::Print { expression, source: tag.content.into() });
        Ok(())
    }

    fn statement(&mut self, tag: Tag<'_>) -> Checked<()> {
        let (operator, suffix) = tag.content.split_once(' ').unwrap_or((tag.content, ""));
        let suffix = suffix.trim();
        let error = |message: String| Err(lexer::parse_error(&message, tag.last_line, tag.span));
        match operator {
            "if" | "for" | "while" | "try" => self.open(operator, suffix, tag),
            "elif" | "else" | "except" | "finally" => self.section(operator, suffix, tag),
            "end" => self.end(tag),
            "set" if suffix.is_empty() => error("set missing statement".to_owned()),
            "set" => self.set(suffix, tag),
            "comment" => Ok(()),
            "whitespace" => {
                let mode = Whitespace::named(suffix).ok_or_else(|| {
                    TemplateError::new(
                        ErrorKind::Runtime,
                        format!("invalid whitespace mode {suffix}"),
                        Some(tag.span),
                    )
                })?;
                self.whitespace = mode;
                Ok(())
            }
            "break" | "continue" => self.jump(operator, tag),
            "from" => error("import is forbidden".to_owned()),
            other if names::FORBIDDEN_STATEMENTS.contains(&other) => error(format!("{other} is forbidden")),
            other => error(format!("unknown operator: {}", represented(other))),
        }
    }

    fn jump(&mut self, operator: &str, tag: Tag<'_>) -> Checked<()> {
        if !self.blocks.iter().any(Block::is_loop) {
            let message = format!("{operator} outside {{'for', 'while'}} block");
            return Err(lexer::parse_error(&message, tag.last_line, tag.span));
        }
        self.push(tag, if operator == "break" { NodeKind::Break } else { NodeKind::Continue });
        Ok(())
    }

    fn set(&mut self, text: &str, tag: Tag<'_>) -> Checked<()> {
        let refuse = |refusal: Refusal| Err(refusal.at(tag.span));
        let assignment = match statement::assignment(text) {
            Ok(Set::Assignment(assignment)) => assignment,
            Ok(Set::NotAnAssignment) => return refuse(Refusal::SetStatement(text.to_owned())),
            Err(error) => {
                self.note_syntax(&error, tag);
                return Ok(());
            }
        };
        for expression in assignment.expressions() {
            gate::deny(expression).or_else(refuse)?;
        }
        let scan = Scan::of_statement(&assignment.expressions(), tag);
        self.block().scans.push(scan);
        self.push(tag, NodeKind::Set(assignment));
        Ok(())
    }

    fn open(&mut self, operator: &str, suffix: &str, tag: Tag<'_>) -> Checked<()> {
        if self.blocks.len() > MAX_BLOCKS {
            let message = "too many levels of indentation";
            self.syntax.get_or_insert_with(|| TemplateError::new(ErrorKind::Syntax, message, Some(tag.span)));
            // Going on would make the tree too deep; the message cannot get better.
            return self.syntax.clone().map_or(Ok(()), Err);
        }
        let mut scan = Scan::nothing(tag);
        let opened = match operator {
            "for" => match statement::for_clause(suffix) {
                Ok((target, iterable)) => {
                    let iterable = Self::judge(iterable, tag)?;
                    gate::deny(&target).map_err(|refusal| refusal.at(tag.span))?;
                    scan = Scan::of_statement(&[&target, &iterable], tag);
                    Opened::For { target, iterable }
                }
                Err(error) => {
                    self.note_syntax(&error, tag);
                    Opened::For { target: nothing()?, iterable: nothing()? }
                }
            },
            "try" => {
                self.expect_no_suffix(suffix, tag);
                Opened::Try
            }
            _ => {
                let condition = self.condition(suffix, tag)?;
                scan = Scan::of_statement(&[&condition], tag);
                if operator == "if" { Opened::If(condition) } else { Opened::While(condition) }
            }
        };
        self.blocks.push(Block::new(opened, tag, scan));
        Ok(())
    }

    /// `elif`, `else`, `except` and `finally`: another part of the innermost block.
    fn section(&mut self, operator: &str, suffix: &str, tag: Tag<'_>) -> Checked<()> {
        if self.blocks.len() < 2 {
            let owners = block::owners_of(operator);
            let message = format!("{operator} outside {{{owners}}} block");
            return Err(lexer::parse_error(&message, tag.last_line, tag.span));
        }
        if !self.block().may_have(operator) {
            let name = self.block().name();
            let message = format!("{operator} block cannot be attached to {name} block");
            return Err(lexer::parse_error(&message, tag.last_line, tag.span));
        }
        let mut scan = None;
        let section = match operator {
            "elif" => {
                let condition = self.condition(suffix, tag)?;
                scan = Some(Scan::of_statement(&[&condition], tag));
                block::Section::ElseIf(condition)
            }
            "except" => {
                let (class, name) = statement::handler(suffix).unwrap_or_else(|error| {
                    self.note_syntax(&error, tag);
                    (None, None)
                });
                if let Some(class) = &class {
                    gate::deny(class).map_err(|refusal| refusal.at(tag.span))?;
                    scan = Some(Scan::of_statement(&[class], tag));
                }
                block::Section::Except(class, name)
            }
            "else" if !suffix.is_empty() => {
                return Err(Refusal::ControlBlock(tag.content.to_owned()).at(tag.span));
            }
            "else" => block::Section::Else,
            _ => {
                self.expect_no_suffix(suffix, tag);
                block::Section::Finally
            }
        };
        self.block().scans.extend(scan);
        if self.block().begin(section).is_err() {
            self.note_syntax(&SyntaxError::Unexpected(0), tag);
        }
        Ok(())
    }

    fn end(&mut self, tag: Tag<'_>) -> Checked<()> {
        if self.blocks.len() < 2 {
            return Err(lexer::parse_error("Extra {% end %} block", tag.last_line, tag.span));
        }
        let Some(block) = self.blocks.pop() else { return Ok(()) };
        let Closed { node, scans, complete } = block.close();
        if !complete {
            self.note_syntax(&SyntaxError::Unexpected(0), tag);
        }
        let outer = self.block();
        outer.scans.extend(scans);
        outer.body.extend(node);
        Ok(())
    }

    fn finish(mut self) -> Checked<Parsed> {
        if self.blocks.len() > 1 {
            let line = self.lexer.line();
            let message = format!("Missing {{% end %}} block for if at line {line}");
            let span = self.block().span;
            return Err(TemplateError::new(ErrorKind::UnclosedBlock, message, span));
        }
        if let Some(error) = self.syntax {
            Err(error)
        } else {
            let root = self.blocks.pop().unwrap_or_else(Block::root);
            Ok(Parsed { body: root.body, scans: root.scans })
        }
    }

    /// Reads a condition; one that is not Python is noted and replaced.
    fn condition(&mut self, text: &str, tag: Tag<'_>) -> Checked<Expression> {
        match statement::condition(text) {
            Ok(condition) => Self::judge(condition, tag),
            Err(error) => {
                self.note_syntax(&error, tag);
                nothing()
            }
        }
    }

    fn judge(condition: Condition, tag: Tag<'_>) -> Checked<Expression> {
        let refusal = match condition {
            Condition::Smuggled => Refusal::ControlBlock(tag.content.to_owned()),
            Condition::Expression(expression) => match gate::deny(&expression) {
                Ok(()) => return Ok(expression),
                Err(refusal) => refusal,
            },
        };
        Err(refusal.at(tag.span))
    }

    fn expect_no_suffix(&mut self, suffix: &str, tag: Tag<'_>) {
        if !suffix.is_empty() {
            self.note_syntax(&SyntaxError::Unexpected(0), tag);
        }
    }

    fn note_syntax(&mut self, error: &SyntaxError, tag: Tag<'_>) {
        self.syntax.get_or_insert_with(|| syntax_error(error, tag));
    }
}

/// Stands where an expression could not be read.
fn nothing() -> Checked<Expression> {
    Expression::new(Kind::Constant(Constant::None))
        .map_err(|error| TemplateError::new(ErrorKind::Syntax, error.to_string(), None))
}

fn syntax_error(error: &SyntaxError, tag: Tag<'_>) -> TemplateError {
    // Offsets count from the expression, which is the end of the tag's content or all of it.
    let span = error.offset().map_or(tag.span, |offset| {
        let at = (tag.span.start + offset).min(tag.span.end);
        Span::new(at, tag.span.end)
    });
    let span = if tag.content.starts_with(char::is_alphabetic) { tag.span } else { span };
    TemplateError::new(ErrorKind::Syntax, format!("{error} (line {})", tag.line), Some(span))
}

fn first_word(content: &str) -> &str {
    content.split(' ').next().unwrap_or_default()
}

/// The word as Python prints a string.
fn represented(word: &str) -> Arc<str> {
    super::value::text::python_quoted(word).into()
}
