//! Answers that are kept, and calls that share one query.
//!
//! In: what is asked of the engine, how long its answer is good for, and how to ask.  Out: an answer
//! that was kept, that another caller is just getting, or that the engine gives now.
//! Promise: an answer that is handed out was begun behind every change to its tables that anybody had
//! been told of when the call came; no key leaves out what an answer depends on, the caller's rights
//! among it; what is kept stays within the bytes of the settings.  May use: `catalog`, `engine`.
//!
//! There are two keys. A `CallKey` is what a caller sent: a hit on it renders no template. A
//! `Question` is what would go to the engine: calls that are written differently meet there.

mod flights;
mod kept;
mod key;
mod merges;
mod metrics;

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::answer::Content;
use super::ask::{Asker, Failure};
use crate::catalog::Sighting;
use flights::Flights;

pub(super) use flights::{Landing, Work};
pub(super) use kept::Kept;
pub(super) use key::{CallKey, Question};
pub(super) use merges::follow_merges;
pub use metrics::CacheMetrics;

/// How long an answer is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// For the one who asked.
    Once,
    /// Until one of its tables changes.
    UntilChanged,
    /// The same, and no longer than this.
    AtMost(Duration),
}

/// Whether a caller takes an answer that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Freshness {
    /// Any that is not out of date.
    #[default]
    Kept,
    /// Only one that the engine gives now (`Cache-Control: no-cache`).
    Asked,
    /// The same, which is not kept for others either (`Cache-Control: no-store`).
    Unkept,
}

/// How a call came to its answer: `X-Cache`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was kept.
    Hit,
    /// The engine was asked.
    Miss,
    /// Another caller had asked the engine for the same just before.
    Coalesced,
}

/// What a call wants to know.
pub(super) struct Wanted {
    pub(super) question: Question,
    /// What the caller sent, where the same would be the same question again.
    pub(super) call: Option<CallKey>,
    /// The tables as they were before the engine is asked.
    pub(super) sighting: Sighting,
    pub(super) lifetime: Lifetime,
    pub(super) freshness: Freshness,
}

/// The kept answers.
pub(super) struct Cache {
    answers: moka::sync::Cache<Question, Arc<Kept>>,
    /// They point at answers and keep none alive, so that the bytes of answers are counted once.
    calls: moka::sync::Cache<CallKey, Weak<Kept>>,
    flights: Arc<Flights>,
    metrics: CacheMetrics,
}

impl Cache {
    /// Keeps so many bytes: three quarters for answers with their questions, one for what callers sent.
    pub(super) fn new(bytes: u64, metrics: CacheMetrics) -> Self {
        let answers = moka::sync::Cache::builder()
            .weigher(|question: &Question, kept: &Arc<Kept>| weight(question.bytes() + kept.bytes.len()));
        let calls =
            moka::sync::Cache::builder().weigher(|call: &CallKey, _: &Weak<Kept>| weight(call.bytes()));
        Self {
            answers: answers.max_capacity(bytes / 4 * 3).build(),
            calls: calls.max_capacity(bytes / 4).build(),
            flights: Arc::default(),
            metrics,
        }
    }

    /// The answer to a call that was answered before, if it still holds.
    pub(super) fn known(&self, call: &CallKey) -> Option<Arc<Kept>> {
        let kept = self.calls.get(call)?.upgrade()?;
        kept.is_current(Instant::now()).then(|| self.count(Origin::Hit, kept))
    }

    /// Finds the answer, or gets it.
    pub(super) async fn answer(&self, wanted: Wanted, asker: &Asker) -> (Result<Content, Failure>, Origin) {
        let is_shared = wanted.freshness == Freshness::Kept && wanted.lifetime != Lifetime::Once;
        if is_shared
            && let Some(kept) =
                self.answers.get(&wanted.question).filter(|kept| kept.is_current(Instant::now()))
        {
            self.point(wanted.call, &kept);
            return (Ok(Content::Whole(self.count(Origin::Hit, kept))), Origin::Hit);
        }
        let shared = if is_shared { self.share(&wanted, asker).await } else { None };
        let (landed, origin) = match shared {
            Some(landed) => landed,
            None => (
                asker.ask(wanted.question.clone()).await.map(|landing| content(landing, &wanted)),
                Origin::Miss,
            ),
        };
        self.metrics.count(origin);
        if let (Ok(Content::Whole(kept)), Origin::Miss) = (&landed, origin)
            && wanted.freshness != Freshness::Unkept
        {
            self.keep(wanted.question, wanted.call, kept);
        }
        (landed, origin)
    }

    /// What callers with the same question get together; `None` where one of them has it alone.
    async fn share(&self, wanted: &Wanted, asker: &Asker) -> Option<(Result<Content, Failure>, Origin)> {
        let work = asker.work(wanted.question.clone());
        let part = self.flights.join(&wanted.question, &wanted.sighting, work);
        let origin = part.origin();
        let landed = part.landing().await?;
        Some((landed.map(|landing| content(landing, wanted)), origin))
    }

    fn keep(&self, question: Question, call: Option<CallKey>, kept: &Arc<Kept>) {
        if kept.is_current(Instant::now()) {
            self.answers.insert(question, Arc::clone(kept));
            self.point(call, kept);
        }
    }

    fn point(&self, call: Option<CallKey>, kept: &Arc<Kept>) {
        if let Some(call) = call {
            self.calls.insert(call, Arc::downgrade(kept));
        }
    }

    fn count(&self, origin: Origin, kept: Arc<Kept>) -> Arc<Kept> {
        self.metrics.count(origin);
        kept
    }

    /// Notes how much is kept now.
    pub(super) fn observe(&self) {
        self.settle();
        self.metrics
            .observe(self.answers.entry_count(), self.answers.weighted_size() + self.calls.weighted_size());
    }

    /// Lets both caches do what they put off: until then they count as before.
    fn settle(&self) {
        self.answers.run_pending_tasks();
        self.calls.run_pending_tasks();
    }

    /// True where nothing is kept.
    pub(super) fn is_empty(&self) -> bool {
        self.settle();
        self.answers.entry_count() == 0
    }
}

/// What the engine gave, for one caller. The sighting is the caller's own: that of a query which others
/// began is older, and says the same.
fn content(landing: Landing, wanted: &Wanted) -> Content {
    match landing {
        Landing::Whole(bytes) => {
            Content::Whole(Arc::new(Kept::new(bytes, wanted.sighting.clone(), wanted.lifetime)))
        }
        Landing::Open(rows, running) => Content::Open(rows, running),
    }
}

/// What an entry costs besides its texts, about: two hash tables, two queues, pointers.
const ENTRY_BYTES: usize = 400;

fn weight(bytes: usize) -> u32 {
    u32::try_from(bytes.saturating_add(ENTRY_BYTES)).unwrap_or(u32::MAX)
}
