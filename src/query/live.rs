//! Listeners: callers who are told when the answer to their call is another one.
//!
//! In: a place among the listeners, and the answer that a listener has.  Out: the moment to ask again.
//! Promise: no sooner than the interval after the last time; every change to a table that the answer
//! was made of leads to another look; so many listeners and no more.
//!
//! To ask again is an ordinary call: equal calls share one query, so that a thousand listeners to one
//! endpoint cost one query for each change.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::answer::WholeAnswer;
use super::error::QueryError;
use super::service::Queries;

/// A listener that was told nothing for so long is told that the connection is there.
const QUIET: Duration = Duration::from_secs(15);

/// The places of listeners.
#[derive(Debug, Clone)]
pub(super) struct Listeners {
    places: Arc<Semaphore>,
    limit: usize,
    interval: Duration,
    stop: CancellationToken,
}

impl Listeners {
    pub(super) fn new(limit: usize, interval: Duration, stop: CancellationToken) -> Self {
        let places = Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
        Self { places, limit, interval, stop }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.limit.saturating_sub(self.places.available_permits())
    }

    /// The time for which listeners share what depends on the clock or on chance.
    pub(super) fn interval(&self) -> Duration {
        self.interval
    }
}

/// One listener.
pub struct Listener {
    changes: watch::Receiver<u64>,
    interval: Duration,
    asked: Instant,
    stop: CancellationToken,
    _place: OwnedSemaphorePermit,
}

/// Why a listener stopped waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// The answer may be another one.
    Changed,
    /// Nothing happened for a while.
    Quiet,
    /// The server stops.
    Stopping,
}

impl Queries {
    /// A place among the listeners.
    pub fn listen(&self) -> Result<Listener, QueryError> {
        let Listeners { places, limit, interval, stop } = self.listeners.clone();
        let place = places.try_acquire_owned().map_err(|_| QueryError::ListenersFull { limit })?;
        let changes = self.changes();
        Ok(Listener { changes, interval, asked: Instant::now(), stop, _place: place })
    }
}

impl Listener {
    /// Waits until there may be more to say than this answer.
    pub async fn wait(&mut self, answer: &WholeAnswer) -> Woken {
        let Self { changes, interval, asked, stop, .. } = self;
        let changed = async {
            while answer.sighting().is_current() {
                if changes.changed().await.is_err() {
                    return Woken::Stopping;
                }
            }
            tokio::time::sleep_until(*asked + *interval).await;
            *asked = Instant::now();
            Woken::Changed
        };
        tokio::select! {
            woken = changed => woken,
            () = tokio::time::sleep(QUIET) => Woken::Quiet,
            () = stop.cancelled() => Woken::Stopping,
        }
    }
}
