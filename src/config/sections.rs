//! The small sections: server, project, data, workspace, tokens, jobs, log.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::units;

/// `[server]`: where and how HTTP is served.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// IP address or host name to listen on.
    #[serde(deserialize_with = "text")]
    pub host: String,
    /// TCP port to listen on; 0 picks a free one.
    #[serde(deserialize_with = "units::port")]
    pub port: u16,
    /// Connections served at the same time.
    #[serde(deserialize_with = "units::count")]
    pub max_connections: NonZeroUsize,
    /// Those of one address; `None`: any number.
    #[serde(deserialize_with = "units::count_if_any")]
    pub max_connections_per_address: Option<NonZeroUsize>,
    /// Bytes of a path with its query string.
    #[serde(deserialize_with = "units::count")]
    pub max_url_bytes: NonZeroUsize,
    /// Time for the head of a request.
    #[serde(rename = "header_timeout_seconds", deserialize_with = "units::seconds")]
    pub header_timeout: Duration,
    /// Time for the first bytes of the body of events; what arrives adds to it.
    #[serde(rename = "body_timeout_seconds", deserialize_with = "units::seconds")]
    pub body_timeout: Duration,
    /// Time from the head of a request to the begin of its answer.
    #[serde(rename = "request_timeout_seconds", deserialize_with = "units::seconds")]
    pub request_timeout: Duration,
    /// Time for running requests to end after the signal to stop.
    #[serde(rename = "stop_grace_seconds", deserialize_with = "units::seconds")]
    pub stop_grace: Duration,
}

/// `[project]`: what is loaded at start.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Project {
    /// Directory of the project's datafiles; absolute.
    #[serde(deserialize_with = "directory")]
    pub directory: PathBuf,
}

/// `[data]`: what must survive a restart.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// Directory for tables, secrets and the lock; absolute.
    #[serde(deserialize_with = "directory")]
    pub directory: PathBuf,
}

/// `[workspace]`: what the project is loaded into.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workspace {
    /// Name of the workspace.
    #[serde(deserialize_with = "text")]
    pub name: String,
}

/// `[tokens]`: how tokens are made.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// The admin token, of 16 characters or more; `None`: one is made and kept in the data
    /// directory.
    #[serde(deserialize_with = "admin_token")]
    pub admin: Option<SecretString>,
    /// The `host` field of derived tokens.
    #[serde(deserialize_with = "text")]
    pub host: String,
    /// Tokens that may be made over the API.
    #[serde(deserialize_with = "units::count")]
    pub max_count: NonZeroUsize,
    /// Requests a second of one token that sets no limit of its own; `None`: any number.
    #[serde(deserialize_with = "units::pace")]
    pub requests_per_second: Option<NonZeroU32>,
}

/// `[jobs]`: work that goes on by itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jobs {
    /// Jobs that run at once.
    #[serde(deserialize_with = "units::count")]
    pub concurrent: NonZeroUsize,
    /// Jobs that wait or run.
    #[serde(deserialize_with = "units::count")]
    pub max_open: NonZeroUsize,
    /// Ended jobs that are kept.
    #[serde(deserialize_with = "units::count")]
    pub max_kept: NonZeroUsize,
}

/// `[log]`: what is logged, and how.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Filter in the syntax of `tracing`: a level, or levels by module.
    #[serde(deserialize_with = "text")]
    pub level: String,
    /// Shape of a log line.
    pub format: LogFormat,
}

/// Shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

/// A text that is neither empty nor padded, and holds no control characters.
pub(super) fn text<'de, D: Deserializer<'de>>(input: D) -> Result<String, D::Error> {
    let text = String::deserialize(input)?;
    if text.is_empty() {
        return Err(Error::custom("it must not be empty"));
    }
    if text.trim() != text || text.chars().any(char::is_control) {
        return Err(Error::custom("it must not begin or end with a space, or hold a control character"));
    }
    Ok(text)
}

fn directory<'de, D: Deserializer<'de>>(input: D) -> Result<PathBuf, D::Error> {
    text(input).map(PathBuf::from)
}

fn admin_token<'de, D: Deserializer<'de>>(input: D) -> Result<Option<SecretString>, D::Error> {
    let token = SecretString::from(String::deserialize(input)?);
    let characters = token.expose_secret();
    if characters.is_empty() {
        return Ok(None);
    }
    if characters.chars().count() < 16 {
        return Err(Error::custom("an admin token has 16 characters or more"));
    }
    if characters.trim() != characters || characters.chars().any(char::is_control) {
        let rule =
            "an admin token begins and ends without a space or line break, and holds no control character";
        return Err(Error::custom(rule));
    }
    Ok(Some(token))
}
