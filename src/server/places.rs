//! The places for connections: so many in all, so many for one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config;

/// What is counted of connections.
#[derive(Debug, Clone, Default)]
pub struct ConnectionMetrics {
    open: Gauge,
    refused: Counter,
}

impl ConnectionMetrics {
    /// Gives the numbers their names, `roost_connections_…`.
    pub fn register(&self, registry: &mut Registry) {
        let connections = registry.sub_registry_with_prefix("connections");
        connections.register("open", "Connections that are open", self.open.clone());
        connections.register(
            "refused",
            "Connections that were refused because their address had too many",
            self.refused.clone(),
        );
    }
}

/// Files that are no connections from outside: the log, the engine's sockets, what the system wants.
const OTHER_FILES: usize = 512;

/// Places for connections; clones share them.
#[derive(Debug, Clone)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    most_of_one: usize,
    taken: Arc<Mutex<HashMap<Neighbour, usize>>>,
    metrics: ConnectionMetrics,
}

/// Who counts as one: an IPv4 address, or the 64 leading bits of an IPv6 address, which is what one
/// subscriber gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Neighbour {
    V4(u32),
    V6(u64),
}

impl From<IpAddr> for Neighbour {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => Self::V6((address.to_bits() >> 64) as u64),
        }
    }
}

impl Places {
    pub(super) fn new(settings: &config::Server, metrics: ConnectionMetrics) -> Self {
        let (wanted, files) = (settings.max_connections.get(), file_limit());
        let most = most_connections(wanted, files);
        if most < wanted {
            tracing::warn!(
                most,
                files,
                "fewer connections than server.max_connections: this process may not open more files (ulimit -n)"
            );
        }
        Self {
            all: Arc::new(Semaphore::new(most)),
            most_of_one: settings.max_connections_per_address.map_or(usize::MAX, std::num::NonZeroUsize::get),
            taken: Arc::default(),
            metrics,
        }
    }

    /// Waits for a place among all.
    pub(super) async fn any(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.all).acquire_owned().await.ok()
    }

    /// The place of a connection from an address; `None` where the address has as many as it may.
    pub(super) fn take(&self, address: IpAddr, among_all: OwnedSemaphorePermit) -> Option<Place> {
        let neighbour = Neighbour::from(address);
        let mut taken = self.taken();
        let count = taken.entry(neighbour).or_default();
        if *count >= self.most_of_one {
            self.metrics.refused.inc();
            return None;
        }
        *count += 1;
        self.metrics.open.inc();
        Some(Place { neighbour, places: self.clone(), _among_all: among_all })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Neighbour, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets this process, and those that it starts from now on, open as many files as it may ask for.
pub fn raise_file_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::debug!(%error, ?current, "the limit of open files stays as it is");
    }
}

/// How many files this process may open.
fn file_limit() -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    limit.and_then(|limit| limit.try_into().ok()).unwrap_or(usize::MAX)
}

/// So many connections as are wanted, as far as there are files for them.
fn most_connections(wanted: usize, files: usize) -> usize {
    wanted.min(files.saturating_sub(OTHER_FILES).max(1)).min(Semaphore::MAX_PERMITS)
}

/// The place of one connection, free again when dropped.
#[derive(Debug)]
pub(super) struct Place {
    neighbour: Neighbour,
    places: Places,
    _among_all: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        if let Some(count) = taken.get_mut(&self.neighbour) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.neighbour);
            }
        }
        self.places.metrics.open.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neighbour(address: &str) -> Neighbour {
        Neighbour::from(address.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn connections_leave_files_for_the_rest() {
        assert_eq!(most_connections(10_000, 20_000), 10_000);
        assert_eq!(most_connections(10_000, 1_024), 512);
        assert_eq!(most_connections(10_000, 100), 1);
    }

    #[test]
    fn an_ipv6_network_counts_as_one_and_an_ipv4_address_as_itself() {
        assert_eq!(neighbour("2001:db8:1:2::1"), neighbour("2001:db8:1:2:ffff::9"));
        assert_ne!(neighbour("2001:db8:1:2::1"), neighbour("2001:db8:1:3::1"));
        assert_ne!(neighbour("10.0.0.1"), neighbour("10.0.0.2"));
        assert_eq!(neighbour("::ffff:10.0.0.1"), neighbour("10.0.0.1"));
    }
}
