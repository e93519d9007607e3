//! `.datasource` files: a table, who may use it, and what feeds it.

use super::directive::Directive;
use super::engine_options;
use super::name::{ResourceName, WorkspaceName};
use super::problems::Problems;
use super::raw::{RawDatafile, RawDirective};
use super::sql::Sql;
use super::tags::{self, Tags};
use super::token::{self, TokenGrant};
use super::{Kind, Strictness, columns, indexes, version};
use crate::schema::Table;
use crate::syntax::Span;

mod ingestion;

pub use ingestion::{
    BucketImport, DynamoDbImport, ImportFormat, ImportSchedule, Ingestion, KafkaSource, OffsetReset,
    PostgresTable,
};

/// A data source, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasourceDefinition {
    /// Its name: the file's.
    pub name: ResourceName,
    /// Markdown.
    pub description: Option<String>,
    /// Its columns, engine and indexes.
    pub table: Table,
    /// Tokens that may read it or append to it, its quarantine included.
    pub tokens: Vec<TokenGrant>,
    /// Its tags.
    pub tags: Tags,
    /// Workspaces that may read it.
    pub shared_with: Vec<WorkspaceName>,
    /// How rows of the live version become rows of this one.
    pub forward_query: Option<Sql>,
    /// Whether a new materialization target is filled from history.
    pub backfill: Backfill,
    /// The connector that feeds it.
    pub ingestion: Option<Ingestion>,
    /// Classic's `VERSION`: it also answers to `name__v<version>`.
    pub version: Option<u32>,
}

/// What happens to the history of the source when a materialization target is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backfill {
    /// The target is filled from it.
    #[default]
    Populate,
    /// The target begins empty.
    Skip,
}

/// The form in which rows come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowFormat {
    /// JSON objects, one per line: at least one column has a JSON path.
    Ndjson,
    /// Values by position or header; also tables that only views and copies write to.
    Csv,
}

impl DatasourceDefinition {
    /// The form in which rows come in.
    pub fn row_format(&self) -> RowFormat {
        let has_path = self.table.columns.iter().any(|column| column.json_path.is_some());
        if has_path { RowFormat::Ndjson } else { RowFormat::Csv }
    }

    /// The second name of a data source with a `VERSION`: `name__v0`.
    pub fn versioned_name(&self) -> Option<String> {
        self.version.map(|number| version::name(&self.name, number))
    }
}

/// Checks the directives of a data source; `None` where it has no usable table.
pub(super) fn check(
    name: ResourceName,
    file: &RawDatafile,
    problems: &mut Problems,
) -> Option<DatasourceDefinition> {
    let table = read_table(file, problems);
    let ingestion = ingestion::read(file, table.as_ref().map(|table| &table.engine), problems);
    Some(DatasourceDefinition {
        name,
        description: description(file.last(Directive::Description)),
        tokens: token::read(Kind::Datasource, file.all(Directive::Token), problems),
        tags: tags::read(file.all(Directive::Tags), problems),
        shared_with: read_shared_with(file, problems),
        forward_query: read_forward_query(file, problems),
        backfill: read_backfill(file, problems),
        ingestion,
        version: version::read(file.last(Directive::Version), problems),
        table: table?,
    })
}

/// The text of a `DESCRIPTION`; quotes in it are part of the text.
pub(super) fn description(line: Option<&RawDirective>) -> Option<String> {
    let text = line?.text().dedented();
    let text = text.as_str().trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn read_table(file: &RawDatafile, problems: &mut Problems) -> Option<Table> {
    let Some(schema) = file.last(Directive::Schema) else {
        problems.error("schema", Span::at(0), "SCHEMA is mandatory");
        return None;
    };
    if problems.strictness == Strictness::Strict && schema.words().len() > 1 {
        problems.error("schema", schema.span(), "a SCHEMA on one line must be quoted");
        return None;
    }
    let value = schema.required_value(problems)?;
    let reported = problems.count();
    let mut columns = columns::read(&value, problems);
    let options = engine_options::read(file.directives.iter(), problems);
    // A key cannot be checked against columns that could not be read.
    if problems.count() > reported {
        return None;
    }
    ingestion::add_metadata_columns(file, &options, &mut columns, problems);
    let fallback = file.last(Directive::Engine).map_or(schema.keyword, RawDirective::span);
    let engine = options.check(&columns, fallback, problems);
    let indexes = match file.last(Directive::Indexes) {
        Some(line) => indexes::read(&line.required_value(problems)?, &columns, problems),
        None => Vec::new(),
    };
    Some(Table { columns, engine: engine?, indexes })
}

fn read_shared_with(file: &RawDatafile, problems: &mut Problems) -> Vec<WorkspaceName> {
    let mut workspaces = Vec::new();
    for line in file.all(Directive::SharedWith) {
        let text = line.text();
        let entries =
            text.as_str().split([',', '\n']).map(|entry| entry.trim().trim_matches(['"', '\'']).trim());
        let names: Vec<&str> = entries.filter(|entry| !entry.is_empty()).collect();
        if names.is_empty() {
            problems.error("shared-with", line.keyword, "SHARED_WITH requires at least one workspace name");
        }
        for name in names {
            match WorkspaceName::parse(name) {
                Ok(name) => workspaces.push(name),
                Err(error) => problems.error("shared-with", line.span(), error.to_string()),
            }
        }
    }
    workspaces
}

fn read_forward_query(file: &RawDatafile, problems: &mut Problems) -> Option<Sql> {
    let line = file.last(Directive::ForwardQuery)?;
    line.required_value(problems).map(|_| Sql::of_block(&line.text()))
}

fn read_backfill(file: &RawDatafile, problems: &mut Problems) -> Backfill {
    let Some(line) = file.last(Directive::Backfill) else { return Backfill::default() };
    let Some(value) = line.required_value(problems) else { return Backfill::default() };
    if !value.as_str().eq_ignore_ascii_case("skip") {
        let message =
            format!("{} is not an allowed value for BACKFILL. Use one of: {{'skip'}}", value.as_str());
        problems.error("value", value.span(), message);
    }
    Backfill::Skip
}
