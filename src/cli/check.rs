//! `roost check`: every problem of a project at once, without an engine.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::datafile::{Options, Strictness};
use crate::deploy::{self, Problems};
use crate::syntax::{Severity, render};

use super::console::{print, remark};

/// What to check, and how to say what was found.
#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    /// Directory of the project; its tinybird.config.json is followed
    #[arg(value_name = "DIR", default_value = ".")]
    directory: PathBuf,
    /// Accept only what Tinybird's current parser accepts
    #[arg(long)]
    strict: bool,
    /// text: file, line, caret and help; json: one array of objects
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Prints all problems, and the counts on standard error. Fails where one is an error.
pub(super) fn run(arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    let strictness = if arguments.strict { Strictness::Strict } else { Strictness::Tolerant };
    let options = Options { strictness, ..Options::default() };
    let problems = deploy::check(&arguments.directory, &options)?;
    match arguments.format {
        Format::Text => print(text(&problems)),
        Format::Json => print(json(&problems)?),
    }
    remark(summary(&problems));
    Ok(if problems.has_error() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// All problems, drawn with the colours of a terminal.
fn text(problems: &Problems) -> String {
    let mut text = String::new();
    for diagnostic in problems.diagnostics() {
        text.push_str(&render::styled(problems.sources(), diagnostic));
        text.push_str("\n\n");
    }
    text
}

/// One JSON array, one problem a line.
fn json(problems: &Problems) -> serde_json::Result<String> {
    let object = |problem| serde_json::to_string(&render::json(problems.sources(), problem));
    let objects: Vec<String> = problems.diagnostics().iter().map(object).collect::<Result<_, _>>()?;
    Ok(format!("[{}]\n", objects.join(",\n ")))
}

/// One line that counts.
fn summary(problems: &Problems) -> String {
    let files = problems.sources().iter().count();
    let (errors, warnings) = (problems.count(Severity::Error), problems.count(Severity::Warning));
    format!("{}: {}, {}", counted(files, "file"), counted(errors, "error"), counted(warnings, "warning"))
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}
