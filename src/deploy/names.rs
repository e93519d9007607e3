//! Whether every name in a project's SQL leads somewhere. Pure.
//!
//! Each node is rendered with placeholders for its parameters, as Tinybird does when a project is
//! checked, and composed as a call would compose it. A template that cannot be rendered that way
//! (it compares a parameter that is not there, say) is left to its first call.

use super::problems::Problems;
use crate::catalog::{NodeError, Pipe, Workspace};
use crate::datafile::pipe::Node;
use crate::datafile::project::Project;
use crate::sql::Situation;
use crate::sql::compose::ComposeError;
use crate::syntax::{Diagnostic, SourceId, Span};

/// What a table name that depends on a parameter is rendered as.
const PLACEHOLDER: &str = "placeholder";

/// Reports every node that could not run.
pub(super) fn check(workspace: &Workspace, project: &Project, problems: &mut Problems<'_>) {
    for found in project.pipes.values() {
        let Some(pipe) = workspace.pipes.get(&found.definition.name) else { continue };
        for node in &found.definition.nodes {
            if let Some(problem) = node_problem(workspace, pipe, node, found.source) {
                problems.add(problem);
            }
        }
    }
}

fn node_problem(workspace: &Workspace, pipe: &Pipe, node: &Node, source: SourceId) -> Option<Diagnostic> {
    let compiled = pipe.node(node.name.as_str())?;
    let Err(NodeError::Sql(error)) = workspace.check_node(pipe, compiled) else { return None };
    // A problem further down is reported where it stands.
    (error.path.is_empty() && !names_a_placeholder(&error)).then(|| diagnostic(node, source, &error))
}

fn names_a_placeholder(error: &ComposeError) -> bool {
    matches!(&error.error.situation, Situation::ResourceNotFound { name } if name == PLACEHOLDER)
}

/// Points at the place in plain SQL; what a template rendered has no place in its file, so there
/// the whole node is shown.
fn diagnostic(node: &Node, source: SourceId, error: &ComposeError) -> Diagnostic {
    let span = if node.sql.is_template() { first_line(node) } else { node.sql.locate(error.error.span) };
    let diagnostic = Diagnostic::error("sql", source, span, format!("node {}: {error}", node.name));
    match error.error.help() {
        Some(help) => diagnostic.with_help(help),
        None => diagnostic,
    }
}

fn first_line(node: &Node) -> Span {
    let text = node.sql.as_str();
    let start = text.find(|c: char| c != '%' && !c.is_whitespace()).unwrap_or_default();
    let end = text[start..].find('\n').map_or(text.len(), |length| start + length);
    node.sql.locate(Span::new(start, end))
}
