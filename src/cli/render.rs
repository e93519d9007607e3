//! `roost render`: the SQL that a call of a pipe would send to the engine, without the engine.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;

use crate::catalog::{Access, Caller, Pipe, ResourceName, Workspace};
use crate::clock::Clock;
use crate::datafile::Options;
use crate::deploy;
use crate::template::{Arguments, Environment};

use super::batch;
use super::console::say;

/// The database that tables are shown in: a real one has a name that differs from server to server.
const DATABASE: &str = "project";

/// Which pipe, and what a caller would send.
#[derive(Debug, Args)]
pub(super) struct RenderArguments {
    /// Name of the pipe
    #[arg(value_name = "PIPE", required_unless_present = "batch")]
    pipe: Option<String>,
    /// Node to render [default: the one that answers]
    #[arg(long, value_name = "NODE")]
    node: Option<String>,
    /// Parameter of the call; given twice it is a list
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,
    /// Directory of the project; its tinybird.config.json is followed
    #[arg(long, value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// Read templates as JSON lines from standard input: {"id", "template", "params", "secrets"?, "mode"?}
    #[arg(long, conflicts_with_all = ["pipe", "node", "parameters", "project"])]
    batch: bool,
}

/// Cuts `name=value` at its first `=`.
fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// Prints the SQL.
pub(super) fn run(arguments: &RenderArguments) -> anyhow::Result<()> {
    let now = Clock::System.now().format("%Y-%m-%d %H:%M:%S").to_string();
    let environment = Environment { now: Some(now), ..Environment::default() };
    let Some(name) = &arguments.pipe else { return batch::run(&environment) };
    let empty = Workspace { database: DATABASE.to_owned(), ..Workspace::default() };
    let workspace = deploy::read(&arguments.project, &Options::default(), empty)?.workspace;
    let pipe = find_pipe(&workspace, name)?;
    let sent = Arguments::from_pairs(arguments.parameters.iter().cloned());
    let access = Access::everything();
    let caller = Caller { arguments: &sent, environment: &environment, access: &access };
    let composed = match &arguments.node {
        Some(node) => workspace.compose(&answering_with(pipe, node)?, caller),
        None => workspace.compose(pipe, caller),
    };
    say(composed.with_context(|| format!("cannot render {name}"))?.sql);
    Ok(())
}

fn find_pipe<'a>(workspace: &'a Workspace, name: &str) -> anyhow::Result<&'a Pipe> {
    let found = ResourceName::parse(name).ok().and_then(|name| workspace.pipes.get(&name));
    match found {
        Some(pipe) => Ok(pipe),
        None => bail!(
            "there is no pipe `{name}`{}",
            nearest(name, workspace.pipes.keys().map(ResourceName::as_str))
        ),
    }
}

/// The same pipe with another node for its output.
fn answering_with(pipe: &Pipe, node: &str) -> anyhow::Result<Pipe> {
    let names = || pipe.nodes.iter().map(|node| node.name.as_str());
    let Some(output) = names().position(|name| name == node) else {
        bail!("the pipe `{}` has no node `{node}`{}", pipe.name, nearest(node, names()));
    };
    Ok(Pipe { output, ..pipe.clone() })
}

/// Names the known name that looks most like the given one.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    match known.max_by(|a, b| strsim::jaro(name, a).total_cmp(&strsim::jaro(name, b))) {
        Some(known) => format!("; the nearest one is `{known}`"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_cut_at_its_first_equals_sign() {
        assert_eq!(parameter("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(parameter("a="), Ok(("a".to_owned(), String::new())));
        assert!(parameter("a").is_err() && parameter("=b").is_err());
    }

    #[test]
    fn the_nearest_name_is_offered_where_there_is_one() {
        assert_eq!(nearest("uesr", ["page", "user"].into_iter()), "; the nearest one is `user`");
        assert_eq!(nearest("x", std::iter::empty()), "");
    }
}
