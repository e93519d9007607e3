//! The one client of the engine, embedded or remote.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::socket::SocketConnector;
use super::{EngineError, packing};

/// What is read of a long answer at once. More would lie in memory, and would not fit into the caches
/// of the processor.
const PIECE_BYTES: usize = 128 * 1024;
/// Calls in flight where nothing else is set.
const MAX_CALLS: usize = 32;
/// Idle connections kept to the engine; each holds an engine connection at the other end.
const MAX_IDLE_CONNECTIONS: usize = 16;
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);
/// How long a server elsewhere may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection to it that is silent for so long is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Where the engine is at this moment.
#[derive(Debug, Clone)]
pub enum Location {
    /// Nowhere: starting, restarting or stopped, with the reason.
    Away(String),
    /// Behind a Unix socket of our own child; every life of the child has its own number.
    Socket {
        /// Counts the child's lives.
        generation: u64,
        /// The socket.
        path: PathBuf,
    },
    /// A ClickHouse server.
    Server {
        /// Its HTTP address, `http://host:8123`.
        url: String,
        /// The user to name.
        user: String,
        /// The user's password.
        password: SecretString,
    },
}

/// A cheap handle on the engine, wherever it is.
///
/// Connections belong to the async runtime that opened them: take [`EngineClient::fresh`] for
/// another runtime.
#[derive(Clone)]
pub struct EngineClient {
    location: watch::Receiver<Location>,
    connected: Arc<Mutex<Option<Connected>>>,
    places: Places,
}

/// Calls that may be in flight. Readers that are slow to take their rows must not keep inserts
/// waiting, so a quarter of the places is for everything but queries.
#[derive(Clone)]
struct Places {
    queries: Arc<Semaphore>,
    others: Arc<Semaphore>,
}

impl Places {
    fn new(calls: usize) -> Self {
        let others = (calls / 4).max(1);
        let queries = calls.saturating_sub(others).clamp(1, Semaphore::MAX_PERMITS);
        Self { queries: Arc::new(Semaphore::new(queries)), others: Arc::new(Semaphore::new(others)) }
    }
}

struct Connected {
    generation: u64,
    client: clickhouse::Client,
}

/// A statement that answers rows.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Query {
    /// The SQL text, without FORMAT and without a final `;`.
    pub sql: String,
    /// The output format.
    pub format: String,
    /// The database of unqualified names.
    pub database: Option<String>,
    /// Engine settings for this call.
    pub settings: Vec<(String, String)>,
    /// Values of `{name:Type}` in the text, as they are.
    pub parameters: Vec<(String, String)>,
}

impl Query {
    /// A query without settings or parameters.
    pub fn new(sql: impl Into<String>, format: impl Into<String>) -> Self {
        Self { sql: sql.into(), format: format.into(), ..Self::default() }
    }

    /// Sets a setting; one of the same name that was set before is gone.
    #[must_use]
    pub fn with_setting(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), format!("{value}")));
        self
    }

    /// The value of a setting that is a number.
    pub fn setting(&self, name: &str) -> Option<u64> {
        let (_, value) = self.settings.iter().find(|(known, _)| known == name)?;
        value.parse().ok()
    }

    /// Adds the settings with which every block becomes one part in each partition.
    #[must_use]
    pub fn with_insert_settings(self) -> Self {
        INSERT_SETTINGS.iter().fold(self, |query, (name, value)| query.with_setting(name, value))
    }

    /// Adds the settings that the SQL of a project needs.
    #[must_use]
    pub fn with_profile(self) -> Self {
        PROFILE.iter().fold(self, |query, (name, value)| query.with_setting(name, value))
    }
}

/// What real projects need of ClickHouse, on every query: Tinybird's own profile.
const PROFILE: [(&str, &str); 6] = [
    ("session_timezone", "UTC"),
    ("joined_subquery_requires_alias", "0"),
    ("allow_suspicious_types_in_group_by", "1"),
    ("allow_suspicious_types_in_order_by", "1"),
    ("allow_dynamic_type_in_join_keys", "1"),
    ("date_time_input_format", "best_effort"),
];

/// The settings that the SQL of a project needs, as a clause behind an `INSERT … SELECT`.
pub fn profile_clause() -> String {
    let settings = PROFILE.map(|(name, value)| format!("{name} = '{value}'"));
    format!("SETTINGS {}", settings.join(", "))
}

/// A result on its way: bytes of one document in the asked format.
///
/// Dropping it before its end stops the query.
pub struct Rows {
    first: Option<Bytes>,
    /// What follows, and the place among the calls that it holds; nothing where `first` is all.
    rest: Option<(clickhouse::query::BytesCursor, OwnedSemaphorePermit)>,
    /// How many bytes may still come.
    room: u64,
}

impl Rows {
    fn new(
        first: Option<Bytes>,
        rest: Option<(clickhouse::query::BytesCursor, OwnedSemaphorePermit)>,
    ) -> Self {
        Self { first, rest, room: u64::MAX }
    }

    /// The same rows, which end in an error where they take more than so many bytes. The engine's own
    /// `max_result_bytes` counts what it has in memory, where a constant is one value.
    #[must_use]
    pub fn within(self, bytes: u64) -> Self {
        Self { room: bytes, ..self }
    }

    /// The next piece; `None` at the end. An error means that what came before is not whole.
    pub async fn next(&mut self) -> Result<Option<Bytes>, EngineError> {
        let piece = match self.first.take() {
            Some(first) => Some(first),
            None => match &mut self.rest {
                Some((cursor, _)) => cursor.next().await.map_err(EngineError::from_client)?,
                None => None,
            },
        };
        let length = piece.as_ref().map_or(0, |piece| piece.len() as u64);
        self.room = self.room.checked_sub(length).ok_or_else(too_long)?;
        Ok(piece)
    }

    /// Waits for more until the end is here, or more than `limit` bytes are: an error up to there is
    /// returned, and a small result is a whole one.
    pub async fn gather(mut self, limit: usize) -> Result<Self, EngineError> {
        let room = self.room;
        if let Some(whole) = self.whole() {
            return if whole.len() as u64 <= room { Ok(self) } else { Err(too_long()) };
        }
        let mut gathered = BytesMut::new();
        while gathered.len() <= limit {
            match self.next().await? {
                Some(piece) => gathered.extend_from_slice(&piece),
                None => return Ok(Self { first: Some(gathered.freeze()), rest: None, room }),
            }
        }
        Ok(Self { first: Some(gathered.freeze()), room, ..self })
    }

    /// The result, where all of it is here: nothing that follows can take it back.
    pub fn whole(&self) -> Option<Bytes> {
        self.rest.is_none().then(|| self.first.clone().unwrap_or_default())
    }

    /// Everything, joined.
    pub async fn collect(mut self) -> Result<Bytes, EngineError> {
        let mut all = Vec::new();
        while let Some(piece) = self.next().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all.into())
    }
}

impl EngineClient {
    /// A client that follows the engine to wherever `location` says it is.
    pub fn following(location: watch::Receiver<Location>) -> Self {
        Self { location, connected: Arc::default(), places: Places::new(MAX_CALLS) }
    }

    /// The same client with another bound on calls in flight; further calls wait.
    #[must_use]
    pub fn with_max_calls(mut self, calls: NonZeroUsize) -> Self {
        self.places = Places::new(calls.get());
        self
    }

    /// A client of a ClickHouse server that does not move.
    pub fn server(url: String, user: String, password: SecretString) -> Self {
        let (_, location) = watch::channel(Location::Server { url, user, password });
        Self::following(location)
    }

    /// The same engine with connections of its own.
    #[must_use]
    pub fn fresh(&self) -> Self {
        Self::following(self.location.clone())
    }

    /// Starts a query and waits for its first bytes, so that an error which comes before them is
    /// returned here.
    pub async fn query(&self, query: Query) -> Result<Rows, EngineError> {
        let call = enter(&self.places.queries).await?;
        let mut client = self.client()?;
        if let Some(database) = query.database {
            client = client.with_database(database);
        }
        let mut request = client.query_raw(&query.sql);
        for (name, value) in query.settings {
            request = request.with_setting(name, value);
        }
        for (name, value) in query.parameters {
            request = request.with_setting(format!("param_{name}"), escaped(&value));
        }
        let mut cursor = request.fetch_bytes(&query.format).map_err(EngineError::from_client)?;
        let first = cursor.next().await.map_err(EngineError::from_client)?;
        Ok(match first {
            None => Rows::new(first, None),
            // Of a small result the end has come, too.
            Some(_) => match cursor.next().now_or_never() {
                Some(Ok(None)) => Rows::new(first, None),
                Some(Ok(second)) => Rows::new(Some(joined(first, second)), Some((cursor, call))),
                Some(Err(error)) => return Err(EngineError::from_client(error)),
                None => Rows::new(first, Some((cursor, call))),
            },
        })
    }

    /// Runs a query whose rows fit in memory and reads them as JSON objects.
    pub async fn rows<T: serde::de::DeserializeOwned>(
        &self,
        sql: impl Into<String>,
    ) -> Result<Vec<T>, EngineError> {
        self.read(Query::new(sql, "")).await
    }

    /// The same for a query with settings; its format does not count.
    pub async fn read<T: serde::de::DeserializeOwned>(&self, query: Query) -> Result<Vec<T>, EngineError> {
        let query = Query { format: "JSONEachRow".to_owned(), ..query };
        let query = query
            .with_setting("output_format_json_quote_64bit_integers", 0)
            // A few rows are written sooner without a second thread.
            .with_setting("output_format_parallel_formatting", 0);
        let bytes = self.query(query).await?.collect().await?;
        let read = |line: &[u8]| serde_json::from_slice(line);
        let lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        lines.map(read).collect::<Result<_, _>>().map_err(|error| EngineError::Lost(error.to_string()))
    }

    /// Runs a statement that answers nothing: DDL, `INSERT … SELECT`, SYSTEM.
    pub async fn execute(&self, sql: &str) -> Result<(), EngineError> {
        let _call = enter(&self.places.others).await?;
        self.client()?.query_raw(sql).execute().await.map_err(EngineError::from_client)
    }

    /// Runs a statement that answers nothing, with its settings; gives up after `patience`, and then
    /// the statement may have happened, or may still happen.
    pub async fn run(&self, statement: Query, patience: Duration) -> Result<(), EngineError> {
        let _call = enter(&self.places.others).await?;
        let mut request = self.client()?.query_raw(&statement.sql);
        for (name, value) in statement.settings {
            request = request.with_setting(name, value);
        }
        match tokio::time::timeout(patience, request.execute()).await {
            Ok(outcome) => outcome.map_err(EngineError::from_client),
            Err(_) => Err(EngineError::Lost(format!("no answer after {patience:?}"))),
        }
    }

    /// Inserts one block: `statement` is `INSERT INTO … FORMAT name`, `block` its data.
    ///
    /// [`EngineError::Unavailable`] means that nothing was sent, [`EngineError::Lost`] that the
    /// rows may be there.
    pub async fn insert(&self, statement: &str, block: Bytes, patience: Duration) -> Result<(), EngineError> {
        self.insert_with(Query::new(statement, "").with_insert_settings(), block, patience).await
    }

    /// The same with other settings than those of inserts alone.
    pub async fn insert_with(
        &self,
        statement: Query,
        block: Bytes,
        patience: Duration,
    ) -> Result<(), EngineError> {
        let _call = enter(&self.places.others).await?;
        let (client, block) = self.packed(self.client()?, block).await?;
        let mut insert =
            client.insert_formatted_with(statement.sql).with_timeouts(Some(patience), Some(patience));
        for (name, value) in statement.settings {
            insert = insert.with_setting(name, value);
        }
        insert.send(block).await.map_err(EngineError::from_client)?;
        insert.end().await.map_err(EngineError::from_client)
    }

    /// The block as it is sent, and the client that says so.
    async fn packed(
        &self,
        client: clickhouse::Client,
        block: Bytes,
    ) -> Result<(clickhouse::Client, Bytes), EngineError> {
        let is_elsewhere = matches!(&*self.location.borrow(), Location::Server { .. });
        let packed = if is_elsewhere { packing::pack(&block).await? } else { None };
        Ok(match packed {
            Some(packed) => (client.with_header("Content-Encoding", packing::ENCODING), packed),
            None => (client, block),
        })
    }

    /// The client library's client for the engine's present life.
    fn client(&self) -> Result<clickhouse::Client, EngineError> {
        let location = self.location.borrow().clone();
        let generation = match &location {
            Location::Away(reason) => return Err(EngineError::Unavailable(reason.clone())),
            Location::Socket { generation, .. } => *generation,
            Location::Server { .. } => 0,
        };
        let mut connected = self.connected.lock().unwrap_or_else(PoisonError::into_inner);
        match &*connected {
            Some(kept) if kept.generation == generation => Ok(kept.client.clone()),
            _ => {
                let client = connect(&location);
                *connected = Some(Connected { generation, client: client.clone() });
                Ok(client)
            }
        }
    }
}

/// One request is one block is one part, in the order it was sent: the engine's defaults for
/// asynchronous and deduplicated inserts moved in 26.x, so every one that matters is pinned.
const INSERT_SETTINGS: [(&str, &str); 10] = [
    ("session_timezone", "UTC"),
    ("async_insert", "0"),
    ("deduplicate_insert", "disable"),
    ("insert_deduplicate", "0"),
    ("max_insert_threads", "1"),
    ("min_insert_block_size_rows", "1000000000"),
    ("min_insert_block_size_bytes", "0"),
    ("max_partitions_per_insert_block", "0"),
    ("use_strict_insert_block_limits", "0"),
    ("input_format_skip_unknown_fields", "0"),
];

/// What the engine says of a result beyond its limit.
fn too_long() -> EngineError {
    let message = "Code: 396. DB::Exception: Limit for result exceeded: more bytes than max_result_bytes. (TOO_MANY_ROWS_OR_BYTES)";
    EngineError::Exception { code: 396, message: message.to_owned() }
}

/// Waits until another call may be made.
async fn enter(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, EngineError> {
    let closed = |_| EngineError::Unavailable("the server is stopping".to_owned());
    Arc::clone(places).acquire_owned().await.map_err(closed)
}

/// Two pieces as one.
fn joined(first: Option<Bytes>, second: Option<Bytes>) -> Bytes {
    first.into_iter().chain(second).collect::<Vec<_>>().concat().into()
}

/// A parameter's value as ClickHouse reads it over HTTP: escaped as in tab-separated text.
fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '\\' => escaped.push_str("\\\\"),
            '\t' => escaped.push_str("\\t"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\0' => escaped.push_str("\\0"),
            '\u{8}' => escaped.push_str("\\b"),
            '\u{c}' => escaped.push_str("\\f"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Connections to a server elsewhere, which notice one that is gone without a word.
fn tcp() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector.set_keepalive(Some(KEEPALIVE));
    connector.set_keepalive_interval(Some(KEEPALIVE));
    connector.set_keepalive_retries(Some(3));
    connector.set_nodelay(true);
    connector
}

fn connect(location: &Location) -> clickhouse::Client {
    let mut builder = hyper_util::client::legacy::Client::builder(TokioExecutor::new());
    builder.pool_idle_timeout(IDLE_TIMEOUT).pool_max_idle_per_host(MAX_IDLE_CONNECTIONS);
    builder.pool_timer(hyper_util::rt::TokioTimer::new());
    builder.http1_max_buf_size(PIECE_BYTES);
    let client = match location {
        Location::Socket { path, .. } => {
            clickhouse::Client::with_http_client(builder.build(SocketConnector::new(path)))
                .with_url("http://engine")
        }
        Location::Server { url, user, password } => {
            clickhouse::Client::with_http_client(builder.build(tcp()))
                .with_url(url)
                .with_user(user)
                .with_password(password.expose_secret())
        }
        Location::Away(_) => clickhouse::Client::default(),
    };
    client.with_compression(clickhouse::Compression::None)
}
