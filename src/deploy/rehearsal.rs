//! Materialized views tried out before anything is changed.
//!
//! In: a candidate, the engine.  Out: the problems of views whose rows do not fit their targets, and
//! the columns of targets that no file describes.  Promise: it works in a database of its own, made
//! and dropped here, with empty tables; the workspace's tables are neither read nor written.
//!
//! Only ClickHouse knows the types of a query, so it is asked: the query is described, and its
//! result inserted into an empty copy of the target, as every batch will be.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::views::{InferredTarget, ViewPlace};
use super::{Candidate, DeployError};
use crate::catalog::{Composed, ResourceName, View, Workspace};
use crate::engine::{EngineClient, EngineError, Query, profile_clause};
use crate::schema::materialization::{DescribedColumn, Misfit, Origin, misfits};
use crate::schema::{Column, ColumnName, DataType, Engine, Table, TableName, ddl, quarantine, quoting};
use crate::syntax::Diagnostic;

/// Tries every view of the candidate, targets first that others read.
pub(super) async fn rehearse(candidate: &mut Candidate, engine: &EngineClient) -> Result<(), DeployError> {
    if candidate.workspace.views.is_empty() {
        return Ok(());
    }
    let database = format!("{}_rehearsal", candidate.workspace.database);
    let mut stage = Stage { engine, database, made: BTreeSet::new() };
    stage.open().await?;
    let outcome = stage.play(candidate).await;
    let closed = stage.close().await;
    outcome.and(closed)
}

/// The database in which views are tried.
struct Stage<'a> {
    engine: &'a EngineClient,
    database: String,
    /// The tables that are there.
    made: BTreeSet<String>,
}

/// A row of `DESCRIBE`.
#[derive(Deserialize)]
struct Described {
    name: String,
    #[serde(rename = "type")]
    data_type: String,
    default_type: String,
}

impl Stage<'_> {
    async fn open(&self) -> Result<(), DeployError> {
        self.close().await?; // what an interrupted start left behind
        let statement = format!("CREATE DATABASE {} ENGINE = Atomic", quoting::identifier(&self.database));
        self.run("make a database to rehearse views in", &statement).await
    }

    async fn close(&self) -> Result<(), DeployError> {
        let statement = format!("DROP DATABASE IF EXISTS {} SYNC", quoting::identifier(&self.database));
        self.run("drop the database that views are rehearsed in", &statement).await
    }

    async fn run(&self, action: &str, statement: &str) -> Result<(), DeployError> {
        let failed = |reason| DeployError::Engine { action: action.to_owned(), reason };
        self.engine.execute(statement).await.map_err(failed)
    }

    /// Tries the views in an order in which each finds the tables that it reads.
    async fn play(&mut self, candidate: &mut Candidate) -> Result<(), DeployError> {
        let mut waiting: Vec<ResourceName> = candidate.workspace.views.keys().cloned().collect();
        while !waiting.is_empty() {
            let workspace = candidate.workspace.in_database(&self.database);
            let (ready, later): (Vec<_>, Vec<_>) =
                waiting.into_iter().partition(|pipe| is_ready(&workspace, &candidate.inferred, pipe));
            if ready.is_empty() {
                for pipe in &later {
                    candidate.report_view(pipe, &circle_of_targets());
                }
                break;
            }
            for pipe in &ready {
                self.try_view(candidate, &workspace, pipe).await?;
            }
            waiting = later;
        }
        if candidate.problems.has_error() {
            candidate.problems.sort();
            return Err(DeployError::Project(std::mem::take(&mut candidate.problems)));
        }
        Ok(())
    }

    async fn try_view(
        &mut self,
        candidate: &mut Candidate,
        workspace: &Workspace,
        pipe: &ResourceName,
    ) -> Result<(), DeployError> {
        let Some((view, composed)) = composed(workspace, pipe) else { return Ok(()) };
        self.make_tables(workspace, &composed).await?;
        let query = match self.describe(&format!("({})", composed.sql)).await {
            Ok(columns) => columns,
            Err(error) => return refused(candidate, pipe, error),
        };
        if let Some(inferred) = candidate.inferred.get(&view.target).cloned() {
            infer(candidate, &view, &inferred, &query);
            return Ok(());
        }
        self.hold_against_target(candidate, workspace, pipe, &Attempt { view, composed, query }).await
    }

    async fn hold_against_target(
        &mut self,
        candidate: &mut Candidate,
        workspace: &Workspace,
        pipe: &ResourceName,
        attempt: &Attempt,
    ) -> Result<(), DeployError> {
        let Some(target) = workspace.data_sources.get(&attempt.view.target) else { return Ok(()) };
        self.make(&target.rows, &target.table).await?;
        let columns = self.describe(&target.rows.to_string()).await;
        let columns = columns.map_err(|reason| DeployError::Engine {
            action: format!("describe the data source {}", attempt.view.target),
            reason,
        })?;
        let found = misfits(&attempt.query, &columns);
        for misfit in &found {
            candidate.report_view(pipe, &Finding::of_misfit(&attempt.view.target, misfit));
        }
        if found.iter().any(Misfit::is_fatal) {
            return Ok(());
        }
        match self.engine.execute(&attempt.insert(&target.rows)).await {
            Ok(()) => Ok(()),
            Err(error) => refused(candidate, pipe, error),
        }
    }

    /// Makes empty copies of the tables that a query reads.
    async fn make_tables(&mut self, workspace: &Workspace, composed: &Composed) -> Result<(), DeployError> {
        for data_source in workspace.data_sources.values() {
            let reads = |table: &TableName| composed.tables.iter().any(|read| read.table == table.table());
            if reads(&data_source.rows) {
                self.make(&data_source.rows, &data_source.table).await?;
            }
            if reads(&data_source.quarantine) {
                let table = quarantine::table(&data_source.table.columns);
                self.make(&data_source.quarantine, &table).await?;
            }
        }
        Ok(())
    }

    async fn make(&mut self, name: &TableName, table: &Table) -> Result<(), DeployError> {
        if self.made.insert(name.table().to_owned()) {
            let action = format!("make the table of {}", quoting::name(name.table()));
            self.run(&action, &ddl::create_table(name, table)).await?;
        }
        Ok(())
    }

    async fn describe(&self, what: &str) -> Result<Vec<DescribedColumn>, EngineError> {
        let query = Query::new(format!("DESCRIBE TABLE {what}"), "").with_profile();
        let rows: Vec<Described> = self.engine.read(query).await?;
        let origin = |default: &str| if default.is_empty() { Origin::Nothing } else { Origin::Default };
        let column = |row: Described| DescribedColumn {
            origin: origin(&row.default_type),
            name: row.name,
            data_type: row.data_type,
        };
        Ok(rows.into_iter().map(column).collect())
    }
}

/// Puts what the engine says against a view among the problems; an engine that is away is no problem
/// of the view.
fn refused(candidate: &mut Candidate, pipe: &ResourceName, error: EngineError) -> Result<(), DeployError> {
    let EngineError::Exception { message, .. } = error else {
        let action = format!("rehearse the view of the pipe {pipe}");
        return Err(DeployError::Engine { action, reason: error });
    };
    candidate.report_view(pipe, &Finding::fatal(format!("ClickHouse refuses the query: {message}")));
    Ok(())
}

/// A view with its query, as far as it is known.
struct Attempt {
    view: View,
    composed: Composed,
    query: Vec<DescribedColumn>,
}

impl Attempt {
    /// The statement that keeps the rows of the view.
    fn insert(&self, target: &TableName) -> String {
        let names: Vec<String> = self.query.iter().map(|column| quoting::identifier(&column.name)).collect();
        let (names, sql) = (names.join(", "), &self.composed.sql);
        format!("INSERT INTO {target} ({names}) SELECT {names} FROM ({sql}) LIMIT 0 {}", profile_clause())
    }
}

/// What was found out about a view.
pub(super) struct Finding {
    is_fatal: bool,
    message: String,
}

impl Finding {
    fn fatal(message: impl Into<String>) -> Self {
        Self { is_fatal: true, message: message.into() }
    }

    fn of_misfit(target: &ResourceName, misfit: &Misfit) -> Self {
        Self { is_fatal: misfit.is_fatal(), message: format!("{misfit} (`{target}`)") }
    }

    pub(super) fn diagnostic(&self, place: ViewPlace) -> Diagnostic {
        let build = if self.is_fatal { Diagnostic::error } else { Diagnostic::warning };
        build("view", place.source, place.span, self.message.clone())
    }
}

fn circle_of_targets() -> Finding {
    Finding::fatal(
        "the columns of its target follow from a query that reads the target: declare it in a .datasource file",
    )
}

/// True where the columns of all tables that the view reads are known.
fn is_ready(
    workspace: &Workspace,
    inferred: &BTreeMap<ResourceName, InferredTarget>,
    pipe: &ResourceName,
) -> bool {
    let Some((_, composed)) = composed(workspace, pipe) else { return true };
    let is_unknown = |table: &str| inferred.keys().any(|target| target.as_str() == table);
    !composed.tables.iter().any(|table| is_unknown(&table.table))
}

/// A view and its query over the tables of the workspace.
fn composed(workspace: &Workspace, pipe: &ResourceName) -> Option<(View, Composed)> {
    let view = workspace.views.get(pipe)?;
    let pipe = workspace.pipes.get(pipe)?;
    let composed = workspace.compose_uncalled(pipe, pipe.node(view.node.as_str())?).ok()?;
    Some((view.clone(), composed))
}

/// Gives a target that no file describes the columns of its query.
fn infer(candidate: &mut Candidate, view: &View, inferred: &InferredTarget, query: &[DescribedColumn]) {
    match inferred_table(inferred, query) {
        Ok(table) => candidate.settle_target(&view.target, table),
        Err(reasons) => {
            for reason in reasons {
                candidate.report_view(&inferred.pipe, &Finding::fatal(reason));
            }
            candidate.inferred.remove(&view.target);
        }
    }
}

fn inferred_table(inferred: &InferredTarget, query: &[DescribedColumn]) -> Result<Table, Vec<String>> {
    let column = |column: &DescribedColumn| match DataType::parse(&column.data_type) {
        Ok(data_type) => Ok(Column {
            name: ColumnName::new(column.name.as_str()),
            data_type: Some(data_type),
            json_path: None,
            default: None,
            codec: None,
        }),
        Err(error) => Err(vec![format!("the column `{}` cannot be stored: {error}", column.name)]),
    };
    let columns: Vec<Column> = query.iter().map(column).collect::<Result<_, _>>()?;
    let engine = Engine::parse(&inferred.engine, &columns)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    Ok(Table { columns, engine, indexes: Vec::new() })
}
