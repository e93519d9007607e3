//! A plan carried out in the engine.
//!
//! The order makes a stop at any point harmless: empty tables with an old schema go first, then
//! what will be true is recorded, then missing tables are made; a start that finds its record but
//! not its table makes the table.

use std::collections::HashMap;

use serde::Deserialize;

use super::plan::{Plan, Tables};
use super::{Candidate, DeployError, Place};
use crate::catalog::StoredResource;
use crate::engine::{EngineClient, EngineError};
use crate::schema::{ddl, quoting};

/// Brings the engine to the candidate's state; does nothing where it is there already.
pub(super) async fn apply(
    candidate: &Candidate,
    stored: &[StoredResource],
    place: Place<'_>,
) -> Result<(), DeployError> {
    let Place { engine, store, delivery } = place;
    let workspace = &candidate.workspace;
    let tables = read_tables(engine, &workspace.database).await?;
    let plan = Plan::make(candidate, stored, &tables)?;
    for warning in &plan.warnings {
        tracing::warn!("{warning}");
    }
    for table in &plan.drop {
        run(engine, format!("drop the empty table {table}"), &format!("DROP TABLE IF EXISTS {table} SYNC"))
            .await?;
    }
    // Before anything is recorded as done: a death in between must not leave a view unfilled.
    delivery.note_new_views(&plan.new_views).await?;
    store.save(workspace.id, &plan.records).await?;
    let database = quoting::identifier(&workspace.database);
    let statement = format!("CREATE DATABASE IF NOT EXISTS {database} ENGINE = Atomic");
    run(engine, format!("create the database {database}"), &statement).await?;
    for (name, table) in &plan.create {
        run(engine, format!("create the table {name}"), &ddl::create_table(name, table)).await?;
    }
    tracing::info!(
        data_sources = workspace.data_sources.len(),
        pipes = workspace.pipes.len(),
        created = plan.create.len(),
        "project loaded"
    );
    Ok(())
}

async fn run(engine: &EngineClient, action: String, statement: &str) -> Result<(), DeployError> {
    engine.execute(statement).await.map_err(|reason| DeployError::Engine { action, reason })
}

/// The tables of a database with the rows that each holds; none where there is no database.
async fn read_tables(engine: &EngineClient, database: &str) -> Result<Tables, DeployError> {
    #[derive(Deserialize)]
    struct Found {
        name: String,
        rows: u64,
    }
    let sql = format!(
        "SELECT name, ifNull(total_rows, 0) AS rows FROM system.tables WHERE database = {}",
        quoting::string(database),
    );
    let failed =
        |reason: EngineError| DeployError::Engine { action: "read the engine's tables".to_owned(), reason };
    let found: Vec<Found> = engine.rows(sql).await.map_err(failed)?;
    Ok(Tables(found.into_iter().map(|table| (table.name, table.rows)).collect::<HashMap<_, _>>()))
}
