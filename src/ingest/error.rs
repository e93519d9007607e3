//! What the room tells its callers when rows are not stored.

use super::{BodyError, PlanError};
use crate::engine::EngineError;

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
    /// The rows were decoded, and then.
    #[error(transparent)]
    Insert(#[from] InsertError),
    /// The server is being stopped; nothing was taken.
    #[error("the server is stopping: nothing was taken, send the events again")]
    Stopping,
}

/// What became of rows that were handed to the engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InsertError {
    /// The engine is away: nothing was sent.
    #[error("the engine is not available ({reason}): nothing was taken, send the events again")]
    NotSent {
        /// Why.
        reason: String,
    },
    /// The engine refused the rows before it stored any.
    #[error("the engine refused the rows for `{table}`, nothing was stored: {reason}")]
    Refused {
        /// The table.
        table: String,
        /// ClickHouse's text.
        reason: String,
    },
    /// The answer was lost, or the insert failed where part of it may be stored.
    #[error(
        "outcome unknown: the rows for `{table}` may have been stored or not ({reason}); count them before sending them again"
    )]
    Unknown {
        /// The table.
        table: String,
        /// What is known.
        reason: String,
    },
}

/// ClickHouse's codes for rows, columns, types and tables that do not fit: found before the first
/// part is written, so nothing is stored. Every other code leaves the outcome open.
const NOTHING_STORED: [u32; 21] =
    [6, 8, 10, 16, 26, 27, 33, 36, 38, 41, 43, 53, 60, 62, 69, 70, 72, 81, 117, 252, 349];

impl InsertError {
    /// Sorts the engine's answer to an insert into one table.
    pub(super) fn from_engine(error: EngineError, table: &str) -> Self {
        let table = table.to_owned();
        match error {
            EngineError::Unavailable(reason) => Self::NotSent { reason },
            EngineError::Exception { code, message } if NOTHING_STORED.contains(&code) => {
                Self::Refused { table, reason: message }
            }
            EngineError::Exception { message: reason, .. } | EngineError::Lost(reason) => {
                Self::Unknown { table, reason }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exception(code: u32) -> EngineError {
        EngineError::Exception { code, message: format!("Code: {code}.") }
    }

    #[test]
    fn only_errors_that_store_nothing_are_called_refused() {
        let sorted = |error| InsertError::from_engine(error, "t");
        assert!(matches!(sorted(exception(117)), InsertError::Refused { .. }));
        assert!(
            matches!(sorted(exception(243)), InsertError::Unknown { .. }),
            "a full disk may hold some parts"
        );
        assert!(matches!(sorted(EngineError::Lost("cut".into())), InsertError::Unknown { .. }));
        assert!(matches!(sorted(EngineError::Unavailable("away".into())), InsertError::NotSent { .. }));
    }
}
