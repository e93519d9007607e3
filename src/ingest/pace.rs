//! How often one data source may be written to.

use std::num::NonZeroU32;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::error::IngestError;

/// The counters of all data sources.
pub(super) struct Pace {
    limit: Option<(NonZeroU32, DefaultKeyedRateLimiter<String>)>,
    clock: DefaultClock,
}

impl Pace {
    /// Requests a second for each data source; `None`: as many as come.
    pub(super) fn new(limit: Option<NonZeroU32>) -> Self {
        let counters = |limit| (limit, RateLimiter::keyed(Quota::per_second(limit)));
        Self { limit: limit.map(counters), clock: DefaultClock::default() }
    }

    /// Counts a request for a data source, which exists: so many counters are kept.
    pub(super) fn take(&self, data_source: &str) -> Result<(), IngestError> {
        let Some((limit, counters)) = &self.limit else { return Ok(()) };
        counters.check_key(&data_source.to_owned()).map_err(|until| IngestError::TooFast {
            data_source: data_source.to_owned(),
            limit: *limit,
            retry_after: until.wait_time_from(self.clock.now()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_data_source_has_its_own_count() {
        let pace = Pace::new(NonZeroU32::new(2));
        for _ in 0..2 {
            assert_eq!(pace.take("a"), Ok(()));
        }
        assert!(matches!(pace.take("a"), Err(IngestError::TooFast { .. })));
        assert_eq!(pace.take("b"), Ok(()));
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let pace = Pace::new(None);
        assert!((0..10_000).all(|_| pace.take("a").is_ok()));
    }
}
