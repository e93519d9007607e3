//! A supervised engine of one test's own.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use roost::config::{Backoff, EmbeddedEngine, Sandbox, Watchdog};
use roost::engine::{ChildOptions, EngineClient, Location, Supervisor};

use super::permit::Permit;
use super::{Address, EngineProcess, Folder, engine_of, library, program};

/// A supervisor and its child; dropping it stops both and removes the data.
pub(crate) struct TestEngine {
    supervisor: Supervisor,
    data: PathBuf,
    _permit: Option<Permit>,
    // Dropped last: the engine has stopped by then.
    folder: Folder,
}

impl TestEngine {
    /// Starts an engine with short deadlines, when it is this test's turn.
    pub(crate) fn start() -> Self {
        Self::start_with(|_| {})
    }

    /// Starts an engine whose options `change` has seen.
    pub(crate) fn start_with(change: impl FnOnce(&mut ChildOptions)) -> Self {
        Self::start_in(Folder::new(), change)
    }

    /// Starts an engine on the data of a folder.
    pub(crate) fn start_in(folder: Folder, change: impl FnOnce(&mut ChildOptions)) -> Self {
        let permit = Permit::take();
        Self { _permit: Some(permit), ..Self::without_permit(folder, change) }
    }

    /// Starts an engine that is nobody's own and so needs no permit.
    pub(super) fn without_permit(folder: Folder, change: impl FnOnce(&mut ChildOptions)) -> Self {
        let mut options = options(folder.path());
        change(&mut options);
        let data = options.data.clone();
        let supervisor = Supervisor::start(options).unwrap();
        Self { supervisor, data, _permit: None, folder }
    }

    /// A client for the test's own async runtime.
    pub(crate) fn client(&self) -> EngineClient {
        EngineClient::following(self.supervisor.location())
    }

    /// The socket of the child's present life.
    pub(crate) fn address(&self) -> Address {
        match &*self.supervisor.location().borrow() {
            Location::Socket { path, .. } => Address::Socket(path.clone()),
            elsewhere => panic!("the engine is not there: {elsewhere:?}"),
        }
    }

    /// The child's process.
    pub(crate) fn process(&self) -> EngineProcess {
        engine_of(&self.data).expect("the engine runs")
    }

    /// The engine's data directory.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Stops the engine in good order and keeps its data.
    pub(crate) fn stop(self) -> Folder {
        self.supervisor.stop();
        self.folder
    }
}

/// Options with short deadlines, yet patient with a busy machine.
pub(crate) fn options(folder: &Path) -> ChildOptions {
    let settings = EmbeddedEngine {
        library: library(),
        executable: Some(program()),
        sandbox: Sandbox::Preferred,
        memory_bytes: NonZeroU64::new(4_000_000_000).unwrap(),
        nice: 5,
        watchdog: Watchdog {
            interval: Duration::from_millis(500),
            timeout: Duration::from_secs(5),
            misses: NonZeroUsize::new(3).unwrap(),
        },
        stop_grace: Duration::from_secs(8),
        restart_backoff: Backoff { initial: Duration::from_millis(50), max: Duration::from_secs(1) },
    };
    ChildOptions {
        settings,
        start_timeout: Duration::from_secs(30),
        data: folder.join("engine"),
        runtime: folder.to_owned(),
    }
}
