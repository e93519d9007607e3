//! Statements that change tables under the rows on their way: TRUNCATE and its like.
//!
//! Such a statement comes behind every row of its data source that was kept before it, and no batch
//! is on its way into its tables while it runs. What it takes away was known to be there, durably,
//! before; and what it did is durable before a batch goes on. A death in the middle runs it again.

use std::sync::Arc;
use std::time::Duration;

use super::commit::{Pause, Undone};
use super::record::{Control, TableKey};
use super::{Delivery, Shared};
use crate::ingest::IngestError;
use crate::ingest::wal::Sequence;

/// The pause before it is looked again whether the rows in front of a barrier are in their tables.
const POLL: Duration = Duration::from_millis(5);

impl Delivery {
    /// Empties the table of a data source; rows that are kept later stay. Its quarantine and the
    /// targets of its views are left alone, as in Tinybird.
    pub(in crate::ingest) async fn truncate(&self, source: &str) -> Result<(), IngestError> {
        let table = self.shared.plan(source).rows.name();
        self.change(source, format!("TRUNCATE TABLE {table} SYNC")).await
    }

    async fn change(&self, source: &str, statement: String) -> Result<(), IngestError> {
        let feed = self.feed(source);
        let (shared, source) = (Arc::clone(&self.shared), source.to_owned());
        // A caller that goes away must not leave a barrier half done.
        let task = self.tasks.spawn(async move {
            let until = shared.committer.journal.wal.next_sequence();
            while !shared.is_delivered(&source, until) {
                feed.hurry();
                tokio::time::sleep(POLL).await;
            }
            shared.run_barrier(&source, statement).await
        });
        task.await.unwrap_or(Err(IngestError::Stopping))
    }
}

impl Shared {
    /// True where every row of a data source that was kept before `until` is in its tables.
    fn is_delivered(&self, source: &str, until: Sequence) -> bool {
        self.committer.journal.ledger().is_delivered(source, until)
    }

    async fn run_barrier(&self, source: &str, statement: String) -> Result<(), IngestError> {
        let failed = |reason: &dyn ToString| IngestError::NotChanged { reason: reason.to_string() };
        let (journal, tables) = (&self.committer.journal, self.plan(source).tables());
        let _locks = self.committer.locks.take(tables.clone()).await;
        journal.sync().await.map_err(|error| failed(&error))?;
        let number = journal.wal.next_sequence().get();
        journal.say(Control::Barrier { number, statement: statement.clone() }).await?;
        let mut pause = Pause::new();
        let outcome = loop {
            match self.committer.tables.change(&statement).await.map_err(Undone::from) {
                Err(Undone::Later(_) | Undone::TooMuch(_)) => pause.wait().await,
                Err(Undone::Refused(reason)) => break Err(failed(&reason)),
                Ok(()) => break Ok(()),
            }
        };
        self.committer.versions.changed(tables.iter().map(TableKey::physical));
        // Only what is durable is done: a machine that stops in between runs the statement again.
        journal.sync().await.map_err(|error| failed(&error))?;
        journal.say(Control::BarrierDone { number }).await?;
        outcome
    }
}
