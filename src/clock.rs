//! The time of day, as a value that is handed in, so that tests can choose it.

use chrono::{DateTime, Utc};

/// Where the time comes from.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// One moment, for ever.
    Fixed(DateTime<Utc>),
}

impl Clock {
    /// The present moment.
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Self::System => Utc::now(),
            Self::Fixed(moment) => *moment,
        }
    }
}
