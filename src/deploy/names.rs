//! Whether every name in a project's SQL leads somewhere. Pure.
//!
//! Each node is rendered with placeholders for its parameters, as Tinybird does when a project is
//! checked, and composed as a call would compose it. A template that cannot be rendered that way
//! (it compares a parameter that is not there, say) is left to its first call.

use std::collections::HashSet;

use super::files::ProjectFile;
use super::{Problems, parallel};
use crate::catalog::{NodeError, Pipe, Workspace};
use crate::datafile::PipeDefinition;
use crate::datafile::pipe::Node;
use crate::datafile::project::{Project, Resource, Role};
use crate::sql::Situation;
use crate::sql::compose::ComposeError;
use crate::syntax::{Diagnostic, SourceId, Span};

/// What a table name that depends on a parameter is rendered as.
const PLACEHOLDER: &str = "placeholder";

/// Reports every node that could not run. What a broken file would have defined counts as there:
/// its own error says enough.
pub(super) fn check(
    workspace: &Workspace,
    project: &Project,
    files: &[ProjectFile],
    problems: &mut Problems,
) {
    let declared = declared(files);
    let pipes: Vec<_> = project.pipes.values().collect();
    let check = |found: &&Resource<PipeDefinition>| {
        let Some(pipe) = workspace.pipes.get(&found.definition.name) else { return Vec::new() };
        let problem = |node| {
            let error = node_error(workspace, pipe, node).filter(|error| !names_any(error, &declared))?;
            Some(diagnostic(node, found.source, &error))
        };
        found.definition.nodes.iter().filter_map(problem).collect()
    };
    for problem in parallel::map(&pipes, check).into_iter().flatten() {
        problems.add(problem);
    }
}

/// The names that the files stand for, broken or not.
pub(super) fn declared(files: &[ProjectFile]) -> HashSet<&str> {
    let roles = files.iter().map(|file| Role::of(&file.path));
    roles.filter_map(|role| if let Role::Datafile { name, .. } = role { Some(name) } else { None }).collect()
}

/// Why a node cannot be composed, where the reason stands in the node itself: a problem further
/// down is reported where it stands.
fn node_error(workspace: &Workspace, pipe: &Pipe, node: &Node) -> Option<ComposeError> {
    let compiled = pipe.node(node.name.as_str())?;
    match workspace.check_node(pipe, compiled) {
        Err(NodeError::Sql(error)) if error.path.is_empty() => Some(*error),
        _ => None,
    }
}

/// True where the resource that is not found is a placeholder, or one of a broken file.
fn names_any(error: &ComposeError, declared: &HashSet<&str>) -> bool {
    let Situation::ResourceNotFound { name } = &error.error.situation else { return false };
    let plain = name.strip_suffix("_quarantine").unwrap_or(name);
    name == PLACEHOLDER || declared.contains(name.as_str()) || declared.contains(plain)
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
