//! `.pipe` files: a chain of SQL nodes and what is done with its result.

use super::directive::{Directive, Place};
use super::name::{NodeName, ResourceName};
use super::problems::Problems;
use super::raw::{RawDatafile, RawDirective};
use super::secrets::Secrets;
use super::sql::Sql;
use super::tags::{self, Tags};
use super::token::{self, TokenGrant};
use super::{Kind, datasource, version};
use crate::syntax::Span;

mod copy;
mod materialization;
mod node_kind;
mod sink;

pub use copy::{CopyJob, CopyMode};
pub use materialization::{DeploymentMethod, Materialization};
pub use node_kind::NodeKind;
pub use sink::{BucketSink, Compression, ExportFormat, KafkaSink, Sink, WriteStrategy};

/// A pipe, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipeDefinition {
    /// Its name: the file's.
    pub name: ResourceName,
    /// Markdown.
    pub description: Option<String>,
    /// Tokens that may read it.
    pub tokens: Vec<TokenGrant>,
    /// Its tags.
    pub tags: Tags,
    /// Its nodes, at least one, in order; their names differ.
    pub nodes: Vec<Node>,
    /// Classic's `VERSION`: it also answers to `name__v<version>`.
    pub version: Option<u32>,
}

/// One SQL step of a pipe; the other nodes read it by name like a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: NodeName,
    /// Markdown.
    pub description: Option<String>,
    /// Its query or template.
    pub sql: Sql,
    /// What is done with its result.
    pub kind: NodeKind,
    /// Where its name stands in the file.
    pub span: Span,
}

/// What other pipes and HTTP callers see of a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publication<'a> {
    /// The node with `TYPE endpoint`: an HTTP endpoint.
    Endpoint(&'a Node),
    /// The last node of a pipe without any TYPE. Other pipes read it; in Classic it is an HTTP
    /// endpoint too.
    LastNode(&'a Node),
    /// Nothing: the pipe materializes, copies or exports.
    Nothing,
}

impl PipeDefinition {
    /// What other pipes and HTTP callers see.
    pub fn publication(&self) -> Publication<'_> {
        if let Some(node) = self.nodes.iter().find(|node| node.kind == NodeKind::Endpoint) {
            return Publication::Endpoint(node);
        }
        match self.nodes.last() {
            Some(last) if self.nodes.iter().all(|node| node.kind == NodeKind::Standard) => {
                Publication::LastNode(last)
            }
            _ => Publication::Nothing,
        }
    }

    /// The second name of a pipe with a `VERSION`: `name__v0`.
    pub fn versioned_name(&self) -> Option<String> {
        self.version.map(|number| version::name(&self.name, number))
    }
}

/// Checks the directives of a pipe.
pub(super) fn check(
    name: ResourceName,
    file: &RawDatafile,
    secrets: &Secrets,
    problems: &mut Problems,
) -> Option<PipeDefinition> {
    let (head, nodes) = split(file, problems);
    if nodes.is_empty() {
        problems.error("node", Span::at(0), "Pipe data file must have at least one node");
        return None;
    }
    let pipe = PipeDefinition {
        description: datasource::description(head.last(Directive::Description)),
        tokens: token::read(Kind::Pipe, file.all(Directive::Token), problems),
        tags: tags::read(file.all(Directive::Tags), problems),
        version: version::read(file.last(Directive::Version), problems),
        nodes: nodes.iter().filter_map(|node| read_node(&name, node, secrets, problems)).collect(),
        name,
    };
    report_duplicates(&pipe.nodes, problems);
    report_second_type(&nodes, problems);
    Some(pipe)
}

/// A `NODE` line and what belongs to it.
struct RawNode<'a> {
    line: &'a RawDirective,
    /// The directives below the line.
    body: RawDatafile,
}

/// Cuts the directives at the `NODE` lines; reports those that stand too early.
fn split<'a>(file: &'a RawDatafile, problems: &mut Problems) -> (RawDatafile, Vec<RawNode<'a>>) {
    let mut head = RawDatafile::default();
    let mut nodes: Vec<RawNode<'a>> = Vec::new();
    for directive in &file.directives {
        if directive.directive() == Directive::Node {
            nodes.push(RawNode { line: directive, body: RawDatafile::default() });
        } else if let Some(node) = nodes.last_mut() {
            node.body.directives.push(directive.clone());
        } else if directive.rule.place == Place::Node {
            let name = match directive.directive() {
                Directive::Sql => "SQL".to_owned(),
                _ => directive.rule.name.to_ascii_lowercase(),
            };
            problems.error("node", directive.keyword, format!("{name} must be called after a NODE command"));
        } else {
            head.directives.push(directive.clone());
        }
    }
    (head, nodes)
}

fn read_node(
    pipe: &ResourceName,
    raw: &RawNode<'_>,
    secrets: &Secrets,
    problems: &mut Problems,
) -> Option<Node> {
    let (name, span) = read_name(raw.line, problems)?;
    let sql = match raw.body.last(Directive::Sql) {
        Some(sql) if !sql.text().is_blank() => Some(Sql::of_block(&sql.text())),
        empty => {
            let place = empty.map_or(span, |sql| sql.keyword);
            problems.error(
                "sql",
                place,
                format!("error parsing node \"{name}\" from pipe \"{pipe}\": Empty query"),
            );
            None
        }
    };
    let kind = node_kind::read(&name, &raw.body, secrets, problems);
    let description = datasource::description(raw.body.last(Directive::Description));
    Some(Node { name, description, sql: sql?, kind: kind?, span })
}

fn read_name(line: &RawDirective, problems: &mut Problems) -> Option<(NodeName, Span)> {
    let [name, rest @ ..] = line.words() else {
        problems.error("node", line.keyword, "Missing node name for pipe creation after the NODE label");
        return None;
    };
    let name = name.unquoted();
    if let Some(lost) = rest.first() {
        problems.warn(
            "no-effect",
            lost.span(),
            format!("the node is called `{}`: the rest is ignored", name.as_str()),
        );
        problems.help("put a name that holds blanks in quotes");
    }
    match NodeName::parse(name.as_str()) {
        Ok(parsed) => Some((parsed, name.span())),
        Err(error) => {
            problems.error("name", name.span(), error.to_string());
            None
        }
    }
}

fn report_duplicates(nodes: &[Node], problems: &mut Problems) {
    for (position, node) in nodes.iter().enumerate() {
        let earlier = nodes.iter().take(position).find(|earlier| earlier.name == node.name);
        if let Some(earlier) = earlier {
            problems.error("node", node.span, format!("node `{}` is declared twice", node.name));
            problems.point(earlier.span, "first here");
        }
    }
}

fn report_second_type(nodes: &[RawNode<'_>], problems: &mut Problems) {
    let typed = nodes.iter().filter_map(|node| node.body.last(Directive::Type));
    let mut outputs = typed.filter(|line| !node_kind::is_standard(line));
    if let (Some(first), Some(second)) = (outputs.next(), outputs.next()) {
        let message = "Multiple non-standard nodes in pipe. There can only be one";
        problems.error("type", second.span(), message);
        problems.point(first.span(), "the first one");
    }
}
