//! `TYPE kafka`.

use super::super::directive::Directive;
use super::super::together;
use super::{Secret, Settings};

/// Kafka brokers and how they are spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaConnection {
    /// `host:port`, separated by commas.
    pub bootstrap_servers: String,
    /// Encryption and authentication.
    pub protocol: SecurityProtocol,
    /// Who reads.
    pub credentials: KafkaCredentials,
    /// Where Avro and JSON schemas are.
    pub schema_registry_url: Option<String>,
    /// The certificate of the authority that the brokers' certificates come from.
    pub ssl_ca_pem: Option<String>,
}

/// Encryption and authentication of a Kafka connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SecurityProtocol {
    /// `SASL_SSL`.
    #[default]
    SaslSsl,
    /// `SASL_PLAINTEXT`.
    SaslPlaintext,
    /// `PLAINTEXT`.
    Plaintext,
}

/// How a password is shown to the brokers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SaslMechanism {
    /// `PLAIN`.
    #[default]
    Plain,
    /// `SCRAM-SHA-256`.
    ScramSha256,
    /// `SCRAM-SHA-512`.
    ScramSha512,
}

/// Who reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KafkaCredentials {
    /// Nobody in particular.
    None,
    /// A user and a password.
    Password {
        /// How they are shown.
        mechanism: SaslMechanism,
        /// `KAFKA_KEY`.
        user: String,
        /// `KAFKA_SECRET`.
        password: Secret,
    },
    /// A role of AWS.
    OauthBearer(OauthBearer),
}

/// `KAFKA_SASL_OAUTHBEARER_*`; the method is always AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthBearer {
    /// The region of the brokers.
    pub region: String,
    /// The role to assume.
    pub role_arn: String,
    /// What the role's owner knows the caller by.
    pub external_id: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mechanism {
    Password(SaslMechanism),
    OauthBearer,
}

pub(super) fn read(settings: &mut Settings<'_>) -> Option<KafkaConnection> {
    let protocols = [
        ("SASL_SSL", SecurityProtocol::SaslSsl),
        ("SASL_PLAINTEXT", SecurityProtocol::SaslPlaintext),
        ("PLAINTEXT", SecurityProtocol::Plaintext),
    ];
    let protocol =
        together::choice(settings.file, Directive::KafkaSecurityProtocol, &protocols, settings.problems);
    let protocol = protocol.unwrap_or_default();
    let bootstrap_servers = settings.required(Directive::KafkaBootstrapServers);
    let credentials = match protocol {
        SecurityProtocol::Plaintext => Some(KafkaCredentials::None),
        SecurityProtocol::SaslSsl | SecurityProtocol::SaslPlaintext => read_credentials(settings),
    };
    Some(KafkaConnection {
        schema_registry_url: settings.optional(Directive::KafkaSchemaRegistryUrl),
        ssl_ca_pem: settings.optional(Directive::KafkaSslCaPem),
        protocol,
        bootstrap_servers: bootstrap_servers?,
        credentials: credentials?,
    })
}

fn read_credentials(settings: &mut Settings<'_>) -> Option<KafkaCredentials> {
    let mechanisms = [
        ("PLAIN", Mechanism::Password(SaslMechanism::Plain)),
        ("SCRAM-SHA-256", Mechanism::Password(SaslMechanism::ScramSha256)),
        ("SCRAM-SHA-512", Mechanism::Password(SaslMechanism::ScramSha512)),
        ("OAUTHBEARER", Mechanism::OauthBearer),
    ];
    let mechanism =
        together::choice(settings.file, Directive::KafkaSaslMechanism, &mechanisms, settings.problems);
    match mechanism.unwrap_or(Mechanism::Password(SaslMechanism::Plain)) {
        Mechanism::Password(mechanism) => {
            let user = settings.required(Directive::KafkaKey);
            let password = settings.secret(Directive::KafkaSecret);
            Some(KafkaCredentials::Password { mechanism, user: user?, password: password? })
        }
        Mechanism::OauthBearer => read_oauth_bearer(settings).map(KafkaCredentials::OauthBearer),
    }
}

fn read_oauth_bearer(settings: &mut Settings<'_>) -> Option<OauthBearer> {
    settings.required(Directive::KafkaOauthMethod)?;
    together::choice(settings.file, Directive::KafkaOauthMethod, &[("AWS", ())], settings.problems)?;
    let region = settings.required(Directive::KafkaOauthAwsRegion);
    let role_arn = settings.required(Directive::KafkaOauthAwsRoleArn);
    let external_id = settings.optional(Directive::KafkaOauthAwsExternalId);
    Some(OauthBearer { region: region?, role_arn: role_arn?, external_id })
}
