//! The byte budget: what all requests on their way may hold together, and those of one data source.
//!
//! A request takes its part before its body is read and gives it back when its rows are in the
//! engine, so memory stays bounded whatever arrives. There is no waiting: what does not fit is
//! refused at once, with nothing taken. A data source has a share, so that one which is flooded leaves
//! room for the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::IngestError;
use crate::catalog::ResourceName;

/// Bytes that one permit of the semaphore stands for; a semaphore counts fewer than 2³² at once.
const UNIT: usize = 1024;

/// What is left of the budget, as a whole and for each data source.
#[derive(Debug)]
pub(super) struct Budget {
    whole: Room,
    share: usize,
    /// One for each data source of the workspace that events have come for.
    shares: Mutex<HashMap<ResourceName, Room>>,
}

/// Bytes that are free.
#[derive(Debug, Clone)]
struct Room {
    units: Arc<Semaphore>,
    limit: usize,
}

/// What one request holds; given back when dropped.
#[derive(Debug)]
pub struct Admission {
    data_source: ResourceName,
    share: Part,
    whole: Part,
    bytes: usize,
}

/// What one request holds of some room.
#[derive(Debug)]
struct Part {
    room: Room,
    held: Option<OwnedSemaphorePermit>,
}

impl Budget {
    /// So many bytes in all, and at most so many for one data source.
    pub(super) fn new(bytes: usize, share: usize) -> Self {
        Self { whole: Room::new(bytes), share, shares: Mutex::default() }
    }

    /// The bytes that are held, whole units of them.
    pub(super) fn held(&self) -> usize {
        (self.whole.limit / UNIT).saturating_sub(self.whole.units.available_permits()) * UNIT
    }

    /// An admission that holds nothing yet.
    pub(super) fn admission(&self, data_source: &ResourceName) -> Admission {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        let share = match shares.get(data_source) {
            Some(share) => share.clone(),
            None => shares.entry(data_source.clone()).or_insert(Room::new(self.share)).clone(),
        };
        let part = |room| Part { room, held: None };
        Admission {
            data_source: data_source.clone(),
            share: part(share),
            whole: part(self.whole.clone()),
            bytes: 0,
        }
    }
}

impl Room {
    fn new(bytes: usize) -> Self {
        Self { units: Arc::new(Semaphore::new((bytes / UNIT).max(1))), limit: bytes }
    }

    fn is_crowded(&self) -> bool {
        self.units.available_permits() < self.limit / UNIT / 2
    }

    /// Takes so many units, if they are free.
    fn take(&self, units: u32) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.units).try_acquire_many_owned(units).ok()
    }
}

impl Part {
    fn keep(&mut self, more: OwnedSemaphorePermit) {
        match &mut self.held {
            Some(held) => held.merge(more),
            none => *none = Some(more),
        }
    }
}

impl Admission {
    /// True where less than half is left: what can be read again elsewhere should not stay in memory.
    pub(super) fn is_crowded(&self) -> bool {
        self.whole.room.is_crowded() || self.share.room.is_crowded()
    }

    /// Takes room for more bytes, or refuses and takes none.
    pub fn grow(&mut self, bytes: usize) -> Result<(), IngestError> {
        let units = (self.bytes + bytes).div_ceil(UNIT) - self.bytes.div_ceil(UNIT);
        // More than a semaphore counts is more than there is.
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let share = self.share.room.take(units).ok_or_else(|| IngestError::Crowded {
            data_source: self.data_source.to_string(),
            limit: self.share.room.limit,
        })?;
        let overloaded = IngestError::Overloaded { limit: self.whole.room.limit };
        let whole = self.whole.room.take(units).ok_or(overloaded)?;
        self.share.keep(share);
        self.whole.keep(whole);
        self.bytes += bytes;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ResourceName {
        ResourceName::parse(text).unwrap()
    }

    #[test]
    fn the_budget_is_refused_at_its_limit_and_given_back_on_drop() {
        let budget = Budget::new(10 * UNIT, 10 * UNIT);
        let mut first = budget.admission(&name("hits"));
        first.grow(6 * UNIT).unwrap();
        first.grow(1).unwrap();
        assert_eq!(budget.held(), 7 * UNIT);
        let mut second = budget.admission(&name("others"));
        second.grow(3 * UNIT).unwrap();
        assert_eq!(second.grow(1), Err(IngestError::Overloaded { limit: 10 * UNIT }));
        drop(first);
        second.grow(7 * UNIT).unwrap();
    }

    #[test]
    fn a_data_source_beyond_its_share_is_refused_and_the_others_are_not() {
        let budget = Budget::new(10 * UNIT, 4 * UNIT);
        let (mut one, mut two) = (budget.admission(&name("hits")), budget.admission(&name("hits")));
        one.grow(2 * UNIT).unwrap();
        assert!(!one.is_crowded());
        two.grow(2 * UNIT).unwrap();
        assert!(one.is_crowded());
        assert_eq!(two.grow(1), Err(IngestError::Crowded { data_source: "hits".into(), limit: 4 * UNIT }));
        let mut other = budget.admission(&name("others"));
        assert!(!other.is_crowded());
        other.grow(4 * UNIT).unwrap();
        drop(one);
        two.grow(2 * UNIT).unwrap();
    }
}
