//! The engine that ordinary tests share.
//!
//! It starts with the first test that asks for it and stops when the last one lets go, so that
//! nothing of it is left behind. `ROOST_TEST_ENGINE=remote` makes it a second `roost engine`,
//! reached over TCP like a ClickHouse server.

use std::io::{BufRead, BufReader};
use std::ops::Deref;
use std::process::{Command, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, Weak};
use std::thread::JoinHandle;

use roost::engine::EngineClient;

use super::{Address, Folder, Http, TestEngine, library, program};

/// A handle on the shared engine, with a client for the async runtime of the test that took it.
pub(crate) struct SharedEngine {
    place: Arc<Place>,
    client: EngineClient,
}

enum Place {
    Embedded(TestEngine),
    Remote(RemoteEngine),
}

/// The shared engine, started if no test uses it yet.
pub(crate) fn shared_engine() -> SharedEngine {
    static RUNNING: Mutex<Weak<Place>> = Mutex::new(Weak::new());
    let mut running = RUNNING.lock().unwrap();
    let place = running.upgrade().unwrap_or_else(|| Arc::new(Place::start()));
    *running = Arc::downgrade(&place);
    SharedEngine { client: place.client(), place }
}

impl SharedEngine {
    /// Creates a database that no other test knows, and names it.
    pub(crate) async fn database(&self) -> String {
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        self.client.execute(&format!("CREATE DATABASE {name} ENGINE = Atomic")).await.unwrap();
        name
    }

    /// Requests without the client's care.
    pub(crate) fn http(&self) -> Http {
        Http::new(self.address())
    }

    /// Where the engine listens.
    pub(crate) fn address(&self) -> Address {
        match &*self.place {
            Place::Embedded(engine) => engine.address(),
            Place::Remote(engine) => Address::Url(engine.url.clone()),
        }
    }
}

impl Deref for SharedEngine {
    type Target = EngineClient;

    fn deref(&self) -> &EngineClient {
        &self.client
    }
}

impl Place {
    fn start() -> Self {
        let remote = std::env::var_os("ROOST_TEST_ENGINE").is_some_and(|kind| kind == "remote");
        if remote {
            Self::Remote(RemoteEngine::start())
        } else {
            Self::Embedded(TestEngine::without_permit(Folder::new(), |_| {}))
        }
    }

    fn client(&self) -> EngineClient {
        match self {
            Self::Embedded(engine) => engine.client(),
            Self::Remote(engine) => {
                EngineClient::server(engine.url.clone(), "default".to_owned(), String::new().into())
            }
        }
    }
}

/// `roost engine` on a loopback port.
pub(crate) struct RemoteEngine {
    url: String,
    stop: Option<SyncSender<()>>,
    keeper: Option<JoinHandle<()>>,
    _folder: Folder,
}

impl RemoteEngine {
    /// Starts the process on a thread that lives as long as it: the kernel ends the engine with
    /// the thread that started it.
    pub(crate) fn start() -> Self {
        let folder = Folder::new();
        let mut command = Command::new(program());
        command.args(["engine", "--sandbox", "preferred", "--listen", "127.0.0.1:0", "--path"]);
        command.arg(folder.data()).arg("--library").arg(library());
        command.arg("--parent").arg(std::process::id().to_string()).stdout(Stdio::piped());
        // As the supervisor does it, and as a server is configured.
        command.env_clear().env("TZ", "UTC");
        let (announce, announced) = sync_channel(1);
        let (stop, stopped) = sync_channel(0);
        let keeper = std::thread::spawn(move || {
            let mut child = command.spawn().unwrap();
            let mut line = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
            announce.send(line.trim().to_owned()).unwrap();
            let _ = stopped.recv();
            child.kill().unwrap();
            child.wait().unwrap();
        });
        let url = announced.recv().unwrap();
        Self { url, stop: Some(stop), keeper: Some(keeper), _folder: folder }
    }

    /// `http://127.0.0.1:port`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for RemoteEngine {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.keeper.take().map(JoinHandle::join);
    }
}
