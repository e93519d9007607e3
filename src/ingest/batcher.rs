//! One task per table: takes decoded rows, merges what waits, inserts it, tells the senders.
//!
//! In: [`Delivery`]s through a bounded queue.  Out: inserts in `FORMAT Native`, at most one at a
//! time and in the order of arrival.  There is no linger: a batch leaves as soon as the one before
//! it has ended, so a lone sender waits for nothing and many senders share one insert.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::block::Block;
use super::error::InsertError;
use crate::engine::{EngineClient, EngineError};
use crate::schema::{TableName, quoting};

/// Rows for one table, and who waits for them.
#[derive(Debug)]
pub(super) struct Delivery {
    /// The rows, in blocks that fill different columns.
    pub(super) blocks: Vec<Block>,
    /// Learns what became of them.
    pub(super) done: oneshot::Sender<Result<(), InsertError>>,
}

/// When a batch is full.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchLimits {
    /// Rows of one insert.
    pub(super) rows: usize,
    /// Bytes of one insert.
    pub(super) bytes: usize,
    /// How long the engine may take for it.
    pub(super) patience: Duration,
}

/// Deliveries that may wait for one table. Senders beyond them wait in line, each holding its
/// share of the byte budget, which is what bounds them.
pub(super) const QUEUE: usize = 1024;

/// The table's inserter.
pub(super) struct Batcher {
    pub(super) engine: EngineClient,
    pub(super) table: TableName,
    pub(super) limits: BatchLimits,
}

impl Batcher {
    /// Inserts until every sender is gone.
    pub(super) async fn run(self, mut queue: mpsc::Receiver<Delivery>) {
        let mut next = None;
        while let Some(first) = next.take().or(queue.recv().await) {
            let mut batch = Batch::of(first);
            while let Ok(delivery) = queue.try_recv() {
                if !batch.has_room_for(&delivery, &self.limits) {
                    next = Some(delivery);
                    break;
                }
                batch.add(delivery);
            }
            self.insert_batch(batch).await;
        }
    }

    async fn insert_batch(&self, batch: Batch) {
        let Batch { deliveries, .. } = batch;
        let merged = merge(deliveries.iter().flat_map(|delivery| &delivery.blocks).cloned());
        match self.insert_blocks(&merged).await {
            // One bad request must not spoil the others that shared its batch, and nothing of the
            // batch was stored: each goes alone.
            Err(InsertError::Refused { .. }) if deliveries.len() > 1 => {
                self.insert_one_by_one(deliveries).await;
            }
            outcome => {
                for delivery in deliveries {
                    // A sender that has gone away no longer asks.
                    let _ = delivery.done.send(outcome.clone());
                }
            }
        }
    }

    async fn insert_one_by_one(&self, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            let outcome = self.insert_blocks(&delivery.blocks).await;
            let _ = delivery.done.send(outcome);
        }
    }

    /// Inserts blocks in turn. Only a failure of the first can be known to have stored nothing.
    async fn insert_blocks(&self, blocks: &[Block]) -> Result<(), InsertError> {
        for (place, block) in blocks.iter().enumerate() {
            let statement = self.statement(block);
            let data = block.encode_native().into();
            let sent = self.engine.insert(&statement, data, self.limits.patience);
            sent.await.map_err(|error| self.failed(error, place))?;
        }
        Ok(())
    }

    fn failed(&self, error: EngineError, stored_before: usize) -> InsertError {
        let error = InsertError::from_engine(error, self.table.table());
        tracing::warn!(table = self.table.table(), %error, "insert failed");
        match error {
            InsertError::Unknown { .. } => error,
            known if stored_before == 0 => known,
            known => InsertError::Unknown { table: self.table.table().to_owned(), reason: known.to_string() },
        }
    }

    fn statement(&self, block: &Block) -> String {
        let columns: Vec<String> =
            block.columns().map(|(name, _)| quoting::identifier(name.as_str())).collect();
        format!("INSERT INTO {} ({}) FORMAT Native", self.table, columns.join(", "))
    }
}

/// Deliveries that share an insert.
struct Batch {
    deliveries: Vec<Delivery>,
    rows: usize,
    bytes: usize,
}

impl Batch {
    fn of(first: Delivery) -> Self {
        let mut batch = Self { deliveries: Vec::new(), rows: 0, bytes: 0 };
        batch.add(first);
        batch
    }

    fn has_room_for(&self, delivery: &Delivery, limits: &BatchLimits) -> bool {
        self.rows + delivery.rows() <= limits.rows && self.bytes + delivery.bytes() <= limits.bytes
    }

    fn add(&mut self, delivery: Delivery) {
        self.rows += delivery.rows();
        self.bytes += delivery.bytes();
        self.deliveries.push(delivery);
    }
}

impl Delivery {
    fn rows(&self) -> usize {
        self.blocks.iter().map(Block::rows).sum()
    }

    fn bytes(&self) -> usize {
        self.blocks.iter().map(Block::bytes).sum()
    }
}

/// Joins blocks that fill the same columns.
fn merge(blocks: impl IntoIterator<Item = Block>) -> Vec<Block> {
    let mut merged: Vec<Block> = Vec::new();
    for block in blocks {
        let mut left = Some(block);
        for kept in &mut merged {
            left = left.and_then(|block| kept.append(block).err());
        }
        merged.extend(left);
    }
    merged
}
