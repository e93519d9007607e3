//! An answer on its way to the caller.

use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::OutputFormat;
use super::admission::Running;
use crate::engine::{EngineError, Rows};

/// Bytes of one document, and the place among the running queries that it holds to its end.
pub struct Answer {
    /// How it is written.
    pub format: OutputFormat,
    pub(super) rows: Rows,
    pub(super) running: Running,
}

impl Answer {
    /// The bytes, where all of them are here.
    pub fn whole(&self) -> Option<Bytes> {
        self.rows.whole()
    }

    /// The bytes, piece by piece. An error means that what came before is not whole.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, EngineError>> + Send + 'static {
        let pieces =
            futures_util::stream::unfold((self.rows, self.running), |(mut rows, running)| async move {
                match rows.next().await {
                    Ok(Some(piece)) => Some((Ok(piece), (rows, running))),
                    Ok(None) => None,
                    Err(error) => {
                        // Not its text, which may quote values and row filters.
                        tracing::warn!(code = error.code(), "an answer broke off");
                        Some((Err(error), (rows, running)))
                    }
                }
            });
        // Layers may look once more behind the end.
        pieces.fuse()
    }
}
