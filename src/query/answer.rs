//! An answer on its way to the caller.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::OutputFormat;
use super::admission::Running;
use super::cache::{Kept, Known, Origin, Packing};
use crate::catalog::Sighting;
use crate::engine::{EngineError, Rows};

/// Bytes of one document.
pub struct Answer {
    /// How it is written.
    pub format: OutputFormat,
    /// How the call came to it; `None` where answers are not kept.
    pub origin: Option<Origin>,
    pub(super) content: Content,
    /// The call, where its answer was found by it.
    pub(super) known: Option<Arc<Known>>,
}

/// Why an answer has no end. The engine's text is left out, which may quote values and row filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BrokenOff {
    /// The engine failed, with ClickHouse's code for it.
    #[error("the engine failed with code {0}")]
    Failed(u32),
    /// The engine went away.
    #[error("the engine went away")]
    Left,
}

impl BrokenOff {
    fn by(error: &EngineError) -> Self {
        error.code().map_or(Self::Left, Self::Failed)
    }
}

/// An answer that is here to its last byte.
pub struct WholeAnswer(Arc<Kept>);

impl WholeAnswer {
    /// Its bytes.
    pub fn bytes(&self) -> Bytes {
        self.0.bytes.clone()
    }

    /// Its bytes packed, once for all callers; `None` where that is not worth it.
    pub async fn packed(&self, packing: Packing) -> Option<Bytes> {
        self.0.packed(packing).await
    }

    /// A name for what it says, as `ETag` writes it.
    pub fn tag(&self) -> &str {
        &self.0.tag
    }

    /// The tables that it was made of, as they were.
    pub(super) fn sighting(&self) -> &Sighting {
        self.0.sighting()
    }
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
        Self { format, origin: Some(Origin::Hit), content: Content::Whole(kept), known: None }
    }

    /// The answer, where all of it is here.
    pub fn whole(&self) -> Option<WholeAnswer> {
        match &self.content {
            Content::Whole(kept) => Some(WholeAnswer(Arc::clone(kept))),
            Content::Open(..) => None,
        }
    }

    /// The bytes, piece by piece. An error means that what came before is not whole.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, BrokenOff>> + Send + 'static {
        let (kept, open) = match self.content {
            Content::Whole(kept) => (Some(Ok(kept.bytes.clone())), None),
            Content::Open(rows, running) => (None, Some((rows, running))),
        };
        let pieces = futures_util::stream::unfold(open, |open| async move {
            let (mut rows, running) = open?;
            match rows.next().await {
                Ok(Some(piece)) => Some((Ok(piece), Some((rows, running)))),
                Ok(None) => None,
                Err(error) => Some((Err(BrokenOff::by(&error)), Some((rows, running)))),
            }
        });
        // Layers may look once more behind the end.
        futures_util::stream::iter(kept).chain(pieces).fuse()
    }
}
