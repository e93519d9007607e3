//! The directives that each kind of datafile knows, as a table.

use super::{Kind, Strictness};
use crate::schema::spelling;
use Directive as D;

/// The first word of a line, understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Directive {
    Backfill,
    Cache,
    CopyMode,
    CopySchedule,
    Datasource,
    DeploymentMethod,
    Description,
    DynamoDbArn,
    DynamoDbRegion,
    Engine,
    EngineColumns,
    EngineIsDeleted,
    EnginePartitionKey,
    EnginePrimaryKey,
    EngineSamplingKey,
    EngineSettings,
    EngineSign,
    EngineSortingKey,
    EngineTtl,
    EngineVer,
    EngineVersion,
    ExportBucketUri,
    ExportCompression,
    ExportConnectionName,
    ExportFileTemplate,
    ExportFormat,
    ExportKafkaTopic,
    ExportSchedule,
    ExportService,
    ExportStrategy,
    ExportWriteStrategy,
    Filter,
    ForwardQuery,
    GcsHmacAccessId,
    GcsHmacSecret,
    GcsServiceAccount,
    ImportBucketUri,
    ImportConnectionName,
    ImportExportBucket,
    ImportExternalDatasource,
    ImportFormat,
    ImportFromTimestamp,
    ImportQuery,
    ImportSchedule,
    ImportService,
    ImportStrategy,
    ImportTableArn,
    Include,
    Indexes,
    KafkaAutoOffsetReset,
    KafkaBootstrapServers,
    KafkaConnectionName,
    KafkaGroupId,
    KafkaKey,
    KafkaKeyAvroDeserialization,
    KafkaKeyFormat,
    KafkaOauthAwsExternalId,
    KafkaOauthAwsRegion,
    KafkaOauthAwsRoleArn,
    KafkaOauthMethod,
    KafkaSaslMechanism,
    KafkaSchemaRegistryUrl,
    KafkaSecret,
    KafkaSecurityProtocol,
    KafkaSslCaPem,
    KafkaStoreBinaryHeaders,
    KafkaStoreHeaders,
    KafkaStoreRawValue,
    KafkaTargetPartitions,
    KafkaTopic,
    KafkaValueFormat,
    Node,
    OnDemandCompute,
    PgConnectionName,
    PgDatabase,
    PgHost,
    PgPassword,
    PgPort,
    PgSslMode,
    PgTable,
    PgUser,
    S3AccessKey,
    S3Arn,
    S3Region,
    S3Secret,
    Schema,
    SharedWith,
    Source,
    Sql,
    Tags,
    TargetDatasource,
    Token,
    Type,
    /// `SORTING_KEY` and its like without `ENGINE_`: Tinybird keeps them and never looks at them.
    UnprefixedEngineOption,
    Version,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) directive: Directive,
    pub(super) kinds: &'static [Kind],
    pub(super) block: Block,
    /// How many words its inline value has at most; `None` for free text and expressions.
    pub(super) most_words: Option<usize>,
    pub(super) place: Place,
    pub(super) fate: Fate,
}

/// Whether a directive may open a block with `>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    Refused,
    Allowed,
    Required,
}

/// Where in a file the directive may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Anywhere,
    /// In a pipe, below a `NODE`.
    Node,
}

/// What becomes of a directive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Used,
    /// Once meant something; warned about and dropped.
    Ignored,
    /// Looks as if it did something, and never did; warned about and dropped.
    Unused,
    /// Known, and an error.
    Refused,
    /// Not known to Tinybird's present parser, but to real files: Classic, or written by its SDKs.
    Tolerated,
}

/// A directive with a value of one line and no block.
const fn rule(kinds: &'static [Kind], name: &'static str, directive: Directive) -> Rule {
    Rule {
        name,
        directive,
        kinds,
        block: Block::Refused,
        most_words: None,
        place: Place::Anywhere,
        fate: Fate::Used,
    }
}

impl Rule {
    const fn block(mut self) -> Self {
        self.block = Block::Allowed;
        self
    }

    const fn only_block(mut self) -> Self {
        self.block = Block::Required;
        self
    }

    const fn words(mut self, most: usize) -> Self {
        self.most_words = Some(most);
        self
    }

    const fn in_node(mut self) -> Self {
        self.place = Place::Node;
        self
    }

    const fn fate(mut self, fate: Fate) -> Self {
        self.fate = fate;
        self
    }
}

const ALL: &[Kind] = &[Kind::Datasource, Kind::Pipe, Kind::Connection];
const DS: &[Kind] = &[Kind::Datasource];
const PIPE: &[Kind] = &[Kind::Pipe];
const CON: &[Kind] = &[Kind::Connection];

/// Every directive, with what is allowed around it. The order is that of the reference.
const RULES: &[Rule] = &[
    rule(ALL, "DESCRIPTION", D::Description).block(),
    rule(ALL, "INCLUDE", D::Include).fate(Fate::Refused),
    // Data sources.
    rule(DS, "SCHEMA", D::Schema).block(),
    rule(DS, "ENGINE", D::Engine).block().words(1),
    rule(DS, "ENGINE_PARTITION_KEY", D::EnginePartitionKey).block(),
    rule(DS, "ENGINE_SORTING_KEY", D::EngineSortingKey).block(),
    rule(DS, "ENGINE_PRIMARY_KEY", D::EnginePrimaryKey).block(),
    rule(DS, "ENGINE_SAMPLING_KEY", D::EngineSamplingKey).block(),
    rule(DS, "ENGINE_TTL", D::EngineTtl).block(),
    rule(DS, "ENGINE_SETTINGS", D::EngineSettings).block(),
    rule(DS, "ENGINE_VER", D::EngineVer).block().words(1),
    rule(DS, "ENGINE_IS_DELETED", D::EngineIsDeleted).block().words(1),
    rule(DS, "ENGINE_COLUMNS", D::EngineColumns).block(),
    rule(DS, "ENGINE_SUMMING_COLUMNS", D::EngineColumns).block().fate(Fate::Tolerated),
    rule(DS, "ENGINE_SIGN", D::EngineSign).block().words(1),
    rule(DS, "ENGINE_VERSION", D::EngineVersion).block().words(1),
    rule(DS, "INDEXES", D::Indexes).only_block(),
    rule(DS, "TOKEN", D::Token).words(2),
    rule(DS, "TAGS", D::Tags).block(),
    rule(DS, "SHARED_WITH", D::SharedWith).block(),
    rule(DS, "FORWARD_QUERY", D::ForwardQuery).only_block(),
    rule(DS, "BACKFILL", D::Backfill).words(1),
    rule(DS, "VERSION", D::Version).words(1),
    rule(DS, "KAFKA_CONNECTION_NAME", D::KafkaConnectionName).words(1),
    rule(DS, "KAFKA_TOPIC", D::KafkaTopic).words(1),
    rule(DS, "KAFKA_GROUP_ID", D::KafkaGroupId),
    rule(DS, "KAFKA_AUTO_OFFSET_RESET", D::KafkaAutoOffsetReset).words(1),
    rule(DS, "KAFKA_STORE_RAW_VALUE", D::KafkaStoreRawValue).words(1),
    rule(DS, "KAFKA_STORE_HEADERS", D::KafkaStoreHeaders).words(1),
    rule(DS, "KAFKA_KEY_FORMAT", D::KafkaKeyFormat).words(1),
    rule(DS, "KAFKA_VALUE_FORMAT", D::KafkaValueFormat).words(1),
    rule(DS, "KAFKA_KEY_AVRO_DESERIALIZATION", D::KafkaKeyAvroDeserialization).fate(Fate::Tolerated),
    rule(DS, "KAFKA_TARGET_PARTITIONS", D::KafkaTargetPartitions).fate(Fate::Ignored),
    rule(DS, "KAFKA_STORE_BINARY_HEADERS", D::KafkaStoreBinaryHeaders).fate(Fate::Refused),
    rule(DS, "IMPORT_CONNECTION_NAME", D::ImportConnectionName).words(1),
    rule(DS, "IMPORT_BUCKET_URI", D::ImportBucketUri).words(1),
    rule(DS, "IMPORT_SCHEDULE", D::ImportSchedule),
    rule(DS, "IMPORT_FORMAT", D::ImportFormat).words(1),
    rule(DS, "IMPORT_FROM_TIMESTAMP", D::ImportFromTimestamp).words(1),
    rule(DS, "IMPORT_TABLE_ARN", D::ImportTableArn).words(1),
    rule(DS, "IMPORT_EXPORT_BUCKET", D::ImportExportBucket).words(1),
    rule(DS, "IMPORT_QUERY", D::ImportQuery),
    rule(DS, "IMPORT_STRATEGY", D::ImportStrategy).words(1),
    rule(DS, "IMPORT_SERVICE", D::ImportService).fate(Fate::Ignored),
    rule(DS, "IMPORT_EXTERNAL_DATASOURCE", D::ImportExternalDatasource).fate(Fate::Ignored),
    rule(DS, "EXPORT_SERVICE", D::ExportService).fate(Fate::Ignored),
    rule(DS, "PG_CONNECTION_NAME", D::PgConnectionName).words(1),
    rule(DS, "PG_TABLE", D::PgTable).words(1),
    rule(DS, "PARTITION_KEY", D::UnprefixedEngineOption).fate(Fate::Unused),
    rule(DS, "SORTING_KEY", D::UnprefixedEngineOption).fate(Fate::Unused),
    rule(DS, "PRIMARY_KEY", D::UnprefixedEngineOption).fate(Fate::Unused),
    rule(DS, "SAMPLING_KEY", D::UnprefixedEngineOption).fate(Fate::Unused),
    rule(DS, "TTL", D::UnprefixedEngineOption).fate(Fate::Unused),
    rule(DS, "SOURCE", D::Source).fate(Fate::Refused),
    // Pipes.
    rule(PIPE, "NODE", D::Node).words(1),
    rule(PIPE, "SCOPE", D::Node).words(1),
    rule(PIPE, "TOKEN", D::Token).words(2),
    rule(PIPE, "TAGS", D::Tags).block(),
    rule(PIPE, "VERSION", D::Version).words(1),
    rule(PIPE, "SQL", D::Sql).only_block().in_node(),
    rule(PIPE, "TYPE", D::Type).words(1).in_node(),
    rule(PIPE, "DATASOURCE", D::Datasource).words(1).in_node(),
    rule(PIPE, "TARGET_DATASOURCE", D::TargetDatasource).words(1).in_node(),
    rule(PIPE, "COPY_SCHEDULE", D::CopySchedule).in_node(),
    rule(PIPE, "COPY_MODE", D::CopyMode).words(1).in_node(),
    rule(PIPE, "MODE", D::CopyMode).words(1).in_node(),
    rule(PIPE, "ON_DEMAND_COMPUTE", D::OnDemandCompute).words(1).in_node(),
    rule(PIPE, "DEPLOYMENT_METHOD", D::DeploymentMethod).words(1).in_node(),
    rule(PIPE, "FILTER", D::Filter).in_node(),
    rule(PIPE, "EXPORT_CONNECTION_NAME", D::ExportConnectionName).in_node(),
    rule(PIPE, "EXPORT_KAFKA_TOPIC", D::ExportKafkaTopic).in_node(),
    rule(PIPE, "EXPORT_SCHEDULE", D::ExportSchedule).in_node(),
    rule(PIPE, "EXPORT_BUCKET_URI", D::ExportBucketUri).in_node(),
    rule(PIPE, "EXPORT_FILE_TEMPLATE", D::ExportFileTemplate).in_node(),
    rule(PIPE, "EXPORT_FORMAT", D::ExportFormat).in_node(),
    rule(PIPE, "EXPORT_COMPRESSION", D::ExportCompression).in_node(),
    rule(PIPE, "EXPORT_STRATEGY", D::ExportStrategy).in_node(),
    rule(PIPE, "EXPORT_WRITE_STRATEGY", D::ExportWriteStrategy).in_node(),
    rule(PIPE, "EXPORT_SERVICE", D::ExportService).fate(Fate::Ignored),
    rule(PIPE, "CACHE", D::Cache).words(1).in_node().fate(Fate::Tolerated),
    rule(PIPE, "ENGINE", D::Engine).words(1).in_node().fate(Fate::Tolerated),
    rule(PIPE, "ENGINE_PARTITION_KEY", D::EnginePartitionKey).in_node().fate(Fate::Tolerated),
    rule(PIPE, "ENGINE_SORTING_KEY", D::EngineSortingKey).in_node().fate(Fate::Tolerated),
    rule(PIPE, "ENGINE_PRIMARY_KEY", D::EnginePrimaryKey).in_node().fate(Fate::Tolerated),
    rule(PIPE, "ENGINE_SAMPLING_KEY", D::EngineSamplingKey).in_node().fate(Fate::Tolerated),
    rule(PIPE, "ENGINE_TTL", D::EngineTtl).in_node().fate(Fate::Tolerated),
    rule(PIPE, "ENGINE_SETTINGS", D::EngineSettings).in_node().fate(Fate::Tolerated),
    rule(PIPE, "ENGINE_VER", D::EngineVer).words(1).in_node().fate(Fate::Tolerated),
    rule(PIPE, "ENGINE_IS_DELETED", D::EngineIsDeleted).words(1).in_node().fate(Fate::Tolerated),
    rule(PIPE, "ENGINE_COLUMNS", D::EngineColumns).in_node().fate(Fate::Tolerated),
    rule(PIPE, "ENGINE_SIGN", D::EngineSign).words(1).in_node().fate(Fate::Tolerated),
    rule(PIPE, "ENGINE_VERSION", D::EngineVersion).words(1).in_node().fate(Fate::Tolerated),
    // Connections.
    rule(CON, "TYPE", D::Type).words(1),
    rule(CON, "KAFKA_BOOTSTRAP_SERVERS", D::KafkaBootstrapServers),
    rule(CON, "KAFKA_SECURITY_PROTOCOL", D::KafkaSecurityProtocol).words(1),
    rule(CON, "KAFKA_SASL_MECHANISM", D::KafkaSaslMechanism).words(1),
    rule(CON, "KAFKA_KEY", D::KafkaKey),
    rule(CON, "KAFKA_SECRET", D::KafkaSecret),
    rule(CON, "KAFKA_SCHEMA_REGISTRY_URL", D::KafkaSchemaRegistryUrl),
    rule(CON, "KAFKA_SSL_CA_PEM", D::KafkaSslCaPem).block(),
    rule(CON, "KAFKA_SASL_OAUTHBEARER_METHOD", D::KafkaOauthMethod).words(1),
    rule(CON, "KAFKA_SASL_OAUTHBEARER_AWS_REGION", D::KafkaOauthAwsRegion).words(1),
    rule(CON, "KAFKA_SASL_OAUTHBEARER_AWS_ROLE_ARN", D::KafkaOauthAwsRoleArn).words(1),
    rule(CON, "KAFKA_SASL_OAUTHBEARER_AWS_EXTERNAL_ID", D::KafkaOauthAwsExternalId).words(1),
    rule(CON, "KAFKA_KEY_AVRO_DESERIALIZATION", D::KafkaKeyAvroDeserialization).fate(Fate::Refused),
    rule(CON, "S3_REGION", D::S3Region).words(1),
    rule(CON, "S3_ARN", D::S3Arn).words(1),
    rule(CON, "S3_ACCESS_KEY", D::S3AccessKey),
    rule(CON, "S3_SECRET", D::S3Secret),
    rule(CON, "GCS_SERVICE_ACCOUNT_CREDENTIALS_JSON", D::GcsServiceAccount),
    rule(CON, "GCS_HMAC_ACCESS_ID", D::GcsHmacAccessId),
    rule(CON, "GCS_ACCESS_ID", D::GcsHmacAccessId),
    rule(CON, "GCS_HMAC_SECRET", D::GcsHmacSecret),
    rule(CON, "GCS_SECRET", D::GcsHmacSecret),
    rule(CON, "DYNAMODB_ARN", D::DynamoDbArn).words(1),
    rule(CON, "DYNAMODB_REGION", D::DynamoDbRegion).words(1),
    rule(CON, "PG_HOST", D::PgHost).words(1),
    rule(CON, "PG_PORT", D::PgPort).words(1),
    rule(CON, "PG_DATABASE", D::PgDatabase).words(1),
    rule(CON, "PG_USER", D::PgUser).words(1),
    rule(CON, "PG_PASSWORD", D::PgPassword),
    rule(CON, "PG_SSL_MODE", D::PgSslMode).words(1),
];

/// The directive that a word names in a file of this kind.
///
/// Case does not matter, except for directives that are only tolerated: a column called `engine`
/// at the start of a line of SQL must not end the SQL.
pub(super) fn find(kind: Kind, strictness: Strictness, word: &str) -> Option<&'static Rule> {
    of_kind(kind).find(|rule| match (rule.fate, strictness) {
        (Fate::Tolerated, Strictness::Strict) => false,
        (Fate::Tolerated, Strictness::Tolerant) => rule.name == word,
        _ => rule.name.eq_ignore_ascii_case(word),
    })
}

/// The directive that is spelled most like `word`, if any comes near.
pub(super) fn similar(kind: Kind, word: &str) -> Option<&'static str> {
    spelling::closest(word, of_kind(kind).map(|rule| rule.name))
}

/// True for an upper-case word that some kind of file knows, or that has an underscore: `TOKEN`,
/// `ENGINE_FOO`, but not `SELECT`.
pub(super) fn looks_like_one(word: &str) -> bool {
    let upper = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    word.bytes().all(upper) && (word.contains('_') || RULES.iter().any(|rule| rule.name == word))
}

/// The name of a directive in a kind of file: the first of its names.
pub(super) fn name(kind: Kind, directive: Directive) -> &'static str {
    of_kind(kind).find(|rule| rule.directive == directive).map_or("", |rule| rule.name)
}

/// All directives of a kind of file.
pub(super) fn of_kind(kind: Kind) -> impl Iterator<Item = &'static Rule> {
    RULES.iter().filter(move |rule| rule.kinds.contains(&kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_once_for_each_kind_of_file() {
        for &kind in ALL {
            let mut names: Vec<_> = of_kind(kind).map(|rule| rule.name).collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all, "{kind:?}");
        }
    }

    #[test]
    fn case_matters_only_where_a_directive_is_merely_tolerated() {
        let found = |kind, strictness, word| find(kind, strictness, word).map(|rule| rule.name);
        assert_eq!(found(Kind::Datasource, Strictness::Strict, "Engine"), Some("ENGINE"));
        assert_eq!(found(Kind::Pipe, Strictness::Tolerant, "engine"), None);
        assert_eq!(found(Kind::Pipe, Strictness::Tolerant, "ENGINE"), Some("ENGINE"));
        assert_eq!(found(Kind::Pipe, Strictness::Strict, "ENGINE"), None);
        assert_eq!(found(Kind::Connection, Strictness::Tolerant, "SCHEMA"), None);
    }
}
