//! Waiting for something to become true, with an end.

use std::time::{Duration, Instant};

/// The pause between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// Looks until `found` returns a value and says how long that took; panics after `limit`.
pub(crate) async fn within<T>(
    limit: Duration,
    what: &str,
    mut found: impl AsyncFnMut() -> Option<T>,
) -> (T, Duration) {
    let began = Instant::now();
    loop {
        if let Some(value) = found().await {
            return (value, began.elapsed());
        }
        assert!(began.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(LOOK).await;
    }
}

/// Looks until `found` returns a value; panics after ten seconds.
pub(crate) async fn eventually<T>(what: &str, found: impl AsyncFnMut() -> Option<T>) -> T {
    within(Duration::from_secs(10), what, found).await.0
}
