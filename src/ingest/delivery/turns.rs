//! Whose batch is next: so many are on their way at once, and data sources take turns.
//!
//! While a batch waits for its turn, more rows join it: the more data sources are busy, the larger
//! their batches, and the fewer parts the engine has to make and merge. Turns are given in the order in
//! which they were asked for, for what one batch may hold in bytes, so that a busy data source never stands before a quiet
//! one twice.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

/// The longest wait. Whoever has a turn may itself be waiting, for a table that takes nothing: that
/// must not stop the others.
const PATIENCE: Duration = Duration::from_secs(2);

/// The turns of all data sources.
#[derive(Debug)]
pub(super) struct Turns(Semaphore);

/// A turn, until it is dropped; or the end of all patience.
#[derive(Debug)]
pub(super) struct Turn<'a>(#[expect(dead_code, reason = "held, not read")] Option<SemaphorePermit<'a>>);

impl Turns {
    /// So many at once.
    pub(super) fn new(batches: usize) -> Self {
        Self(Semaphore::new(batches.min(Semaphore::MAX_PERMITS)))
    }

    /// Waits for a turn.
    pub(super) async fn next(&self) -> Turn<'_> {
        let turn = tokio::time::timeout(PATIENCE, self.0.acquire()).await;
        Turn(turn.ok().and_then(Result::ok))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_turn_comes_when_another_ends() {
        let turns = Turns::new(2);
        let (first, _second) = (turns.next().await, turns.next().await);
        let began = Instant::now();
        let ended = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            drop(first);
        };
        let (_third, ()) = tokio::join!(turns.next(), ended);
        assert_eq!(began.elapsed(), Duration::from_millis(300));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever() {
        let turns = Turns::new(1);
        let _held = turns.next().await;
        let began = Instant::now();
        let _both = tokio::join!(turns.next(), turns.next());
        assert_eq!(began.elapsed(), PATIENCE);
    }
}
