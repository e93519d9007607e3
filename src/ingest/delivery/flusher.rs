//! One task for each data source: closes batches and brings them to their end, in order.

use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use super::commit::{Pause, Undone};
use super::content::Content;
use super::feed::{Due, Feed, Held, Stored};
use super::ledger::Waiting;
use super::payload::{self, Payload};
use super::poison::Refusals;
use super::record::BatchId;

/// When a batch is closed.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchLimits {
    pub(super) rows: usize,
    pub(super) bytes: usize,
    pub(super) linger: Duration,
}

/// The requests of one batch may be so many.
const MAX_REQUESTS: usize = 20_000;

/// The flusher of a data source.
pub(super) struct Flusher {
    pub(super) source: String,
    pub(super) feed: Arc<Feed>,
    pub(super) shared: Arc<Shared>,
}

/// A request on its way into a batch.
struct Loaded {
    waiting: Waiting,
    held: Held,
}

impl Flusher {
    /// Works until it is drained.
    pub(super) async fn run(self) {
        let limits = self.shared.limits;
        while self.feed.due(limits.linger, limits.bytes).await == Due::Flush {
            self.flush_all().await;
        }
    }

    /// Flushes everything that waits now.
    async fn flush_all(&self) {
        self.feed.begin();
        loop {
            let requests = self.next();
            if requests.is_empty() {
                return;
            }
            let load =
                |waiting: Waiting| Loaded { held: self.feed.take(waiting.sequence, waiting.bytes), waiting };
            self.flush(requests.into_iter().map(load).collect()).await;
        }
    }

    /// The requests of the next batch.
    fn next(&self) -> Vec<Waiting> {
        let ledger = self.shared.committer.journal.ledger();
        let (mut requests, mut bytes) = (Vec::new(), 0);
        for waiting in ledger.waiting(&self.source) {
            let is_full = bytes + waiting.bytes > self.shared.limits.bytes || requests.len() >= MAX_REQUESTS;
            if is_full && !requests.is_empty() {
                break;
            }
            bytes += waiting.bytes;
            requests.push(*waiting);
        }
        requests
    }

    /// Brings requests into their tables, however long the engine is away: in one batch, or in
    /// smaller ones where the engine has not the means for one.
    async fn flush(&self, requests: Vec<Loaded>) {
        let mut open = vec![requests];
        let mut pause = Pause::new();
        let mut failures = 0;
        while let Some(requests) = open.pop() {
            let payloads = match self.payloads(&requests).await {
                Ok(payloads) => payloads,
                Err(error) => {
                    tracing::error!(source = self.source, %error, "the log cannot be read: rows wait");
                    open.push(requests);
                    pause.wait().await;
                    continue;
                }
            };
            let rows: usize =
                payloads.iter().flat_map(|payload| &payload.rows).map(crate::ingest::Block::rows).sum();
            if rows > self.shared.limits.rows && requests.len() > 1 {
                open.extend(halves(requests));
                continue;
            }
            match self.commit(&requests, payloads).await {
                Ok(refusals) => {
                    pause = Pause::new();
                    failures = 0;
                    tell(requests, &refusals);
                }
                Err(Undone::TooMuch(reason)) if requests.len() > 1 => {
                    tracing::warn!(source = self.source, reason, "a batch is halved");
                    open.extend(halves(requests));
                }
                Err(undone) => {
                    failures += 1;
                    tracing::warn!(source = self.source, failures, %undone, "rows wait for the engine");
                    open.push(requests);
                    pause.wait().await;
                }
            }
        }
    }

    async fn commit(&self, requests: &[Loaded], payloads: Vec<Payload>) -> Result<Refusals, Undone> {
        let (Some(first), Some(last)) = (requests.first(), requests.last()) else {
            return Ok(Refusals::default());
        };
        let id = BatchId { source: self.source.clone(), from: first.waiting.sequence };
        let plan = self.shared.plan(&self.source);
        let content = Content::of(payloads);
        self.shared.committer.commit((id, last.waiting.sequence), &plan, &content).await
    }

    async fn payloads(&self, requests: &[Loaded]) -> std::io::Result<Vec<Payload>> {
        self.shared
            .payloads(requests.iter().map(|loaded| {
                (loaded.waiting, loaded.held.payload.as_ref().map(|(payload, _)| payload.clone()))
            }))
            .await
    }
}

impl Shared {
    /// The rows of requests, from memory or from the log.
    pub(super) async fn payloads(
        &self,
        requests: impl Iterator<Item = (Waiting, Option<bytes::Bytes>)>,
    ) -> std::io::Result<Vec<Payload>> {
        let journal = Arc::clone(&self.committer.journal);
        let requests: Vec<_> = requests.collect();
        let read = move || {
            let one = |(waiting, payload): (Waiting, Option<bytes::Bytes>)| {
                let bytes = match payload {
                    Some(payload) => payload,
                    None => journal.wal.read(waiting.place)?.payload,
                };
                payload::decode(&bytes).map_err(std::io::Error::other)
            };
            requests.into_iter().map(one).collect()
        };
        tokio::task::spawn_blocking(read).await.map_err(std::io::Error::other)?
    }
}

/// The later half stays below the earlier one on the stack.
fn halves(mut requests: Vec<Loaded>) -> [Vec<Loaded>; 2] {
    let later = requests.split_off(requests.len() / 2);
    [later, requests]
}

/// Tells those who wait. Somebody who has gone away no longer asks.
fn tell(requests: Vec<Loaded>, refusals: &Refusals) {
    for (place, loaded) in requests.into_iter().enumerate() {
        if let Some(waiter) = loaded.held.waiter {
            let stored = refusals.of(place).map_or(Stored::Whole, |refused| Stored::Refused {
                rows: refused.rows,
                reason: refused.reason.clone(),
            });
            let _ = waiter.send(stored);
        }
    }
}
