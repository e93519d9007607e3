//! The command line: what a person types, and what the program says back.
//!
//! In: arguments.  Out: an exit code; results on standard output, problems on standard error.
//! May use any room below; the server's rooms are put together by `app`.

mod batch;
mod check;
mod console;
mod render;
mod serve;
mod token;
mod wal;
mod welcome;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::Flags;
use crate::engine::embedded::child::{self, EngineArguments};

/// A self-hosted, Tinybird-compatible server with a real ClickHouse inside.
#[derive(Debug, Parser)]
#[command(name = "roost", version, about, arg_required_else_help = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Loads a project and serves its API.
    Serve(ServerFlags),
    /// Lists every problem of a project; needs no engine.
    Check(check::CheckArguments),
    /// Prints the SQL of a pipe; needs no engine.
    Render(render::RenderArguments),
    /// Shows the tokens of a workspace.
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Looks into the log of accepted rows; needs no engine, changes nothing.
    Wal {
        #[command(subcommand)]
        command: wal::WalCommand,
    },
    /// The engine's own process, started by `roost serve`.
    #[command(hide = true)]
    Engine(EngineArguments),
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Lists tokens with their names and rights.
    Ls(ServerFlags),
}

/// Where things are; settings files and the environment can say the same and more.
#[derive(Debug, Args)]
struct ServerFlags {
    /// Directory of the project's .datasource and .pipe files [default: the current one]
    #[arg(long, value_name = "DIR")]
    project: Option<PathBuf>,
    /// Directory for tables, secrets and the lock [default: ./.roost]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Port to listen on; 0 picks a free one [default: 7181]
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Address to listen on [default: 127.0.0.1]
    #[arg(long, value_name = "ADDR")]
    host: Option<String>,
    /// Settings file [default: roost.toml in the project directory]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl From<ServerFlags> for Flags {
    fn from(flags: ServerFlags) -> Self {
        let ServerFlags { project, data_dir, port, host, config } = flags;
        Self { config, project, data_dir, host, port }
    }
}

/// Runs the program. Called from `main` before any thread exists: the engine's process confines
/// itself, and confinement reaches only threads that are started later.
pub fn run() -> ExitCode {
    let done = match CommandLine::parse().command {
        Command::Serve(flags) => serve::run(&flags.into()),
        Command::Check(arguments) => return exit_code(check::run(&arguments)),
        Command::Render(arguments) => render::run(&arguments),
        Command::Token { command: TokenCommand::Ls(flags) } => token::list(&flags.into()),
        Command::Wal { command } => return exit_code(wal::run(command)),
        Command::Engine(arguments) => engine(&arguments),
    };
    exit_code(done.map(|()| ExitCode::SUCCESS))
}

fn exit_code(done: anyhow::Result<ExitCode>) -> ExitCode {
    done.unwrap_or_else(|error| {
        console::problem(&error);
        ExitCode::FAILURE
    })
}

fn engine(arguments: &EngineArguments) -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    child::run(arguments)
}
