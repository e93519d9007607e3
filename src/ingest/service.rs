//! The room's service: events in, rows in the log and then in the engine.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::admission::{Admission, Budget};
use super::deletion::Deletion;
use super::delivery::{Condition, Delivery, Matched, Removed, Sender, Side, Stored, Witness};
use super::error::IngestError;
use super::idempotency::{Claim, IdempotencyKey, Remembered, Turn};
use super::metrics::{Arrivals, Metrics};
use super::workers::Workers;
use super::{BodyFormat, DecodedBody, Limits, RowPlan};
use crate::auth::{AppendPermit, Pace, RemovePermit};
use crate::catalog::{Catalog, DataSource, ResourceName};
use crate::config;

/// Takes events for the data sources of one workspace.
pub struct Ingest {
    catalog: Arc<Catalog>,
    delivery: Arc<Delivery>,
    limits: Limits,
    wait_timeout: Duration,
    budget: Budget,
    pace: Pace,
    requests_per_second: Option<NonZeroU32>,
    channels: Mutex<HashMap<String, Arc<Channel>>>,
    workers: Workers,
}

/// The way into one data source.
struct Channel {
    data_source: Arc<DataSource>,
    plan: RowPlan,
    arrivals: Arrivals,
}

/// What became of the events of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Events for the data source.
    pub successful_rows: usize,
    /// Events for its quarantine.
    pub quarantined_rows: usize,
}

impl Counts {
    /// The events of a body.
    pub(super) fn of(body: &DecodedBody) -> Self {
        Self { successful_rows: body.successful_rows, quarantined_rows: body.quarantined_rows }
    }
}

/// What a request asks for.
#[derive(Debug)]
pub struct Order {
    /// The events, unpacked.
    pub events: Bytes,
    /// How they stand there.
    pub format: BodyFormat,
    /// What the request is known by, should it be sent again.
    pub key: Option<IdempotencyKey>,
    /// When it is answered.
    pub wait: Wait,
}

/// What a request is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Its events.
    pub counts: Counts,
    /// Where they are.
    pub reached: Reached,
    /// Whether they were stored now.
    pub stored: When,
}

/// When the events of a request were stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// With this request.
    Now,
    /// With an earlier one that had the same key.
    Before,
}

/// What a request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Its rows are in the log.
    Log,
    /// Its rows are in the tables, or the time for that is over.
    Tables,
}

/// Where the rows of a request are when it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// In the log, as was asked.
    Log,
    /// In the tables.
    Tables,
    /// In the log still, after the time to wait was over.
    LogOnly,
}

impl Ingest {
    /// A service that hands rows to `delivery`.
    pub fn new(catalog: Arc<Catalog>, delivery: Arc<Delivery>, settings: &config::Ingest) -> Self {
        let limits = Limits {
            event_bytes: settings.line_bytes.get(),
            depth: settings.depth,
            keys: settings.keys_per_line.get(),
            ..Limits::default()
        };
        let budget = Budget::new(settings.queue_bytes.get(), settings.data_source_queue_bytes.get());
        let wait_timeout = settings.wait_timeout;
        let requests_per_second = settings.requests_per_second;
        let (pace, channels) = (Pace::default(), Mutex::default());
        let workers = Workers::new(settings.decoding_threads);
        Self { catalog, delivery, limits, wait_timeout, budget, pace, requests_per_second, channels, workers }
    }

    /// Room for the body of a request, to be grown as the body is read.
    pub fn admission(&self, permit: &AppendPermit) -> Result<Admission, IngestError> {
        let data_source = self.data_source(permit.data_source())?;
        if let Some(limit) = self.requests_per_second {
            let name = data_source.name.to_string();
            let taken = self.pace.take(&name, limit);
            taken.map_err(|retry_after| IngestError::TooFast { data_source: name, limit, retry_after })?;
        }
        Ok(self.budget.admission(&data_source.name))
    }

    /// Stores the events of one body, or finds them stored by an earlier request.
    pub async fn append(
        &self,
        permit: &AppendPermit,
        order: Order,
        admission: Admission,
    ) -> Result<Receipt, IngestError> {
        let channel = self.channel(self.data_source(permit.data_source())?)?;
        let Some(key) = &order.key else { return self.store(channel, order, (admission, None)).await };
        let name = channel.data_source.name.as_str();
        let (key, source, events) = (key.clone(), name.to_owned(), order.events.clone());
        let signature = self.workers.work(order.events.len(), move || key.sign(&source, &events)).await?;
        match self.delivery.turn(signature).await {
            Turn::First(claim) => self.store(channel, order, (admission, Some(claim))).await,
            Turn::Repeat(known) => Ok(self.repeated(name, known, order.wait).await),
            Turn::Other => Err(IngestError::KeyReused),
        }
    }

    async fn store(
        &self,
        channel: Arc<Channel>,
        Order { events, format, wait, .. }: Order,
        (admission, claim): (Admission, Option<Claim>),
    ) -> Result<Receipt, IngestError> {
        let sent = events.len();
        let decoded = self.decode(Arc::clone(&channel), events, format).await?;
        let counts = Counts::of(&decoded);
        let (waiter, stored) = match wait {
            Wait::Log => (None, None),
            Wait::Tables => {
                let (waiter, stored) = oneshot::channel();
                (Some(waiter), Some(stored))
            }
        };
        let name = channel.data_source.name.as_str();
        self.delivery.keep(name, &decoded, Sender { admission, waiter, claim }).await?;
        channel.arrivals.accepted(counts, sent);
        let receipt = |reached| Receipt { counts, reached, stored: When::Now };
        let Some(stored) = stored else { return Ok(receipt(Reached::Log)) };
        match tokio::time::timeout(self.wait_timeout, stored).await {
            Ok(Ok(Stored::Whole)) => Ok(receipt(Reached::Tables)),
            Ok(Ok(Stored::Refused { rows, reason })) => Err(refused(counts, rows, reason)),
            // The time is over, or the server stops: the rows are in the log.
            Ok(Err(_)) | Err(_) => Ok(receipt(Reached::LogOnly)),
        }
    }

    /// The answer to a request whose events are stored.
    async fn repeated(&self, data_source: &str, known: Remembered, wait: Wait) -> Receipt {
        self.delivery.metrics().repeated(data_source);
        let stored = self.delivery.stored(data_source, known.sequence);
        let reached = match wait {
            Wait::Log => Reached::Log,
            Wait::Tables => match tokio::time::timeout(self.wait_timeout, stored).await {
                Ok(()) => Reached::Tables,
                Err(_) => Reached::LogOnly,
            },
        };
        Receipt { counts: known.signed.counts, reached, stored: When::Before }
    }

    /// What the way in counts, and how things stand now.
    pub fn observe(&self) -> &Metrics {
        self.delivery.observe();
        self.delivery.metrics().holds(self.budget.held());
        self.delivery.metrics().works(self.workers.busy());
        self.delivery.metrics()
    }

    /// Counts a request of which nothing was taken.
    pub fn refused(&self, reason: &'static str) {
        self.delivery.metrics().refused(reason);
    }

    /// Removes all rows of a data source, or of its quarantine.
    pub async fn truncate(&self, permit: &RemovePermit, side: Side) -> Result<(), IngestError> {
        let data_source = self.data_source(permit.data_source())?;
        self.delivery.remove(data_source.name.as_str(), side, Removed::All, None).await?;
        Ok(())
    }

    /// Reads which rows of a data source, or of its quarantine, are to be deleted.
    pub fn deletion(
        &self,
        permit: &RemovePermit,
        side: Side,
        (condition, partition): (&str, Option<&str>),
    ) -> Result<Deletion, IngestError> {
        self.deletion_of(permit.data_source(), side, Condition::parse(condition, partition)?)
    }

    /// Reads a deletion again that was accepted before.
    pub fn accepted_deletion(
        &self,
        name: &str,
        (condition, partition): (&str, Option<&str>),
    ) -> Result<Deletion, IngestError> {
        let (data_source, side) = Side::of(name);
        let unknown = |_| IngestError::NotFound { data_source: data_source.to_owned() };
        let data_source = ResourceName::parse(data_source).map_err(unknown)?;
        self.deletion_of(&data_source, side, Condition::parse(condition, partition)?)
    }

    fn deletion_of(
        &self,
        name: &ResourceName,
        side: Side,
        condition: Condition,
    ) -> Result<Deletion, IngestError> {
        let data_source = self.data_source(name)?;
        // The columns of a quarantine are the engine's to know.
        if side == Side::Rows
            && let Some(column) = data_source.missing_column(&condition.filter)
        {
            let reason = format!("the data source `{name}` has no column `{column}`");
            return Err(IngestError::ConditionRefused { reason });
        }
        Ok(Deletion { data_source: name.to_string(), side, condition })
    }

    /// Deletes rows: those that are kept later stay, and targets of views are left alone, as in Tinybird.
    /// No query sees them any more when this returns; the engine takes the old parts off the disk
    /// minutes later.
    pub async fn delete(&self, deletion: &Deletion) -> Result<Matched, IngestError> {
        let removed = Removed::Matching(deletion.condition.clone());
        self.delivery.remove(&deletion.data_source, deletion.side, removed, None).await
    }

    /// The same as the work of a job: `tell` is told of the outcome before the log says that the work is done.
    /// Where it was not told, the work may be done after the next start.
    pub async fn delete_as<F>(&self, job: Uuid, deletion: &Deletion, tell: F) -> Result<Matched, IngestError>
    where
        F: FnOnce(Result<Matched, IngestError>) -> BoxFuture<'static, ()> + Send + 'static,
    {
        let removed = Removed::Matching(deletion.condition.clone());
        let witness = Witness { job, tell: Box::new(tell) };
        self.delivery.remove(&deletion.data_source, deletion.side, removed, Some(witness)).await
    }

    /// Counts the rows that a deletion would delete now.
    pub async fn count_deletion(&self, deletion: &Deletion) -> Result<Matched, IngestError> {
        let removed = Removed::Matching(deletion.condition.clone());
        self.delivery.foresee(&deletion.data_source, deletion.side, &removed).await
    }

    fn data_source(&self, name: &ResourceName) -> Result<Arc<DataSource>, IngestError> {
        let found = self.catalog.workspace().data_sources.get(name).cloned();
        found.ok_or_else(|| IngestError::NotFound { data_source: name.to_string() })
    }

    async fn decode(
        &self,
        channel: Arc<Channel>,
        body: Bytes,
        format: BodyFormat,
    ) -> Result<DecodedBody, IngestError> {
        let (limits, sent) = (self.limits.clone(), body.len());
        let work = move || channel.plan.decode(&body, format, &limits);
        Ok(self.workers.work(sent, work).await??)
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
        let arrivals = self.delivery.metrics().arrivals(&name);
        let channel = Arc::new(Channel { data_source, plan, arrivals });
        channels.insert(name, Arc::clone(&channel));
        Ok(channel)
    }
}

/// Rows that the engine refused have gone to the quarantine.
fn refused(counts: Counts, refused: usize, reason: String) -> IngestError {
    let counts = Counts {
        successful_rows: counts.successful_rows.saturating_sub(refused),
        quarantined_rows: counts.quarantined_rows + refused,
    };
    IngestError::Refused { refused, reason, counts }
}
