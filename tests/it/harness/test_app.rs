//! A server inside the test's process: the real rooms, the real HTTP, the shared engine.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use roost::app::{App, admin_token};
use roost::auth::Identity;
use roost::config::{Config, Flags};
use roost::engine::{EngineClient, Query};
use roost::ingest::Journal;
use roost::{http, server};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::api::{ApiClient, ServerUrl};
use super::{Folder, Project, SharedEngine, library, shared_engine};

/// What outlives a server of a test: its identity, and its databases in the shared engine.
pub(crate) struct Home {
    engine: SharedEngine,
    folder: Folder,
    /// Further settings, as lines of TOML with whole keys.
    settings: String,
    metadata_database: String,
}

/// A server that runs on a thread of its own until it is dropped, and then stops in good order.
pub(crate) struct TestApp {
    home: Arc<Home>,
    caller: ApiClient,
    started: Started,
    stop: CancellationToken,
    server: Option<JoinHandle<()>>,
}

/// What a server tells about itself once it serves.
struct Started {
    address: SocketAddr,
    database: String,
    /// Names and texts; the admin token comes first.
    tokens: Vec<(String, String)>,
}

impl Home {
    /// A home with the defaults.
    pub(crate) fn new() -> Arc<Self> {
        Self::with_settings("")
    }

    /// A home with settings such as `query.max_execution_seconds = 1`.
    pub(crate) fn with_settings(settings: &str) -> Arc<Self> {
        let metadata_database = format!("metadata_{}", uuid::Uuid::new_v4().simple());
        let settings = settings.to_owned();
        Arc::new(Self { engine: shared_engine(), folder: Folder::new(), settings, metadata_database })
    }

    /// Starts a server with a project.
    pub(crate) async fn start(self: &Arc<Self>, project: &Project) -> TestApp {
        self.try_start(project).await.unwrap_or_else(|refusal| panic!("the server did not start: {refusal}"))
    }

    /// Why a server does not start with a project.
    pub(crate) async fn refusal(self: &Arc<Self>, project: &Project) -> String {
        match self.try_start(project).await {
            Ok(_) => panic!("the server started"),
            Err(refusal) => refusal,
        }
    }

    async fn try_start(self: &Arc<Self>, project: &Project) -> Result<TestApp, String> {
        project.write(self.folder.path());
        let (settings, folder) = (self.config(), self.folder.path().to_owned());
        let engine = self.engine.fresh();
        let (started, starting) = oneshot::channel();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let server = std::thread::spawn(move || serve(&settings, &folder, engine, started, stopped));
        let started = starting.await.expect("the server's thread lives")?;
        let url = ServerUrl::default();
        url.set(format!("http://{}", started.address));
        let caller = ApiClient::anonymous(url);
        Ok(TestApp { home: Arc::clone(self), caller, started, stop, server: Some(server) })
    }

    fn config(&self) -> Config {
        let text = format!(
            "project.directory = '.'\nserver.port = 0\nserver.stop_grace_seconds = 5\n\
             engine.library = '{}'\nengine.metadata_database = '{}'\n{}",
            library().display(),
            self.metadata_database,
            self.settings,
        );
        let file = (self.folder.path().join("roost.toml"), text);
        Config::from_parts(Some(file), [], &Flags::default()).unwrap()
    }

    /// The database of the server's own tables.
    pub(crate) fn metadata_database(&self) -> &str {
        &self.metadata_database
    }

    /// The engine, to look behind the server's back.
    pub(crate) fn engine(&self) -> &EngineClient {
        &self.engine
    }
}

/// Runs a server until `stop`; says where it serves, or why it does not.
fn serve(
    settings: &Config,
    folder: &Path,
    engine: EngineClient,
    started: oneshot::Sender<Result<Started, String>>,
    stop: CancellationToken,
) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let identity = Identity::load_or_create(folder).unwrap();
        let admin = admin_token(settings, &identity, folder).unwrap();
        let journal = Journal::open(folder, None, settings).unwrap();
        let app = match App::start(settings, (engine, journal), (&identity, admin), &stop).await {
            Ok(app) => app,
            Err(error) => return drop(started.send(Err(error.to_string()))),
        };
        let listener = server::bind(&settings.server).await.unwrap();
        let tokens = app.rooms.keyring.tokens();
        let tokens = tokens.iter().map(|token| (token.name().to_owned(), token.text().expose().to_owned()));
        let _ = started.send(Ok(Started {
            address: listener.local_addr().unwrap(),
            database: app.catalog.workspace().database.clone(),
            tokens: tokens.collect(),
        }));
        let service = http::service(app.rooms.clone());
        server::serve(listener, service, &settings.server, (app.connections.clone(), stop)).await;
        app.finish(settings.server.stop_grace).await;
    });
}

impl TestApp {
    /// Starts a server with a project and the default settings.
    pub(crate) async fn start(project: &Project) -> Self {
        Home::new().start(project).await
    }

    /// A caller with the admin token.
    pub(crate) fn admin(&self) -> ApiClient {
        self.caller.with_token(&self.started.tokens[0].1)
    }

    /// A caller with the token of this name.
    pub(crate) fn token(&self, name: &str) -> ApiClient {
        let found = self.started.tokens.iter().find(|(known, _)| known == name);
        self.caller.with_token(&found.unwrap_or_else(|| panic!("no token has the name {name}")).1)
    }

    /// A caller without a token.
    pub(crate) fn anonymous(&self) -> &ApiClient {
        &self.caller
    }

    /// Where the server listens, `host:port`.
    pub(crate) fn address(&self) -> SocketAddr {
        self.started.address
    }

    /// The ClickHouse database of the workspace.
    pub(crate) fn database(&self) -> &str {
        &self.started.database
    }

    /// The number of rows in a table of the workspace.
    pub(crate) async fn rows(&self, table: &str) -> u64 {
        let rows = self.query_engine(&format!("SELECT count() AS n FROM {table}")).await;
        rows[0]["n"].as_u64().unwrap()
    }

    /// Asks the engine itself; names without a database are the workspace's tables.
    pub(crate) async fn query_engine(&self, sql: &str) -> Vec<Value> {
        let mut query =
            Query::new(sql, "JSONEachRow").with_setting("output_format_json_quote_64bit_integers", 0);
        query.database = Some(self.database().to_owned());
        let bytes = self.home.engine.query(query).await.unwrap().collect().await.unwrap();
        let lines = std::str::from_utf8(&bytes).unwrap().lines();
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.stop.cancel();
        let ended = self.server.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            assert!(matches!(ended, Some(Ok(()))), "the server's thread broke");
        }
    }
}
