//! The room's service: events in, rows in the engine.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use super::admission::{Admission, Budget};
use super::batcher::{BatchLimits, Batcher, Delivery, QUEUE};
use super::error::{IngestError, InsertError};
use super::{Block, BodyFormat, DecodedBody, Limits, RowPlan};
use crate::auth::AppendPermit;
use crate::catalog::{Catalog, DataSource};
use crate::config;
use crate::engine::EngineClient;
use crate::schema::TableName;

/// Bodies above this size are decoded on a thread that may be busy for a while: about half a
/// millisecond's work.
const INLINE_BYTES: usize = 64 * 1024;

/// Takes events for the data sources of one workspace.
pub struct Ingest {
    catalog: Arc<Catalog>,
    engine: EngineClient,
    limits: Limits,
    batches: BatchLimits,
    budget: Budget,
    tasks: TaskTracker,
    channels: Mutex<HashMap<String, Arc<Channel>>>,
}

/// The way into one data source.
struct Channel {
    data_source: Arc<DataSource>,
    plan: RowPlan,
    rows: mpsc::Sender<Delivery>,
    quarantine: mpsc::Sender<Delivery>,
}

/// What became of the events of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Events in the data source.
    pub successful_rows: usize,
    /// Events in its quarantine.
    pub quarantined_rows: usize,
}

impl Ingest {
    /// A service whose tasks run on `tasks` and end when it is dropped.
    pub fn new(
        catalog: Arc<Catalog>,
        engine: EngineClient,
        settings: &config::Ingest,
        tasks: TaskTracker,
    ) -> Self {
        let limits = Limits {
            event_bytes: settings.line_bytes.get(),
            depth: settings.depth,
            keys: settings.keys_per_line.get(),
            ..Limits::default()
        };
        let batches = BatchLimits {
            rows: settings.batch_rows.get(),
            bytes: settings.batch_bytes.get(),
            patience: settings.insert_timeout,
        };
        let budget = Budget::new(settings.queue_bytes.get());
        Self { catalog, engine, limits, batches, budget, tasks, channels: Mutex::default() }
    }

    /// Room for the body of a request, to be grown as the body is read.
    pub fn admission(&self) -> Admission {
        self.budget.admission()
    }

    /// Stores the events of one body; returns when the engine has them.
    pub async fn append(
        &self,
        permit: &AppendPermit,
        body: Bytes,
        format: BodyFormat,
        admission: Admission,
    ) -> Result<Counts, IngestError> {
        let name = permit.data_source();
        let found = self.catalog.workspace().data_sources.get(name).cloned();
        let data_source = found.ok_or_else(|| IngestError::NotFound { data_source: name.to_string() })?;
        let channel = self.channel(data_source)?;
        let decoded = self.decode(Arc::clone(&channel), body, format).await?;
        let counts =
            Counts { successful_rows: decoded.successful_rows, quarantined_rows: decoded.quarantined_rows };
        let quarantine = deliver(&channel.quarantine, decoded.quarantine.into_iter().collect());
        let rows = deliver(&channel.rows, decoded.blocks);
        let (rows, quarantine) = tokio::join!(rows, quarantine);
        drop(admission);
        both(rows, quarantine, counts)?;
        Ok(counts)
    }

    async fn decode(
        &self,
        channel: Arc<Channel>,
        body: Bytes,
        format: BodyFormat,
    ) -> Result<DecodedBody, IngestError> {
        if body.len() <= INLINE_BYTES {
            return Ok(channel.plan.decode(&body, format, &self.limits)?);
        }
        let limits = self.limits.clone();
        let decoding = tokio::task::spawn_blocking(move || channel.plan.decode(&body, format, &limits));
        // The closure does not panic; a runtime that is going down cancels it.
        decoding.await.map_err(|_| IngestError::Stopping)?.map_err(IngestError::from)
    }

    /// The channel of a data source, opened at its first event and again when its definition
    /// changes.
    fn channel(&self, data_source: Arc<DataSource>) -> Result<Arc<Channel>, IngestError> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let known = channels.get(data_source.name.as_str());
        if let Some(channel) = known.filter(|channel| Arc::ptr_eq(&channel.data_source, &data_source)) {
            return Ok(Arc::clone(channel));
        }
        let name = data_source.name.to_string();
        let plan = RowPlan::new(&data_source.table.columns)
            .map_err(|reason| IngestError::NotForEvents { data_source: name.clone(), reason })?;
        let rows = self.start_batcher(&data_source.rows);
        let quarantine = self.start_batcher(&data_source.quarantine);
        let channel = Arc::new(Channel { data_source, plan, rows, quarantine });
        channels.insert(name, Arc::clone(&channel));
        Ok(channel)
    }

    fn start_batcher(&self, table: &TableName) -> mpsc::Sender<Delivery> {
        let (sender, queue) = mpsc::channel(QUEUE);
        let batcher = Batcher { engine: self.engine.clone(), table: table.clone(), limits: self.batches };
        self.tasks.spawn(batcher.run(queue));
        sender
    }
}

/// Hands blocks to a table's task and waits for the outcome; no blocks, no wait.
async fn deliver(queue: &mpsc::Sender<Delivery>, blocks: Vec<Block>) -> Result<(), IngestError> {
    if blocks.is_empty() {
        return Ok(());
    }
    let (done, outcome) = oneshot::channel();
    queue.send(Delivery { blocks, done }).await.map_err(|_| IngestError::Stopping)?;
    let stopped = |_| InsertError::Unknown {
        table: "the data source".to_owned(),
        reason: "the server stopped in the middle of the insert".to_owned(),
    };
    Ok(outcome.await.map_err(stopped)??)
}

/// The outcome of a request that wrote to two tables: when one insert failed and the other did
/// not, part of the request is stored, and no answer may say that nothing was taken.
fn both(
    rows: Result<(), IngestError>,
    quarantine: Result<(), IngestError>,
    counts: Counts,
) -> Result<(), IngestError> {
    let one_stored = |stored: usize, error: IngestError, table: &str| match error {
        IngestError::Insert(InsertError::Unknown { .. }) => error,
        other if stored == 0 => other,
        other => InsertError::Unknown { table: table.to_owned(), reason: other.to_string() }.into(),
    };
    match (rows, quarantine) {
        (Ok(()), Ok(())) => Ok(()),
        (Err(error), Ok(())) => Err(one_stored(counts.quarantined_rows, error, "the data source")),
        (Ok(()), Err(error)) => Err(one_stored(counts.successful_rows, error, "the quarantine")),
        (Err(error @ IngestError::Insert(InsertError::Unknown { .. })), Err(_)) | (Err(_), Err(error)) => {
            Err(error)
        }
    }
}
