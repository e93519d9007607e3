//! The section `[engine]`: the embedded engine or a ClickHouse server, never both.

use std::collections::BTreeMap;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Uri;
use secrecy::SecretString;
use serde::Deserialize;

use super::layers::Layers;
use super::sections::text;
use super::{ConfigError, Origin, units};

/// Version of the npm packages `@chdb/lib-<platform>` that hold the engine library.
const LIBRARY_VERSION: &str = include_str!("../../tools/engine.version");

/// Settings that mean nothing to a ClickHouse server.
const EMBEDDED_ONLY: [&str; 11] = [
    "engine.library",
    "engine.executable",
    "engine.sandbox",
    "engine.memory_bytes",
    "engine.nice",
    "engine.watchdog_interval_seconds",
    "engine.watchdog_timeout_seconds",
    "engine.watchdog_misses",
    "engine.stop_grace_seconds",
    "engine.restart_backoff_initial_milliseconds",
    "engine.restart_backoff_max_seconds",
];

/// Settings that mean nothing to the embedded engine.
const SERVER_ONLY: [&str; 2] = ["engine.user", "engine.password"];

/// `[engine]`: which ClickHouse is used.
#[derive(Debug, Clone)]
pub struct Engine {
    /// Where it runs.
    pub place: EnginePlace,
    /// Database for Roost's own tables; an identifier that needs no quotes.
    pub metadata_database: String,
    /// Connections held at the same time.
    pub max_connections: NonZeroUsize,
    /// Time to answer the first query.
    pub start_timeout: Duration,
    /// Existing directory for the engine's socket; short, because a socket's path is. The user's
    /// own runtime directory where there is one.
    pub runtime: PathBuf,
}

/// Where the engine runs.
#[derive(Debug, Clone)]
pub enum EnginePlace {
    /// In a child process.
    Embedded(EmbeddedEngine),
    /// In a ClickHouse server.
    Remote(RemoteEngine),
}

/// The engine in a child process.
#[derive(Debug, Clone)]
pub struct EmbeddedEngine {
    /// Path of `libchdb.so`, absolute; the file may be missing.
    pub library: PathBuf,
    /// Program that runs the engine, absolute; `None`: this one.
    pub executable: Option<PathBuf>,
    /// How it is confined.
    pub sandbox: Sandbox,
    /// Memory it may use.
    pub memory_bytes: NonZeroU64,
    /// Its niceness, 0 to 19.
    pub nice: u8,
    /// How it is watched.
    pub watchdog: Watchdog,
    /// Time to end by itself at a stop.
    pub stop_grace: Duration,
    /// How long a restart waits.
    pub restart_backoff: Backoff,
}

/// A ClickHouse server.
#[derive(Debug, Clone)]
pub struct RemoteEngine {
    /// `http://host:port`, nothing behind it.
    pub url: Uri,
    /// User.
    pub user: String,
    /// Password; may be empty.
    pub password: SecretString,
}

/// Whether the embedded engine is confined to the data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Sandbox {
    /// No start without it.
    Required,
    /// A warning where the kernel cannot.
    Preferred,
    /// Not tried.
    Off,
}

/// How the embedded engine is watched.
#[derive(Debug, Clone, Copy)]
pub struct Watchdog {
    /// Time between two checks.
    pub interval: Duration,
    /// Time a check may take.
    pub timeout: Duration,
    /// Missed checks in a row that lead to a restart.
    pub misses: NonZeroUsize,
}

/// How the pause before a restart grows: doubled with every failure.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// The first pause.
    pub initial: Duration,
    /// The longest pause.
    pub max: Duration,
}

/// `[engine]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEngine {
    url: String,
    #[serde(deserialize_with = "text")]
    user: String,
    password: SecretString,
    metadata_database: String,
    library: PathBuf,
    executable: PathBuf,
    sandbox: Sandbox,
    #[serde(deserialize_with = "units::memory_or_share")]
    memory_bytes: NonZeroU64,
    #[serde(deserialize_with = "units::niceness")]
    nice: u8,
    #[serde(deserialize_with = "units::count")]
    max_connections: NonZeroUsize,
    #[serde(rename = "start_timeout_seconds", deserialize_with = "units::seconds")]
    start_timeout: Duration,
    #[serde(rename = "watchdog_interval_seconds", deserialize_with = "units::seconds")]
    watchdog_interval: Duration,
    #[serde(rename = "watchdog_timeout_seconds", deserialize_with = "units::seconds")]
    watchdog_timeout: Duration,
    #[serde(deserialize_with = "units::count")]
    watchdog_misses: NonZeroUsize,
    #[serde(rename = "stop_grace_seconds", deserialize_with = "units::seconds")]
    stop_grace: Duration,
    #[serde(rename = "restart_backoff_initial_milliseconds", deserialize_with = "units::milliseconds")]
    restart_backoff_initial: Duration,
    #[serde(rename = "restart_backoff_max_seconds", deserialize_with = "units::seconds")]
    restart_backoff_max: Duration,
}

impl RawEngine {
    /// Decides between the two kinds of engine and refuses settings of the other kind.
    pub(super) fn check(
        self,
        layers: &Layers,
        environment: &BTreeMap<String, String>,
    ) -> Result<Engine, ConfigError> {
        let (metadata_database, max_connections, start_timeout) =
            (self.metadata_database.clone(), self.max_connections, self.start_timeout);
        if !is_identifier(&metadata_database) {
            let rule = "expected letters, digits and underscores, with no digit in front";
            return Err(invalid(layers, "engine.metadata_database", rule));
        }
        let place = if self.url.is_empty() {
            EnginePlace::Embedded(self.embedded(layers, environment)?)
        } else {
            EnginePlace::Remote(self.remote(layers)?)
        };
        let runtime = runtime_directory(environment);
        Ok(Engine { place, metadata_database, max_connections, start_timeout, runtime })
    }

    fn remote(self, layers: &Layers) -> Result<RemoteEngine, ConfigError> {
        let mut changed = EMBEDDED_ONLY.iter().filter_map(|key| layers.changed(key));
        // The short variable says where this machine keeps the library, not that it is to be used.
        let short = Origin::Variable("ROOST_ENGINE_LIB".to_owned());
        if let Some(second) = changed.find(|place| place.origin != short) {
            let rule = "a ClickHouse server is used as it is; remove the one or the other".to_owned();
            return Err(ConfigError::Contradiction { first: layers.place("engine.url"), second, rule });
        }
        let url = server_address(&self.url).ok_or_else(|| {
            let rule = "expected an address like `http://clickhouse:8123`, without user, path or query";
            invalid(layers, "engine.url", rule)
        })?;
        Ok(RemoteEngine { url, user: self.user, password: self.password })
    }

    fn embedded(
        self,
        layers: &Layers,
        environment: &BTreeMap<String, String>,
    ) -> Result<EmbeddedEngine, ConfigError> {
        if let Some(first) = SERVER_ONLY.iter().find_map(|key| layers.changed(key)) {
            let rule =
                "the embedded engine has no users; set the address of a server, or remove this".to_owned();
            return Err(ConfigError::Contradiction { first, second: layers.place("engine.url"), rule });
        }
        if self.restart_backoff_initial > self.restart_backoff_max {
            return Err(ConfigError::Contradiction {
                first: layers.place("engine.restart_backoff_initial_milliseconds"),
                second: layers.place("engine.restart_backoff_max_seconds"),
                rule: "the first pause is longer than the longest".to_owned(),
            });
        }
        let library = Some(self.library).filter(|path| !is_empty(path));
        Ok(EmbeddedEngine {
            library: library.or_else(|| cached_library(environment)).ok_or(ConfigError::LibraryUnknown)?,
            executable: Some(self.executable).filter(|path| !is_empty(path)),
            sandbox: self.sandbox,
            memory_bytes: self.memory_bytes,
            nice: self.nice,
            watchdog: Watchdog {
                interval: self.watchdog_interval,
                timeout: self.watchdog_timeout,
                misses: self.watchdog_misses,
            },
            stop_grace: self.stop_grace,
            restart_backoff: Backoff { initial: self.restart_backoff_initial, max: self.restart_backoff_max },
        })
    }
}

/// Where `tools/engine.sh` puts the library: in the per-user cache, shared by all checkouts.
fn cached_library(environment: &BTreeMap<String, String>) -> Option<PathBuf> {
    let directory = |name: &str| environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = directory("XDG_CACHE_HOME").or_else(|| directory("HOME").map(|home| home.join(".cache")))?;
    let platform = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => "linux-x64-gnu",
        ("linux", "aarch64") => "linux-arm64-gnu",
        ("macos", "x86_64") => "darwin-x64",
        ("macos", "aarch64") => "darwin-arm64",
        _ => return None,
    };
    let version = format!("{}-{platform}", LIBRARY_VERSION.trim());
    Some(cache.join("roost/engine").join(version).join("libchdb.so"))
}

/// `XDG_RUNTIME_DIR`, or `/tmp` where it is missing or too long for the path of a socket below it.
fn runtime_directory(environment: &BTreeMap<String, String>) -> PathBuf {
    let given = environment.get("XDG_RUNTIME_DIR").map(PathBuf::from);
    let fits = |path: &PathBuf| path.is_absolute() && path.is_dir() && path.as_os_str().len() <= 48;
    given.filter(fits).unwrap_or_else(|| PathBuf::from("/tmp"))
}

fn server_address(text: &str) -> Option<Uri> {
    let uri: Uri = text.parse().ok()?;
    let authority = uri.authority()?;
    let is_plain = uri.scheme_str() == Some("http")
        && !authority.as_str().contains('@')
        && matches!(uri.path_and_query().map_or("/", |path| path.as_str()), "/" | "");
    is_plain.then_some(uri)
}

fn is_identifier(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|next| next.is_ascii_alphanumeric() || next == '_')
}

fn is_empty(path: &Path) -> bool {
    path.as_os_str().is_empty()
}

fn invalid(layers: &Layers, key: &str, rule: &str) -> ConfigError {
    ConfigError::InvalidValue { place: layers.place(key), rule: rule.to_owned() }
}
