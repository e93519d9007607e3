//! How many queries run at once, and how many may wait.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::QueryError;

/// The gate before the engine.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    patience: Duration,
}

/// So many queries run and wait that this one may not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Busy;

impl From<Busy> for QueryError {
    fn from(Busy: Busy) -> Self {
        Self::Busy
    }
}

/// The right to run one query; given back when dropped.
#[derive(Debug)]
pub struct Running {
    _permit: OwnedSemaphorePermit,
}

impl Gate {
    /// `running` queries at once, `waiting` more in line for at most `patience`.
    pub(super) fn new(running: usize, waiting: usize, patience: Duration) -> Self {
        let semaphore = |permits: usize| Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
        Self { running: semaphore(running), waiting: semaphore(waiting), patience }
    }

    /// Waits for a place; refuses at once when the line is full.
    pub(super) async fn enter(&self) -> Result<Running, Busy> {
        if let Ok(permit) = Arc::clone(&self.running).try_acquire_owned() {
            return Ok(Running { _permit: permit });
        }
        let _place = self.waiting.try_acquire().map_err(|_| Busy)?;
        let waiting = Arc::clone(&self.running).acquire_owned();
        match tokio::time::timeout(self.patience, waiting).await {
            Ok(Ok(permit)) => Ok(Running { _permit: permit }),
            _ => Err(Busy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_full_line_is_refused_at_once_and_a_long_wait_in_the_end() {
        let gate = Gate::new(1, 1, Duration::from_secs(5));
        let running = gate.enter().await.unwrap();
        let waiting = gate.clone();
        let (waited, refused) = tokio::join!(waiting.enter(), async {
            tokio::task::yield_now().await;
            gate.enter().await
        });
        assert!(matches!(refused, Err(Busy)), "the line holds one");
        assert!(matches!(waited, Err(Busy)), "nobody left in five seconds");
        drop(running);
        assert!(gate.enter().await.is_ok());
    }
}
