//! Answers that are kept, and calls that share one query.
//!
//! In: what is asked of the engine, how long its answer is good for, and how to ask.  Out: an answer
//! that was kept, that another caller is just getting, or that the engine gives now.
//! Promise: an answer that is handed out was begun behind every change to its tables that anybody had
//! been told of when the call came; no key leaves out what an answer depends on, the caller's rights
//! among it; what is kept stays within the bytes of the settings.  May use: `catalog`, `engine`.
//!
//! There are three keys. A `Question` is what would go to the engine: calls that are written differently
//! meet there. A `CallKey` is what a caller sent: a hit on it renders no template, and where the
//! answer does not hold any more, what is to be asked still does. An `AddressKey` is the same to the
//! letter: a hit on it reads no parameter, either.

mod address;
mod flights;
mod kept;
mod key;
mod merges;
mod packed;

use std::hash::Hash;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use quick_cache::sync::DefaultLifecycle;
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use super::OutputFormat;
use super::answer::Content;
use super::ask::{Asker, Failure, Landing};
use super::lengths::Likeness;
use super::metrics::QueryMetrics;
use super::prepared::Prepared;
use crate::auth::{Holder, Token};
use crate::catalog::Sighting;
use address::{Address, AddressKey, Asked};
use flights::{Boarding, Flights, Work};

pub(super) use kept::Kept;
pub(super) use key::{CallKey, Question};
pub(super) use merges::follow_merges;
pub use packed::Packing;

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
    /// Any that is not out of date, and what depends on the clock or on chance from the last interval:
    /// listeners share it.
    Live,
}

impl Freshness {
    /// True where an answer will do that is there already.
    fn takes_kept(self) -> bool {
        matches!(self, Self::Kept | Self::Live)
    }
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

impl Origin {
    /// The word of `X-Cache`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Coalesced => "coalesced",
        }
    }
}

/// What a call wants to know.
pub(super) struct Wanted {
    pub(super) question: Question,
    /// What the caller sent, where the same would be the same question again, and what it came to.
    pub(super) call: Option<(CallKey, Prepared)>,
    /// The tables as they were before the engine is asked.
    pub(super) sighting: Sighting,
    pub(super) lifetime: Lifetime,
    pub(super) freshness: Freshness,
    /// What tells how long the answer will be.
    pub(super) likeness: Likeness,
    /// Who asks: the first of several who share a query takes a place among those that run.
    pub(super) holder: Holder,
}

/// Entries by weight, in bytes; those that are asked for stay.
type Store<K, V> = quick_cache::sync::Cache<K, V, InBytes>;

/// What is known of a call. It points at its answer and does not keep it alive, so that the bytes of
/// answers are counted once.
pub(super) struct Known {
    kept: Weak<Kept>,
    pub(super) prepared: Prepared,
}

/// The kept answers.
pub(super) struct Cache {
    answers: Arc<Store<Question, Arc<Kept>>>,
    calls: Store<CallKey, Arc<Known>>,
    addresses: Store<AddressKey, Asked>,
    flights: Arc<Flights>,
    metrics: QueryMetrics,
}

impl Cache {
    /// Keeps so many bytes: three quarters for answers with their questions, one for what callers sent, a
    /// quarter of it by the letter.
    pub(super) fn new(bytes: u64, metrics: QueryMetrics) -> Self {
        Self {
            answers: Arc::new(store(bytes / 4 * 3)),
            calls: store(bytes / 16 * 3),
            addresses: store(bytes / 16),
            flights: Arc::default(),
            metrics,
        }
    }

    /// What is known of a call that was answered before.
    pub(super) fn known(&self, call: &CallKey) -> Option<Arc<Known>> {
        self.calls.get(call)
    }

    /// The answer that it had, where the caller takes it and it still holds.
    pub(super) fn kept(&self, known: &Known, freshness: Freshness) -> Option<Arc<Kept>> {
        let kept = known.kept.upgrade().filter(|_| freshness.takes_kept())?;
        let kept = Some(kept).filter(|kept| kept.is_current(Instant::now()))?;
        // It was not looked for among the answers, which keep what is asked for.
        self.answers.get(&known.prepared.question);
        self.metrics.count(Origin::Hit);
        Some(kept)
    }

    /// The answer to a call with this address, where it came before with the same token and the answer
    /// still holds; and how it is written.
    pub(super) fn at(&self, address: &str, token: &Arc<Token>) -> Option<(OutputFormat, Arc<Kept>)> {
        let asked = self.addresses.get(&Address { address, token })?;
        let kept = self.kept(&*asked.known.upgrade()?, Freshness::Kept)?;
        Some((asked.format, kept))
    }

    /// Remembers the address of a call that was answered in this format.
    pub(super) fn note(
        &self,
        (address, token): (&str, &Arc<Token>),
        format: OutputFormat,
        known: &Arc<Known>,
    ) {
        let asked = Asked { format, known: Arc::downgrade(known) };
        self.addresses.insert(Address { address, token }.to_key(), asked);
    }

    /// Finds the answer, or gets it.
    pub(super) async fn answer(&self, wanted: Wanted, asker: &Asker) -> (Result<Content, Failure>, Origin) {
        let is_shared = wanted.freshness.takes_kept() && wanted.lifetime != Lifetime::Once;
        let shared = if is_shared { self.share(&wanted, asker).await } else { None };
        let (content, origin) = match shared {
            Some(shared) => shared,
            None => (self.work(&wanted, asker).await, Origin::Miss),
        };
        self.metrics.count(origin);
        if let Ok(Content::Whole(kept)) = &content
            && wanted.freshness != Freshness::Unkept
            && kept.is_current(Instant::now())
        {
            self.point(wanted.call, kept);
        }
        (content, origin)
    }

    /// What callers with the same question get together; `None` where one of them has it alone.
    async fn share(&self, wanted: &Wanted, asker: &Asker) -> Option<(Result<Content, Failure>, Origin)> {
        let question = &wanted.question;
        let kept = || self.answers.get(question).filter(|kept| kept.is_current(Instant::now()));
        let found = match kept() {
            Some(kept) => Boarding::Landed(kept),
            None => self.flights.board((question, &wanted.sighting), kept, || self.work(wanted, asker)),
        };
        Some(match found {
            Boarding::Landed(kept) => (Ok(Content::Whole(kept)), Origin::Hit),
            Boarding::Joined(part) => match part.landing().await? {
                // The place that was not to be had was that of the first; this caller has a turn of its own.
                Err(Failure::Busy(_)) => return None,
                landed => (landed, Origin::Coalesced),
            },
            Boarding::Begun(part) => (part.landing().await?, Origin::Miss),
        })
    }

    /// Asks the engine, and keeps the answer where that is wanted.
    fn work(&self, wanted: &Wanted, asker: &Asker) -> Work {
        let (asker, answers) = (asker.clone(), Arc::clone(&self.answers));
        let Wanted { question, sighting, lifetime, freshness, likeness, .. } = wanted;
        let (question, sighting) = (question.clone(), sighting.clone());
        let (lifetime, freshness, holder) = (*lifetime, *freshness, wanted.holder.clone());
        let likeness = *likeness;
        Box::pin(async move {
            let bytes = match asker.ask(&question, likeness, &holder).await? {
                Landing::Whole(bytes) => bytes,
                Landing::Open(rows, running) => return Ok(Content::Open(rows, running)),
            };
            let kept = Arc::new(Kept::new(bytes, sighting, lifetime));
            if freshness != Freshness::Unkept && kept.is_current(Instant::now()) {
                answers.insert(question, Arc::clone(&kept));
            }
            Ok(Content::Whole(kept))
        })
    }

    fn point(&self, call: Option<(CallKey, Prepared)>, kept: &Arc<Kept>) {
        if let Some((call, prepared)) = call {
            self.calls.insert(call, Arc::new(Known { kept: Arc::downgrade(kept), prepared }));
        }
    }

    /// Notes how much is kept now.
    pub(super) fn observe(&self) {
        let answers = u64::try_from(self.answers.len()).unwrap_or(u64::MAX);
        self.metrics.observe(answers, self.answers.weight() + self.calls.weight() + self.addresses.weight());
    }

    /// True where nothing is kept.
    pub(super) fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }
}

/// What an entry costs besides its texts, about: two hash tables, two queues, pointers.
const ENTRY_BYTES: usize = 400;
/// What many entries take, about.
const TYPICAL_BYTES: u64 = 4_096;
/// Each part of a store has a lock of its own, and takes the largest answer several times.
const SHARD_BYTES: u64 = 4 << 20;
const MOST_SHARDS: usize = 16;

/// Weighs entries.
#[derive(Debug, Clone, Copy)]
struct InBytes;

impl Weighter<Question, Arc<Kept>> for InBytes {
    fn weight(&self, question: &Question, kept: &Arc<Kept>) -> u64 {
        weight(question.bytes() + kept.most_bytes())
    }
}

impl Weighter<CallKey, Arc<Known>> for InBytes {
    fn weight(&self, call: &CallKey, known: &Arc<Known>) -> u64 {
        // The question, too: the answer that shares it may be gone before.
        weight(call.bytes() + known.prepared.question.bytes())
    }
}

impl Weighter<AddressKey, Asked> for InBytes {
    fn weight(&self, address: &AddressKey, _: &Asked) -> u64 {
        weight(address.bytes())
    }
}

fn weight(bytes: usize) -> u64 {
    u64::try_from(bytes.saturating_add(ENTRY_BYTES)).unwrap_or(u64::MAX)
}

/// A store of so many bytes.
fn store<K: Eq + Hash, V: Clone>(bytes: u64) -> Store<K, V>
where
    InBytes: Weighter<K, V>,
{
    let number = |of_bytes: u64| usize::try_from(bytes / of_bytes).unwrap_or(usize::MAX);
    let mut options = OptionsBuilder::new();
    options.weight_capacity(bytes).estimated_items_capacity(number(TYPICAL_BYTES));
    let options = options.shards(number(SHARD_BYTES).clamp(1, MOST_SHARDS)).build();
    #[expect(clippy::expect_used, reason = "both numbers that the options need are given")]
    let options = options.expect("a capacity");
    Store::with_options(options, InBytes, DefaultHashBuilder::default(), DefaultLifecycle::default())
}
