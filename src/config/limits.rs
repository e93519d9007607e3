//! The sections `[ingest]` and `[query]`, and the order that limits must keep among each other.

use std::collections::BTreeSet;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::time::Duration;

use serde::Deserialize;

use super::layers::Layers;
use super::{ConfigError, EnginePlace, units};

/// `[ingest]`: limits of the way in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ingest {
    /// Longest body on the wire.
    #[serde(deserialize_with = "units::count")]
    pub body_bytes: NonZeroUsize,
    /// Longest body after decompression.
    #[serde(deserialize_with = "units::count")]
    pub decoded_body_bytes: NonZeroUsize,
    /// Longest event.
    #[serde(deserialize_with = "units::count")]
    pub line_bytes: NonZeroUsize,
    /// Deepest nesting of an event.
    #[serde(deserialize_with = "units::depth")]
    pub depth: usize,
    /// Most keys of an event, at every depth together.
    #[serde(deserialize_with = "units::count")]
    pub keys_per_line: NonZeroUsize,
    /// Rows that close a batch.
    #[serde(deserialize_with = "units::count")]
    pub batch_rows: NonZeroUsize,
    /// Bytes that close a batch.
    #[serde(deserialize_with = "units::count")]
    pub batch_bytes: NonZeroUsize,
    /// Batches that are on their way into tables at once.
    #[serde(deserialize_with = "units::count")]
    pub concurrent_batches: NonZeroUsize,
    /// Threads that work on long bodies at once; `None`: as many as there are processors.
    #[serde(deserialize_with = "units::pace")]
    pub decoding_threads: Option<NonZeroU32>,
    /// Bytes of bodies and rows held in memory.
    #[serde(deserialize_with = "units::count")]
    pub queue_bytes: NonZeroUsize,
    /// Those of one data source.
    #[serde(deserialize_with = "units::count")]
    pub data_source_queue_bytes: NonZeroUsize,
    /// Idempotency keys that are remembered.
    #[serde(deserialize_with = "units::count")]
    pub idempotency_keys: NonZeroUsize,
    /// How long an idempotency key is remembered.
    #[serde(rename = "idempotency_seconds", deserialize_with = "units::seconds")]
    pub idempotency_memory: Duration,
    /// Requests a second for one data source; `None`: any number.
    #[serde(deserialize_with = "units::pace")]
    pub requests_per_second: Option<NonZeroU32>,
    /// Time a statement of a batch may take.
    #[serde(rename = "insert_timeout_seconds", deserialize_with = "units::seconds")]
    pub insert_timeout: Duration,
    /// Time that accepted rows wait for others.
    #[serde(rename = "linger_milliseconds", deserialize_with = "units::milliseconds")]
    pub linger: Duration,
    /// Time that rows are tried which the engine has not the memory or the time for.
    #[serde(rename = "too_much_seconds", deserialize_with = "units::seconds")]
    pub too_much: Duration,
    /// Time that a request waits for its rows to be in the table.
    #[serde(rename = "wait_timeout_seconds", deserialize_with = "units::seconds")]
    pub wait_timeout: Duration,
}

/// `[query]`: limits of the way out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Time in the engine; `None`: only the request's own timeout.
    #[serde(rename = "max_execution_seconds", deserialize_with = "units::seconds_if_any")]
    pub max_execution: Option<Duration>,
    /// Longest result; `None`: any.
    #[serde(deserialize_with = "units::limit")]
    pub max_result_bytes: Option<NonZeroU64>,
    /// Memory of one query; `None`: the engine's.
    #[serde(deserialize_with = "units::limit")]
    pub max_memory_bytes: Option<NonZeroU64>,
    /// Rows of one result; `None`: any number.
    #[serde(deserialize_with = "units::limit")]
    pub max_result_rows: Option<NonZeroU64>,
    /// Rows that one query may read; `None`: any number.
    #[serde(deserialize_with = "units::limit")]
    pub max_rows_to_read: Option<NonZeroU64>,
    /// Bytes of the SQL that a caller may send.
    #[serde(deserialize_with = "units::count")]
    pub max_sql_bytes: NonZeroUsize,
    /// Threads of one query; `None`: the engine's choice.
    #[serde(deserialize_with = "units::limit")]
    pub max_threads: Option<NonZeroU64>,
    /// Queries that run at the same time.
    #[serde(deserialize_with = "units::count_or_four_per_core")]
    pub concurrency: NonZeroUsize,
    /// Queries that may wait for their turn.
    #[serde(deserialize_with = "units::count_or_zero")]
    pub queue: usize,
    /// Time a query may wait for its turn.
    #[serde(rename = "queue_timeout_seconds", deserialize_with = "units::seconds")]
    pub queue_timeout: Duration,
    /// Whether answers are kept.
    pub cache: Caching,
    /// Bytes of kept answers.
    #[serde(deserialize_with = "units::bytes")]
    pub cache_bytes: NonZeroU64,
    /// Pipes whose answers are not kept.
    #[serde(rename = "cache_except", deserialize_with = "units::names")]
    pub cache_except: BTreeSet<String>,
    /// Callers that may listen to live answers.
    #[serde(deserialize_with = "units::count")]
    pub max_listeners: NonZeroUsize,
    /// Shortest time between two answers to one listener.
    #[serde(rename = "live_interval_milliseconds", deserialize_with = "units::milliseconds")]
    pub live_interval: Duration,
}

/// `[query_token]`, `[query_jwt]`: closer limits for queries with one kind of token.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryLimits {
    /// Time in the engine.
    #[serde(rename = "max_execution_seconds", deserialize_with = "units::seconds_if_any")]
    pub max_execution: Option<Duration>,
    /// Longest result.
    #[serde(deserialize_with = "units::limit")]
    pub max_result_bytes: Option<NonZeroU64>,
    /// Memory of one query.
    #[serde(deserialize_with = "units::limit")]
    pub max_memory_bytes: Option<NonZeroU64>,
    /// Rows of one result.
    #[serde(deserialize_with = "units::limit")]
    pub max_result_rows: Option<NonZeroU64>,
    /// Rows that one query may read.
    #[serde(deserialize_with = "units::limit")]
    pub max_rows_to_read: Option<NonZeroU64>,
    /// Threads of one query.
    #[serde(deserialize_with = "units::limit")]
    pub max_threads: Option<NonZeroU64>,
}

impl QueryLimits {
    /// The closer of two limits, one by one.
    #[must_use]
    pub fn within(self, other: Self) -> Self {
        Self {
            max_execution: closer(self.max_execution, other.max_execution),
            max_result_bytes: closer(self.max_result_bytes, other.max_result_bytes),
            max_memory_bytes: closer(self.max_memory_bytes, other.max_memory_bytes),
            max_result_rows: closer(self.max_result_rows, other.max_result_rows),
            max_rows_to_read: closer(self.max_rows_to_read, other.max_rows_to_read),
            max_threads: closer(self.max_threads, other.max_threads),
        }
    }
}

/// The smaller one; no limit is larger than any.
fn closer<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    one.into_iter().chain(other).min()
}

/// Whether answers are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Caching {
    /// With the embedded engine, whose tables nobody else writes to.
    Embedded,
    /// With a `ClickHouse` server, too: nobody else writes to the tables of the workspace.
    On,
    /// Never.
    Off,
}

impl Query {
    /// What holds for every query.
    pub fn limits(&self) -> QueryLimits {
        QueryLimits {
            max_execution: self.max_execution,
            max_result_bytes: self.max_result_bytes,
            max_memory_bytes: self.max_memory_bytes,
            max_result_rows: self.max_result_rows,
            max_rows_to_read: self.max_rows_to_read,
            max_threads: self.max_threads,
        }
    }

    /// True where answers of the engine at this place are kept.
    pub fn keeps_answers(&self, place: &EnginePlace) -> bool {
        match self.cache {
            Caching::Embedded => matches!(place, EnginePlace::Embedded(_)),
            Caching::On => true,
            Caching::Off => false,
        }
    }
}

/// Pairs of keys of which the first must not exceed the second.
const ORDERED: [(&str, &str); 10] = [
    ("query.max_execution_seconds", "server.request_timeout_seconds"),
    ("query.queue_timeout_seconds", "server.request_timeout_seconds"),
    ("ingest.insert_timeout_seconds", "server.request_timeout_seconds"),
    ("ingest.wait_timeout_seconds", "server.request_timeout_seconds"),
    ("wal.segment_bytes", "wal.max_bytes"),
    ("ingest.body_bytes", "ingest.decoded_body_bytes"),
    ("ingest.line_bytes", "ingest.decoded_body_bytes"),
    ("ingest.decoded_body_bytes", "ingest.queue_bytes"),
    ("ingest.decoded_body_bytes", "ingest.data_source_queue_bytes"),
    ("ingest.batch_bytes", "ingest.queue_bytes"),
];

/// Refuses limits that can never be reached because another one is met before.
pub(super) fn check(layers: &Layers) -> Result<(), ConfigError> {
    ORDERED.iter().try_for_each(|(smaller, larger)| layers.at_most(smaller, larger))
}
