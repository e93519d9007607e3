//! Delivery: rows that are in the log reach their tables exactly once, whatever dies.
//!
//! In: decoded requests.  Out: an answer when the log has them, another when the tables do.
//! Promise: each row of the log is put once into the table of its data source or its quarantine,
//! and into the target of every materialized view that it sets off; a batch is never half there for
//! good. A row that the engine or a view refuses goes to the quarantine, with the reason.
//!
//! How: batches are runs of one data source's requests. Before a batch is put, the log says which
//! rows it holds, where they go, and the height of each table: its highest block number. After a
//! death, a partition with a part above that height holds the batch, any other does not.
//!
//! `record` is what the log says, `ledger` what follows from it, `journal` both together; `plan`
//! says where rows go, `total` which views refuse none; `feed` and `flusher` close batches, `commit`
//! brings one to its end, by `stages` or by a `cascade`; `poison` finds what the engine refuses,
//! `recovery` goes on after a death, `barrier` changes tables in between, `populate` fills new views
//! from history; `tables` asks the engine, `export` shows what lies in the log.

mod barrier;
mod cascade;
mod commit;
mod content;
mod directories;
pub mod export;
mod feed;
mod flusher;
mod heights;
mod journal;
mod ledger;
mod locks;
mod payload;
mod plan;
mod poison;
mod populate;
mod record;
mod recovery;
mod removal;
mod stages;
mod tables;
mod total;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::catalog::{StoreError, Versions, Workspace};
use crate::clock::Clock;
use crate::config;
use crate::engine::EngineClient;
use crate::ingest::idempotency::{Claim, Signature, Signed, Turn};
use crate::ingest::metrics::Metrics;
use crate::ingest::wal::{Sequence, WalError};
use crate::ingest::{Admission, Counts, DecodedBody, IngestError};
use commit::Committer;
use feed::{Feed, Feeds, Held};
use flusher::{BatchLimits, Flusher};
use locks::Locks;
use plan::Plans;
use record::FrozenPlan;
use tables::Tables;
use turns::Turns;

pub(super) use barrier::Witness;
pub(super) use feed::Stored;
pub use journal::Journal;
pub use plan::PlanningError;
pub use record::JobMark;
pub use recovery::RecoveryError;
pub(super) use removal::{Condition, Removed};
pub use removal::{Matched, Side};

/// Time between two times that what is done is made durable and the log is cut.
const SYNC_INTERVAL: Duration = Duration::from_secs(2);
/// The pause before somebody looks again whether rows of another request are in their tables.
const STORED_PAUSE: Duration = Duration::from_millis(20);

/// What all flushers share.
struct Shared {
    committer: Committer,
    limits: BatchLimits,
    turns: Turns,
    max_age: Duration,
    is_remote: bool,
    database: String,
    plans: ArcSwap<Plans>,
}

impl Shared {
    /// Where the rows of a data source go now.
    fn plan(&self, source: &str) -> Arc<FrozenPlan> {
        let known = self.plans.load().get(source).cloned();
        known.unwrap_or_else(|| Arc::new(plan::bare(&self.database, source)))
    }
}

/// The way from the log into the tables of one workspace.
pub struct Delivery {
    shared: Arc<Shared>,
    feeds: Feeds,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// Who is told that rows are in their tables, and what keeps their bytes in memory until then.
pub(super) struct Sender {
    pub(super) admission: Admission,
    pub(super) waiter: Option<oneshot::Sender<Stored>>,
    /// The right to use the request's idempotency key.
    pub(super) claim: Option<Claim>,
}

impl Delivery {
    /// Brings what was in doubt to its end. The tables are those of the last run: call it before a
    /// project changes them. `tell` is told of each job whose statement was run again, and how that ended.
    pub async fn recover(
        journal: Journal,
        (engine, versions): (EngineClient, Arc<Versions>),
        settings: &config::Config,
        database: &str,
        tell: impl AsyncFn(JobMark, Result<(), String>) -> Result<(), StoreError>,
    ) -> Result<Self, RecoveryError> {
        let is_remote = matches!(settings.engine.place, config::EnginePlace::Remote(_));
        let patience = settings.ingest.insert_timeout;
        let tables =
            if is_remote { Tables::of_server(engine, patience) } else { Tables::of_child(engine, patience) };
        let (journal, locks) = (Arc::new(journal), Arc::new(Locks::default()));
        let committer = Committer { tables, journal, locks, versions };
        let limits = BatchLimits {
            rows: settings.ingest.batch_rows.get(),
            bytes: settings.ingest.batch_bytes.get(),
            linger: settings.ingest.linger,
            too_much: settings.ingest.too_much,
        };
        let shared = Shared {
            committer,
            limits,
            turns: Turns::new(settings.ingest.concurrent_batches.get()),
            max_age: settings.wal.max_age,
            is_remote,
            database: database.to_owned(),
            plans: ArcSwap::default(),
        };
        shared.committer.tables.drop_old_stages(database).await?;
        shared.recover(tell).await?;
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        Ok(Self { shared: Arc::new(shared), feeds: Feeds::default(), tasks, stop })
    }

    /// Delivers by the views of this workspace, what waits first.
    pub async fn begin(&self, workspace: &Workspace) -> Result<(), PlanningError> {
        self.shared.committer.tables.forget_directories();
        let plans = plan::plans(&self.shared.committer.tables, workspace).await?;
        self.shared.plans.store(Arc::new(plans));
        self.populate().await;
        let journal = &self.shared.committer.journal;
        let sources = journal.ledger().sources();
        for source in sources {
            let bytes = journal.ledger().waiting(&source).map(|waiting| waiting.bytes).sum();
            self.feed(&source).add_backlog(bytes);
        }
        self.tasks.spawn(keep_durable(Arc::clone(&self.shared), self.stop.clone()));
        Ok(())
    }

    /// What the way in counts.
    pub fn metrics(&self) -> &Metrics {
        self.shared.committer.journal.metrics()
    }

    /// Notes how the log stands now.
    pub(super) fn observe(&self) {
        let usage = self.shared.committer.journal.wal.usage();
        let journal = &self.shared.committer.journal;
        self.metrics().observe(usage, self.age(now()), journal.keys.len());
    }

    fn feed(&self, source: &str) -> Arc<Feed> {
        let start = |feed| {
            let flusher = Flusher { source: source.to_owned(), feed, shared: Arc::clone(&self.shared) };
            self.tasks.spawn(flusher.run());
        };
        self.feeds.of(source, start)
    }

    /// Whose turn it is with a key.
    pub(super) async fn turn(&self, signature: Signature) -> Turn {
        self.shared.committer.journal.keys.turn(signature, now()).await
    }

    /// Waits until the rows of an earlier request are in their tables.
    pub(super) async fn stored(&self, source: &str, sequence: Sequence) {
        while self.shared.committer.journal.ledger().is_open(source, sequence) {
            self.feed(source).hurry();
            tokio::time::sleep(STORED_PAUSE).await;
        }
    }

    /// Keeps the rows of a request; returns when they are in the log.
    pub(super) async fn keep(
        &self,
        source: &str,
        body: &DecodedBody,
        sender: Sender,
    ) -> Result<(), IngestError> {
        let arrival = now();
        self.refuse_when_old(arrival)?;
        let Sender { admission, waiter, claim } = sender;
        let signed =
            claim.as_ref().map(|claim| Signed { signature: claim.signature(), counts: Counts::of(body) });
        let payload = payload::encode(body, arrival, signed);
        let (feed, bytes) = (self.feed(source), payload.len());
        let (done, kept) = oneshot::channel();
        let (held_payload, holder) = (payload.clone(), Arc::clone(&feed));
        let hold = move |sequence| {
            // Where memory is short the bytes are read again from the log.
            let payload = (!admission.is_crowded()).then_some((held_payload, admission));
            holder.hold(sequence, bytes, Held { payload, waiter });
        };
        let rows = journal::Rows { payload, arrival, signed };
        self.shared.committer.journal.add_rows(source, rows, hold, move |outcome| {
            if outcome.is_ok() {
                feed.announce();
            }
            // Whoever else waits with the same key may look now.
            drop(claim);
            let _ = done.send(outcome.map(drop));
        });
        Ok(kept.await.unwrap_or(Err(WalError::Closed))?)
    }

    fn refuse_when_old(&self, now: u64) -> Result<(), IngestError> {
        let limit = self.shared.max_age;
        if self.age(now) > limit { Err(IngestError::Behind { limit }) } else { Ok(()) }
    }

    /// How long the oldest row has waited that is in no batch.
    fn age(&self, now: u64) -> Duration {
        let oldest = self.shared.committer.journal.ledger().oldest_arrival();
        Duration::from_millis(oldest.map_or(0, |oldest| now.saturating_sub(oldest)))
    }

    /// Flushes everything, for at most the grace; what is left is delivered after the next start.
    pub async fn finish(&self, grace: Duration) {
        self.feeds.drain();
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_err() {
            tracing::warn!("the engine has not taken every row: the log keeps the rest for the next start");
            return;
        }
        if let Err(error) = self.shared.committer.journal.sync().await {
            tracing::warn!(%error, "what is done could not be made durable; the next start looks at it again");
        }
    }
}

/// The time, in milliseconds since 1970.
fn now() -> u64 {
    u64::try_from(Clock::System.now().timestamp_millis()).unwrap_or_default()
}

/// Makes durable what is done, again and again.
async fn keep_durable(shared: Arc<Shared>, stop: CancellationToken) {
    let journal = &shared.committer.journal;
    while stop.run_until_cancelled(tokio::time::sleep(SYNC_INTERVAL)).await.is_some() {
        if journal.ledger().needs_sync()
            && let Err(error) = journal.sync().await
        {
            tracing::error!(%error, "the log cannot be cut");
        }
    }
}
