//! Threads that work on long bodies.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::error::IngestError;

/// Bodies above this size are worked on by a thread that may be busy for a while: about half a
/// millisecond's work.
const INLINE_BYTES: usize = 64 * 1024;

/// So many at once. More than the machine has processors would not be faster, and each keeps memory of
/// its own.
pub(super) struct Workers {
    places: Arc<Semaphore>,
    limit: usize,
}

impl Workers {
    /// So many, or as many as there are processors.
    pub(super) fn new(threads: Option<NonZeroU32>) -> Self {
        let processors = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let given = threads.and_then(|threads| usize::try_from(threads.get()).ok());
        let limit = given.unwrap_or_else(processors).min(Semaphore::MAX_PERMITS);
        Self { places: Arc::new(Semaphore::new(limit)), limit }
    }

    /// How many work now.
    pub(super) fn busy(&self) -> usize {
        self.limit - self.places.available_permits()
    }

    /// Does the work on a body of so many bytes: a long one on a thread that may be busy for a while.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, IngestError> {
        if bytes <= INLINE_BYTES {
            return Ok(work());
        }
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| IngestError::Stopping)?;
        // The place goes with the work, which goes on where its client has left.
        let work = move || {
            let done = work();
            drop(place);
            done
        };
        // The work does not panic; a runtime that is going down cancels it.
        tokio::task::spawn_blocking(work).await.map_err(|_| IngestError::Stopping)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[tokio::test]
    async fn no_more_than_the_limit_work_at_once_and_short_bodies_do_not_wait() {
        let workers = Workers::new(NonZeroU32::new(1));
        let (end, ended) = sync_channel::<()>(1);
        let long = workers.work(INLINE_BYTES + 1, move || ended.recv());
        let mut long = std::pin::pin!(long);
        assert!(futures_util::poll!(&mut long).is_pending());
        assert_eq!(workers.busy(), 1);
        let mut second = std::pin::pin!(workers.work(INLINE_BYTES + 1, || 2));
        assert!(futures_util::poll!(&mut second).is_pending());
        assert_eq!(workers.work(INLINE_BYTES, || 3).await, Ok(3));
        end.send(()).unwrap();
        long.await.unwrap().unwrap();
        assert_eq!(second.await, Ok(2));
        assert_eq!(workers.busy(), 0);
    }
}
