//! The batches that were in doubt when the server last ended, brought to their end.

use std::collections::BTreeSet;

use super::Shared;
use super::commit::Pause;
use super::content::Content;
use super::ledger::{Batch, Machine};
use super::record::{Barrier, Control, JobMark, TableKey, Verdict};
use crate::catalog::StoreError;
use crate::engine::EngineError;
use crate::ingest::wal::WalError;

/// Why delivery cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The engine.
    #[error("the engine cannot say where the rows of the last run are: {0}")]
    Engine(#[from] EngineError),
    /// The log.
    #[error("the log cannot be written: {0}")]
    Log(#[from] WalError),
    /// The disk.
    #[error("{0}")]
    Sync(String),
    /// A job whose work was found done.
    #[error("the end of a job cannot be recorded: {0}")]
    Job(#[from] StoreError),
}

impl Shared {
    /// Finds every batch in doubt, puts what is missing of it, and makes all of it durable.
    ///
    /// `tell` is told of each job whose statement was run again, before the log says that it is done.
    pub(super) async fn recover<T>(&self, tell: T) -> Result<(), RecoveryError>
    where
        T: AsyncFn(JobMark, Result<(), String>) -> Result<(), StoreError>,
    {
        let journal = &self.committer.journal;
        // Of a server elsewhere nothing is known but that it goes on by itself.
        let machine = if self.is_remote { Machine::RanOn } else { journal.machine() };
        let window = journal.ledger().window(machine);
        let tables: BTreeSet<TableKey> = window.iter().flat_map(|batch| batch.plan.kept_tables()).collect();
        if machine == Machine::Stopped {
            self.committer.tables.set_merges("STOP", &tables).await?;
            self.committer.tables.wait_for_parts(&tables).await?;
        }
        self.verify(&window).await?;
        if machine == Machine::Stopped {
            // What was found is written down, and a barrier may rewrite rows, which is a merge.
            self.committer.tables.set_merges("START", &tables).await?;
        }
        self.redo_barriers(tell).await?;
        for batch in &window {
            self.redo(batch).await;
        }
        journal.sync().await.map_err(|error| RecoveryError::Sync(error.to_string()))?;
        if !window.is_empty() {
            tracing::info!(batches = window.len(), ?machine, "batches in doubt were brought to their end");
        }
        Ok(())
    }

    /// Writes down where each batch was found, once that is durable: from then on heights are void,
    /// because block numbers from before may be given out again.
    async fn verify(&self, window: &[Batch]) -> Result<(), RecoveryError> {
        let mut verdicts = Vec::new();
        for batch in window {
            let seen = self.committer.look(batch).await?;
            verdicts.push(Verdict { batch: batch.id.clone(), seen });
        }
        let journal = &self.committer.journal;
        journal.sync_engine().await.map_err(|error| RecoveryError::Sync(error.to_string()))?;
        journal.say(Control::Verified { boot: journal.boot().to_owned(), window: verdicts }).await?;
        Ok(())
    }

    async fn redo_barriers<T>(&self, tell: T) -> Result<(), RecoveryError>
    where
        T: AsyncFn(JobMark, Result<(), String>) -> Result<(), StoreError>,
    {
        let open = self.committer.journal.ledger().open_barriers();
        for barrier in open {
            let outcome = self.run_statement(&barrier).await;
            // What the engine refuses must not keep a server from starting.
            if let Err(reason) = &outcome {
                tracing::error!(
                    statement = barrier.statement,
                    reason,
                    "a statement that was begun is refused"
                );
            }
            let Barrier { number, job, .. } = barrier;
            self.committer.journal.sync().await.map_err(|error| RecoveryError::Sync(error.to_string()))?;
            if let Some(job) = job {
                tell(job, outcome).await?;
            }
            self.committer.journal.say(Control::BarrierDone { number }).await?;
        }
        Ok(())
    }

    async fn redo(&self, batch: &Batch) {
        let _locks = self.committer.locks.take(batch.plan.tables()).await;
        let mut pause = Pause::new();
        let payloads = loop {
            match self.payloads(batch.requests.iter().map(|waiting| (*waiting, None))).await {
                Ok(payloads) => break payloads,
                Err(error) => {
                    tracing::error!(source = batch.id.source, %error, "the log cannot be read: a batch stays in doubt");
                    pause.wait().await;
                }
            }
        };
        self.committer.redo(&batch.id, &Content::of(payloads)).await;
    }
}
