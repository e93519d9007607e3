//! What the room tells its callers when rows are not stored.

use std::num::NonZeroU32;
use std::time::Duration;

use super::wal::WalError;
use super::{BodyError, Counts, PlanError};

/// Why events were not stored, or may not have been.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IngestError {
    /// The body cannot be taken; nothing of it was stored.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// No data source has this name.
    #[error("Data Source \"{data_source}\" does not exist")]
    NotFound {
        /// The name, in a text that Tinybird's clients know.
        data_source: String,
    },
    /// The data source cannot be filled with events at all.
    #[error("the data source `{data_source}` takes no events: {reason}")]
    NotForEvents {
        /// The data source.
        data_source: String,
        /// What its schema lacks.
        reason: PlanError,
    },
    /// Too many bytes are on their way already; nothing was taken.
    #[error(
        "too many events are waiting for the engine ({limit} bytes): nothing was taken, send them again later"
    )]
    Overloaded {
        /// The budget, in bytes.
        limit: usize,
    },
    /// Too many bytes are on their way to one data source; nothing was taken.
    #[error(
        "too many events for the data source `{data_source}` are waiting for the engine ({limit} bytes): nothing was taken, send them again later"
    )]
    Crowded {
        /// The data source.
        data_source: String,
        /// Its share of the budget, in bytes.
        limit: usize,
    },
    /// The data source has got as many requests as it takes in a second; nothing was taken.
    #[error(
        "the data source `{data_source}` takes {limit} requests a second: nothing was taken, send the events again in a moment, or more of them in one request"
    )]
    TooFast {
        /// The data source.
        data_source: String,
        /// Requests in a second.
        limit: NonZeroU32,
        /// Time until the next request is let through.
        retry_after: Duration,
    },
    /// The idempotency key belongs to other events; nothing was taken.
    #[error(
        "the Idempotency-Key was used for other events of this data source: nothing was taken; use a new key for new events"
    )]
    KeyReused,
    /// The log did not keep the rows, or may not have.
    #[error(transparent)]
    Log(#[from] WalError),
    /// The engine has been away, or behind, for too long; nothing was taken.
    #[error(
        "the oldest events wait for the engine for more than {limit:?} (wal.max_age_seconds): nothing was taken, send them again later"
    )]
    Behind {
        /// How long they may.
        limit: Duration,
    },
    /// The engine refused some rows; all of the request's rows are stored, those in the quarantine.
    #[error("{refused} rows were refused and are in the quarantine of the data source: {reason}")]
    Refused {
        /// How many were.
        refused: usize,
        /// ClickHouse's text about the first.
        reason: String,
        /// Where the rows of the request are.
        counts: Counts,
    },
    /// A statement that changes the tables of a data source did not succeed.
    #[error("the data source was not changed, or not as a whole: {reason}")]
    NotChanged {
        /// Why.
        reason: String,
    },
    /// A condition of rows that are to be deleted cannot be used; nothing was changed.
    #[error("the condition cannot be used: {reason}")]
    ConditionRefused {
        /// Why.
        reason: String,
    },
    /// The engine cannot say now which rows a condition is true for; nothing was changed.
    #[error("the rows cannot be counted now: {reason}; nothing was changed, try again")]
    NotCounted {
        /// Why.
        reason: String,
    },
    /// The server is being stopped; nothing was taken.
    #[error("the server is stopping: nothing was taken, send the events again")]
    Stopping,
}

impl IngestError {
    /// The error in a word, for counting.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Body(_) | Self::Log(WalError::TooLarge { .. }) => "body",
            Self::NotFound { .. } | Self::NotForEvents { .. } => "data_source",
            Self::TooFast { .. } => "rate",
            Self::KeyReused => "key",
            Self::Overloaded { .. } | Self::Crowded { .. } | Self::Log(WalError::Busy { .. }) => "overloaded",
            Self::Log(WalError::Full { .. }) => "log_full",
            Self::Log(WalError::NoSpace { .. }) => "no_space",
            Self::Log(WalError::ReadOnly | WalError::Disk(_) | WalError::Unknown(_)) => "disk",
            Self::Behind { .. } => "behind",
            Self::Refused { .. } => "rows",
            Self::NotChanged { .. } | Self::ConditionRefused { .. } | Self::NotCounted { .. } => "statement",
            Self::Log(WalError::Closed) | Self::Stopping => "stopping",
        }
    }
}
