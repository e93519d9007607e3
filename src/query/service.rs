//! The room's service: calls in, streams of bytes out.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::admission::{Gate, Running};
use super::call::{Call, Denormals, OutputFormat, OutputSettings, WideIntegers};
use super::error::QueryError;
use crate::catalog::compose::MAX_SQL_BYTES;
use crate::catalog::{Caller, Catalog, Composed, Pipe, ResourceName, Workspace};
use crate::clock::Clock;
use crate::config;
use crate::engine::{EngineClient, EngineError, Query, Rows};
use crate::template::Environment;

/// Runs calls against the workspace.
pub struct Queries {
    catalog: Arc<Catalog>,
    engine: EngineClient,
    settings: config::Query,
    gate: Gate,
    clock: Clock,
}

/// An answer on its way.
pub struct Answer {
    /// How it is written.
    pub format: OutputFormat,
    rows: Rows,
    running: Running,
}

impl Queries {
    /// A service over the catalog's present and future snapshots.
    pub fn new(catalog: Arc<Catalog>, engine: EngineClient, settings: config::Query, clock: Clock) -> Self {
        let gate = Gate::new(settings.concurrency.get(), settings.queue, settings.queue_timeout);
        Self { catalog, engine, settings, gate, clock }
    }

    /// Runs a call; returns once the first bytes of the answer are there.
    pub async fn run(&self, call: Call) -> Result<Answer, QueryError> {
        let workspace = self.catalog.workspace();
        let pipe = endpoint(&workspace, call.permit.pipe())?;
        let environment = self.environment();
        let (arguments, access) = (call.decided_arguments(), call.permit.access());
        let composed =
            workspace.compose(pipe, Caller { arguments: &arguments, environment: &environment, access })?;
        let query = self.query(composed, call.format, call.output);
        let running = self.gate.enter().await?;
        let rows = self.engine.query(query).await;
        let rows = rows.map_err(|error| QueryError::from(error).for_reader_of(access))?;
        Ok(Answer { format: call.format, rows, running })
    }

    fn environment(&self) -> Environment {
        let now = self.clock.now().format("%Y-%m-%d %H:%M:%S").to_string();
        Environment { now: Some(now), ..Environment::default() }
    }

    /// The call of the engine. It names no database: every table in the SQL is qualified, and a
    /// bare name that slipped through would find nothing.
    fn query(&self, composed: Composed, format: OutputFormat, output: OutputSettings) -> Query {
        let mut query = Query::new(composed.sql, format.engine_name()).with_profile();
        for (name, value) in composed.settings {
            query = query.with_setting(&name, value);
        }
        let as_strings = |wanted: bool| i32::from(wanted);
        query
            .with_setting(
                "output_format_json_quote_64bit_integers",
                as_strings(output.wide_integers == WideIntegers::Strings),
            )
            .with_setting(
                "output_format_json_quote_denormals",
                as_strings(output.denormals == Denormals::Strings),
            )
            .with_setting("max_query_size", MAX_SQL_BYTES)
            .with_limits(&self.settings)
            .with_setting("readonly", 1)
    }
}

/// The published pipe of this name.
fn endpoint<'a>(workspace: &'a Workspace, name: &ResourceName) -> Result<&'a Pipe, QueryError> {
    let pipe = workspace.pipes.get(name).ok_or_else(|| QueryError::PipeNotFound(name.to_string()))?;
    if pipe.is_endpoint() { Ok(pipe) } else { Err(QueryError::NotPublished(name.to_string())) }
}

impl Query {
    /// Adds the operator's limits; a limit that is not set is left to the engine.
    fn with_limits(mut self, limits: &config::Query) -> Self {
        let given = [
            ("max_execution_time", limits.max_execution.map(|time| time.as_secs())),
            ("max_result_bytes", limits.max_result_bytes.map(u64::from)),
            ("max_memory_usage", limits.max_memory_bytes.map(u64::from)),
            ("max_threads", limits.max_threads.map(u64::from)),
        ];
        for (name, value) in given {
            if let Some(value) = value {
                self = self.with_setting(name, value);
            }
        }
        self
    }
}

impl Answer {
    /// The bytes, piece by piece. An error means that what came before is not whole.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, EngineError>> + Send + 'static {
        let pieces =
            futures_util::stream::unfold((self.rows, self.running), |(mut rows, running)| async move {
                match rows.next().await {
                    Ok(Some(piece)) => Some((Ok(piece), (rows, running))),
                    Ok(None) => None,
                    Err(error) => {
                        // Not its text, which may quote values and row filters.
                        tracing::warn!(code = error.code(), "an answer broke off");
                        Some((Err(error), (rows, running)))
                    }
                }
            });
        // Layers may look once more behind the end.
        pieces.fuse()
    }
}
