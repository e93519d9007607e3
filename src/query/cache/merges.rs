//! Changes that nobody makes: ClickHouse merges parts when it likes, and then rows are gone whose TTL
//! is over, and rows of one key are one row.
//!
//! The engine says nothing of a merge, so that it is asked for the parts of such tables again and
//! again, as long as answers are kept. A merge shows at most [`INTERVAL`] later.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::Cache;
use crate::catalog::{Catalog, PhysicalName, Workspace};
use crate::engine::{EngineClient, EngineError};

/// Time between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// A number for the set of a table's parts. Names of parts do not come again: equal numbers mean that
/// nothing was merged in between.
type Fingerprints = BTreeMap<PhysicalName, u64>;

#[derive(Deserialize)]
struct Found {
    database: String,
    table: String,
    parts: u64,
}

/// Notes merges until the stop.
pub(in crate::query) async fn follow_merges(
    cache: Arc<Cache>,
    catalog: Arc<Catalog>,
    engine: EngineClient,
    stop: CancellationToken,
) {
    let mut before = Fingerprints::new();
    while stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
        if cache.is_empty() {
            continue;
        }
        match look(&catalog.workspace(), &engine).await {
            Ok(now) => {
                catalog.versions().changed(differing(&before, &now));
                before = now;
            }
            // Nobody knows what the engine does meanwhile.
            Err(error) => {
                tracing::debug!(code = error.code(), "the parts of tables cannot be looked at");
                catalog.versions().everything_changed();
            }
        }
    }
}

/// Tables whose parts are others now, or which were not looked at before.
fn differing(before: &Fingerprints, now: &Fingerprints) -> Vec<PhysicalName> {
    let is_other = |(table, parts): &(&PhysicalName, &u64)| before.get(*table) != Some(*parts);
    now.iter().filter(is_other).map(|(table, _)| table.clone()).collect()
}

/// The tables of a workspace whose rows a merge can change, and their parts.
async fn look(workspace: &Workspace, engine: &EngineClient) -> Result<Fingerprints, EngineError> {
    let tables: Vec<PhysicalName> = workspace.tables_changed_by_merges().collect();
    if tables.is_empty() {
        return Ok(Fingerprints::new());
    }
    let quoted = crate::sql::quote::string;
    let tuple = |name: &PhysicalName| format!("({}, {})", quoted(&name.database), quoted(&name.table));
    let tuples = tables.iter().map(tuple).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "SELECT database, table, sum(cityHash64(name)) AS parts FROM system.parts \
         WHERE active AND (database, table) IN ({tuples}) GROUP BY database, table"
    );
    let found: Vec<Found> = engine.rows(sql).await?;
    // A table without parts has a number, too.
    let mut parts: Fingerprints = tables.into_iter().map(|table| (table, 0)).collect();
    parts.extend(
        found.into_iter().map(|Found { database, table, parts }| (PhysicalName { database, table }, parts)),
    );
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_differs_where_its_parts_do_and_at_the_first_look() {
        let name = |table: &str| PhysicalName { database: "w".to_owned(), table: table.to_owned() };
        let parts = |numbers: &[(&str, u64)]| -> Fingerprints {
            numbers.iter().map(|(table, number)| (name(table), *number)).collect()
        };
        let before = parts(&[("a", 1), ("b", 2), ("gone", 3)]);
        assert_eq!(differing(&before, &parts(&[("a", 1), ("b", 3), ("c", 0)])), [name("b"), name("c")]);
        assert!(differing(&before, &before).is_empty());
    }
}
