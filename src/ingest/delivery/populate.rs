//! New views over data sources that have rows already: filled from history, with no gap and no overlap.
//!
//! The tables of such a view are locked before the first new row can reach them, and stay locked
//! until the history is through: it goes chunk by chunk, each a batch of its own, put exactly once.
//! A start after a death goes on with the chunk that was in doubt. New rows wait in the log.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::commit::{Pause, Undone};
use super::content::Content;
use super::ledger::populating;
use super::locks::Held;
use super::record::{BatchId, Chunk, Control, FrozenPlan, TableKey};
use super::{Delivery, Shared, plan};
use crate::ingest::wal::{Sequence, WalError};

/// Rows that a chunk holds about: as many as a large batch or two.
const CHUNK_ROWS: u64 = 250_000;

impl Delivery {
    /// Notes that the views of these pipes are to be filled from history: call it before anything
    /// else says that they are there.
    pub async fn note_new_views(&self, pipes: &[String]) -> Result<(), WalError> {
        for pipe in pipes {
            self.shared.committer.journal.say(Control::Populate { pipe: pipe.clone() }).await?;
        }
        Ok(())
    }

    /// Begins to fill what is to be filled. The locks are taken here, so that no flusher that is
    /// started later comes first.
    pub(super) async fn populate(&self) {
        let new: BTreeSet<String> =
            self.shared.committer.journal.ledger().populations().into_keys().collect();
        if new.is_empty() {
            return;
        }
        let plans = self.shared.plans.load();
        let fillings = new.iter().map(|pipe| (pipe.clone(), plan::filling(&plans, pipe, &new)));
        let fillings = in_order(fillings.collect());
        let tables = fillings.iter().filter_map(|(_, filling)| filling.as_ref()).flat_map(FrozenPlan::tables);
        let locks = self.shared.committer.locks.take(tables).await;
        self.tasks.spawn(fill_all(Arc::clone(&self.shared), fillings, locks));
    }
}

/// A pipe and the plan that fills its view; `None` where the view is gone again.
type Filling = (String, Option<FrozenPlan>);

/// Puts a view behind all that fill what it reads.
fn in_order(mut left: Vec<Filling>) -> Vec<Filling> {
    let mut ordered = Vec::new();
    while !left.is_empty() {
        let own = |(_, plan): &Filling| plan.as_ref()?.steps.first().cloned();
        let targets: BTreeSet<TableKey> = left.iter().filter_map(own).map(|step| step.target).collect();
        let is_later = |filling: &Filling| own(filling).is_some_and(|step| targets.contains(&step.source));
        let (later, ready): (Vec<_>, Vec<_>) = left.into_iter().partition(is_later);
        // There are no circles: the project was checked.
        if ready.is_empty() {
            ordered.extend(later);
            return ordered;
        }
        ordered.extend(ready);
        left = later;
    }
    ordered
}

async fn fill_all(shared: Arc<Shared>, fillings: Vec<Filling>, _locks: Held) {
    for (pipe, filling) in fillings {
        match filling {
            Some(plan) => shared.fill(&pipe, &plan).await,
            None => shared.end_population(&pipe).await,
        }
    }
}

impl Shared {
    async fn fill(&self, pipe: &str, plan: &FrozenPlan) {
        let mut pause = Pause::new();
        loop {
            match self.fill_on(pipe, plan).await {
                Ok(chunks) => {
                    tracing::info!(pipe, chunks, "the materialized view is filled from history");
                    break;
                }
                Err(Undone::Refused(reason)) => {
                    tracing::error!(
                        pipe,
                        reason,
                        "the materialized view fails on rows that are there already: it holds those that come from now on"
                    );
                    break;
                }
                Err(undone) => {
                    tracing::warn!(pipe, %undone, "a materialized view waits to be filled");
                    pause.wait().await;
                }
            }
        }
        self.end_population(pipe).await;
    }

    /// Puts the chunks that have not been frozen yet; those that have are recovery's.
    async fn fill_on(&self, pipe: &str, plan: &FrozenPlan) -> Result<usize, Undone> {
        let chunks = self.chunks(pipe, plan).await?;
        for (number, chunk) in (1..).zip(&chunks) {
            let known = self.committer.journal.ledger().populations().remove(pipe);
            if known.is_some_and(|population| population.frozen.contains(&number)) {
                continue;
            }
            let id = BatchId { source: populating(pipe), from: Sequence::new(number) };
            let plan = FrozenPlan { history: Some(chunk.clone()), ..plan.clone() };
            self.committer.commit_locked((id, Sequence::new(0)), &plan, &Content::default()).await?;
        }
        Ok(chunks.len())
    }

    /// The chunks of a population, decided once.
    async fn chunks(&self, pipe: &str, plan: &FrozenPlan) -> Result<Vec<Chunk>, Undone> {
        let known = self.committer.journal.ledger().populations().remove(pipe);
        if let Some(chunks) = known.and_then(|population| population.chunks) {
            return Ok(chunks);
        }
        let mut chunks = Vec::new();
        for (partition, rows) in self.committer.tables.partitions(&plan.rows).await? {
            let of = rows.div_ceil(CHUNK_ROWS);
            chunks.extend((0..of).map(|share| Chunk { partition: partition.clone(), share, of }));
        }
        let decided = Control::PopulateChunks { pipe: pipe.to_owned(), chunks: chunks.clone() };
        self.committer.journal.say(decided).await?;
        Ok(chunks)
    }

    async fn end_population(&self, pipe: &str) {
        if let Err(error) = self.committer.journal.say(Control::Populated { pipe: pipe.to_owned() }).await {
            tracing::error!(pipe, %error, "the log cannot say that a materialized view is filled");
        }
    }
}
