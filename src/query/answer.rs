//! An answer on its way to the caller.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::OutputFormat;
use super::admission::Running;
use super::cache::{Kept, Origin};
use crate::engine::{EngineError, Rows};

/// Bytes of one document.
pub struct Answer {
    /// How it is written.
    pub format: OutputFormat,
    /// How the call came to it; `None` where answers are not kept.
    pub origin: Option<Origin>,
    pub(super) content: Content,
}

/// What an answer consists of.
pub(super) enum Content {
    /// All of it.
    Whole(Arc<Kept>),
    /// The first bytes and what follows, with the place among the running queries that it holds to its
    /// end.
    Open(Rows, Running),
}

impl Answer {
    /// One that was there.
    pub(super) fn kept(format: OutputFormat, kept: Arc<Kept>) -> Self {
        Self { format, origin: Some(Origin::Hit), content: Content::Whole(kept) }
    }

    /// The bytes, where all of them are here, and a name for what they say, as `ETag` writes it.
    pub fn whole(&self) -> Option<(Bytes, &str)> {
        match &self.content {
            Content::Whole(kept) => Some((kept.bytes.clone(), &kept.tag)),
            Content::Open(..) => None,
        }
    }

    /// The bytes, piece by piece. An error means that what came before is not whole.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, EngineError>> + Send + 'static {
        let (kept, open) = match self.content {
            Content::Whole(kept) => (Some(Ok(kept.bytes.clone())), None),
            Content::Open(rows, running) => (None, Some((rows, running))),
        };
        let pieces = futures_util::stream::unfold(open, |open| async move {
            let (mut rows, running) = open?;
            match rows.next().await {
                Ok(Some(piece)) => Some((Ok(piece), Some((rows, running)))),
                Ok(None) => None,
                Err(error) => {
                    // Not its text, which may quote values and row filters.
                    tracing::warn!(code = error.code(), "an answer broke off");
                    Some((Err(error), Some((rows, running))))
                }
            }
        });
        // Layers may look once more behind the end.
        futures_util::stream::iter(kept).chain(pieces).fuse()
    }
}
