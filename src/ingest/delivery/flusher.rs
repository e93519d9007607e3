//! One task for each data source: closes batches and brings them to their end, in order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Shared;
use super::commit::{Pause, Undone};
use super::content::Content;
use super::feed::{Due, Feed, Held, Stored};
use super::ledger::Waiting;
use super::payload::{self, Payload};
use super::poison::Refusals;
use super::record::{BatchId, FrozenPlan};
use crate::ingest::block::Layouts;

/// When a batch is closed.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchLimits {
    pub(super) rows: usize,
    pub(super) bytes: usize,
    pub(super) linger: Duration,
    /// How long rows are tried that the engine has not the means for.
    pub(super) too_much: Duration,
}

/// The requests of one batch may be so many.
const MAX_REQUESTS: usize = 20_000;
/// What has come during a flush is flushed right behind it where it is so much, and else when it is due: an
/// insert costs milliseconds however small it is, and each leaves a part to be merged.
const WORTH_AN_INSERT: usize = 1 << 20;

/// The flusher of a data source.
pub(super) struct Flusher {
    pub(super) source: String,
    pub(super) feed: Arc<Feed>,
    pub(super) shared: Arc<Shared>,
}

/// Requests that are tried as one batch.
#[derive(Default)]
struct Attempt {
    requests: Vec<Loaded>,
    /// Their rows, where they have been read and not used.
    payloads: Vec<Payload>,
    /// Since when the engine has lacked the means for them.
    lacking: Option<Instant>,
    /// Why none of their rows is taken any more.
    refused: Option<String>,
}

impl Attempt {
    fn of(requests: Vec<Loaded>) -> Self {
        Self { requests, ..Self::default() }
    }

    /// The later half stays below the earlier one on the stack.
    fn halves(self) -> [Self; 2] {
        let half = self.requests.len() / 2;
        self.split(half)
    }

    /// The first so many requests, above the others.
    fn split(mut self, requests: usize) -> [Self; 2] {
        let later = self.requests.split_off(requests);
        let payloads = self.payloads.split_off(requests.min(self.payloads.len()));
        [Self { payloads, ..Self::of(later) }, Self { payloads: self.payloads, ..Self::of(self.requests) }]
    }

    /// How many of the requests make a batch of at most so many rows, one at least.
    fn fitting(&self, limit: usize) -> usize {
        let mut rows = 0;
        let fits = |payload: &&Payload| {
            rows += payload.row_count();
            rows <= limit
        };
        self.payloads.iter().take_while(fits).count().max(1)
    }

    /// Gives up on rows that the engine has lacked the means for all the time.
    fn after(self, undone: &Undone, patience: Duration) -> Self {
        let Undone::TooMuch(reason) = undone else { return Self { lacking: None, ..self } };
        let since = self.lacking.unwrap_or_else(Instant::now);
        let refused = (since.elapsed() >= patience).then(|| reason.clone());
        Self { lacking: Some(since), refused: self.refused.or(refused), ..self }
    }
}

/// A request on its way into a batch.
struct Loaded {
    waiting: Waiting,
    held: Held,
}

/// The requests of one batch, and what it leaves.
struct Batch {
    requests: Vec<Waiting>,
    rest: Rest,
}

/// Whether requests waited that had no place in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    Nothing,
    Something,
}

impl Flusher {
    /// Works until it is drained.
    pub(super) async fn run(self) {
        let limits = self.shared.limits;
        while self.feed.due(limits.linger, limits.bytes).await == Due::Flush {
            self.flush_all().await;
        }
    }

    /// Flushes everything that is due.
    async fn flush_all(&self) {
        loop {
            let began = Instant::now();
            let _turn = self.shared.turns.next().await;
            let waited = began.elapsed();
            self.feed.begin();
            let Batch { requests, rest } = self.next();
            if requests.is_empty() {
                return;
            }
            self.shared.committer.journal.metrics().waited(waited);
            let load =
                |waiting: Waiting| Loaded { held: self.feed.take(waiting.sequence, waiting.bytes), waiting };
            self.flush(requests.into_iter().map(load).collect()).await;
            let worth = WORTH_AN_INSERT.min(self.shared.limits.bytes);
            if rest == Rest::Nothing && !self.feed.has_bytes(worth) {
                return;
            }
        }
    }

    /// The requests of the next batch.
    fn next(&self) -> Batch {
        let ledger = self.shared.committer.journal.ledger();
        let (mut requests, mut bytes) = (Vec::new(), 0);
        for waiting in ledger.waiting(&self.source) {
            let is_full = bytes + waiting.bytes > self.shared.limits.bytes || requests.len() >= MAX_REQUESTS;
            if is_full && !requests.is_empty() {
                return Batch { requests, rest: Rest::Something };
            }
            bytes += waiting.bytes;
            requests.push(*waiting);
        }
        Batch { requests, rest: Rest::Nothing }
    }

    /// Brings requests into their tables, however long the engine is away: in one batch, or in
    /// smaller ones where the engine has not the means for one.
    async fn flush(&self, requests: Vec<Loaded>) {
        let mut open = vec![Attempt::of(requests)];
        let mut pause = Pause::new();
        let mut failures = 0;
        while let Some(mut attempt) = open.pop() {
            if let Err(error) = self.load(&mut attempt).await {
                tracing::error!(source = self.source, %error, "the log cannot be read: rows wait");
                open.push(attempt);
                pause.wait().await;
                continue;
            }
            let fitting = attempt.fitting(self.shared.limits.rows);
            if fitting < attempt.requests.len() {
                open.extend(attempt.split(fitting));
                continue;
            }
            let payloads = std::mem::take(&mut attempt.payloads);
            let rows: usize = payloads.iter().map(Payload::row_count).sum();
            let began = Instant::now();
            match self.commit(&attempt, payloads).await {
                Ok(refusals) => {
                    let metrics = self.shared.committer.journal.metrics();
                    metrics.flushed(&self.source, rows as u64, began.elapsed());
                    metrics.moved(&self.source, refusals.rows());
                    pause = Pause::new();
                    failures = 0;
                    tell(attempt.requests, &refusals);
                }
                Err(Undone::TooMuch(reason)) if attempt.requests.len() > 1 => {
                    tracing::warn!(source = self.source, reason, "a batch is halved");
                    open.extend(attempt.halves());
                }
                Err(undone) => {
                    failures += 1;
                    tracing::warn!(source = self.source, failures, %undone, "rows wait for the engine");
                    open.push(attempt.after(&undone, self.shared.limits.too_much));
                    pause.wait().await;
                }
            }
        }
    }

    async fn commit(&self, attempt: &Attempt, payloads: Vec<Payload>) -> Result<Refusals, Undone> {
        let (Some(first), Some(last)) = (attempt.requests.first(), attempt.requests.last()) else {
            return Ok(Refusals::default());
        };
        let id = BatchId { source: self.source.clone(), from: first.waiting.sequence };
        let mut plan = self.shared.plan(&self.source);
        if attempt.refused.is_some() {
            plan = Arc::new(FrozenPlan { refused: attempt.refused.clone(), ..(*plan).clone() });
        }
        let content = Content::of(payloads);
        self.shared.committer.commit((id, last.waiting.sequence), &plan, &content).await
    }

    /// Reads the rows of requests that have not been read yet.
    async fn load(&self, attempt: &mut Attempt) -> std::io::Result<()> {
        if attempt.payloads.is_empty() {
            let held = |loaded: &Loaded| loaded.held.payload.as_ref().map(|(payload, _)| payload.clone());
            let requests = attempt.requests.iter().map(|loaded| (loaded.waiting, held(loaded)));
            attempt.payloads = self.shared.payloads(requests).await?;
        }
        Ok(())
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
            let mut layouts = Layouts::default();
            let one = |(waiting, payload): (Waiting, Option<bytes::Bytes>)| {
                let bytes = match payload {
                    Some(payload) => payload,
                    None => journal.wal.read(waiting.place)?.payload,
                };
                payload::decode(&bytes, &mut layouts).map_err(std::io::Error::other)
            };
            requests.into_iter().map(one).collect()
        };
        tokio::task::spawn_blocking(read).await.map_err(std::io::Error::other)?
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::fixtures::column;
    use crate::ingest::wal::{Place, Sequence};
    use crate::ingest::{BodyFormat, Limits, RowPlan};

    /// A request with so many rows.
    fn request(number: u64, rows: usize) -> (Loaded, Payload) {
        let plan = RowPlan::new(&[column("a | UInt8 | $.a")]).unwrap();
        let body = "{\"a\":1}\n".repeat(rows);
        let body = plan.decode(body.as_bytes(), BodyFormat::Ndjson, &Limits::default()).unwrap();
        let payload = payload::decode(&payload::encode(&body, 0, None), &mut Layouts::default()).unwrap();
        let (sequence, place) = (Sequence::new(number), Place::default());
        let waiting = Waiting { sequence, place, bytes: rows, arrival: 0 };
        (Loaded { waiting, held: Held::default() }, payload)
    }

    fn attempt(rows: &[usize]) -> Attempt {
        let requests = (1..).zip(rows).map(|(number, rows)| request(number, *rows));
        let (requests, payloads) = requests.unzip();
        Attempt { payloads, ..Attempt::of(requests) }
    }

    /// The rows of the batches that an attempt is split into.
    fn batches(rows: &[usize], limit: usize) -> Vec<Vec<usize>> {
        let (mut open, mut batches) = (vec![attempt(rows)], Vec::new());
        while let Some(attempt) = open.pop() {
            let fitting = attempt.fitting(limit);
            if fitting < attempt.requests.len() {
                open.extend(attempt.split(fitting));
                continue;
            }
            assert_eq!(attempt.requests.len(), attempt.payloads.len(), "nothing is read twice");
            batches.push(attempt.payloads.iter().map(Payload::row_count).collect());
        }
        batches
    }

    #[test]
    fn a_backlog_is_split_where_a_batch_is_full_and_stays_in_order() {
        assert_eq!(batches(&[60, 40, 1, 99, 100, 30], 100), [vec![60, 40], vec![1, 99], vec![100], vec![30]]);
        assert_eq!(batches(&[60, 50, 50], 100), [vec![60], vec![50, 50]]);
    }

    #[test]
    fn a_request_beyond_the_limit_is_a_batch_of_its_own() {
        assert_eq!(batches(&[101, 5, 300, 7], 100), [vec![101], vec![5], vec![300], vec![7]]);
    }

    #[test]
    fn halves_keep_the_order() {
        let [later, earlier] = attempt(&[1, 2, 3]).halves();
        let numbers = |attempt: &Attempt| attempt.payloads.iter().map(Payload::row_count).collect::<Vec<_>>();
        assert_eq!((numbers(&earlier), numbers(&later)), (vec![1], vec![2, 3]));
        assert_eq!((earlier.requests.len(), later.requests.len()), (1, 2));
    }
}
