//! The `roost` program.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use roost::engine::embedded::child::{self, EngineArguments};

/// A self-hosted, Tinybird-compatible server.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The engine's own process, started by `roost serve`.
    #[command(hide = true)]
    Engine(EngineArguments),
}

fn main() -> ExitCode {
    let Command::Engine(arguments) = Arguments::parse().command;
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    match child::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
