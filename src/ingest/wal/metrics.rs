//! What the log counts.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::Damage;

/// Counts since the start; clones count together.
#[derive(Debug, Clone)]
pub struct LogMetrics {
    pub(super) syncs: Histogram,
    failed_syncs: Counter,
    lost_records: Counter,
    lost_segments: Counter,
    torn_bytes: Counter,
}

impl LogMetrics {
    /// Counts of a log that was found like this.
    pub(super) fn of(damage: &Damage) -> Self {
        let metrics = Self {
            // From 50 µs to 1.6 s.
            syncs: Histogram::new(exponential_buckets(0.000_05, 2.0, 16)),
            failed_syncs: Counter::default(),
            lost_records: Counter::default(),
            lost_segments: Counter::default(),
            torn_bytes: Counter::default(),
        };
        metrics.lost_records.inc_by(damage.lost_records);
        metrics.lost_segments.inc_by(damage.lost_segments);
        metrics.torn_bytes.inc_by(damage.torn_bytes);
        metrics
    }

    pub(super) fn synced(&self, took: Duration) {
        self.syncs.observe(took.as_secs_f64());
    }

    pub(super) fn sync_failed(&self) {
        self.failed_syncs.inc();
    }

    /// Gives the counts their names.
    pub(in crate::ingest) fn register(&self, registry: &mut Registry) {
        let log = registry.sub_registry_with_prefix("log");
        log.register_with_unit("sync", "Time of a sync of the log", Unit::Seconds, self.syncs.clone());
        log.register("failed_syncs", "Syncs of the log that failed", self.failed_syncs.clone());
        log.register(
            "lost_records",
            "Records that were found missing when the log was opened",
            self.lost_records.clone(),
        );
        log.register(
            "lost_segments",
            "Files that were set aside when the log was opened",
            self.lost_segments.clone(),
        );
        log.register_with_unit(
            "torn",
            "Bytes of a record that was being written when the log was last closed",
            Unit::Bytes,
            self.torn_bytes.clone(),
        );
    }
}
