//! Settings: everything that a person can configure, read once at the start.
//!
//! In: `defaults.toml` (compiled in), `roost.toml`, the environment and the flags; later ones win.
//! Out: a checked [`Config`]: durations, byte counts, absolute paths. Promise: unknown keys, wrong
//! types and contradictions are errors that name the file or variable and the key; a secret is
//! never printed. No other room reads the environment. May use: no other room.

mod engine;
mod error;
mod file;
mod flags;
mod key;
mod layers;
mod limits;
mod origin;
mod sections;
mod units;
mod wal;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

pub use engine::{Backoff, EmbeddedEngine, Engine, EnginePlace, RemoteEngine, Sandbox, Watchdog};
pub use error::ConfigError;
pub use flags::Flags;
pub use limits::{Caching, Ingest, Query, QueryLimits};
pub use origin::{Origin, Place};
pub use sections::{Data, Jobs, Log, LogFormat, Project, Server, Tokens, Workspace};
pub use wal::{Durability, Wal};

use engine::RawEngine;
use layers::Layers;

/// Every setting with its default and its explanation, as TOML.
pub const DEFAULTS: &str = include_str!("config/defaults.toml");

/// All settings of one server.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where and how HTTP is served.
    pub server: Server,
    /// The project that is loaded at start.
    pub project: Project,
    /// Where state is kept.
    pub data: Data,
    /// The workspace that the project is loaded into.
    pub workspace: Workspace,
    /// How tokens are made.
    pub tokens: Tokens,
    /// Which ClickHouse is used.
    pub engine: Engine,
    /// Limits of the way in.
    pub ingest: Ingest,
    /// The log of accepted rows.
    pub wal: Wal,
    /// Limits of the way out.
    pub query: Query,
    /// Closer ones for static tokens that may not do everything.
    pub query_token: QueryLimits,
    /// Closer ones for JWTs.
    pub query_jwt: QueryLimits,
    /// Work that goes on by itself.
    pub jobs: Jobs,
    /// What is logged, and how.
    pub log: Log,
}

/// The sections as they are written; [`RawEngine`] becomes an [`Engine`] in a further step.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    server: Server,
    project: Project,
    data: Data,
    workspace: Workspace,
    tokens: Tokens,
    engine: RawEngine,
    ingest: Ingest,
    wal: Wal,
    query: Query,
    query_token: QueryLimits,
    query_jwt: QueryLimits,
    jobs: Jobs,
    log: Log,
}

impl Config {
    /// Reads the settings file, the environment of this process and the flags.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        let environment = file::environment()?;
        let file = file::read(flags, &environment)?;
        Self::from_parts(file, environment, flags)
    }

    /// Puts the settings together from a file (its path and text), variables and flags.
    ///
    /// Relative paths in variables and flags count from the current directory of this process.
    pub fn from_parts(
        file: Option<(PathBuf, String)>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: &Flags,
    ) -> Result<Self, ConfigError> {
        let environment: BTreeMap<String, String> = environment.into_iter().collect();
        let mut layers = Layers::defaults()?;
        if let Some((path, text)) = file {
            layers.add_file(&path, &text)?;
        }
        layers.add_environment(&environment)?;
        layers.add_flags(flags)?;
        let raw: RawConfig = layers.read()?;
        limits::check(&layers)?;
        Ok(Self {
            server: raw.server,
            project: raw.project,
            data: raw.data,
            workspace: raw.workspace,
            tokens: raw.tokens,
            engine: raw.engine.check(&layers, &environment)?,
            ingest: raw.ingest,
            wal: raw.wal,
            query: raw.query,
            query_token: raw.query_token,
            query_jwt: raw.query_jwt,
            jobs: raw.jobs,
            log: raw.log,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use secrecy::ExposeSecret;

    use super::*;

    const HOME: (&str, &str) = ("HOME", "/home/person");

    fn read(file: &str, environment: &[(&str, &str)], flags: &Flags) -> Result<Config, ConfigError> {
        let file = (PathBuf::from("/project/roost.toml"), file.to_owned());
        let own = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        Config::from_parts(Some(file), [HOME].iter().chain(environment).map(own), flags)
    }

    fn complaint(file: &str, environment: &[(&str, &str)]) -> String {
        read(file, environment, &Flags::default()).unwrap_err().to_string()
    }

    fn embedded(config: Config) -> EmbeddedEngine {
        match config.engine.place {
            EnginePlace::Embedded(engine) => engine,
            EnginePlace::Remote(engine) => panic!("{engine:?}"),
        }
    }

    #[test]
    fn the_defaults_are_what_a_bare_start_uses() {
        let config = read("", &[], &Flags::default()).unwrap();
        let here = std::env::current_dir().unwrap();
        assert_eq!((config.server.host.as_str(), config.server.port), ("127.0.0.1", 7181));
        assert_eq!(config.project.directory, here);
        assert_eq!(config.data.directory, here.join(".roost"));
        assert_eq!(config.query.max_execution, Some(Duration::from_secs(10)));
        assert_eq!(config.query.max_threads, None);
        assert!(config.tokens.admin.is_none());
        let engine = embedded(config);
        assert!(engine.executable.is_none());
        assert!(engine.memory_bytes.get() > 1_000_000);
        assert_eq!(engine.sandbox, Sandbox::Preferred);
        assert_eq!(engine.nice, 5);
    }

    #[test]
    fn later_sources_win() {
        let file = "[server]\nport = 1\nhost = 'file'\n[workspace]\nname = 'file'";
        let variables = [("ROOST__SERVER__PORT", "2"), ("ROOST__SERVER__HOST", "variable")];
        let flags = Flags { port: Some(3), ..Flags::default() };
        let config = read(file, &variables, &flags).unwrap();
        assert_eq!(config.server.port, 3);
        assert_eq!(config.server.host, "variable");
        assert_eq!(config.workspace.name, "file");
        assert_eq!(config.server.max_connections.get(), 10_000);
    }

    #[test]
    fn a_path_counts_from_the_file_or_else_from_the_current_directory() {
        let here = std::env::current_dir().unwrap();
        let file = "[data]\ndirectory = 'state'\n[project]\ndirectory = '.'\n[engine]\nlibrary = '/abs.so'";
        let config = read(file, &[], &Flags::default()).unwrap();
        assert_eq!(config.data.directory, Path::new("/project/state"));
        assert_eq!(config.project.directory, Path::new("/project"));
        assert_eq!(embedded(config).library, Path::new("/abs.so"));
        let config = read(file, &[("ROOST__DATA__DIRECTORY", "state")], &Flags::default()).unwrap();
        assert_eq!(config.data.directory, here.join("state"));
        let flags = Flags { data_dir: Some("flag".into()), project: Some("p".into()), ..Flags::default() };
        let config = read(file, &[], &flags).unwrap();
        assert_eq!(config.data.directory, here.join("flag"));
        assert_eq!(config.project.directory, here.join("p"));
    }

    #[test]
    fn the_library_is_looked_for_in_the_cache_of_the_user() {
        let library = |environment: &[(&str, &str)]| {
            embedded(read("", environment, &Flags::default()).unwrap()).library
        };
        assert!(library(&[]).starts_with("/home/person/.cache/roost/engine"));
        assert!(library(&[("XDG_CACHE_HOME", "/cache")]).starts_with("/cache/roost/engine"));
        assert!(library(&[("XDG_CACHE_HOME", "relative")]).starts_with("/home/person/.cache"));
        assert!(library(&[]).ends_with("libchdb.so"));
        assert_eq!(library(&[("ROOST_ENGINE_LIB", "/opt/libchdb.so")]), Path::new("/opt/libchdb.so"));
        let nowhere = Config::from_parts(None, [], &Flags::default()).unwrap_err();
        assert!(matches!(nowhere, ConfigError::LibraryUnknown));
    }

    #[test]
    fn an_unknown_key_is_named_with_the_nearest_one() {
        assert_eq!(
            complaint("[server]\nprot = 80", &[]),
            "`server.prot` in /project/roost.toml is not a setting; the nearest one is `server.port`"
        );
        assert_eq!(
            complaint("", &[("ROOST__SERVER__PROT", "80")]),
            "the variable ROOST__SERVER__PROT is not a setting; the nearest one is ROOST__SERVER__PORT"
        );
        for (file, nearest) in [
            ("port = 80", "`server.port`"),
            ("[engine.watchdog]\nmisses = 2", "`engine.watchdog_misses`"),
            ("[server.port]\nnumber = 2", "`server.port`"),
            ("[Server]\nport = 2", "`server.port`"),
            ("[quary]", "`query.queue`"),
        ] {
            let complaint = complaint(file, &[]);
            assert!(complaint.ends_with(&format!("the nearest one is {nearest}")), "{complaint}");
        }
    }

    #[test]
    fn variables_of_others_are_left_alone() {
        let environment =
            [("ROOST_SERVICE_HOST", "10.0.0.1"), ("ROOST_PORT", "tcp://10.0.0.1:7181"), ("PORT", "x")];
        assert_eq!(read("[server]", &environment, &Flags::default()).unwrap().server.port, 7181);
    }

    #[test]
    fn a_wrong_type_is_named_with_an_example() {
        assert_eq!(
            complaint("[server]\nport = '80'", &[]),
            "`server.port` in /project/roost.toml must be a whole number, as in `port = 7181`, but it is a string"
        );
        assert_eq!(
            complaint("", &[("ROOST__SERVER__PORT", "http")]),
            "the variable ROOST__SERVER__PORT must be a whole number, as in ROOST__SERVER__PORT=7181, \
             but it is a string"
        );
        for file in ["server = 5", "[server]\nhost = 5", "[server]\nport = [1]", "[server]\nport = 1.5"] {
            assert!(read(file, &[], &Flags::default()).is_err(), "{file}");
        }
    }

    #[test]
    fn a_value_out_of_range_is_named_with_the_range() {
        assert_eq!(
            complaint("[server]\nport = 65536", &[]),
            "`server.port` in /project/roost.toml is not usable: expected 0 to 65535, found 65536"
        );
        assert_eq!(
            complaint("", &[("ROOST__SERVER__HEADER_TIMEOUT_SECONDS", "0")]),
            "the variable ROOST__SERVER__HEADER_TIMEOUT_SECONDS is not usable: expected 1 to 86400, found 0"
        );
        for (section, setting) in [
            ("server", "max_connections = 0"),
            ("server", "host = ''"),
            ("data", "directory = ''"),
            ("engine", "nice = 20"),
            ("ingest", "depth = 129"),
            ("query", "queue = -1"),
            ("log", "format = 'xml'"),
            ("engine", "sandbox = 'on'"),
            ("engine", "metadata_database = 'my-db'"),
            ("engine", "url = 'https://clickhouse:8443'"),
            ("engine", "url = 'http://user:secret@clickhouse:8123'"),
            ("engine", "url = 'clickhouse:8123'"),
            ("tokens", "admin = 'fifteen letters'"),
        ] {
            let complaint = complaint(&format!("[{section}]\n{setting}"), &[]);
            let key = setting.split(' ').next().unwrap();
            let place = format!("`{section}.{key}` in /project/roost.toml is not usable: ");
            assert!(complaint.starts_with(&place), "{complaint}");
            assert!(!complaint.contains("secret") && !complaint.contains("fifteen"), "{complaint}");
        }
    }

    #[test]
    fn contradictions_name_both_sides() {
        assert_eq!(
            complaint("[engine]\nlibrary = '/lib.so'", &[("ROOST__ENGINE__URL", "http://server:8123")]),
            "the variable ROOST__ENGINE__URL contradicts `engine.library` in /project/roost.toml: \
             a ClickHouse server is used as it is; remove the one or the other"
        );
        assert_eq!(
            complaint("[query]\nmax_execution_seconds = 90", &[]),
            "`query.max_execution_seconds` in /project/roost.toml contradicts the default of \
             `server.request_timeout_seconds`: 90 is more than 60; lower the first or raise the second"
        );
        for file in [
            "[engine]\npassword = 'secret'",
            "[engine]\nrestart_backoff_initial_milliseconds = 6000",
            "[ingest]\nqueue_bytes = 1000",
            "[ingest]\nbody_bytes = 100_000_000",
        ] {
            let error = read(file, &[], &Flags::default()).unwrap_err();
            assert!(matches!(error, ConfigError::Contradiction { .. }), "{error}");
        }
        let token = [("ROOST_ADMIN_TOKEN", "0123456789abcdef"), ("ROOST__TOKENS__ADMIN", "fedcba9876543210")];
        assert!(complaint("", &token).ends_with("both set the same key; unset one of them"));
    }

    #[test]
    fn a_clickhouse_server_needs_no_library() {
        let environment = [
            ("ROOST__ENGINE__URL", "http://server:8123"),
            ("ROOST__ENGINE__PASSWORD", "secret"),
            ("ROOST_ENGINE_LIB", "/opt/libchdb.so"),
        ];
        let config = read("", &environment, &Flags::default()).unwrap();
        let EnginePlace::Remote(engine) = config.engine.place else { panic!("embedded") };
        assert_eq!(engine.url.authority().unwrap(), "server:8123");
        assert_eq!((engine.user.as_str(), engine.password.expose_secret()), ("default", "secret"));
    }

    #[test]
    fn secrets_are_never_printed() {
        let secret = "0123456789-secret";
        let environment = [
            ("ROOST_ADMIN_TOKEN", secret),
            ("ROOST__ENGINE__URL", "http://server:8123"),
            ("ROOST__ENGINE__PASSWORD", secret),
        ];
        let config = read("", &environment, &Flags::default()).unwrap();
        assert_eq!(config.tokens.admin.as_ref().unwrap().expose_secret(), secret);
        assert!(!format!("{config:?}").contains(secret));
        for file in [
            "admin = \"0123456789-secret",
            "[tokens]\nadmin = 0123456789-secret",
            "[tokens]\nadmin = ['0123456789-secret']",
        ] {
            let error = read(file, &[], &Flags::default()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains(secret), "{error:?}");
        }
    }

    #[test]
    fn an_empty_short_variable_is_no_setting() {
        let empty = [("ROOST_ADMIN_TOKEN", ""), ("ROOST_ENGINE_LIB", "")];
        let file = "[tokens]\nadmin = '0123456789abcdef'\n[engine]\nlibrary = '/abs.so'";
        let config = read(file, &empty, &Flags::default()).unwrap();
        assert_eq!(config.tokens.admin.as_ref().unwrap().expose_secret(), "0123456789abcdef");
        assert_eq!(embedded(config).library, Path::new("/abs.so"));
    }

    #[test]
    fn a_syntax_error_names_file_line_and_column() {
        let complaint = complaint("[server]\nport = ", &[]);
        assert!(complaint.starts_with("/project/roost.toml is not valid TOML: "), "{complaint}");
        assert!(complaint.contains("line 2, column 8"), "{complaint}");
    }

    #[test]
    fn a_settings_file_that_was_asked_for_must_exist() {
        let folder = tempfile::tempdir().unwrap();
        let flags = Flags { project: Some(folder.path().into()), ..Flags::default() };
        assert!(file::read(&flags, &BTreeMap::new()).unwrap().is_none());
        std::fs::write(folder.path().join("roost.toml"), "[server]").unwrap();
        let (path, text) = file::read(&flags, &BTreeMap::new()).unwrap().unwrap();
        assert_eq!((path, text.as_str()), (folder.path().join("roost.toml"), "[server]"));
        let flags = Flags { config: Some(folder.path().join("other.toml")), ..flags };
        assert!(matches!(file::read(&flags, &BTreeMap::new()), Err(ConfigError::FileUnreadable { .. })));
    }

    #[test]
    fn every_setting_is_explained_above_its_line() {
        let lines: Vec<&str> = DEFAULTS.lines().collect();
        let settings = lines.windows(2).filter(|pair| pair[1].contains(" = ") && !pair[1].starts_with('#'));
        let bare: Vec<&str> =
            settings.clone().filter(|pair| !pair[0].starts_with("# ")).map(|pair| pair[1]).collect();
        assert!(settings.count() > 40);
        assert_eq!(bare, Vec::<&str>::new());
    }

    #[test]
    fn every_default_is_a_field_and_every_field_has_a_default() {
        let with_more = format!("{DEFAULTS}\ncolour = 'red'\n");
        let reads = |text: &str| {
            let source = ::config::File::from_str(text, ::config::FileFormat::Toml);
            ::config::Config::builder().add_source(source).build().unwrap().try_deserialize::<RawConfig>()
        };
        assert!(reads(DEFAULTS).is_ok());
        assert!(reads(&with_more).is_err());
        assert!(reads(&DEFAULTS.replace("depth = 128", "")).is_err());
    }
}
