//! The time limit for the head of a request, without a timer for every request.
//!
//! hyper asks for a new sleep with each request and nearly always drops it unused. What that would set
//! and clear in the runtime's timer costs as much as finding an answer that is kept, so that a connection
//! has one sleep, which may end too early: then it is set anew.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

/// The timer of one connection, which waits for one thing at a time.
#[derive(Debug, Clone)]
pub(super) struct Alarm(Arc<Mutex<Pin<Box<tokio::time::Sleep>>>>);

impl Alarm {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Box::pin(tokio::time::sleep(Duration::ZERO)))))
    }
}

impl Timer for Alarm {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Until { deadline: deadline.into(), alarm: self.clone() })
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into()
    }
}

/// One wait.
struct Until {
    deadline: tokio::time::Instant,
    alarm: Alarm,
}

impl Sleep for Until {}

impl Future for Until {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut sleep = self.alarm.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sleep.deadline() > self.deadline {
            sleep.as_mut().reset(self.deadline);
        }
        while sleep.as_mut().poll(context).is_ready() {
            if sleep.deadline() >= self.deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(self.deadline);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::time::Instant;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn each_wait_ends_at_its_own_time() {
        let alarm = Alarm::new();
        for seconds in [10, 3, 7] {
            let began = Instant::now();
            alarm.sleep(Duration::from_secs(seconds)).await;
            let waited = began.elapsed();
            assert_eq!(waited.as_secs(), seconds, "{waited:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_was_dropped_ends_no_other() {
        let alarm = Alarm::new();
        let began = Instant::now();
        for _ in 0..4 {
            let mut dropped = alarm.sleep(LIMIT);
            assert!(dropped.as_mut().now_or_never().is_none());
            tokio::time::advance(LIMIT / 4).await;
        }
        alarm.sleep(LIMIT).await;
        assert_eq!(began.elapsed().as_secs(), 2 * LIMIT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_may_end_before_one_that_was_dropped() {
        let alarm = Alarm::new();
        assert!(alarm.sleep(LIMIT).now_or_never().is_none());
        let began = Instant::now();
        alarm.sleep(LIMIT / 10).await;
        assert_eq!(began.elapsed().as_secs(), 1);
    }
}
