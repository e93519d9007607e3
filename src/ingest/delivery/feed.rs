//! What waits for one data source's flusher, and when it is due.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::ingest::Admission;
use crate::ingest::wal::Sequence;

/// What became of the rows of a request that waited for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ingest) enum Stored {
    /// All are where they were meant to go.
    Whole,
    /// The engine refused so many, which are in the quarantine, for this reason.
    Refused { rows: usize, reason: String },
}

/// A request whose rows are in the log.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Its payload, unless memory is short: then it is read again from the log.
    pub(super) payload: Option<(Bytes, Admission)>,
    /// Who waits for its rows to be in the table.
    pub(super) waiter: Option<oneshot::Sender<Stored>>,
}

/// See the head of the file.
#[derive(Debug, Default)]
pub(super) struct Feed {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    held: HashMap<Sequence, Held>,
    waiters: usize,
    bytes: usize,
    /// Bytes with which a batch is due at once, as the flusher said last.
    full: usize,
    /// When the oldest row came that is not in a batch.
    oldest: Option<Instant>,
    /// Somebody waits for what is there now, without a request of its own.
    hurried: bool,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Open,
    /// Everything is to be flushed at once, and nothing more comes.
    Draining,
}

/// What a flusher is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Flush what waits.
    Flush,
    /// End: nothing waits and nothing more comes.
    End,
}

impl Feed {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a request that the ledger is about to know.
    pub(super) fn hold(&self, sequence: Sequence, bytes: usize, held: Held) {
        let mut state = self.state();
        state.waiters += usize::from(held.waiter.is_some());
        state.bytes += bytes;
        state.held.insert(sequence, held);
    }

    /// Says that the ledger knows of new rows. The flusher is woken where they make a batch due sooner
    /// than it knows; most only add to one whose time it waits for already.
    pub(super) fn announce(&self) {
        let mut state = self.state();
        let is_first = state.oldest.is_none();
        state.oldest.get_or_insert_with(Instant::now);
        let is_due = state.waiters > 0 || state.bytes >= state.full;
        drop(state);
        if is_first || is_due {
            self.changed.notify_one();
        }
    }

    /// Notes rows that have waited since before this start.
    pub(super) fn add_backlog(&self, bytes: usize) {
        let mut state = self.state();
        state.bytes += bytes;
        state.oldest = Some(Instant::now().checked_sub(Duration::from_hours(1)).unwrap_or_else(Instant::now));
        drop(state);
        self.changed.notify_one();
    }

    /// Says that everything which the ledger knows is looked at: what is announced later is due again.
    pub(super) fn begin(&self) {
        let mut state = self.state();
        state.oldest = None;
        state.hurried = false;
    }

    /// Gives a request to a batch.
    pub(super) fn take(&self, sequence: Sequence, bytes: usize) -> Held {
        let mut state = self.state();
        let held = state.held.remove(&sequence).unwrap_or_default();
        state.waiters -= usize::from(held.waiter.is_some());
        state.bytes = state.bytes.saturating_sub(bytes);
        held
    }

    /// True where so many bytes wait.
    pub(super) fn has_bytes(&self, bytes: usize) -> bool {
        self.state().bytes >= bytes
    }

    /// Flushes what waits now at once.
    pub(super) fn hurry(&self) {
        self.state().hurried = true;
        self.changed.notify_one();
    }

    /// Flushes everything from now on, and then ends.
    pub(super) fn drain(&self) {
        self.state().phase = Phase::Draining;
        self.changed.notify_one();
    }

    /// Waits until a batch is due: somebody waits for it, it is full, or its oldest row has waited
    /// for `linger`.
    pub(super) async fn due(&self, linger: Duration, full: usize) -> Due {
        loop {
            let changed = self.changed.notified();
            let deadline = {
                let mut state = self.state();
                state.full = full;
                match (state.oldest, state.phase) {
                    (None, Phase::Draining) => return Due::End,
                    (None, Phase::Open) => None,
                    (Some(_), Phase::Draining) => return Due::Flush,
                    (Some(oldest), Phase::Open) => {
                        let deadline = oldest + linger;
                        if state.hurried
                            || state.waiters > 0
                            || state.bytes >= full
                            || deadline <= Instant::now()
                        {
                            return Due::Flush;
                        }
                        Some(deadline)
                    }
                }
            };
            match deadline {
                Some(deadline) => drop(tokio::time::timeout_at(deadline, changed).await),
                None => changed.await,
            }
        }
    }
}

/// The feeds of all data sources.
#[derive(Default)]
pub(super) struct Feeds {
    known: Mutex<HashMap<String, Arc<Feed>>>,
}

impl Feeds {
    /// The feed of a data source; `start` begins to flush a new one.
    pub(super) fn of(&self, source: &str, start: impl FnOnce(Arc<Feed>)) -> Arc<Feed> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(feed) = known.get(source) {
            return Arc::clone(feed);
        }
        let feed = Arc::<Feed>::default();
        known.insert(source.to_owned(), Arc::clone(&feed));
        start(Arc::clone(&feed));
        feed
    }

    /// Drains all.
    pub(super) fn drain(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).values().for_each(|feed| feed.drain());
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Wake, Waker};

    use super::*;

    const LINGER: Duration = Duration::from_secs(1);
    const FULL: usize = 100;

    fn add(feed: &Feed, number: u64, bytes: usize, waiter: Option<oneshot::Sender<Stored>>) {
        feed.hold(Sequence::new(number), bytes, Held { payload: None, waiter });
        feed.announce();
    }

    async fn time_until_due(feed: &Feed) -> Duration {
        let began = Instant::now();
        assert_eq!(feed.due(LINGER, FULL).await, Due::Flush);
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_is_due_when_its_oldest_row_has_waited() {
        let feed = Feed::default();
        add(&feed, 1, 10, None);
        tokio::time::advance(LINGER / 2).await;
        add(&feed, 2, 10, None);
        let waited = time_until_due(&feed).await;
        assert!(waited >= LINGER / 2 && waited < LINGER, "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_is_due_at_once_when_it_is_full_or_waited_for() {
        let feed = Feed::default();
        add(&feed, 1, FULL - 1, None);
        add(&feed, 2, 1, None);
        assert_eq!(time_until_due(&feed).await, Duration::ZERO);
        feed.begin();
        drop((feed.take(Sequence::new(1), FULL - 1), feed.take(Sequence::new(2), 1)));
        let (waiter, _stored) = oneshot::channel();
        add(&feed, 3, 1, Some(waiter));
        assert_eq!(time_until_due(&feed).await, Duration::ZERO);
        feed.begin();
        assert!(feed.take(Sequence::new(3), 1).waiter.is_some());
        add(&feed, 4, 1, None);
        feed.hurry();
        assert_eq!(time_until_due(&feed).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_announced_during_a_flush_is_due_again() {
        let feed = Feed::default();
        add(&feed, 1, 1, None);
        feed.begin();
        add(&feed, 2, 1, None);
        assert_eq!(time_until_due(&feed).await, LINGER);
    }

    /// Counts how often a task is woken.
    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn rows_that_only_add_to_a_batch_wake_nobody() {
        let (feed, woken) = (Feed::default(), Arc::new(Woken::default()));
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        let mut due = pin!(feed.due(LINGER, FULL));
        let mut woken_after = |number, bytes, waiter| {
            assert!(due.as_mut().poll(&mut context).is_pending(), "before row {number}");
            let before = woken.0.load(Ordering::SeqCst);
            add(&feed, number, bytes, waiter);
            woken.0.load(Ordering::SeqCst) - before
        };
        assert_eq!(woken_after(1, 10, None), 1, "its time has to be waited for");
        assert_eq!(woken_after(2, 10, None), 0);
        assert_eq!(woken_after(3, FULL - 21, None), 0);
        assert_eq!(woken_after(4, 1, None), 1, "the batch is full");
        assert_eq!(time_until_due(&feed).await, Duration::ZERO);
        feed.begin();
        (1..=4).for_each(|number| drop(feed.take(Sequence::new(number), FULL)));
        let mut due = pin!(feed.due(LINGER, FULL));
        add(&feed, 5, 1, None);
        assert!(due.as_mut().poll(&mut context).is_pending());
        let (waiter, _stored) = oneshot::channel();
        let before = woken.0.load(Ordering::SeqCst);
        add(&feed, 6, 1, Some(waiter));
        assert_eq!(woken.0.load(Ordering::SeqCst) - before, 1, "somebody waits");
    }

    #[tokio::test(start_paused = true)]
    async fn a_drained_feed_flushes_at_once_and_ends() {
        let feed = Feed::default();
        add(&feed, 1, 1, None);
        feed.drain();
        assert_eq!(time_until_due(&feed).await, Duration::ZERO);
        feed.begin();
        assert_eq!(feed.due(LINGER, FULL).await, Due::End);
    }

    #[tokio::test(start_paused = true)]
    async fn a_backlog_is_due_at_once() {
        let feed = Feed::default();
        feed.add_backlog(5);
        assert_eq!(time_until_due(&feed).await, Duration::ZERO);
    }
}
