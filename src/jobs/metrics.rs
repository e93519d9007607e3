//! What is counted of jobs, as numbers for Prometheus.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::JobState;

/// How jobs end, in Tinybird's words.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByStatus {
    status: &'static str,
}

/// Counts since the start, and how many are open.
#[derive(Debug, Clone, Default)]
pub struct JobMetrics {
    open: Gauge,
    ended: Family<ByStatus, Counter>,
}

impl JobMetrics {
    /// Shows the numbers under their names.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("jobs_open", "Jobs that wait or run", self.open.clone());
        registry.register("jobs_ended", "Jobs that have ended", self.ended.clone());
    }

    pub(super) fn opened(&self) {
        self.open.inc();
    }

    pub(super) fn ended(&self, state: &JobState) {
        self.open.dec();
        self.ended.get_or_create(&ByStatus { status: state.status() }).inc();
    }
}
