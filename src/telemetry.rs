//! Logs: lines on standard error, as text or JSON, filtered by `log.level`.
//!
//! In: the `[log]` settings.  Out: a global `tracing` subscriber.  Promise: no line holds a token or a
//! row filter; whoever logs a request logs its path, never its query string or headers.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::{Log, LogFormat};

/// Why no log can be written.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter text cannot be read.
    #[error("log.level `{level}` is no filter: {reason}; write `info`, or `roost=debug,warn`")]
    Level {
        /// What was set.
        level: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A subscriber exists already in this process.
    #[error("the log is set up already: {0}")]
    Twice(#[from] TryInitError),
}

/// Sends the log lines of this process to standard error.
pub fn start(settings: &Log) -> Result<(), TelemetryError> {
    // The engine's client library logs whole exceptions, which quote statements, values and row
    // filters. What is worth logging of them is logged by the rooms that handle them.
    let level = format!("{},clickhouse=off", settings.level);
    let filter = EnvFilter::try_new(level).map_err(|error| TelemetryError::Level {
        level: settings.level.clone(),
        reason: error.to_string(),
    })?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match settings.format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).finish().try_init()?,
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init()?,
    }
    Ok(())
}
