//! What has to happen so that the engine serves a candidate. Pure.
//!
//! In: the candidate, what was loaded last, the tables that exist.  Out: a [`Plan`], or the refusal
//! to touch a table that holds rows.

use std::collections::{HashMap, HashSet};

use super::{Candidate, DeployError};
use crate::catalog::{DataSource, ResourceKind, ResourceState, StoredResource};
use crate::schema::{Table, TableName, ddl, difference, quarantine};

/// The tables of the workspace's database and the rows in each.
#[derive(Debug, Clone, Default)]
pub struct Tables(pub HashMap<String, u64>);

/// Steps, in the order in which they are carried out.
#[derive(Debug, Default)]
pub struct Plan {
    /// What the operator should know.
    pub warnings: Vec<String>,
    /// Empty tables whose schema has changed.
    pub drop: Vec<TableName>,
    /// Resources whose record changes.
    pub records: Vec<StoredResource>,
    /// Pipes whose view is new, or goes another way than before: it is filled from history.
    pub new_views: Vec<String>,
    /// Tables that are missing.
    pub create: Vec<(TableName, Table)>,
}

impl Tables {
    fn has(&self, table: &TableName) -> bool {
        self.0.contains_key(table.table())
    }

    fn rows(&self, data_source: &DataSource) -> u64 {
        let rows = |table: &TableName| self.0.get(table.table()).copied().unwrap_or_default();
        rows(&data_source.rows) + rows(&data_source.quarantine)
    }
}

impl Plan {
    /// Compares the candidate with what is there.
    pub fn make(
        candidate: &Candidate,
        stored: &[StoredResource],
        tables: &Tables,
    ) -> Result<Self, DeployError> {
        let known: HashMap<_, _> =
            stored.iter().map(|resource| ((resource.kind, resource.name.as_str()), resource)).collect();
        let mut plan = Self::default();
        for declared in &candidate.resources {
            let before = known.get(&(declared.kind, declared.name.as_str())).copied();
            if declared.kind == ResourceKind::Datasource {
                plan.plan_data_source(candidate, declared, before, tables)?;
            }
            if declared.kind == ResourceKind::Pipe
                && !declared.definition.is_empty()
                && before.is_none_or(|before| before.definition != declared.definition)
            {
                plan.new_views.push(declared.name.clone());
            }
            if before != Some(declared) {
                plan.records.push(declared.clone());
            }
        }
        plan.note_gone(candidate, stored);
        Ok(plan)
    }

    fn plan_data_source(
        &mut self,
        candidate: &Candidate,
        declared: &StoredResource,
        before: Option<&StoredResource>,
        tables: &Tables,
    ) -> Result<(), DeployError> {
        let Some(data_source) = candidate.data_source(&declared.name) else { return Ok(()) };
        if let Some(change) = storage_change(data_source, before, tables)? {
            if tables.rows(data_source) > 0 {
                return Err(DeployError::SchemaChanged {
                    data_source: declared.name.clone(),
                    file: candidate.file_of(&declared.name).to_owned(),
                    differences: change,
                });
            }
            let old = [&data_source.rows, &data_source.quarantine];
            self.drop.extend(old.into_iter().filter(|table| tables.has(table)).cloned());
            self.create.extend(both_tables(data_source));
        } else {
            self.create.extend(both_tables(data_source).into_iter().filter(|(name, _)| !tables.has(name)));
        }
        Ok(())
    }

    /// Resources whose files are gone: the record says so, tables stay.
    fn note_gone(&mut self, candidate: &Candidate, stored: &[StoredResource]) {
        let declared: HashSet<_> =
            candidate.resources.iter().map(|resource| (resource.kind, resource.name.as_str())).collect();
        let live = stored.iter().filter(|resource| resource.state == ResourceState::Live);
        for gone in live.filter(|resource| !declared.contains(&(resource.kind, resource.name.as_str()))) {
            self.warnings.push(match gone.kind {
                ResourceKind::Datasource => format!(
                    "the file of the data source `{0}` is gone: it takes no more events, its table and its rows are kept",
                    gone.name
                ),
                ResourceKind::Pipe => {
                    format!("the file of the pipe `{}` is gone: its endpoint answers 404 from now on", gone.name)
                }
            });
            self.records.push(StoredResource { state: ResourceState::Gone, ..gone.clone() });
        }
    }
}

fn both_tables(data_source: &DataSource) -> [(TableName, Table); 2] {
    let quarantine = quarantine::table(&data_source.table.columns);
    [(data_source.rows.clone(), data_source.table.clone()), (data_source.quarantine.clone(), quarantine)]
}

/// How the table on disk differs from the declared one; `None` where it does not, or is not there.
fn storage_change(
    data_source: &DataSource,
    before: Option<&StoredResource>,
    tables: &Tables,
) -> Result<Option<String>, DeployError> {
    let Some(before) = before else {
        let unrecorded = "the table is there, but Roost has no record of having made it".to_owned();
        return Ok(tables.has(&data_source.rows).then_some(unrecorded));
    };
    let unreadable = |error: serde_json::Error| DeployError::Record {
        data_source: before.name.clone(),
        reason: error.to_string(),
    };
    let old: Table = serde_json::from_str(&before.definition).map_err(unreadable)?;
    // JSON paths are Roost's own business: only what ClickHouse was told counts.
    if ddl::create_table(&data_source.rows, &old) == ddl::create_table(&data_source.rows, &data_source.table)
    {
        return Ok(None);
    }
    let changes = difference::differences(&old, &data_source.table);
    let lines: Vec<String> = changes.iter().map(|change| format!("  - {change}")).collect();
    Ok(Some(lines.join("\n")))
}
