//! The metadata tables in the engine: applied migrations, the resources last loaded, tokens, jobs.
//!
//! In: an engine client and the name of the metadata database.  Out: a [`Store`] whose tables have
//! the form that this build knows.  Forward only: a database that a newer build has migrated is
//! refused, because this build would misread it.

mod jobs;
mod tokens;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::engine::{EngineClient, EngineError};
use crate::schema::quoting;

pub use jobs::{JobEnd, JobKind, Moment, StoredJob};
pub use tokens::{StoredToken, TokenOrigin, TokenState};

/// A numbered file of `migrations/`.
struct Migration {
    version: u32,
    name: &'static str,
    sql: &'static str,
}

const MIGRATIONS: [Migration; 3] = [
    Migration { version: 1, name: "metadata", sql: include_str!("../../migrations/0001_metadata.sql") },
    Migration { version: 2, name: "tokens", sql: include_str!("../../migrations/0002_tokens.sql") },
    Migration { version: 3, name: "jobs", sql: include_str!("../../migrations/0003_jobs.sql") },
];

/// Time that a row of metadata gets to be on disk.
const PATIENCE: Duration = Duration::from_mins(1);

/// ClickHouse's codes for a database and a table that are not there.
const UNKNOWN_DATABASE: u32 = 81;
const UNKNOWN_TABLE: u32 = 60;

/// Why the metadata cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The engine refused or was away.
    #[error("cannot {action} in the database `{database}`: {reason}")]
    Engine {
        /// What was tried.
        action: &'static str,
        /// The metadata database.
        database: String,
        /// What the engine said.
        reason: EngineError,
    },
    /// A newer build has been here.
    #[error(
        "the database `{database}` has migration {found}, this build knows migrations up to {known}: start the newer roost, or restore a backup made before it"
    )]
    Newer {
        /// The metadata database.
        database: String,
        /// The highest applied migration.
        found: u32,
        /// The highest migration of this build.
        known: u32,
    },
}

impl StoreError {
    /// True where nothing was sent to the engine, so that nothing can have changed.
    pub fn is_unsent(&self) -> bool {
        matches!(self, Self::Engine { reason: EngineError::Unavailable(_), .. })
    }

    /// ClickHouse's code, where it answered one. Its text may quote what was to be written.
    pub fn code(&self) -> Option<u32> {
        match self {
            Self::Engine { reason, .. } => reason.code(),
            Self::Newer { .. } => None,
        }
    }
}

/// What kind of resource a row describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResourceKind {
    /// A data source.
    Datasource,
    /// A pipe.
    Pipe,
}

/// Whether the resource's file was there when the project was last loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResourceState {
    /// It was.
    Live,
    /// It was gone; a data source's tables are still there.
    Gone,
}

/// One resource as it was last loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredResource {
    /// Data source or pipe.
    pub kind: ResourceKind,
    /// Its name.
    pub name: String,
    /// Whether its file is there.
    pub state: ResourceState,
    /// A digest of what was loaded: equal digests need no second look.
    pub content_hash: String,
    /// A data source's table in a stable form; for a pipe with a materialized view, from where to where
    /// that goes.
    pub definition: String,
}

/// The metadata tables.
#[derive(Clone)]
pub struct Store {
    engine: EngineClient,
    /// The database's name, unquoted.
    database: String,
}

impl Store {
    /// Applies the migrations that are missing.
    pub async fn open(engine: EngineClient, database: &str) -> Result<Self, StoreError> {
        let store = Self { engine, database: database.to_owned() };
        let applied = store.applied().await?;
        let known = MIGRATIONS.len().try_into().unwrap_or(u32::MAX);
        if applied > known {
            return Err(StoreError::Newer { database: store.database, found: applied, known });
        }
        for migration in MIGRATIONS.iter().filter(|migration| migration.version > applied) {
            store.apply(migration).await?;
        }
        Ok(store)
    }

    /// The highest migration that has been applied; 0 where nothing is there yet.
    async fn applied(&self) -> Result<u32, StoreError> {
        #[derive(Deserialize)]
        struct Highest {
            version: u32,
        }
        let sql = format!("SELECT max(version) AS version FROM {}.migrations", self.quoted());
        match self.engine.rows::<Highest>(sql).await {
            Ok(rows) => Ok(rows.first().map_or(0, |row| row.version)),
            Err(EngineError::Exception { code: UNKNOWN_DATABASE | UNKNOWN_TABLE, .. }) => Ok(0),
            Err(reason) => Err(self.failed("read the applied migrations", reason)),
        }
    }

    async fn apply(&self, migration: &Migration) -> Result<(), StoreError> {
        let sql = migration.sql.replace("{database}", &self.quoted());
        for statement in statements(&sql) {
            self.execute("apply a migration", statement).await?;
        }
        let done = format!(
            "INSERT INTO {}.migrations (version, name) VALUES ({}, {})",
            self.quoted(),
            migration.version,
            quoting::string(migration.name),
        );
        self.execute("record a migration", &done).await?;
        tracing::info!(version = migration.version, name = migration.name, "migration applied");
        Ok(())
    }

    /// The resources of a workspace as they were last loaded, live and gone.
    pub async fn resources(&self, workspace: Uuid) -> Result<Vec<StoredResource>, StoreError> {
        let sql = format!(
            "SELECT kind, name, state, content_hash, definition FROM {}.resources FINAL \
             WHERE workspace_id = '{workspace}' ORDER BY kind, name",
            self.quoted(),
        );
        self.engine.rows(sql).await.map_err(|reason| self.failed("read the resources", reason))
    }

    /// Records resources; a row replaces the one with the same kind and name.
    pub async fn save(&self, workspace: Uuid, resources: &[StoredResource]) -> Result<(), StoreError> {
        let columns = "(workspace_id, kind, name, state, content_hash, definition)";
        self.insert("record the resources", &format!("resources {columns}"), workspace, resources).await
    }

    /// Inserts rows of one workspace into a table, `name (columns)`.
    async fn insert<Row: Serialize>(
        &self,
        action: &'static str,
        table: &str,
        workspace: Uuid,
        rows: impl IntoIterator<Item = Row>,
    ) -> Result<(), StoreError> {
        let mut lines = String::new();
        for row in rows {
            // Plain strings, numbers and enumerations always serialise.
            let mut row = serde_json::to_value(row).unwrap_or_default();
            row["workspace_id"] = workspace.to_string().into();
            lines.push_str(&row.to_string());
            lines.push('\n');
        }
        if lines.is_empty() {
            return Ok(());
        }
        let statement = format!("INSERT INTO {}.{table} FORMAT JSONEachRow", self.quoted());
        let inserted = self.engine.insert(&statement, lines.into(), PATIENCE).await;
        inserted.map_err(|reason| self.failed(action, reason))
    }

    async fn execute(&self, action: &'static str, sql: &str) -> Result<(), StoreError> {
        self.engine.execute(sql).await.map_err(|reason| self.failed(action, reason))
    }

    fn quoted(&self) -> String {
        quoting::identifier(&self.database)
    }

    fn failed(&self, action: &'static str, reason: EngineError) -> StoreError {
        StoreError::Engine { action, database: self.database.clone(), reason }
    }
}

/// The statements of a migration file: each ends in `;` at the end of a line; comment lines before
/// it belong to it.
fn statements(sql: &str) -> impl Iterator<Item = &str> {
    sql.split(";\n").map(str::trim).filter(|statement| !statement.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_from_one_without_gaps() {
        for (place, migration) in (1u32..).zip(&MIGRATIONS) {
            assert_eq!(migration.version, place, "{}", migration.name);
            assert!(migration.sql.contains("{database}"));
        }
    }

    #[test]
    fn a_migration_file_is_cut_into_its_statements() {
        let cut: Vec<&str> = statements(MIGRATIONS[0].sql).collect();
        assert_eq!(cut.len(), 3);
        assert!(cut[0].contains("CREATE DATABASE") && cut[2].contains("resources"));
    }
}
