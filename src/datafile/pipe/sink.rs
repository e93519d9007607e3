//! Sink nodes: a result that is exported to Kafka or a bucket.

use super::super::directive::Directive;
use super::super::problems::Problems;
use super::super::schedule::{self, Schedule};
use super::super::secrets::{self, Secrets};
use super::super::text::MappedText;
use super::super::together::{self, Group};
use super::super::{Kind, ResourceName, Strictness};
use super::node_kind::Attributes;

/// `TYPE sink`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sink {
    /// One message per row.
    Kafka(KafkaSink),
    /// Files in S3 or GCS.
    Bucket(BucketSink),
}

/// A sink into a Kafka topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaSink {
    /// The connection to use.
    pub connection: ResourceName,
    /// The topic to write to.
    pub topic: String,
    /// When it runs.
    pub schedule: Schedule,
}

/// A sink into a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketSink {
    /// The connection to use.
    pub connection: ResourceName,
    /// When it runs.
    pub schedule: Schedule,
    /// Where the files go: `s3://bucket/path`.
    pub bucket_uri: String,
    /// How the files are called; `{column}` stands for a value, and rows are split by it.
    pub file_template: String,
    /// How they are written.
    pub format: ExportFormat,
    /// How they are packed.
    pub compression: Compression,
    /// What happens to a file of the same name.
    pub write_strategy: WriteStrategy,
}

/// How exported files are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExportFormat {
    /// `csv`.
    #[default]
    Csv,
    /// `ndjson`.
    Ndjson,
    /// `parquet`.
    Parquet,
}

/// How exported files are packed, in ClickHouse's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// `gzip`.
    Gzip,
    /// `brotli`.
    Brotli,
    /// `xz`.
    Xz,
    /// `zstd`.
    Zstd,
    /// `lz4`.
    Lz4,
    /// `bzip2`.
    Bzip2,
    /// `snappy`.
    Snappy,
}

/// What happens to a file of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WriteStrategy {
    /// A new file with another name is written.
    #[default]
    New,
    /// It is overwritten.
    Truncate,
}

const KAFKA: Group<'_> = Group {
    kind: Kind::Pipe,
    label: "Kafka sink node",
    required: &[Directive::ExportConnectionName, Directive::ExportKafkaTopic, Directive::ExportSchedule],
    optional: &[],
};

const BUCKET: Group<'_> = Group {
    kind: Kind::Pipe,
    label: "sink node",
    required: &[
        Directive::ExportConnectionName,
        Directive::ExportSchedule,
        Directive::ExportBucketUri,
        Directive::ExportFileTemplate,
    ],
    optional: &[
        Directive::ExportFormat,
        Directive::ExportCompression,
        Directive::ExportStrategy,
        Directive::ExportWriteStrategy,
    ],
};

pub(super) fn read(node: &Attributes<'_>, secrets: &Secrets, problems: &mut Problems) -> Option<Sink> {
    let sink = Exports { node, secrets };
    match (node.file.last(Directive::ExportKafkaTopic), node.file.last(Directive::ExportBucketUri)) {
        (Some(topic), Some(_)) => {
            let message = format!("Sink node '{}' cannot export to Kafka and to a bucket at once", node.node);
            problems.error("attribute", topic.keyword, message);
            problems.help("keep EXPORT_KAFKA_TOPIC or EXPORT_BUCKET_URI");
            None
        }
        (Some(_), None) => sink.read_kafka(problems).map(Sink::Kafka),
        (None, _) => sink.read_bucket(problems).map(Sink::Bucket),
    }
}

struct Exports<'a> {
    node: &'a Attributes<'a>,
    secrets: &'a Secrets,
}

impl Exports<'_> {
    fn read_kafka(&self, problems: &mut Problems) -> Option<KafkaSink> {
        self.report_kafka_extras(problems);
        if !KAFKA.is_complete(self.node.file, self.node.line.keyword, problems) {
            return None;
        }
        let connection = self.connection(problems);
        let topic = self.text(Directive::ExportKafkaTopic, problems);
        let schedule = self.schedule(problems);
        Some(KafkaSink { connection: connection?, topic: topic?, schedule: schedule? })
    }

    /// Classic sinks name a format and a strategy, which a topic does not have.
    fn report_kafka_extras(&self, problems: &mut Problems) {
        let tolerated = [Directive::ExportFormat, Directive::ExportStrategy];
        for line in self.node.lines().filter(|line| !KAFKA.required.contains(&line.directive())) {
            let name = line.rule.name;
            if tolerated.contains(&line.directive()) && problems.strictness == Strictness::Tolerant {
                problems.warn("no-effect", line.keyword, format!("{name} has no effect on a Kafka sink"));
                continue;
            }
            let (node, name) = (self.node.node, name.to_ascii_lowercase());
            let allowed = "export_connection_name, export_kafka_topic and export_schedule";
            let message = format!(
                "Kafka sink node '{node}' has invalid parameter '{name}'. Only {allowed} are allowed"
            );
            problems.error("attribute", line.keyword, message);
        }
    }

    fn read_bucket(&self, problems: &mut Problems) -> Option<BucketSink> {
        let allowed: Vec<Directive> = BUCKET.required.iter().chain(BUCKET.optional).copied().collect();
        self.node.report_others("Sink", &allowed, problems);
        if !BUCKET.is_complete(self.node.file, self.node.line.keyword, problems) {
            return None;
        }
        let connection = self.connection(problems);
        let schedule = self.schedule(problems);
        let bucket_uri = self.text(Directive::ExportBucketUri, problems);
        let file_template = self.text(Directive::ExportFileTemplate, problems);
        let format = self.format(problems);
        let compression = self.compression(problems);
        let write_strategy = self.write_strategy(problems);
        Some(BucketSink {
            connection: connection?,
            schedule: schedule?,
            bucket_uri: bucket_uri?,
            file_template: file_template?,
            format: format.unwrap_or_default(),
            compression: compression.unwrap_or_default(),
            write_strategy: write_strategy.unwrap_or_default(),
        })
    }

    fn format(&self, problems: &mut Problems) -> Option<ExportFormat> {
        let words = [
            ("csv", ExportFormat::Csv),
            ("ndjson", ExportFormat::Ndjson),
            ("parquet", ExportFormat::Parquet),
        ];
        together::choice(self.node.file, Directive::ExportFormat, &words, problems)
    }

    fn compression(&self, problems: &mut Problems) -> Option<Compression> {
        let words = [
            ("none", Compression::None),
            ("gz", Compression::Gzip),
            ("gzip", Compression::Gzip),
            ("br", Compression::Brotli),
            ("brotli", Compression::Brotli),
            ("xz", Compression::Xz),
            ("lzma", Compression::Xz),
            ("zst", Compression::Zstd),
            ("zstd", Compression::Zstd),
            ("lz4", Compression::Lz4),
            ("bz2", Compression::Bzip2),
            ("snappy", Compression::Snappy),
        ];
        together::choice(self.node.file, Directive::ExportCompression, &words, problems)
    }

    fn write_strategy(&self, problems: &mut Problems) -> Option<WriteStrategy> {
        let words = [
            ("@new", WriteStrategy::New),
            ("new", WriteStrategy::New),
            ("@truncate", WriteStrategy::Truncate),
            ("truncate", WriteStrategy::Truncate),
        ];
        let strategy = together::choice(self.node.file, Directive::ExportStrategy, &words, problems);
        together::choice(self.node.file, Directive::ExportWriteStrategy, &words, problems).or(strategy)
    }

    fn connection(&self, problems: &mut Problems) -> Option<ResourceName> {
        together::name(&self.value(Directive::ExportConnectionName, problems)?, problems)
    }

    fn text(&self, directive: Directive, problems: &mut Problems) -> Option<String> {
        self.value(directive, problems).map(|value| value.as_str().to_owned())
    }

    /// A value with its secrets filled in.
    fn value(&self, directive: Directive, problems: &mut Problems) -> Option<MappedText> {
        let value = together::value(self.node.file, directive, problems)?;
        if !secrets::holds_template(value.as_str()) {
            return Some(value);
        }
        let filled = secrets::fill(Kind::Pipe, &value, self.secrets, problems).unquoted();
        if filled.is_blank() {
            let line = self.node.file.last(directive)?;
            let message =
                format!("{} resolves to an empty value and cannot be used in sink metadata", line.rule.name);
            problems.error("secret-empty", line.span(), message);
            return None;
        }
        Some(filled)
    }

    fn schedule(&self, problems: &mut Problems) -> Option<Schedule> {
        let value = together::value(self.node.file, Directive::ExportSchedule, problems)?;
        let refusal = "Sink node schedule must be @on-demand or a valid cron expression.";
        schedule::read("EXPORT_SCHEDULE", &value, refusal, problems)
    }
}
