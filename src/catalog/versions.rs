//! When what a query reads has changed: a number for each table, which grows with every change.
//!
//! In: whoever changes a table says so when the change can be seen, and before anybody is told that it
//! is done.  Out: a [`Sighting`] tells whether a result that was begun at that moment is still what
//! the engine would answer; [`Versions::changes`] wakes those who wait for the next change.
//! Promise: a sighting that is current was taken behind every change that anybody was told of.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use crate::sql::compose::PhysicalName;

/// The number of one table, or of everything.
type Version = Arc<AtomicU64>;

/// The versions of all tables.
#[derive(Debug)]
pub struct Versions {
    /// Grows where everything may be different: another deployment.
    whole: Version,
    /// One for each table that was ever changed or looked at: as many as the workspaces have.
    tables: RwLock<HashMap<PhysicalName, Version>>,
    changes: watch::Sender<u64>,
}

impl Default for Versions {
    fn default() -> Self {
        Self { whole: Version::default(), tables: RwLock::default(), changes: watch::Sender::new(0) }
    }
}

/// The versions of some tables at one moment.
#[derive(Debug, Clone)]
pub struct Sighting(Vec<(Version, u64)>);

impl Sighting {
    /// True while nothing of it has changed.
    pub fn is_current(&self) -> bool {
        self.0.iter().all(|(version, seen)| version.load(Ordering::SeqCst) == *seen)
    }

    fn add(&mut self, version: Version) {
        let seen = version.load(Ordering::SeqCst);
        self.0.push((version, seen));
    }
}

impl Versions {
    /// Notes that queries of these tables can have other results now. Call it when that is so, and
    /// before anybody is told.
    pub fn changed(&self, tables: impl IntoIterator<Item = PhysicalName>) {
        for table in tables {
            self.version(&table).fetch_add(1, Ordering::SeqCst);
        }
        self.wake();
    }

    /// Notes that every query can have another result now.
    pub fn everything_changed(&self) {
        self.whole.fetch_add(1, Ordering::SeqCst);
        self.wake();
    }

    /// Looks at the whole: take it before the workspace that a result comes from.
    pub fn begin(&self) -> Sighting {
        let mut sighting = Sighting(Vec::new());
        sighting.add(Arc::clone(&self.whole));
        sighting
    }

    /// Looks at some tables, too: before the engine reads them.
    #[must_use]
    pub fn look<'a>(
        &self,
        mut begun: Sighting,
        tables: impl IntoIterator<Item = &'a PhysicalName>,
    ) -> Sighting {
        for table in tables {
            begun.add(self.version(table));
        }
        begun
    }

    /// Wakes after every change of any table.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn wake(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    fn version(&self, table: &PhysicalName) -> Version {
        if let Some(version) = self.tables.read().unwrap_or_else(PoisonError::into_inner).get(table) {
            return Arc::clone(version);
        }
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(tables.entry(table.clone()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> PhysicalName {
        PhysicalName { database: "w".to_owned(), table: name.to_owned() }
    }

    #[test]
    fn a_sighting_is_current_until_one_of_its_tables_changes() {
        let versions = Versions::default();
        let both = versions.look(versions.begin(), [&table("a"), &table("b")]);
        versions.changed([table("c")]);
        assert!(both.is_current());
        let one = versions.look(versions.begin(), [&table("a")]);
        versions.changed([table("b")]);
        assert!(!both.is_current() && one.is_current());
        assert!(versions.look(versions.begin(), [&table("b")]).is_current());
    }

    #[test]
    fn another_deployment_makes_everything_old_that_was_begun_before() {
        let versions = Versions::default();
        let begun = versions.begin();
        versions.everything_changed();
        assert!(!versions.look(begun, [&table("a")]).is_current(), "the tables were looked at behind it");
        assert!(versions.begin().is_current());
    }

    #[tokio::test]
    async fn a_change_wakes_who_waits() {
        let versions = Versions::default();
        let mut changes = versions.changes();
        assert!(!changes.has_changed().unwrap());
        versions.changed([table("a")]);
        changes.changed().await.unwrap();
    }
}
