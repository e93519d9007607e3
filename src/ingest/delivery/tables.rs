//! What delivery asks of the engine: stages, heights, puts.
//!
//! New rows are evaluated in stages, so that what reaches the real table is one block whose every
//! value is computed already. Whoever uses the stage of a table holds its lock.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::directories::Directories;
use super::record::{Chunk, FrozenPlan, TableKey, ViewStep};
use super::stages::Stages;
use crate::engine::{EngineClient, EngineError, Query};
use crate::ingest::Block;
use crate::schema::quoting;

/// The pause before the engine is asked again whether an insert still runs.
const FENCE_PAUSE: Duration = Duration::from_millis(50);

/// The engine as delivery sees it.
#[derive(Clone)]
pub(super) struct Tables {
    engine: EngineClient,
    /// How long a statement may take.
    patience: Duration,
    pub(super) reach: Reach,
    pub(super) stages: Stages,
}

/// What is known of the engine by where it is.
#[derive(Debug, Clone)]
pub(super) enum Reach {
    /// Behind a network: a statement that was given up on may come at any time.
    Server,
    /// A child of this process, on the same disk. It begins nothing for a caller that has left.
    Child(Directories),
}

/// A column of the target of a view.
#[derive(Debug, Deserialize)]
pub(super) struct TargetColumn {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) data_type: String,
    /// Empty where a missing value is the default of the type.
    pub(super) default_kind: String,
}

/// Whether a stage holds rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filled {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// The engine has to look.
    Unknown,
}

impl Filled {
    /// Of a stage into which so many rows were brought.
    pub(super) fn with(rows: u64) -> Self {
        if rows > 0 { Self::Yes } else { Self::No }
    }
}

pub(super) fn list(columns: &[String]) -> String {
    columns.iter().map(|column| quoting::identifier(column)).collect::<Vec<_>>().join(", ")
}

pub(super) fn tuples<'a>(tables: impl IntoIterator<Item = &'a TableKey>) -> String {
    let tuple =
        |key: &TableKey| format!("({}, {})", quoting::string(&key.database), quoting::string(&key.table));
    tables.into_iter().map(tuple).collect::<Vec<_>>().join(", ")
}

impl Tables {
    /// The tables of an engine that is a child of this process.
    pub(super) fn of_child(engine: EngineClient, patience: Duration) -> Self {
        Self { engine, patience, reach: Reach::Child(Directories::default()), stages: Stages::default() }
    }

    /// The tables of an engine behind a network.
    pub(super) fn of_server(engine: EngineClient, patience: Duration) -> Self {
        Self { engine, patience, reach: Reach::Server, stages: Stages::default() }
    }

    /// Asks for rows.
    pub(super) async fn rows<T: DeserializeOwned>(
        &self,
        sql: impl Into<String>,
    ) -> Result<Vec<T>, EngineError> {
        self.read(Query::new(sql, "")).await
    }

    /// The same with settings.
    pub(super) async fn read<T: DeserializeOwned>(&self, query: Query) -> Result<Vec<T>, EngineError> {
        let patience = self.patience;
        let late = |_| EngineError::Lost(format!("no answer after {patience:?}"));
        tokio::time::timeout(patience, self.engine.read(query)).await.map_err(late)?
    }

    async fn command(&self, sql: String) -> Result<(), EngineError> {
        self.engine.run(commanding(sql), self.patience).await
    }

    async fn insert_select(&self, sql: String) -> Result<(), EngineError> {
        self.engine.run(inserting(sql), self.patience).await
    }

    /// Runs statements one behind the other, up to the first that fails. A child takes all of them in
    /// one call: each call has a price of its own.
    pub(super) async fn run_all(
        &self,
        statements: &[String],
        call: fn(String) -> Query,
    ) -> Result<(), EngineError> {
        let calls = match &self.reach {
            Reach::Child(_) if statements.len() > 1 => &[statements.join(";\n")],
            _ => statements,
        };
        let patience =
            self.patience * u32::try_from(statements.len() / calls.len().max(1)).unwrap_or(u32::MAX);
        for sql in calls {
            self.engine.run(call(sql.clone()), patience).await?;
        }
        Ok(())
    }

    /// Drops the stages that former runs have left in an engine.
    pub(super) async fn drop_old_stages(&self, database: &str) -> Result<(), EngineError> {
        #[derive(Deserialize)]
        struct Old {
            name: String,
        }
        let sql = format!(
            "SELECT name FROM system.databases WHERE startsWith(name, {}) AND endsWith(name, '{}')",
            quoting::string(&format!("{database}_")),
            super::stages::SUFFIX
        );
        for Old { name } in self.rows(sql).await? {
            self.drop_database(&name).await?;
        }
        Ok(())
    }

    pub(super) async fn drop_database(&self, name: &str) -> Result<(), EngineError> {
        self.command(format!("DROP DATABASE IF EXISTS {} SYNC", quoting::identifier(name))).await
    }

    /// Drops those stages of some tables that an attempt has left open. A statement of that attempt that
    /// is still to come finds none and fails.
    pub(super) async fn abandon_stages(&self, tables: &[TableKey]) -> Result<(), EngineError> {
        for table in self.stages.left_open(tables) {
            self.drop_database(&self.stages.scratch(table).database).await?;
            self.drop_database(&self.stages.of(table).database).await?;
            self.stages.forget(table);
        }
        Ok(())
    }

    /// Makes the stages of some tables and empties them; they are open from here on.
    pub(super) async fn empty_stages(&self, tables: &[TableKey]) -> Result<(), EngineError> {
        let emptying = |table| format!("TRUNCATE TABLE {} SYNC", self.stages.open(table).name());
        let statements: Vec<String> = tables.iter().map(emptying).collect();
        match self.run_all(&statements, commanding).await {
            Err(EngineError::Exception { code: 60 | 81, .. }) => {}
            outcome => return outcome,
        }
        for (table, statement) in tables.iter().zip(statements) {
            match self.command(statement).await {
                Err(EngineError::Exception { code: 60 | 81, .. }) => self.make_stage(table).await?,
                outcome => outcome?,
            }
        }
        Ok(())
    }

    async fn make_stage(&self, table: &TableKey) -> Result<(), EngineError> {
        let stage = self.stages.of(table);
        let database = quoting::identifier(&stage.database);
        self.command(format!("CREATE DATABASE IF NOT EXISTS {database} ENGINE = Memory")).await?;
        self.command(format!("CREATE TABLE {} AS {} ENGINE = Memory", stage.name(), table.name())).await
    }

    /// Inserts a block into a table of any kind.
    pub(super) async fn insert_block(&self, table: &TableKey, block: &Block) -> Result<(), EngineError> {
        let columns: Vec<String> = block.columns().map(|(name, _)| name.to_string()).collect();
        let statement = format!("INSERT INTO {} ({}) FORMAT Native", table.name(), list(&columns));
        self.insert(Query::new(statement, "").with_insert_settings(), block).await
    }

    pub(super) async fn insert(&self, statement: Query, block: &Block) -> Result<(), EngineError> {
        self.engine.insert_with(statement, block.encode_native().into(), self.patience).await
    }

    /// Puts a block, as it came, into a new table in memory.
    pub(super) async fn make_raw(&self, raw: &TableKey, block: &Block) -> Result<(), EngineError> {
        self.drop(raw).await?;
        let column = |(name, declared): (&crate::schema::ColumnName, &str)| {
            format!("{} {declared}", quoting::identifier(name.as_str()))
        };
        let columns: Vec<String> = block.columns().map(column).collect();
        self.command(format!("CREATE TABLE {} ({}) ENGINE = Memory", raw.name(), columns.join(", "))).await?;
        self.insert_block(raw, block).await
    }

    pub(super) async fn drop(&self, table: &TableKey) -> Result<(), EngineError> {
        self.command(format!("DROP TABLE IF EXISTS {} SYNC", table.name())).await
    }

    /// Inserts what a query over a raw table gives into the stage of a table.
    pub(super) async fn stage_from(
        &self,
        table: &TableKey,
        columns: &[String],
        query: &str,
    ) -> Result<(), EngineError> {
        let (stage, columns) = (self.stages.of(table).name(), list(columns));
        self.insert_select(format!("INSERT INTO {stage} ({columns}) {query}")).await
    }

    /// Puts a share of a partition of a table into the table's stage.
    pub(super) async fn stage_history(&self, table: &TableKey, chunk: &Chunk) -> Result<(), EngineError> {
        let (name, stage, condition) = (table.name(), self.stages.of(table).name(), in_chunk(chunk));
        self.insert_select(format!("INSERT INTO {stage} SELECT * FROM {name} WHERE {condition}")).await
    }

    /// The rows in a share of a partition of a table.
    pub(super) async fn count_history(&self, table: &TableKey, chunk: &Chunk) -> Result<u64, EngineError> {
        #[derive(Deserialize)]
        struct Count {
            rows: u64,
        }
        let sql = format!("SELECT count() AS rows FROM {} WHERE {}", table.name(), in_chunk(chunk));
        let counted: Vec<Count> = self.rows(sql).await?;
        Ok(counted.first().map_or(0, |count| count.rows))
    }

    /// The partitions of a table with the rows in each.
    pub(super) async fn partitions(&self, table: &TableKey) -> Result<Vec<(String, u64)>, EngineError> {
        #[derive(Deserialize)]
        struct Partition {
            partition_id: String,
            held: u64,
        }
        let sql = format!(
            "SELECT partition_id, sum(rows) AS held FROM system.parts WHERE active AND (database, table) IN ({}) \
             GROUP BY partition_id ORDER BY partition_id",
            tuples([table])
        );
        let found: Vec<Partition> = self.rows(sql).await?;
        Ok(found.into_iter().map(|partition| (partition.partition_id, partition.held)).collect())
    }

    /// Evaluates views, each over the stage of its source into the stage of its target, in this order.
    /// Without new rows one is not set off: a count over nothing would still be a row.
    pub(super) async fn evaluate<'a>(
        &self,
        steps: impl IntoIterator<Item = (&'a ViewStep, Filled)>,
    ) -> Result<(), EngineError> {
        let evaluation = |(step, source)| self.evaluation(step, source);
        let statements: Vec<String> = steps.into_iter().filter_map(evaluation).collect();
        self.run_all(&statements, inserting).await
    }

    fn evaluation(&self, step: &ViewStep, source: Filled) -> Option<String> {
        let (stage, columns, sql) =
            (self.stages.of(&step.target).name(), list(&step.columns), self.stages.sql(step));
        let insert = format!("INSERT INTO {stage} ({columns}) SELECT {columns} FROM ({sql})");
        match source {
            Filled::No => None,
            Filled::Yes => Some(insert),
            Filled::Unknown => {
                let source = self.stages.of(&step.source).name();
                Some(format!("{insert} WHERE (SELECT count() FROM {source}) > 0"))
            }
        }
    }

    /// An error where a key of a table cannot be computed of the rows in its stage.
    pub(super) async fn check_keys(&self, plan: &FrozenPlan) -> Result<(), EngineError> {
        let check = |(table, keys): (&TableKey, &String)| {
            format!("SELECT sum(ignore({keys})) AS keys FROM {}", self.stages.of(table).name())
        };
        let checks: Vec<String> = plan.own_keys().map(check).collect();
        if checks.is_empty() {
            return Ok(());
        }
        let query = Query::new(checks.join(" UNION ALL "), "").with_profile();
        self.read::<serde_json::Value>(query).await.map(drop)
    }

    /// Puts all rows of the stage of a table into the table.
    pub(super) async fn put_stage(&self, table: &TableKey) -> Result<(), EngineError> {
        let (name, stage) = (table.name(), self.stages.of(table).name());
        self.insert_select(format!("INSERT INTO {name} SELECT * FROM {stage}")).await
    }

    /// Puts those rows of the stage that belong to partitions where the batch was not seen.
    pub(super) async fn put_rest(
        &self,
        table: &TableKey,
        seen: &BTreeSet<String>,
    ) -> Result<(), EngineError> {
        let (name, stage, scratch) = (table.name(), self.stages.of(table).name(), self.stages.scratch(table));
        let from = scratch.name();
        let database = quoting::identifier(&scratch.database);
        self.command(format!("CREATE DATABASE IF NOT EXISTS {database} ENGINE = Atomic")).await?;
        self.drop(&scratch).await?;
        self.command(format!("CREATE TABLE {from} AS {name}")).await?;
        self.command(format!("SYSTEM STOP MERGES {from}")).await?;
        self.insert_select(format!("INSERT INTO {from} SELECT * FROM {stage}")).await?;
        let seen: Vec<String> = seen.iter().map(|partition| quoting::string(partition)).collect();
        let seen = seen.join(", ");
        self.insert_select(format!(
            "INSERT INTO {name} SELECT * FROM {from} WHERE _partition_id NOT IN ({seen})"
        ))
        .await?;
        self.drop_database(&scratch.database).await
    }

    /// Waits until no insert into these tables runs any more, whoever asked for it.
    pub(super) async fn fence(&self, tables: &[TableKey]) -> Result<(), EngineError> {
        #[derive(Deserialize)]
        struct Running {
            inserts: u64,
        }
        let into =
            |table: &TableKey| format!("position(query, {}) > 0", quoting::string(&table.name().to_string()));
        let into: Vec<String> = tables.iter().map(into).collect();
        let sql = format!(
            "SELECT count() AS inserts FROM system.processes WHERE query_kind = 'Insert' AND ({})",
            into.join(" OR ")
        );
        while self.rows::<Running>(sql.as_str()).await?.iter().any(|running| running.inserts > 0) {
            tokio::time::sleep(FENCE_PAUSE).await;
        }
        Ok(())
    }

    /// Lets tables be as they are, or be merged again.
    pub(super) async fn set_merges(
        &self,
        verb: &str,
        tables: &BTreeSet<TableKey>,
    ) -> Result<(), EngineError> {
        for table in tables {
            match self.command(format!("SYSTEM {verb} MERGES {}", table.name())).await {
                Err(EngineError::Exception { code: 60 | 81, .. }) => {}
                outcome => outcome?,
            }
        }
        Ok(())
    }

    /// Waits until the parts of tables are loaded.
    pub(super) async fn wait_for_parts(&self, tables: &BTreeSet<TableKey>) -> Result<(), EngineError> {
        for table in tables {
            self.command(format!("SYSTEM WAIT LOADING PARTS {}", table.name())).await?;
        }
        Ok(())
    }

    /// Runs a statement of a barrier; rows that it rewrites are rewritten when this returns.
    pub(super) async fn change(&self, statement: &str) -> Result<(), EngineError> {
        let query = commanding(statement.to_owned())
            .with_profile()
            .with_setting("mutations_sync", 1)
            // `now()` is that of the statement, whenever a part is rewritten.
            .with_setting("mutations_execute_nondeterministic_on_initiator", 1);
        self.engine.run(query, self.patience).await
    }

    /// Ends what statements have begun to rewrite in a table: ClickHouse tries what fails again and again,
    /// and everything behind it waits.
    pub(super) async fn end_mutations(&self, table: &TableKey) -> Result<(), EngineError> {
        let (database, table) = (quoting::string(&table.database), quoting::string(&table.table));
        self.command(format!(
            "KILL MUTATION WHERE database = {database} AND table = {table} AND NOT is_done SYNC"
        ))
        .await
    }

    /// What the engine says that a view comes to, line by line.
    pub(super) async fn tree(&self, step: &ViewStep) -> Result<Vec<String>, EngineError> {
        #[derive(Deserialize)]
        struct Line {
            explain: String,
        }
        let (columns, sql) = (list(&step.columns), self.stages.sql(step));
        let query =
            Query::new(format!("EXPLAIN QUERY TREE SELECT {columns} FROM ({sql})"), "").with_profile();
        Ok(self.read::<Line>(query).await?.into_iter().map(|line| line.explain).collect())
    }

    /// The columns of a table.
    pub(super) async fn columns(&self, table: &TableKey) -> Result<Vec<TargetColumn>, EngineError> {
        self.rows(format!(
            "SELECT name, type, default_kind FROM system.columns WHERE (database, table) IN ({})",
            tuples([table])
        ))
        .await
    }

    /// The columns that a query gives.
    pub(super) async fn describe(&self, sql: &str) -> Result<Vec<String>, EngineError> {
        #[derive(Deserialize)]
        struct Described {
            name: String,
        }
        let query = Query::new(format!("DESCRIBE TABLE ({sql})"), "").with_profile();
        Ok(self.read::<Described>(query).await?.into_iter().map(|column| column.name).collect())
    }
}

/// True in SQL for the rows of a chunk.
fn in_chunk(chunk: &Chunk) -> String {
    let partition = quoting::string(&chunk.partition);
    match chunk.of {
        0 | 1 => format!("_partition_id = {partition}"),
        // Of what a row holds, so that it does not depend on where the row lies.
        of => format!("_partition_id = {partition} AND cityHash64(*) % {of} = {}", chunk.share),
    }
}

/// A statement that writes.
pub(super) fn commanding(sql: String) -> Query {
    Query::new(sql, "").with_insert_settings()
}

/// An insert that reads: one thread, so that rows keep their order.
fn inserting(sql: String) -> Query {
    Query::new(sql, "").with_profile().with_insert_settings().with_setting("max_threads", 1)
}
