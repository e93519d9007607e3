//! The room's service: calls in, streams of bytes out.

use std::sync::Arc;

use chrono::SubsecRound;

use super::admission::Gate;
use super::answer::Answer;
use super::call::{Aggregates, Call, Denormals, OutputSettings, ParquetTexts, SqlCall, WideIntegers};
use super::disclosure::Audience;
use super::error::QueryError;
use super::format::OutputFormat;
use crate::catalog::compose::{Kind, MAX_SQL_BYTES};
use crate::catalog::{
    Access, Caller, Catalog, Composed, ComposedText, OwnText, Pipe, ResourceName, Workspace,
};
use crate::clock::Clock;
use crate::config;
use crate::engine::{EngineClient, Query};
use crate::template::{Environment, Template};

/// Runs calls against the workspace.
pub struct Queries {
    catalog: Arc<Catalog>,
    pub(super) engine: EngineClient,
    settings: config::Query,
    pub(super) gate: Gate,
    clock: Clock,
}

/// A query that may run.
pub(super) struct Prepared {
    pub(super) composed: Composed,
    pub(super) kind: Kind,
    pub(super) format: OutputFormat,
    pub(super) output: OutputSettings,
}

impl Queries {
    /// A service over the catalog's present and future snapshots.
    pub fn new(catalog: Arc<Catalog>, engine: EngineClient, settings: config::Query, clock: Clock) -> Self {
        let gate = Gate::new(settings.concurrency.get(), settings.queue, settings.queue_timeout);
        Self { catalog, engine, settings, gate, clock }
    }

    /// Runs a call; returns once the first bytes of the answer are there.
    pub async fn run(&self, call: Call) -> Result<Answer, QueryError> {
        match &call.sql {
            Some(sql) => self.run_over(&call, sql).await,
            None => self.run_endpoint(&call).await,
        }
    }

    async fn run_endpoint(&self, call: &Call) -> Result<Answer, QueryError> {
        let workspace = self.catalog.workspace();
        let pipe = endpoint(&workspace, call.permit.pipe())?;
        let (environment, access) = (self.environment(), call.permit.access());
        let audience = Audience { access, own_text: "", database: &workspace.database };
        let arguments = call.decided_arguments();
        let caller = Caller { arguments: &arguments, environment: &environment, access };
        let composed = workspace.compose(pipe, caller);
        let composed = composed.map_err(|error| QueryError::from_node(error, audience))?;
        let prepared = Prepared { composed, kind: Kind::Select, format: call.format, output: call.output };
        self.answer(prepared, audience).await
    }

    /// Runs SQL over the rows of an endpoint; nothing else is in its reach, unless everything is.
    async fn run_over(&self, call: &Call, sql: &str) -> Result<Answer, QueryError> {
        let workspace = self.catalog.workspace();
        let pipe = endpoint(&workspace, call.permit.pipe())?;
        let access = &call.permit.access().narrowed_to(call.permit.pipe().clone());
        let (environment, arguments) = (self.environment(), call.decided_arguments());
        let caller = Caller { arguments: &arguments, environment: &environment, access };
        let text = self.compose_text(&workspace, sql, Some(pipe), caller)?;
        let audience = Audience { access, own_text: sql, database: &workspace.database };
        let (format, output) = (call.format, call.output);
        self.answer(Prepared { composed: text.composed, kind: text.kind, format, output }, audience).await
    }

    /// Runs a query of the caller's own; returns once the first bytes of the answer are there.
    pub async fn run_sql(&self, call: SqlCall) -> Result<Answer, QueryError> {
        let workspace = self.catalog.workspace();
        let access = call.permit.access();
        let subject = call.subject.as_ref().map(|name| subject(&workspace, name, access)).transpose()?;
        let environment = self.environment();
        let caller = Caller { arguments: &call.arguments, environment: &environment, access };
        let text = self.compose_text(&workspace, &call.sql, subject, caller)?;
        let format = match text.format {
            Some(name) => OutputFormat::from_clause(&name).ok_or(QueryError::FormatUnknown { name })?,
            None => OutputFormat::Json,
        };
        let audience = Audience { access, own_text: &call.sql, database: &workspace.database };
        let prepared = Prepared { composed: text.composed, kind: text.kind, format, output: call.output };
        self.answer(prepared, audience).await
    }

    /// Composes the caller's own text, within the limit of its length.
    fn compose_text(
        &self,
        workspace: &Workspace,
        sql: &str,
        subject: Option<&Pipe>,
        caller: Caller<'_>,
    ) -> Result<ComposedText, QueryError> {
        self.check_length(sql)?;
        let template = Template::compile(sql).map_err(QueryError::Template)?;
        let audience = Audience { access: caller.access, own_text: sql, database: &workspace.database };
        let composed = workspace.compose_text(OwnText { template: &template, subject }, caller);
        let text = composed.map_err(|error| QueryError::from_node(error, audience))?;
        match text.kind {
            Kind::Explain if !audience.reads_everything() => Err(QueryError::PlanRefused),
            _ => Ok(text),
        }
    }

    /// Refuses a text of the caller's own that is over the limit.
    pub fn check_length(&self, sql: &str) -> Result<(), QueryError> {
        let (length, limit) = (sql.len(), self.settings.max_sql_bytes.get());
        if length > limit { Err(QueryError::TextTooLong { length, limit }) } else { Ok(()) }
    }

    async fn answer(&self, prepared: Prepared, audience: Audience<'_>) -> Result<Answer, QueryError> {
        let running = self.gate.enter().await?;
        let Prepared { mut composed, kind, format, output } = prepared;
        if output.aggregates == Aggregates::Finalized && kind == Kind::Select {
            composed = self.finalized(composed, audience).await?;
        }
        let mut query =
            self.query(composed, format.engine_name(), audience.access).with_output(format, output);
        if kind == Kind::Explain {
            // Streamed, the engine answers EXPLAIN AST with nothing.
            query = query.with_setting("wait_end_of_query", 1);
        }
        let rows = self.engine.query(query).await;
        let rows = rows.map_err(|error| QueryError::from_engine(error, audience))?;
        Ok(Answer { format, rows, running })
    }

    /// The workspace as it is now.
    pub(super) fn workspace(&self) -> Arc<Workspace> {
        self.catalog.workspace()
    }

    pub(super) fn environment(&self) -> Environment {
        let now = self.clock.now().naive_utc().trunc_subsecs(0).to_string();
        Environment { now: Some(now), ..Environment::default() }
    }

    /// The call of the engine. It names no database: every table in the SQL is qualified, and a
    /// bare name that slipped through would find nothing.
    pub(super) fn query(&self, composed: Composed, format: &str, access: &Access) -> Query {
        let mut query = Query::new(composed.sql, format).with_profile();
        for (name, value) in composed.settings {
            query = query.with_setting(&name, value);
        }
        if access.is_filtered() {
            let guarded = |query: Query, (name, value): (&str, &str)| query.with_setting(name, value);
            query = FILTERS_FIRST.into_iter().fold(query, guarded);
        }
        query
            .with_setting("max_query_size", MAX_SQL_BYTES)
            .with_limits(&self.settings)
            .with_setting("readonly", 1)
    }
}

/// Keeps row filters before every other condition. ClickHouse would else join conditions of the
/// query around a filtered table with the filter, put the cheapest first, and so let a condition
/// that fails on a value tell of rows that the filter hides.
pub const FILTERS_FIRST: [(&str, &str); 2] =
    [("optimize_move_to_prewhere", "0"), ("query_plan_merge_filters", "0")];

/// The published pipe of this name.
pub(super) fn endpoint<'a>(workspace: &'a Workspace, name: &ResourceName) -> Result<&'a Pipe, QueryError> {
    let pipe = pipe(workspace, name)?;
    if pipe.is_endpoint() { Ok(pipe) } else { Err(QueryError::NotPublished(name.to_string())) }
}

/// The pipe of this name, published or not.
pub(super) fn pipe<'a>(workspace: &'a Workspace, name: &ResourceName) -> Result<&'a Pipe, QueryError> {
    let found = workspace.pipes.get(name).ok_or_else(|| QueryError::PipeNotFound(name.to_string()))?;
    Ok(found)
}

/// The pipe that a caller's query is about; whether one out of reach exists is not said.
fn subject<'a>(
    workspace: &'a Workspace,
    name: &ResourceName,
    access: &Access,
) -> Result<&'a Pipe, QueryError> {
    if access.reaches_pipe(name) {
        return pipe(workspace, name);
    }
    let text = format!("the token may not read the pipe `{name}`: it needs the scope `PIPES:READ:{name}`");
    Err(QueryError::OutOfReach(text))
}

impl Query {
    /// Adds the operator's limits; a limit that is not set is left to the engine. What a template
    /// asked for stays where it is within them.
    fn with_limits(self, limits: &config::Query) -> Self {
        let threads = limits.max_threads.map(|limit| self.threads_within(limit.get()));
        let given = [
            ("max_execution_time", limits.max_execution.map(|time| time.as_secs())),
            ("max_result_rows", limits.max_result_rows.map(u64::from)),
            ("max_result_bytes", limits.max_result_bytes.map(u64::from)),
            ("max_memory_usage", limits.max_memory_bytes.map(u64::from)),
            ("max_threads", threads),
        ];
        let given = given.into_iter().filter_map(|(name, value)| Some((name, value?)));
        given.fold(self, |query, (name, value)| query.with_setting(name, value))
    }

    /// The threads asked for so far, or the limit; 0 is ClickHouse's word for as many as it likes.
    fn threads_within(&self, limit: u64) -> u64 {
        let asked = self.settings.iter().find(|(name, _)| name == "max_threads");
        let asked = asked.and_then(|(_, value)| value.parse().ok());
        asked.filter(|threads| (1..=limit).contains(threads)).unwrap_or(limit)
    }

    /// Adds what the caller asked of the format.
    fn with_output(self, format: OutputFormat, output: OutputSettings) -> Self {
        let switch = |on: bool| i32::from(on);
        let wide_integers = switch(output.wide_integers == WideIntegers::Strings);
        let denormals = switch(output.denormals == Denormals::Strings);
        let texts = switch(output.parquet_texts == ParquetTexts::Strings);
        match format {
            OutputFormat::Json | OutputFormat::Ndjson => self
                .with_setting("output_format_json_quote_64bit_integers", wide_integers)
                .with_setting("output_format_json_quote_denormals", denormals),
            OutputFormat::Parquet => self.with_setting("output_format_parquet_string_as_string", texts),
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::{NonZeroU64, NonZeroUsize};
    use std::time::Duration;

    use super::*;

    fn limits(threads: u64) -> config::Query {
        config::Query {
            max_execution: None,
            max_result_bytes: None,
            max_memory_bytes: None,
            max_result_rows: None,
            max_sql_bytes: NonZeroUsize::MIN,
            max_threads: NonZeroU64::new(threads),
            concurrency: NonZeroUsize::MIN,
            queue: 0,
            queue_timeout: Duration::ZERO,
        }
    }

    /// The values of `max_threads` that reach the engine.
    fn threads(asked: Option<&str>, limit: u64) -> Vec<String> {
        let query = Query::new("SELECT 1", "JSON");
        let query = asked.into_iter().fold(query, |query, asked| query.with_setting("max_threads", asked));
        query.with_limits(&limits(limit)).settings.into_iter().map(|(_, value)| value).collect()
    }

    #[test]
    fn a_template_gets_no_more_threads_than_the_operator_allows() {
        for (asked, sent) in [("1", "1"), ("2", "2"), ("3", "2"), ("9", "2"), ("10", "2")] {
            assert_eq!(threads(Some(asked), 2), [sent], "{asked}");
        }
        for unlimited in ["0", "-1", "99999999999999999999"] {
            assert_eq!(threads(Some(unlimited), 2), ["2"], "{unlimited}");
        }
        assert_eq!(threads(None, 2), ["2"]);
        assert_eq!(threads(Some("9"), 0), ["9"]);
        assert!(threads(None, 0).is_empty());
    }
}
