//! Statements that change tables under the rows on their way: TRUNCATE and its like.
//!
//! Such a statement comes behind every row of its data source that was kept before it, and no batch
//! is on its way into its tables while it runs. What it takes away was known to be there, durably,
//! before; and what it did is durable before a batch goes on. A death in the middle runs it again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::commit::{Pause, Undone};
use super::record::{Barrier, Control, FrozenPlan, JobMark};
use super::removal::{Matched, Removal, Removed, Side};
use super::{Delivery, Shared};
use crate::engine::EngineError;
use crate::ingest::IngestError;
use crate::ingest::wal::Sequence;

/// The pause before it is looked again whether the rows in front of a barrier are in their tables.
const POLL: Duration = Duration::from_millis(5);

/// How a barrier ended.
pub(in crate::ingest) type Outcome = Result<Matched, IngestError>;

/// A job whose work a barrier is. It is told of the outcome before the log says that the barrier is done,
/// so that no death in between lets the job do its work a second time, when other rows are there.
pub(in crate::ingest) struct Witness {
    pub(in crate::ingest) job: Uuid,
    pub(in crate::ingest) tell: Box<dyn FnOnce(Outcome) -> BoxFuture<'static, ()> + Send>,
}

impl Delivery {
    /// Removes rows from one of the tables of a data source; rows that are kept later stay. Its other
    /// table and the targets of its views are left alone, as in Tinybird.
    pub(in crate::ingest) async fn remove(
        &self,
        source: &str,
        side: Side,
        removed: Removed,
        witness: Option<Witness>,
    ) -> Outcome {
        let feed = self.feed(source);
        let (shared, source) = (Arc::clone(&self.shared), source.to_owned());
        // A caller that goes away must not leave a barrier half done.
        let task = self.tasks.spawn(async move {
            let until = shared.committer.journal.wal.next_sequence();
            while !shared.is_delivered(&source, until) {
                feed.hurry();
                tokio::time::sleep(POLL).await;
            }
            shared.run_barrier(&source, (side, &removed), witness).await
        });
        task.await.unwrap_or(Err(IngestError::Stopping))
    }

    /// What removing rows would come to now. Nothing is changed, and nothing waits for it.
    pub(in crate::ingest) async fn foresee(&self, source: &str, side: Side, removed: &Removed) -> Outcome {
        let plan = self.shared.plan(source);
        let removal = self.shared.committer.tables.removal(&plan, side, removed).await;
        Ok(removal.map_err(uncounted)?.matched)
    }
}

/// Why rows were not counted.
fn uncounted(undone: Undone) -> IngestError {
    match undone {
        Undone::Refused(reason) | Undone::TooMuch(reason) => {
            // The rest is the question that was asked, which nobody knows.
            let reason = reason.split(" In query ").next().unwrap_or_default().to_owned();
            IngestError::ConditionRefused { reason }
        }
        Undone::Later(reason) => IngestError::NotCounted { reason },
    }
}

impl Shared {
    /// True where every row of a data source that was kept before `until` is in its tables.
    fn is_delivered(&self, source: &str, until: Sequence) -> bool {
        self.committer.journal.ledger().is_delivered(source, until)
    }

    async fn run_barrier(
        &self,
        source: &str,
        (side, removed): (Side, &Removed),
        witness: Option<Witness>,
    ) -> Outcome {
        let plan = self.plan(source);
        let _locks = self.committer.locks.take(plan.tables()).await;
        // Behind the locks: the statement names what is there when it runs.
        let found = self.find(&plan, side, removed).await;
        let Ok(Removal { statement: Some(statement), matched }) = found else {
            let outcome = found.map(|removal| removal.matched);
            tell(witness, &outcome).await;
            return outcome;
        };
        self.change(&plan, (side, removed), (statement, matched), witness).await
    }

    /// Finds out what is to be removed, however long the engine is away.
    async fn find(&self, plan: &FrozenPlan, side: Side, removed: &Removed) -> Result<Removal, IngestError> {
        let mut pause = Pause::new();
        loop {
            match self.committer.tables.removal(plan, side, removed).await {
                Err(Undone::Later(_)) => pause.wait().await,
                outcome => return outcome.map_err(uncounted),
            }
        }
    }

    /// Runs a statement with a record before and one after it.
    async fn change(
        &self,
        plan: &FrozenPlan,
        (side, removed): (Side, &Removed),
        (statement, matched): (String, Matched),
        witness: Option<Witness>,
    ) -> Outcome {
        let table = plan.side(side);
        let failed = |reason: &dyn ToString| IngestError::NotChanged { reason: reason.to_string() };
        let journal = &self.committer.journal;
        journal.sync().await.map_err(|error| failed(&error))?;
        let number = journal.barrier_number();
        let job = witness.as_ref().map(|witness| JobMark { id: witness.job, rows: matched.rows });
        let barrier = Barrier { number, table: Some(table.clone()), statement, job };
        journal.say(Control::Barrier(barrier.clone())).await?;
        let outcome = match self.run_statement(&barrier).await {
            Ok(()) => self.check_gone(plan, (side, removed)).await,
            refused => refused,
        };
        self.committer.versions.changed([table.physical()]);
        // Only what is durable is done: a machine that stops in between runs the statement again.
        journal.sync().await.map_err(|error| failed(&error))?;
        let outcome = outcome.map(|()| matched).map_err(|reason| failed(&reason));
        tell(witness, &outcome).await;
        journal.say(Control::BarrierDone { number }).await?;
        outcome
    }

    /// An error where rows are still there that were to be removed: ClickHouse does not evaluate every
    /// condition in a DELETE as it does in a SELECT (seen: `length` of a FixedString, 26.7).
    async fn check_gone(&self, plan: &FrozenPlan, (side, removed): (Side, &Removed)) -> Result<(), String> {
        if !removed.is_checkable() {
            return Ok(());
        }
        let left = self.find(plan, side, removed).await.map_err(|error| error.to_string())?.matched.rows;
        if left == 0 {
            return Ok(());
        }
        Err(format!("the engine has kept {left} rows that the condition is true for: say it in another way"))
    }

    /// Runs the statement of a barrier until it has succeeded, or is refused for this reason; what the engine has
    /// not the means for is tried no longer than rows are.
    pub(super) async fn run_statement(&self, barrier: &Barrier) -> Result<(), String> {
        let (began, mut pause) = (Instant::now(), Pause::new());
        let reason = loop {
            let undone = match self.committer.tables.change(&barrier.statement).await {
                Ok(()) => return Ok(()),
                // Its table is gone, and will not come back by itself.
                Err(EngineError::Exception { code: 60 | 81, message }) => Undone::Refused(message),
                Err(error) => error.into(),
            };
            match undone {
                Undone::Refused(reason) => break reason,
                Undone::TooMuch(reason) if began.elapsed() >= self.limits.too_much => break reason,
                Undone::TooMuch(_) | Undone::Later(_) => {}
            }
            tracing::warn!(statement = barrier.statement, %undone, "a statement waits for the engine");
            pause.wait().await;
        };
        self.end_mutations(barrier).await;
        Err(reason)
    }

    async fn end_mutations(&self, barrier: &Barrier) {
        let Some(table) = &barrier.table else { return };
        if let Err(error) = self.committer.tables.end_mutations(table).await {
            tracing::warn!(table = table.table, %error, "what a refused statement began could not be ended");
        }
    }
}

async fn tell(witness: Option<Witness>, outcome: &Outcome) {
    if let Some(witness) = witness {
        (witness.tell)(outcome.clone()).await;
    }
}
