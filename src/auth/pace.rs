//! How often a token may be used, or a data source be written to: requests a second, counted by name.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::token::TokenDigest;

/// Names that are counted at the same time.
const MAX_NAMES: usize = 16_384;

/// The counters of all names. Those that are as good as new are forgotten when the room is needed.
pub struct Pace {
    /// By requests a second: tokens of one name that claim different limits count apart.
    limits: Mutex<HashMap<NonZeroU32, DefaultKeyedRateLimiter<TokenDigest>>>,
    clock: DefaultClock,
    max_names: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self::new(MAX_NAMES)
    }
}

impl Pace {
    fn new(max_names: usize) -> Self {
        Self { limits: Mutex::default(), clock: DefaultClock::default(), max_names }
    }

    /// Counts a request; refused with the time to wait. A name for which there is no room waits too.
    pub fn take(&self, name: &str, limit: NonZeroU32) -> Result<(), Duration> {
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        if counted(&limits) >= self.max_names {
            limits.retain(|_, names| {
                names.retain_recent();
                !names.is_empty()
            });
            if counted(&limits) >= self.max_names {
                return Err(Duration::from_secs(1));
            }
        }
        let names = limits.entry(limit).or_insert_with(|| RateLimiter::keyed(Quota::per_second(limit)));
        let refused = names.check_key(&TokenDigest::of(name)).err();
        refused.map_or(Ok(()), |until| Err(until.wait_time_from(self.clock.now())))
    }
}

fn counted(limits: &HashMap<NonZeroU32, DefaultKeyedRateLimiter<TokenDigest>>) -> usize {
    limits.values().map(RateLimiter::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    #[test]
    fn every_name_has_its_own_count() {
        let pace = Pace::default();
        assert_eq!(pace.take("a", limit(1)), Ok(()));
        let wait = pace.take("a", limit(1)).unwrap_err();
        assert!(wait <= Duration::from_secs(1) && wait > Duration::from_millis(100), "{wait:?}");
        assert_eq!(pace.take("b", limit(1)), Ok(()));
    }

    #[test]
    fn names_beyond_the_limit_wait_until_others_are_forgotten() {
        let pace = Pace::new(2);
        assert_eq!(pace.take("slow", limit(1)), Ok(()));
        // A count that is full again after a nanosecond is as good as new.
        assert_eq!(pace.take("fast", limit(u32::MAX)), Ok(()));
        assert_eq!(pace.take("other", limit(1)), Ok(()), "the room of `fast` is free");
        assert_eq!(pace.take("more", limit(1)), Err(Duration::from_secs(1)));
        assert_eq!(pace.take("slow", limit(1)), Err(Duration::from_secs(1)));
    }
}
