//! One lock for each table: a batch holds those of all its tables from before their heights are read
//! until it is done, so that at most one batch in doubt can touch any table.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

use super::record::TableKey;

/// The locks of all tables.
#[derive(Default)]
pub(super) struct Locks {
    known: Mutex<HashMap<TableKey, Arc<tokio::sync::Mutex<()>>>>,
}

/// Locks that are held; given back when dropped.
pub(super) struct Held {
    _guards: Vec<OwnedMutexGuard<()>>,
}

impl Locks {
    /// Waits for the locks of some tables, in the one order that everybody keeps.
    pub(super) async fn take(&self, tables: impl IntoIterator<Item = TableKey>) -> Held {
        let tables: BTreeSet<TableKey> = tables.into_iter().collect();
        let mut guards = Vec::with_capacity(tables.len());
        for table in tables {
            let lock = Arc::clone(
                self.known.lock().unwrap_or_else(PoisonError::into_inner).entry(table).or_default(),
            );
            guards.push(lock.lock_owned().await);
        }
        Held { _guards: guards }
    }
}
