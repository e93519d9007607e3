//! Rows that are removed on purpose: which, and by which statement. Pure, but for the question how many.
//!
//! A partition that loses every row is dropped, which costs nothing and gives its disk back at once;
//! of the others only those are rewritten that hold a row to be removed.

use serde::Deserialize;

use super::commit::Undone;
use super::record::{FrozenPlan, TableKey};
use super::tables::Tables;
use crate::engine::Query;
use crate::schema::{quarantine, quoting};
use crate::sql::RowFilter;
use crate::sql::gate::Constancy;

/// Which of the two tables of a data source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Its own.
    Rows,
    /// That of what did not fit.
    Quarantine,
}

impl Side {
    /// The data source that a name means, and which of its tables.
    pub fn of(name: &str) -> (&str, Self) {
        match name.strip_suffix(quarantine::SUFFIX) {
            Some(data_source) => (data_source, Self::Quarantine),
            None => (name, Self::Rows),
        }
    }

    /// The name that means this table of a data source.
    pub(in crate::ingest) fn name(self, data_source: &str) -> String {
        match self {
            Self::Rows => data_source.to_owned(),
            Self::Quarantine => format!("{data_source}{}", quarantine::SUFFIX),
        }
    }
}

/// Rows of one table that are to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ingest) enum Removed {
    /// All of them.
    All,
    /// Those that a condition is true for.
    Matching(Condition),
}

impl Removed {
    /// True where it can be seen afterwards that the rows are gone: not where the condition looks at the
    /// clock, because further rows may have come to fulfil it.
    pub(super) fn is_checkable(&self) -> bool {
        match self {
            Self::All => false,
            Self::Matching(condition) => condition.filter.constancy() == Constancy::Constant,
        }
    }
}

/// What is true for rows that are to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ingest) struct Condition {
    /// The expression.
    pub(in crate::ingest) filter: RowFilter,
    /// The partition that they are in, by its value or its id; `None`: any.
    pub(in crate::ingest) partition: Option<String>,
}

/// A partition that holds rows which a condition is true for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Partition {
    id: String,
    /// Rows that the condition is true for.
    matching: u64,
    /// Rows in its parts, those included that no query sees any more.
    held: u64,
}

/// How many rows a condition is true for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Matched {
    /// The rows.
    pub rows: u64,
    /// The partitions that hold them.
    pub partitions: usize,
}

/// A statement that removes rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Removal {
    /// What the engine is told; `None`: there is nothing to remove.
    pub(super) statement: Option<String>,
    /// The rows that go; where all of them go nobody counts.
    pub(super) matched: Matched,
}

impl FrozenPlan {
    /// One of the two tables.
    pub(super) fn side(&self, side: Side) -> &TableKey {
        match side {
            Side::Rows => &self.rows,
            Side::Quarantine => &self.quarantine,
        }
    }
}

impl Tables {
    /// How rows are removed from a table as it is now.
    pub(super) async fn removal(
        &self,
        plan: &FrozenPlan,
        side: Side,
        removed: &Removed,
    ) -> Result<Removal, Undone> {
        let table = plan.side(side);
        let condition = match removed {
            Removed::All => {
                let statement = Some(format!("TRUNCATE TABLE {} SYNC", table.name()));
                return Ok(Removal { statement, matched: Matched::default() });
            }
            // Such a table has neither rows nor partitions.
            Removed::Matching(_) if plan.null_tables.contains(table) => {
                return Ok(Removal { statement: None, matched: Matched::default() });
            }
            Removed::Matching(condition) => condition,
        };
        let partitions = self.partitions_matching(table, condition).await?;
        Ok(Removal {
            statement: statement(table, &condition.filter, &partitions),
            matched: Matched {
                rows: partitions.iter().map(|partition| partition.matching).sum(),
                partitions: partitions.len(),
            },
        })
    }

    async fn partitions_matching(
        &self,
        table: &TableKey,
        condition: &Condition,
    ) -> Result<Vec<Partition>, Undone> {
        let (name, filter) = (table.name(), condition.filter.as_str());
        let chosen = match &condition.partition {
            None => String::new(),
            Some(partition) => {
                let partition = quoting::string(partition);
                format!(" AND (partition = {partition} OR partition_id = {partition})")
            }
        };
        let sql = format!(
            "SELECT partition_id AS id, matching, held FROM \
             (SELECT _partition_id AS partition_id, count() AS matching FROM {name} WHERE ({filter}) GROUP BY partition_id) AS found \
             INNER JOIN (SELECT partition_id, sum(rows) AS held FROM system.parts \
             WHERE active AND (database, table) IN ({}){chosen} GROUP BY partition_id) AS parts USING partition_id \
             ORDER BY partition_id",
            super::tables::tuples([table])
        );
        Ok(self.read(Query::new(sql, "").with_profile()).await?)
    }
}

/// One ALTER for all partitions, so that it can be written down and run again.
fn statement(table: &TableKey, filter: &RowFilter, partitions: &[Partition]) -> Option<String> {
    let command = |partition: &Partition| {
        let id = quoting::string(&partition.id);
        if partition.matching == partition.held {
            format!("DROP PARTITION ID {id}")
        } else {
            format!("DELETE IN PARTITION ID {id} WHERE ({})", filter.as_str())
        }
    };
    let commands: Vec<String> = partitions.iter().map(command).collect();
    (!commands.is_empty()).then(|| format!("ALTER TABLE {} {}", table.name(), commands.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> TableKey {
        TableKey { database: "w".to_owned(), table: "hits".to_owned() }
    }

    fn partition(id: &str, matching: u64, held: u64) -> Partition {
        Partition { id: id.to_owned(), matching, held }
    }

    #[test]
    fn a_partition_that_loses_every_row_is_dropped_and_the_others_are_rewritten() {
        let filter = RowFilter::parse("a = 'x' OR b").unwrap();
        let partitions = [partition("202401", 3, 3), partition("2024'02", 1, 9)];
        let statement = statement(&table(), &filter, &partitions).unwrap();
        assert_eq!(
            statement,
            r"ALTER TABLE `w`.`hits` DROP PARTITION ID '202401', DELETE IN PARTITION ID '2024\'02' WHERE (a = 'x' OR b)"
        );
    }

    #[test]
    fn where_nothing_matches_there_is_no_statement() {
        let filter = RowFilter::parse("a = 1").unwrap();
        assert_eq!(statement(&table(), &filter, &[]), None);
    }
}
