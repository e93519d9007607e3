//! What shows, after a death, whether a batch is in a table: the parts of the table, and how high their
//! block numbers went before the batch was put.
//!
//! Of a child's tables the heights are read from the disk, which costs next to nothing; a server
//! elsewhere is asked. Both count parts that are not active any more, on purpose: a part that was
//! emptied by TTL is one of those.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::directories::{Directories, height};
use super::ledger::Span;
use super::record::{Heights, Seen, TableKey};
use super::tables::{Reach, Tables, tuples};
use crate::engine::EngineError;

/// A part of a table, active or not.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Part {
    pub(super) database: String,
    pub(super) table: String,
    pub(super) partition_id: String,
    pub(super) least: i64,
    pub(super) most: i64,
    /// Its directory, absolute.
    pub(super) path: String,
}

impl Tables {
    /// The heights of tables now.
    pub(super) async fn heights(&self, tables: &BTreeSet<TableKey>) -> Result<Heights, EngineError> {
        if let Reach::Child(directories) = &self.reach {
            for _ in 0..2 {
                if let Some(heights) = self.heights_on_disk(tables, directories).await? {
                    return Ok(heights);
                }
                // The directories are not what they were: they are asked for anew.
                directories.forget();
            }
        }
        self.heights_in_engine(tables).await
    }

    /// The heights by the directories of the parts; `None` where one is unknown or cannot be read.
    async fn heights_on_disk(
        &self,
        tables: &BTreeSet<TableKey>,
        directories: &Directories,
    ) -> Result<Option<Heights>, EngineError> {
        let mut places = Vec::new();
        for table in tables {
            if directories.of(table).is_none() {
                self.ask_directories(table, directories).await?;
            }
            let Some(paths) = directories.of(table) else { return Ok(None) };
            places.push((table.clone(), paths));
        }
        let read = move || {
            let height = |(table, paths): (TableKey, Vec<PathBuf>)| Ok((table, height(&paths)?));
            places.into_iter().map(height).collect::<std::io::Result<Heights>>()
        };
        Ok(tokio::task::spawn_blocking(read).await.ok().and_then(Result::ok))
    }

    /// Asks where the parts of a table lie. A table that is not there has no place.
    async fn ask_directories(&self, table: &TableKey, directories: &Directories) -> Result<(), EngineError> {
        #[derive(Deserialize)]
        struct Place {
            data_paths: Vec<PathBuf>,
        }
        let sql = format!(
            "SELECT data_paths FROM system.tables \
             WHERE (database, name) IN ({}) AND engine LIKE '%MergeTree'",
            tuples([table])
        );
        let found: Vec<Place> = self.rows(sql).await?;
        if let Some(Place { data_paths }) = found.into_iter().find(|place| !place.data_paths.is_empty()) {
            directories.learn(table.clone(), data_paths);
        }
        Ok(())
    }

    /// Forgets where the parts of tables lie: tables may have been made anew.
    pub(super) fn forget_directories(&self) {
        if let Reach::Child(directories) = &self.reach {
            directories.forget();
        }
    }

    /// False for a part that the engine still names although it has removed it from the disk.
    pub(super) fn is_on_disk(&self, part: &Part) -> bool {
        match &self.reach {
            Reach::Server => true,
            Reach::Child(_) => Path::new(&part.path).try_exists().unwrap_or(true),
        }
    }

    /// The heights by the engine's own list.
    async fn heights_in_engine(&self, tables: &BTreeSet<TableKey>) -> Result<Heights, EngineError> {
        #[derive(Deserialize)]
        struct Height {
            database: String,
            table: String,
            most: i64,
        }
        let mut heights: Heights = tables.iter().map(|table| (table.clone(), -1)).collect();
        if tables.is_empty() {
            return Ok(heights);
        }
        let sql = format!(
            "SELECT database, table, toInt64(max(max_block_number)) AS most FROM system.parts \
             WHERE (database, table) IN ({}) GROUP BY ALL",
            tuples(tables)
        );
        for Height { database, table, most } in self.rows(sql).await? {
            heights.insert(TableKey { database, table }, most);
        }
        Ok(heights)
    }

    /// All parts of tables, but for patches, which hold no rows of their own.
    pub(super) async fn parts(&self, tables: &BTreeSet<TableKey>) -> Result<Vec<Part>, EngineError> {
        if tables.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT database, table, partition_id, toInt64(min_block_number) AS least, \
             toInt64(max_block_number) AS most, path FROM system.parts \
             WHERE (database, table) IN ({}) AND NOT startsWith(partition_id, 'patch-')",
            tuples(tables)
        );
        self.rows(sql).await
    }
}

/// The partitions that hold a batch: those where a part meets one of its spans.
pub(super) fn seen_in(parts: &[Part], evidence: &BTreeMap<TableKey, Vec<Span>>, mut seen: Seen) -> Seen {
    for part in parts {
        let table = TableKey { database: part.database.clone(), table: part.table.clone() };
        let spans = evidence.get(&table).into_iter().flatten();
        if spans.into_iter().any(|span| span.meets(part.least, part.most)) {
            seen.entry(table).or_default().insert(part.partition_id.clone());
        }
    }
    seen
}
