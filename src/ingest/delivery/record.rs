//! What the log says about rows besides the rows: records of batches and of what was made sure.
//!
//! They are JSON, so that `roost wal ls` can show them and a person can read them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ingest::wal::Sequence;
use crate::schema::TableName;
use crate::sql::compose::PhysicalName;

/// A table by its names, unquoted; in records `database.table`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub struct TableKey {
    /// The database.
    pub database: String,
    /// The table in it.
    pub table: String,
}

impl From<TableKey> for String {
    fn from(key: TableKey) -> Self {
        format!("{}.{}", key.database, key.table)
    }
}

impl From<String> for TableKey {
    // Databases of workspaces hold no dot.
    fn from(text: String) -> Self {
        let (database, table) = text.split_once('.').unwrap_or(("", &text));
        Self { database: database.to_owned(), table: table.to_owned() }
    }
}

impl From<&TableName> for TableKey {
    fn from(name: &TableName) -> Self {
        Self { database: name.database().to_owned(), table: name.table().to_owned() }
    }
}

impl TableKey {
    /// The table as it stands in SQL.
    pub(super) fn name(&self) -> TableName {
        TableName::new(self.database.as_str(), self.table.as_str())
    }

    /// The table as queries name it.
    pub(super) fn physical(&self) -> PhysicalName {
        PhysicalName { database: self.database.clone(), table: self.table.clone() }
    }
}

/// The height of each table before a try: its highest block number, -1 where it has no part.
pub(super) type Heights = BTreeMap<TableKey, i64>;

/// Partitions that hold a batch, by table.
pub(super) type Seen = BTreeMap<TableKey, BTreeSet<String>>;

/// A batch: a run of one data source's rows in the log, named by the first; or a chunk of history for
/// a new view, named by the pipe and the chunk's number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct BatchId {
    /// The data source.
    pub(super) source: String,
    /// The number of its first record of rows.
    pub(super) from: Sequence,
}

/// One view of a batch: what is evaluated over new rows, and where the result goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ViewStep {
    /// The pipe that holds it, for messages.
    pub(super) pipe: String,
    /// Its query over the stage of its source.
    pub(super) sql: String,
    /// The columns that the query gives, in its order; those that the target has are kept.
    pub(super) columns: Vec<String>,
    /// The table whose new rows it reads.
    pub(super) source: TableKey,
    /// The table that its rows go to.
    pub(super) target: TableKey,
    /// Of the present engine, and so not frozen: a second try evaluates before it puts.
    #[serde(skip)]
    pub(super) refusing: Refusing,
}

#[cfg(test)]
impl ViewStep {
    /// A view in tests, as `source>target`.
    pub(super) fn between(database: &str, name: &str) -> Self {
        let (source, target) = name.split_once('>').unwrap();
        let key = |table: &str| TableKey { database: database.to_owned(), table: table.to_owned() };
        let (source, target) = (key(source), key(target));
        let sql = format!("SELECT x FROM {} AS rows", super::stages::placeholder(&source).name());
        let columns = vec!["x".to_owned()];
        Self { pipe: name.to_owned(), sql, columns, source, target, refusing: Refusing::Perhaps }
    }
}

/// Whether a view may refuse a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Refusing {
    /// It may, or nobody knows.
    #[default]
    Perhaps,
    /// It never does, and its target takes all that it gives.
    Never,
}

/// Where a batch goes. Frozen with it, so that a second try does what the first did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FrozenPlan {
    /// The data source's table.
    pub(super) rows: TableKey,
    /// Its quarantine.
    pub(super) quarantine: TableKey,
    /// Views, each behind those whose target it reads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) steps: Vec<ViewStep>,
    /// Tables that keep nothing, so that there is nothing to put.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) null_tables: BTreeSet<TableKey>,
    /// Rows of the data source's own table that the views are evaluated over, in place of new ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) history: Option<Chunk>,
    /// Expressions of keys and indexes that are computed when rows are put; what they refuse is found before.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) keys: BTreeMap<TableKey, String>,
    /// Why every row goes to the quarantine: the engine has lacked the means for them for too long.
    /// Frozen, because a second try may find the means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refused: Option<String>,
}

/// Some rows of a table: a share of a partition. Which rows these are does not change with merges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Chunk {
    /// The partition.
    pub(super) partition: String,
    /// Which share, from 0 on.
    pub(super) share: u64,
    /// Of how many.
    pub(super) of: u64,
}

impl FrozenPlan {
    /// The keys of tables that the batch has stages of. One that fills a view from history carries
    /// those of its source's whole plan.
    pub(super) fn own_keys(&self) -> impl Iterator<Item = (&TableKey, &String)> {
        let tables = self.tables();
        self.keys.iter().filter(move |(table, _)| tables.contains(table))
    }

    /// Every table that a batch may write to, in the order in which they are written.
    pub(super) fn tables(&self) -> Vec<TableKey> {
        let mut tables = vec![self.rows.clone(), self.quarantine.clone()];
        for step in &self.steps {
            if !tables.contains(&step.target) {
                tables.push(step.target.clone());
            }
        }
        tables
    }

    /// True where a view reads the new rows of this table.
    pub(super) fn reads(&self, table: &TableKey) -> bool {
        self.steps.iter().any(|step| step.source == *table)
    }

    /// Those of them that keep rows, and so have parts.
    pub(super) fn kept_tables(&self) -> BTreeSet<TableKey> {
        self.tables().into_iter().filter(|table| !self.null_tables.contains(table)).collect()
    }
}

/// A batch whose second try is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Verdict {
    /// Which one.
    pub(super) batch: BatchId,
    /// Where it was found.
    pub(super) seen: Seen,
}

/// A batch that is about to be put for the first time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Freeze {
    /// Which one.
    pub(super) batch: BatchId,
    /// Its last record of rows.
    pub(super) to: Sequence,
    /// Where it goes.
    pub(super) plan: FrozenPlan,
    /// The heights before.
    pub(super) heights: Heights,
}

/// A statement that changes tables which hold rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Barrier {
    /// No other barrier has it.
    pub(super) number: u64,
    /// The table that it changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) table: Option<TableKey>,
    /// What the engine is told.
    pub(super) statement: String,
    /// Whose work it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) job: Option<JobMark>,
}

/// A job whose work is one statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobMark {
    /// The job.
    pub id: Uuid,
    /// Rows that the statement removes.
    pub rows: u64,
}

/// A record of the log about rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub(super) enum Control {
    /// A batch is about to be put for the first time.
    Freeze(Box<Freeze>),
    /// It is about to be put again, where it was not seen.
    Retry { batch: BatchId, heights: Heights, seen: Seen },
    /// It is in all of its tables.
    Done { batch: BatchId },
    /// A statement is about to change tables that hold rows.
    Barrier(Barrier),
    /// It has.
    BarrierDone { number: u64 },
    /// A view is to be filled from the rows that its source has.
    Populate { pipe: String },
    /// The rows in the order in which that is done.
    PopulateChunks { pipe: String, chunks: Vec<Chunk> },
    /// It is filled, or gone.
    Populated { pipe: String },
    /// All that the log says before this position is durable in the engine, too.
    Synced { position: Sequence, boot: String },
    /// The directories of parts that were there before the engine was first started after the
    /// machine had stopped.
    Parts { directories: Vec<String> },
    /// What was found at a start, durable; all heights before it are void.
    Verified { boot: String, window: Vec<Verdict> },
}
