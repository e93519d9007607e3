//! What the way in counts, as numbers for Prometheus.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::Counts;
use super::wal::{LogMetrics, Usage};

/// The data source that a number is about: as many series as there are data sources.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfSource {
    data_source: String,
}

/// Why requests were refused, by a short word: see [`super::IngestError::reason`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReason {
    reason: &'static str,
}

/// Counts since the start, and how things stand.
#[derive(Debug)]
pub struct Metrics {
    log: LogMetrics,
    rows: Family<OfSource, Counter>,
    quarantined: Family<OfSource, Counter>,
    bytes: Family<OfSource, Counter>,
    refused: Family<ByReason, Counter>,
    batches: Family<OfSource, Counter>,
    batch_rows: Histogram,
    flushes: Histogram,
    turns: Histogram,
    doubts: Counter,
    cascades: Counter,
    log_bytes: Gauge,
    log_segments: Gauge,
    oldest: Gauge,
    repeats: Family<OfSource, Counter>,
    keys: Gauge,
    held: Gauge,
    decoding: Gauge,
}

impl Metrics {
    /// Nothing counted yet but what the log has.
    pub(super) fn new(log: LogMetrics) -> Self {
        Self {
            log,
            rows: Family::default(),
            quarantined: Family::default(),
            bytes: Family::default(),
            refused: Family::default(),
            batches: Family::default(),
            // From 1 row to a million.
            batch_rows: Histogram::new(exponential_buckets(1.0, 4.0, 11)),
            // From 1 ms to 33 s.
            flushes: Histogram::new(exponential_buckets(0.001, 2.0, 16)),
            // From 1 ms to 2 s, which is the longest wait.
            turns: Histogram::new(exponential_buckets(0.001, 2.0, 12)),
            doubts: Counter::default(),
            cascades: Counter::default(),
            log_bytes: Gauge::default(),
            log_segments: Gauge::default(),
            oldest: Gauge::default(),
            repeats: Family::default(),
            keys: Gauge::default(),
            held: Gauge::default(),
            decoding: Gauge::default(),
        }
    }

    /// What is counted of the requests of one data source.
    pub(super) fn arrivals(&self, data_source: &str) -> Arrivals {
        let of_source = |family| counter(family, data_source);
        Arrivals {
            rows: of_source(&self.rows),
            quarantined: of_source(&self.quarantined),
            bytes: of_source(&self.bytes),
        }
    }

    /// Rows that were moved to the quarantine because the engine refused them.
    pub(super) fn moved(&self, data_source: &str, rows: u64) {
        add(&self.quarantined, data_source, usize::try_from(rows).unwrap_or(usize::MAX));
    }

    /// A request of which nothing was taken.
    pub(super) fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&ByReason { reason }).inc();
    }

    /// A batch that is in its tables.
    pub(super) fn flushed(&self, data_source: &str, rows: u64, took: Duration) {
        add(&self.batches, data_source, 1);
        #[expect(clippy::cast_precision_loss, reason = "a batch holds fewer rows than a float counts")]
        self.batch_rows.observe(rows as f64);
        self.flushes.observe(took.as_secs_f64());
    }

    /// A data source that has waited so long for its turn.
    pub(super) fn waited(&self, wait: Duration) {
        self.turns.observe(wait.as_secs_f64());
    }

    /// A batch of which nobody knew whether it was in its tables.
    pub(super) fn doubted(&self) {
        self.doubts.inc();
    }

    /// A batch that one insert put into its table and into the targets of its views.
    pub(super) fn cascaded(&self) {
        self.cascades.inc();
    }

    /// A request that had been taken before.
    pub(super) fn repeated(&self, data_source: &str) {
        add(&self.repeats, data_source, 1);
    }

    /// How the log stands, how long its oldest row has waited for the engine, and how many
    /// idempotency keys are remembered.
    pub(super) fn observe(&self, usage: Usage, oldest: Duration, keys: usize) {
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.log_bytes.set(count(usage.bytes));
        self.log_segments.set(count(usage.segments as u64));
        self.oldest.set(count(oldest.as_secs()));
        self.keys.set(count(keys as u64));
    }

    /// What is held of the byte budget now.
    pub(super) fn holds(&self, bytes: usize) {
        self.held.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// How many threads work on long bodies now.
    pub(super) fn works(&self, threads: usize) {
        self.decoding.set(i64::try_from(threads).unwrap_or(i64::MAX));
    }

    /// Gives the numbers their names, `roost_ingest_…` and `roost_log_…`.
    pub fn register(&self, registry: &mut Registry) {
        self.log.register(registry);
        let log = registry.sub_registry_with_prefix("log");
        log.register_with_unit("size", "Bytes in the log", Unit::Bytes, self.log_bytes.clone());
        log.register("segments", "Files of the log", self.log_segments.clone());
        log.register_with_unit(
            "oldest",
            "Age of the oldest row that is in no batch",
            Unit::Seconds,
            self.oldest.clone(),
        );
        let ingest = registry.sub_registry_with_prefix("ingest");
        ingest.register("rows", "Accepted events for data sources", self.rows.clone());
        ingest.register(
            "quarantined_rows",
            "Accepted events for quarantines, and rows that were moved there",
            self.quarantined.clone(),
        );
        ingest.register_with_unit("accepted", "Accepted events, unpacked", Unit::Bytes, self.bytes.clone());
        ingest.register(
            "refused_requests",
            "Requests of which nothing was taken, by reason",
            self.refused.clone(),
        );
        ingest.register(
            "repeated_requests",
            "Requests with an idempotency key that was used before",
            self.repeats.clone(),
        );
        ingest.register_with_unit(
            "held",
            "What bodies on their way and rows in memory hold of ingest.queue_bytes",
            Unit::Bytes,
            self.held.clone(),
        );
        ingest.register("idempotency_keys", "Idempotency keys that are remembered", self.keys.clone());
        ingest.register("batches", "Batches that are in their tables", self.batches.clone());
        ingest.register("batch_rows", "Rows of a batch", self.batch_rows.clone());
        ingest.register_with_unit(
            "flush",
            "Time from the begin of a batch until it is in its tables",
            Unit::Seconds,
            self.flushes.clone(),
        );
        ingest.register_with_unit(
            "turn_wait",
            "Time that rows of a data source waited for their turn to become a batch",
            Unit::Seconds,
            self.turns.clone(),
        );
        ingest.register("decoding_threads", "Threads that read long bodies now", self.decoding.clone());
        ingest.register(
            "batches_in_doubt",
            "Batches that had to be looked for in their tables",
            self.doubts.clone(),
        );
        ingest.register(
            "cascades",
            "Inserts that put a batch into its table and into the targets of its views",
            self.cascades.clone(),
        );
    }
}

/// Counts the requests of one data source. Every request counts here, and looking for its numbers would
/// take locks.
#[derive(Debug)]
pub(super) struct Arrivals {
    rows: Counter,
    quarantined: Counter,
    bytes: Counter,
}

impl Arrivals {
    /// A request whose rows are in the log.
    pub(super) fn accepted(&self, counts: Counts, bytes: usize) {
        self.rows.inc_by(counts.successful_rows as u64);
        self.quarantined.inc_by(counts.quarantined_rows as u64);
        self.bytes.inc_by(bytes as u64);
    }
}

fn add(family: &Family<OfSource, Counter>, data_source: &str, count: usize) {
    if count > 0 {
        counter(family, data_source).inc_by(count as u64);
    }
}

fn counter(family: &Family<OfSource, Counter>, data_source: &str) -> Counter {
    family.get_or_create(&OfSource { data_source: data_source.to_owned() }).clone()
}
