//! Connectors that feed a data source: Kafka, buckets, `DynamoDB`, Postgres.

use super::super::directive::Directive;
use super::super::engine_options::PlacedOptions;
use super::super::problems::Problems;
use super::super::raw::{RawDatafile, RawDirective};
use super::super::together::{self, Group};
use super::super::{Kind, ResourceName, Strictness};
use crate::schema::{Column, Engine, EngineName, EngineOption, Expression, kafka};
use crate::syntax::Span;

/// The connector of a data source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ingestion {
    /// A topic, read as it grows.
    Kafka(KafkaSource),
    /// Files in S3 or GCS.
    Bucket(BucketImport),
    /// The changes of a `DynamoDB` table.
    DynamoDb(DynamoDbImport),
    /// A table in Postgres.
    Postgres(PostgresTable),
}

/// `KAFKA_*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaSource {
    /// The connection to use.
    pub connection: ResourceName,
    /// The topic to read.
    pub topic: String,
    /// The consumer group to read it as.
    pub group: String,
    /// Where a new group begins.
    pub offset_reset: OffsetReset,
    /// Whether `__value` keeps the message as it came.
    pub stores_raw_value: bool,
    /// Whether `__headers` keeps its headers.
    pub stores_headers: bool,
    /// How keys are written: `avro`, `json_with_schema`, …
    pub key_format: Option<String>,
    /// How values are written.
    pub value_format: Option<String>,
}

/// Where a new consumer group begins to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OffsetReset {
    /// At the oldest message kept.
    Earliest,
    /// At the next message.
    #[default]
    Latest,
}

/// `IMPORT_*` of S3 and GCS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketImport {
    /// The connection to use.
    pub connection: ResourceName,
    /// Bucket and pattern: `s3://bucket/path/*.csv`.
    pub uri: String,
    /// When to look for files.
    pub schedule: ImportSchedule,
    /// How the files are written.
    pub format: ImportFormat,
    /// Older files are left out; ISO 8601 in UTC.
    pub from_timestamp: Option<String>,
}

/// When files are imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportSchedule {
    /// `@auto`: as they appear.
    Auto,
    /// `@on-demand`: when somebody asks.
    OnDemand,
    /// `@once`.
    Once,
}

/// How imported files are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportFormat {
    /// `csv`.
    Csv,
    /// `json`.
    Json,
    /// `ndjson` and `jsonl`.
    Ndjson,
    /// `parquet`.
    Parquet,
}

/// `IMPORT_*` of `DynamoDB`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DynamoDbImport {
    /// The connection to use.
    pub connection: ResourceName,
    /// The table.
    pub table_arn: String,
    /// The bucket that its first export goes through.
    pub export_bucket: String,
}

/// `PG_*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresTable {
    /// The connection to use.
    pub connection: ResourceName,
    /// The table.
    pub table: String,
}

const KAFKA: Group<'_> = Group {
    kind: Kind::Datasource,
    label: "Kafka",
    required: &[Directive::KafkaConnectionName, Directive::KafkaTopic, Directive::KafkaGroupId],
    optional: &[
        Directive::KafkaAutoOffsetReset,
        Directive::KafkaStoreRawValue,
        Directive::KafkaStoreHeaders,
        Directive::KafkaKeyFormat,
        Directive::KafkaValueFormat,
    ],
};

const BUCKET: Group<'_> = Group {
    kind: Kind::Datasource,
    label: "connection",
    required: &[Directive::ImportConnectionName, Directive::ImportBucketUri, Directive::ImportSchedule],
    optional: &[Directive::ImportFormat, Directive::ImportFromTimestamp],
};

const DYNAMODB: Group<'_> = Group {
    kind: Kind::Datasource,
    label: "connection",
    required: &[Directive::ImportConnectionName, Directive::ImportTableArn, Directive::ImportExportBucket],
    optional: &[],
};

const POSTGRES: Group<'_> = Group {
    kind: Kind::Datasource,
    label: "Postgres",
    required: &[Directive::PgConnectionName, Directive::PgTable],
    optional: &[],
};

/// Reads the connector of a data source; reports what is missing or wrong.
pub(super) fn read(
    file: &RawDatafile,
    engine: Option<&Engine>,
    problems: &mut Problems,
) -> Option<Ingestion> {
    check_strategy(file, problems);
    if let Some(place) = KAFKA.first_use(file) {
        return read_kafka(file, place, problems).map(Ingestion::Kafka);
    }
    if let Some(place) = POSTGRES.first_use(file) {
        return read_postgres(file, place, problems).map(Ingestion::Postgres);
    }
    if let Some(line) =
        file.last(Directive::ImportTableArn).or_else(|| file.last(Directive::ImportExportBucket))
    {
        check_replacing(
            engine,
            file.last(Directive::Engine).map_or(line.keyword, RawDirective::span),
            problems,
        );
        return read_dynamodb(file, line.keyword, problems).map(Ingestion::DynamoDb);
    }
    if let Some(query) = file.last(Directive::ImportQuery) {
        problems.warn("no-effect", query.keyword, "imports from BigQuery and Snowflake are not supported");
        problems.help("the data source is made without an import");
        return None;
    }
    let place = BUCKET.first_use(file)?;
    read_bucket(file, place, problems).map(Ingestion::Bucket)
}

/// `IMPORT_STRATEGY`: all imports append, which eight real files say themselves.
fn check_strategy(file: &RawDatafile, problems: &mut Problems) {
    let Some(line) = file.last(Directive::ImportStrategy) else { return };
    let appends = line.text().trimmed().unquoted().as_str().eq_ignore_ascii_case("append");
    match problems.strictness {
        Strictness::Tolerant if appends => {
            problems.warn(
                "deprecated",
                line.keyword,
                "IMPORT_STRATEGY has been deprecated and will be ignored.",
            );
        }
        _ => {
            problems.error("deprecated", line.keyword, "IMPORT_STRATEGY has been deprecated");
            problems.help("remove it: imports append");
        }
    }
}

fn read_kafka(file: &RawDatafile, place: Span, problems: &mut Problems) -> Option<KafkaSource> {
    if !KAFKA.is_complete(file, place, problems) {
        return None;
    }
    let flag = [("true", true), ("false", false)];
    let reset = [("earliest", OffsetReset::Earliest), ("latest", OffsetReset::Latest)];
    let connection = together::resource(file, Directive::KafkaConnectionName, problems);
    let topic = together::text(file, Directive::KafkaTopic, problems);
    let group = read_group(file, problems);
    let offset_reset = together::choice(file, Directive::KafkaAutoOffsetReset, &reset, problems);
    let stores_raw_value = together::choice(file, Directive::KafkaStoreRawValue, &flag, problems);
    let stores_headers = together::choice(file, Directive::KafkaStoreHeaders, &flag, problems);
    Some(KafkaSource {
        key_format: together::text(file, Directive::KafkaKeyFormat, problems),
        value_format: together::text(file, Directive::KafkaValueFormat, problems),
        offset_reset: offset_reset.unwrap_or_default(),
        stores_raw_value: stores_raw_value.unwrap_or(false),
        stores_headers: stores_headers.unwrap_or(false),
        connection: connection?,
        topic: topic?,
        group: group?,
    })
}

/// The group; Tinybird's own generator writes ` -- a note` behind it.
fn read_group(file: &RawDatafile, problems: &mut Problems) -> Option<String> {
    let line = file.last(Directive::KafkaGroupId)?;
    let value = line.text().trimmed().unquoted();
    let written = value.as_str();
    let group = match written.split_once(" -- ") {
        Some((group, _)) if problems.strictness == Strictness::Tolerant => group.trim(),
        _ => written,
    };
    if group.trim().is_empty() {
        problems.error("missing-value", line.keyword, "KAFKA_GROUP_ID cannot be empty");
        return None;
    }
    Some(group.to_owned())
}

fn read_bucket(file: &RawDatafile, place: Span, problems: &mut Problems) -> Option<BucketImport> {
    if !BUCKET.is_complete(file, place, problems) {
        return None;
    }
    let connection = together::resource(file, Directive::ImportConnectionName, problems);
    let uri = together::text(file, Directive::ImportBucketUri, problems);
    let schedule = read_schedule(file, problems);
    let formats = [
        ("csv", ImportFormat::Csv),
        ("json", ImportFormat::Json),
        ("jsonl", ImportFormat::Ndjson),
        ("ndjson", ImportFormat::Ndjson),
        ("parquet", ImportFormat::Parquet),
    ];
    let format = together::choice(file, Directive::ImportFormat, &formats, problems);
    let from_timestamp = read_from_timestamp(file, problems);
    let uri = uri?;
    let by_extension = || {
        let name = uri.strip_suffix(".gz").unwrap_or(&uri);
        formats.iter().find(|(word, _)| name.ends_with(&format!(".{word}"))).map(|&(_, format)| format)
    };
    let format = format.or_else(by_extension).unwrap_or(ImportFormat::Ndjson);
    Some(BucketImport { connection: connection?, schedule: schedule?, format, from_timestamp, uri })
}

fn read_schedule(file: &RawDatafile, problems: &mut Problems) -> Option<ImportSchedule> {
    let value = together::value(file, Directive::ImportSchedule, problems)?;
    match value.as_str() {
        "@auto" => Some(ImportSchedule::Auto),
        "@on-demand" => Some(ImportSchedule::OnDemand),
        "@once" => Some(ImportSchedule::Once),
        other => {
            let message = format!(
                "Invalid import schedule '{other}'. Only ['@auto', '@on-demand', '@once'] values are allowed"
            );
            problems.error("schedule", value.span(), message);
            None
        }
    }
}

fn read_from_timestamp(file: &RawDatafile, problems: &mut Problems) -> Option<String> {
    let value = together::value(file, Directive::ImportFromTimestamp, problems)?;
    let text = value.as_str();
    if !is_utc_timestamp(text) {
        let message = format!("`{text}` is no timestamp in UTC");
        problems.error("value", value.span(), message);
        problems.help("write it as 2024-01-31T00:00:00Z");
        return None;
    }
    Some(text.to_owned())
}

/// `2024-01-31T00:00:00[.000][Z|+00:00]`, with a blank for the `T` if need be.
fn is_utc_timestamp(text: &str) -> bool {
    let text = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00")).unwrap_or(text);
    let (text, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let shaped = matches!(shape.as_str(), "0000-00-00T00:00:00" | "0000-00-00 00:00:00" | "0000-00-00");
    shaped && !fraction.is_empty() && fraction.bytes().all(|digit| digit.is_ascii_digit())
}

/// The changes of a table carry versions of its rows.
fn check_replacing(engine: Option<&Engine>, place: Span, problems: &mut Problems) {
    if let Some(engine) = engine.filter(|engine| engine.family.name() != EngineName::Replacing) {
        let name = engine.family.name();
        problems.error(
            "engine",
            place,
            format!("a DynamoDB data source must be a ReplacingMergeTree, not a {name}"),
        );
    }
}

fn read_dynamodb(file: &RawDatafile, place: Span, problems: &mut Problems) -> Option<DynamoDbImport> {
    if !DYNAMODB.is_complete(file, place, problems) {
        return None;
    }
    let connection = together::resource(file, Directive::ImportConnectionName, problems);
    let table_arn = together::text(file, Directive::ImportTableArn, problems);
    let export_bucket = together::text(file, Directive::ImportExportBucket, problems);
    Some(DynamoDbImport { connection: connection?, table_arn: table_arn?, export_bucket: export_bucket? })
}

fn read_postgres(file: &RawDatafile, place: Span, problems: &mut Problems) -> Option<PostgresTable> {
    if !POSTGRES.is_complete(file, place, problems) {
        return None;
    }
    let connection = together::resource(file, Directive::PgConnectionName, problems);
    let table = together::text(file, Directive::PgTable, problems);
    Some(PostgresTable { connection: connection?, table: table? })
}

/// Adds the columns that Kafka fills and the engine uses but the schema leaves out, as Classic did.
pub(super) fn add_metadata_columns(
    file: &RawDatafile,
    options: &PlacedOptions,
    columns: &mut Vec<Column>,
    problems: &mut Problems,
) {
    if KAFKA.first_use(file).is_none() {
        return;
    }
    for column in kafka::metadata_columns() {
        let declared = columns.iter().any(|declared| declared.name == column.name);
        let using = EngineOption::ALL.into_iter().find(|&option| {
            let expression = options.options.filled(option).and_then(|text| Expression::parse(text).ok());
            expression
                .is_some_and(|expression| expression.names().iter().any(|name| name == column.name.as_str()))
        });
        if let Some(option) = using.filter(|_| !declared) {
            if let Some(place) = options.place_of(option) {
                let message =
                    format!("column `{}` is filled by Kafka and not declared: it is added", column.name);
                problems.warn("kafka-column", place, message);
                problems.help("declare it in SCHEMA, without a json path");
            }
            columns.push(column);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_in_utc() {
        for good in
            ["2024-01-31T00:00:00Z", "2024-01-31 00:00:00.123", "2024-01-31T00:00:00+00:00", "2024-01-31"]
        {
            assert!(is_utc_timestamp(good), "{good}");
        }
        for bad in ["2024-01-31T00:00:00+02:00", "yesterday", "2024-01-31T00:00:00.Z", ""] {
            assert!(!is_utc_timestamp(bad), "{bad}");
        }
    }
}
