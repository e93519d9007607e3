//! What the way out counts, as numbers for Prometheus.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::admission::Occupancy;
use super::cache::Origin;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOrigin {
    origin: &'static str,
}

/// Counts since the start, and how much is kept.
#[derive(Debug, Clone, Default)]
pub struct QueryMetrics {
    answers: Answers,
    kept: Gauge,
    bytes: Gauge,
    listeners: Gauge,
    asked_again: Counter,
    running: Gauge,
    waiting: Gauge,
}

/// Calls by how they came to their answers. The three are at hand, as looking for one takes a lock.
#[derive(Debug, Clone)]
struct Answers {
    all: Family<ByOrigin, Counter>,
    hits: Counter,
    misses: Counter,
    coalesced: Counter,
}

impl Default for Answers {
    fn default() -> Self {
        let all = Family::<ByOrigin, Counter>::default();
        let [hits, misses, coalesced] = [Origin::Hit, Origin::Miss, Origin::Coalesced]
            .map(|origin| all.get_or_create(&ByOrigin { origin: origin.as_str() }).clone());
        Self { all, hits, misses, coalesced }
    }
}

impl QueryMetrics {
    /// Shows the numbers under their names.
    pub fn register(&self, registry: &mut Registry) {
        let Self { answers, kept, bytes, listeners, asked_again, running, waiting } = self;
        let help = "Calls that were answered from kept answers, by the engine, or with what the engine gave another caller";
        registry.register("query_answers", help, answers.all.clone());
        registry.register("query_cache_answers", "Answers that are kept", kept.clone());
        registry.register("query_running", "Queries that run", running.clone());
        registry.register("query_waiting", "Queries that wait for a place", waiting.clone());
        let help = "Queries that were asked again, because their answers were longer than those before";
        registry.register("query_asked_again", help, asked_again.clone());
        registry.register("query_listeners", "Callers who listen to live answers", listeners.clone());
        registry.register_with_unit("query_cache", "Memory of kept answers", Unit::Bytes, bytes.clone());
    }

    pub(super) fn count(&self, origin: Origin) {
        let counter = match origin {
            Origin::Hit => &self.answers.hits,
            Origin::Miss => &self.answers.misses,
            Origin::Coalesced => &self.answers.coalesced,
        };
        counter.inc();
    }

    pub(super) fn asked_again(&self) {
        self.asked_again.inc();
    }

    pub(super) fn observe_line(&self, line: Occupancy) {
        self.running.set(line.running.try_into().unwrap_or(i64::MAX));
        self.waiting.set(line.waiting.try_into().unwrap_or(i64::MAX));
    }

    pub(super) fn observe_listeners(&self, listeners: usize) {
        self.listeners.set(listeners.try_into().unwrap_or(i64::MAX));
    }

    pub(super) fn observe(&self, answers: u64, bytes: u64) {
        self.kept.set(answers.try_into().unwrap_or(i64::MAX));
        self.bytes.set(bytes.try_into().unwrap_or(i64::MAX));
    }
}
