//! Engine connections kept for reuse.
//!
//! A connection's settings are fixed when it is opened, so connections are kept apart by
//! [`Profile`]. One is given back only after a statement that succeeded and that could not change
//! the session: an error may leave rows of the failed query behind (a trap of libchdb), SET and USE
//! last, and opening a new connection costs 0.1 ms.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use super::ffi::{Connection, Library, LibraryError};

/// Idle connections kept over all profiles.
const MAX_IDLE: usize = 32;

/// What a connection was opened with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Profile {
    /// The current database; `None` leaves the engine's own.
    pub(super) database: Option<String>,
    /// Query settings, sorted by name.
    pub(super) settings: Vec<(String, String)>,
}

/// Opens connections and keeps idle ones.
pub(super) struct Pool {
    library: Library,
    data_path: String,
    idle: Mutex<VecDeque<(Profile, Connection)>>,
}

/// A connection on loan. Give it back with [`Lease::keep`]; dropped otherwise, it is closed.
pub(super) struct Lease<'pool> {
    pool: &'pool Pool,
    profile: Profile,
    pub(super) connection: Connection,
}

impl Pool {
    pub(super) fn new(library: Library, data_path: String) -> Self {
        Self { library, data_path, idle: Mutex::default() }
    }

    /// Takes an idle connection of this profile, or opens one.
    pub(super) fn lease(&self, profile: Profile) -> Result<Lease<'_>, LibraryError> {
        let found = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let place = idle.iter().position(|(kept, _)| *kept == profile);
            place.and_then(|place| idle.remove(place))
        };
        let connection = match found {
            Some((_, connection)) => connection,
            None => self.open(&profile)?,
        };
        Ok(Lease { pool: self, profile, connection })
    }

    /// Opens a connection that belongs to no pool.
    pub(super) fn open(&self, profile: &Profile) -> Result<Connection, LibraryError> {
        let mut arguments = vec![format!("--path={}", self.data_path)];
        // `readonly` forbids every later change of settings, so it goes last.
        let (readonly, others): (Vec<_>, Vec<_>) =
            profile.settings.iter().partition(|(name, _)| name == "readonly");
        arguments.extend(others.iter().chain(&readonly).map(|(name, value)| format!("--{name}={value}")));
        let mut connection = self.library.connect(&arguments)?;
        if let Some(database) = &profile.database {
            let quoted = database.replace('\\', "\\\\").replace('`', "\\`");
            connection.query(&format!("USE `{quoted}`"), "Null", &[])?;
        }
        Ok(connection)
    }

    /// Closes every idle connection.
    pub(super) fn clear(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Lease<'_> {
    /// Puts the connection back; the longest idle one makes room when the pool is full.
    pub(super) fn keep(self) {
        let mut idle = self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push_back((self.profile, self.connection));
        if idle.len() > MAX_IDLE {
            idle.pop_front();
        }
    }
}
