//! The byte budget: what all requests on their way may hold together.
//!
//! A request takes its share before its body is read and gives it back when its rows are in the
//! engine, so memory stays bounded whatever arrives. There is no waiting: what does not fit is
//! refused at once, with nothing taken.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::IngestError;

/// Bytes that one permit of the semaphore stands for; a semaphore counts fewer than 2³² at once.
const UNIT: usize = 1024;

/// What is left of the budget.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    units: Arc<Semaphore>,
    limit: usize,
}

/// The share of one request; given back when dropped.
#[derive(Debug)]
pub struct Admission {
    budget: Budget,
    held: Option<OwnedSemaphorePermit>,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        Self { units: Arc::new(Semaphore::new((bytes / UNIT).max(1))), limit: bytes }
    }

    /// An admission that holds nothing yet.
    pub(super) fn admission(&self) -> Admission {
        Admission { budget: self.clone(), held: None, bytes: 0 }
    }
}

impl Admission {
    /// True where less than half of the budget is left: what can be read again elsewhere should not
    /// hold its share.
    pub(super) fn is_crowded(&self) -> bool {
        self.budget.units.available_permits() < self.budget.limit / UNIT / 2
    }

    /// Takes room for more bytes, or refuses.
    pub fn grow(&mut self, bytes: usize) -> Result<(), IngestError> {
        let overloaded = IngestError::Overloaded { limit: self.budget.limit };
        let wanted = (self.bytes + bytes).div_ceil(UNIT) - self.bytes.div_ceil(UNIT);
        let wanted = u32::try_from(wanted).map_err(|_| overloaded.clone())?;
        let more = Arc::clone(&self.budget.units).try_acquire_many_owned(wanted).map_err(|_| overloaded)?;
        match &mut self.held {
            Some(held) => held.merge(more),
            none => *none = Some(more),
        }
        self.bytes += bytes;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_refused_at_its_limit_and_given_back_on_drop() {
        let budget = Budget::new(10 * UNIT);
        let mut first = budget.admission();
        first.grow(6 * UNIT).unwrap();
        first.grow(1).unwrap();
        let mut second = budget.admission();
        second.grow(3 * UNIT).unwrap();
        assert_eq!(second.grow(1), Err(IngestError::Overloaded { limit: 10 * UNIT }));
        drop(first);
        second.grow(7 * UNIT).unwrap();
    }
}
