//! `.connection` files: where connectors find the other side, and how they prove who they are.
//!
//! Tinybird's parser checks nothing here and leaves it to the server; so it is done here.

use std::fmt;

use super::Kind;
use super::datasource::description;
use super::directive::{self, Directive};
use super::name::ResourceName;
use super::problems::Problems;
use super::raw::{RawDatafile, RawDirective};
use super::together;
use crate::syntax::Span;

mod kafka;

pub use kafka::{KafkaConnection, KafkaCredentials, OauthBearer, SaslMechanism, SecurityProtocol};

/// A connection, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionDefinition {
    /// Its name: the file's.
    pub name: ResourceName,
    /// Markdown.
    pub description: Option<String>,
    /// The other side.
    pub remote: Remote,
}

/// The other side of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remote {
    /// `TYPE kafka`.
    Kafka(KafkaConnection),
    /// `TYPE s3`.
    S3 {
        /// The region of the bucket.
        region: Option<String>,
        /// Who reads it.
        credentials: S3Credentials,
    },
    /// `TYPE gcs`.
    Gcs(GcsCredentials),
    /// `TYPE dynamodb`.
    DynamoDb {
        /// The role that reads the table.
        role_arn: String,
        /// The region of the table.
        region: String,
    },
    /// `TYPE postgres`.
    Postgres(PostgresConnection),
}

/// Who reads an S3 bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum S3Credentials {
    /// A role to assume.
    Role(String),
    /// A pair of keys.
    Keys {
        /// The public half.
        access_key: String,
        /// The secret half.
        secret: Secret,
    },
}

/// Who reads a GCS bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GcsCredentials {
    /// The key file of a service account: JSON.
    ServiceAccount(Secret),
    /// A pair of HMAC keys.
    Hmac {
        /// The public half.
        access_id: String,
        /// The secret half.
        secret: Secret,
    },
}

/// A Postgres server and who reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresConnection {
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// The user.
    pub user: String,
    /// The password.
    pub password: Secret,
    /// `disable`, `require`, …
    pub ssl_mode: Option<String>,
}

/// A value that must not be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The value.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(***)")
    }
}

/// Checks the directives of a connection.
pub(super) fn check(
    name: ResourceName,
    file: &RawDatafile,
    problems: &mut Problems,
) -> Option<ConnectionDefinition> {
    let Some(line) = file.last(Directive::Type) else {
        problems.error("missing-setting", Span::at(0), "a connection requires a TYPE");
        problems.help("one of kafka, s3, gcs, dynamodb and postgres");
        return None;
    };
    let value = line.required_value(problems)?;
    let mut settings = Settings { file, line, problems };
    let remote = match value.as_str().to_ascii_lowercase().as_str() {
        "kafka" => kafka::read(&mut settings).map(Remote::Kafka),
        "s3" | "s3_iamrole" => settings.s3(),
        "gcs" | "gcs_hmac" => settings.gcs().map(Remote::Gcs),
        "dynamodb" => settings.dynamodb(),
        "postgres" => settings.postgres().map(Remote::Postgres),
        other => {
            problems.error("type", value.span(), format!("`{other}` is no type of connection"));
            problems.help("use one of kafka, s3, gcs, dynamodb and postgres");
            return None;
        }
    };
    Some(ConnectionDefinition {
        name,
        description: description(file.last(Directive::Description)),
        remote: remote?,
    })
}

/// The settings of a connection, asked for one by one.
struct Settings<'a> {
    file: &'a RawDatafile,
    /// The `TYPE` line, where missing settings are reported.
    line: &'a RawDirective,
    problems: &'a mut Problems,
}

impl Settings<'_> {
    fn has(&self, directive: Directive) -> bool {
        self.file.last(directive).is_some()
    }

    fn optional(&mut self, directive: Directive) -> Option<String> {
        together::text(self.file, directive, self.problems).filter(|value| !value.is_empty())
    }

    /// A setting that must be there and not be empty.
    fn required(&mut self, directive: Directive) -> Option<String> {
        let reported = self.problems.count();
        let value = self.optional(directive);
        if value.is_none() && self.problems.count() == reported {
            let name = directive::name(Kind::Connection, directive);
            let place = self.file.last(directive).map_or(self.line.span(), |line| line.keyword);
            self.problems.error("missing-setting", place, format!("this connection requires {name}"));
        }
        value
    }

    fn secret(&mut self, directive: Directive) -> Option<Secret> {
        self.required(directive).map(Secret)
    }

    fn s3(&mut self) -> Option<Remote> {
        let region = self.optional(Directive::S3Region);
        let credentials = if self.has(Directive::S3AccessKey) || self.has(Directive::S3Secret) {
            let access_key = self.required(Directive::S3AccessKey);
            let secret = self.secret(Directive::S3Secret);
            S3Credentials::Keys { access_key: access_key?, secret: secret? }
        } else if self.has(Directive::S3Arn) {
            S3Credentials::Role(self.required(Directive::S3Arn)?)
        } else {
            let message = "an S3 connection requires S3_ARN, or S3_ACCESS_KEY and S3_SECRET";
            self.problems.error("missing-setting", self.line.span(), message);
            return None;
        };
        Some(Remote::S3 { region, credentials })
    }

    fn gcs(&mut self) -> Option<GcsCredentials> {
        if let Some(line) = self.file.last(Directive::GcsServiceAccount) {
            let account = self.secret(Directive::GcsServiceAccount)?;
            if let Err(error) = serde_json::from_str::<serde_json::Value>(account.expose()) {
                let place = line.keyword;
                self.problems.error("value", place, format!("{} is no JSON: {}", line.rule.name, error));
                self.problems.help("put the whole key file on one line");
                return None;
            }
            return Some(GcsCredentials::ServiceAccount(account));
        }
        if !self.has(Directive::GcsHmacAccessId) && !self.has(Directive::GcsHmacSecret) {
            let message = "a GCS connection requires GCS_SERVICE_ACCOUNT_CREDENTIALS_JSON, or GCS_HMAC_ACCESS_ID and GCS_HMAC_SECRET";
            self.problems.error("missing-setting", self.line.span(), message);
            return None;
        }
        let access_id = self.required(Directive::GcsHmacAccessId);
        let secret = self.secret(Directive::GcsHmacSecret);
        Some(GcsCredentials::Hmac { access_id: access_id?, secret: secret? })
    }

    fn dynamodb(&mut self) -> Option<Remote> {
        let role_arn = self.required(Directive::DynamoDbArn);
        let region = self.required(Directive::DynamoDbRegion);
        Some(Remote::DynamoDb { role_arn: role_arn?, region: region? })
    }

    fn postgres(&mut self) -> Option<PostgresConnection> {
        let host = self.required(Directive::PgHost);
        let port = self.port();
        let database = self.required(Directive::PgDatabase);
        let user = self.required(Directive::PgUser);
        let password = self.secret(Directive::PgPassword);
        Some(PostgresConnection {
            ssl_mode: self.optional(Directive::PgSslMode),
            host: host?,
            port: port?,
            database: database?,
            user: user?,
            password: password?,
        })
    }

    fn port(&mut self) -> Option<u16> {
        let line = self.file.last(Directive::PgPort);
        let Some(line) = line else { return Some(5432) };
        let value = line.required_value(self.problems)?;
        let port = value.as_str().parse().ok().filter(|&port| port > 0);
        if port.is_none() {
            self.problems.error("value", value.span(), format!("`{}` is no port", value.as_str()));
        }
        port
    }
}
