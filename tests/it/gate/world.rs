//! A workspace with canaries around it, and a caller who may read a part of it.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use roost::catalog::compose::OwnText;
use roost::catalog::{Access, Caller, NodeError, ResourceName, Workspace};
use roost::config::Sandbox;
use roost::datafile::Options;
use roost::deploy::Candidate;
use roost::deploy::files::ProjectFile;
use roost::engine::{EngineClient, EngineError, Query};
use roost::schema::ddl;
use roost::sql::RowFilter;
use roost::template::{Arguments, Environment, Template};

use crate::harness::TestEngine;

/// What nobody may see.
pub(super) const CANARY: &str = "canary-4f1c";

/// How long one statement may take; without the gate some never end.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(4);

/// The database of the workspace, and one beside it.
const DATABASE: &str = "w_gate";
const VAULT: &str = "vault";

const COLUMNS: &str = "SCHEMA >\n    id UInt64,\n    tenant UInt8,\n    v String,\n    tags Array(String)\n";

/// Engine, workspace, canaries.
pub(super) struct World {
    pub(super) workspace: Workspace,
    access: Access,
    /// Dropped after the client.
    pub(super) engine: TestEngine,
    pub(super) file: PathBuf,
    pub(super) port: u16,
    connections: Arc<AtomicUsize>,
}

/// What became of a statement.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The gate refused it.
    Refused(String),
    /// The engine answered.
    Answered(String),
    /// The engine refused it.
    Failed(String),
}

impl Outcome {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Refused(text) | Self::Answered(text) | Self::Failed(text) => text,
        }
    }
}

fn name(text: &str) -> ResourceName {
    ResourceName::parse(text).unwrap()
}

/// The project: two data sources in reach, one of them filtered, and one out of it.
fn workspace() -> Workspace {
    let endpoint = |sql: &str| format!("NODE step\nSQL >\n    {sql}\nTYPE endpoint\n");
    let files = [
        ("open_rows.datasource", COLUMNS.to_owned()),
        ("filtered_rows.datasource", COLUMNS.to_owned()),
        ("secret_rows.datasource", COLUMNS.to_owned()),
        ("open_pipe.pipe", endpoint("SELECT * FROM open_rows")),
        ("filtered_pipe.pipe", endpoint("SELECT * FROM filtered_rows")),
        ("secret_pipe.pipe", endpoint("SELECT * FROM secret_rows")),
    ];
    let file = |(path, text): (&str, String)| ProjectFile { path: path.to_owned(), text: Ok(text) };
    let files: Vec<ProjectFile> = files.into_iter().map(file).collect();
    let empty = Workspace { database: DATABASE.to_owned(), ..Workspace::default() };
    Candidate::build(&files, &Options::default(), empty).unwrap().workspace
}

impl World {
    /// Makes the tables and sets the canaries out.
    pub(super) async fn new() -> Self {
        let engine = TestEngine::start_with(|options| options.settings.sandbox = Sandbox::Off);
        let file = engine.data().parent().unwrap().join("canary.txt");
        std::fs::write(&file, CANARY).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        // Ends with the process: nobody connects, so that it waits for ever.
        std::thread::spawn(move || {
            for _ in listener.incoming() {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        let filter = RowFilter::parse("tenant = 1").unwrap();
        let access = Access::nothing()
            .with_data_source(name("open_rows"))
            .with_data_source(name("filtered_rows"))
            .with_pipe(name("open_pipe"))
            .with_pipe(name("filtered_pipe"))
            .with_filter(name("filtered_rows"), filter);
        let world = Self { workspace: workspace(), access, engine, file, port, connections };
        world.fill().await;
        world
    }

    pub(super) fn client(&self) -> EngineClient {
        self.engine.client()
    }

    async fn fill(&self) {
        let client = self.client();
        for database in [DATABASE, VAULT] {
            client.execute(&format!("CREATE DATABASE {database} ENGINE = Atomic")).await.unwrap();
        }
        for data_source in self.workspace.data_sources.values() {
            client.execute(&ddl::create_table(&data_source.rows, &data_source.table)).await.unwrap();
            let quarantine = roost::schema::quarantine::table(&data_source.table.columns);
            client.execute(&ddl::create_table(&data_source.quarantine, &quarantine)).await.unwrap();
        }
        let rows = "number, number % 3, concat('v', toString(number)), [toString(number % 4)]";
        let bad = format!("number, 2, '{CANARY}', ['{CANARY}']");
        for statement in [
            format!(
                "CREATE TABLE {VAULT}.canary ENGINE = MergeTree ORDER BY id AS SELECT 1 AS id, '{CANARY}' AS v"
            ),
            format!("INSERT INTO {DATABASE}.open_rows SELECT {rows} FROM numbers(20)"),
            format!("INSERT INTO {DATABASE}.filtered_rows SELECT {rows} FROM numbers(20)"),
            format!("INSERT INTO {DATABASE}.filtered_rows SELECT {bad} FROM numbers(3)"),
            format!("INSERT INTO {DATABASE}.secret_rows SELECT {bad} FROM numbers(3)"),
            format!("INSERT INTO {DATABASE}.filtered_rows_quarantine (v) VALUES ('{CANARY}')"),
            format!("INSERT INTO {DATABASE}.secret_rows_quarantine (v) VALUES ('{CANARY}')"),
        ] {
            client.execute(&statement).await.unwrap();
        }
    }

    /// Fills in the names of this world.
    pub(super) fn named(&self, attempt: &str) -> String {
        attempt
            .replace("{file}", self.file.to_str().unwrap())
            .replace("{vault}", VAULT)
            .replace("{db}", DATABASE)
            .replace("{port}", &self.port.to_string())
    }

    /// What the caller's text becomes behind the gate.
    pub(super) fn compose(&self, text: &str) -> Result<String, NodeError> {
        let template = Template::compile(text)?;
        let (arguments, environment) = (Arguments::new(), Environment::default());
        let caller = Caller { arguments: &arguments, environment: &environment, access: &self.access };
        let composed = self.workspace.compose_text(OwnText { template: &template, subject: None }, caller)?;
        Ok(composed.composed.sql)
    }

    /// Sends a text through the gate, and what passes to the engine.
    pub(super) async fn attempt(&self, text: &str) -> Outcome {
        match self.compose(text) {
            Err(refusal) => Outcome::Refused(refusal.to_string()),
            Ok(sql) => self.run(Query::new(sql, "TSVRaw").with_profile().with_setting("readonly", 1)).await,
        }
    }

    /// Sends a text to the engine as it is, with the workspace's database for bare names.
    pub(super) async fn unguarded(&self, text: &str) -> Outcome {
        let query = Query { database: Some(DATABASE.to_owned()), ..Query::new(text, "TSVRaw") };
        self.run(query.with_profile()).await
    }

    async fn run(&self, query: Query) -> Outcome {
        let query = query.with_setting("max_execution_time", 3).with_setting("http_max_tries", 1);
        let answered = async {
            let bytes = self.client().query(query).await?.collect().await?;
            Ok::<_, EngineError>(String::from_utf8_lossy(&bytes).into_owned())
        };
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(text)) => Outcome::Answered(text),
            Ok(Err(error)) => Outcome::Failed(error.to_string()),
            Err(_) => Outcome::Failed("it does not end".to_owned()),
        }
    }

    /// Connections to the port that nobody may reach.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The files beside the canary, which no statement may add to.
    pub(super) fn files(&self) -> Vec<String> {
        let folder = std::fs::read_dir(self.file.parent().unwrap()).unwrap();
        let mut files: Vec<String> =
            folder.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        files.sort();
        files
    }
}
