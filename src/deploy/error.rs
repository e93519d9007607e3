//! Why a project was not loaded.

use std::path::PathBuf;

use super::Problems;
use crate::catalog::StoreError;
use crate::datafile::project::ConfigError;
use crate::engine::EngineError;
use crate::ingest::wal::WalError;

/// A project that does not start.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// A file or directory cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        reason: std::io::Error,
    },
    /// The project is larger than any real one.
    #[error("{}: {what}; is project.directory the right one?", path.display())]
    TooLarge {
        /// Where the limit was met.
        path: PathBuf,
        /// Which limit.
        what: String,
    },
    /// `tinybird.config.json` cannot be used.
    #[error("{}: {reason}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: ConfigError,
    },
    /// `tinybird.config.json` holds a pattern that is none.
    #[error("{}: `include` cannot be read: {reason}", path.display())]
    Include {
        /// The file.
        path: PathBuf,
        /// What is wrong with the pattern.
        reason: globset::Error,
    },
    /// The files have errors.
    #[error("{0}")]
    Project(Problems),
    /// A schema changed under data.
    #[error(
        "the schema of `{data_source}` has changed, but its table holds data:\n{differences}\nNothing was altered. \
         Undo the change in {file}, or give the new schema a new data source name and copy the rows over."
    )]
    SchemaChanged {
        /// The data source.
        data_source: String,
        /// Its file.
        file: String,
        /// One line a difference.
        differences: String,
    },
    /// What was recorded about a data source cannot be read.
    #[error(
        "the record of the data source `{data_source}` cannot be read: {reason}; restore the metadata from a backup"
    )]
    Record {
        /// The data source.
        data_source: String,
        /// What is wrong.
        reason: String,
    },
    /// The metadata tables.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log, which must say what new views are to be filled with.
    #[error("the log cannot say that a view is new: {0}")]
    Log(#[from] WalError),
    /// The engine refused a statement.
    #[error("cannot {action}: {reason}")]
    Engine {
        /// What was tried.
        action: String,
        /// What the engine said.
        reason: EngineError,
    },
}
