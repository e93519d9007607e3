//! What may not stand in a sorting key.

use super::{Engine, EngineError, EngineFamily, EngineOption, EngineProblem};
use crate::schema::Column;

/// Functions that make one value of many rows, as Tinybird lists them; their `-Merge` forms too.
const AGGREGATES: &[&str] =
    &["sum", "count", "avg", "min", "max", "any", "grouparray", "groupuniqarray", "uniq"];

impl Engine {
    /// The problems of the sorting key. Names that are no columns are left to ClickHouse.
    pub(super) fn sorting_key_errors(&self, columns: &[Column]) -> Vec<EngineError> {
        let Some(key) = &self.sorting_key else { return Vec::new() };
        let names = key.names();
        let sorted_by = columns.iter().filter(|column| names.iter().any(|name| name == column.name.as_str()));
        let calls = key.calls();
        let aggregates = calls.iter().filter(|call| is_aggregate(call.function));
        let aggregates = aggregates.map(|call| EngineProblem::AggregateInSortingKey(call.text.to_owned()));
        let version = self.version_problem(&names);
        let problems = version.into_iter().chain(aggregates).chain(sorted_by.filter_map(column_problem));
        problems.map(|problem| EngineError { option: EngineOption::SortingKey, problem }).collect()
    }

    /// Compares identifiers; Tinybird looks for the bare text and so refuses `ver` inside `server`.
    fn version_problem(&self, names: &[String]) -> Option<EngineProblem> {
        let EngineFamily::Replacing { version: Some(version) } = &self.family else { return None };
        let sorted_by = names.iter().any(|name| name == version.ver.as_str());
        sorted_by.then(|| EngineProblem::VersionInSortingKey(version.ver.clone()))
    }
}

fn is_aggregate(function: &str) -> bool {
    let lower = function.to_ascii_lowercase();
    AGGREGATES.contains(&lower.strip_suffix("merge").unwrap_or(&lower))
}

fn column_problem(column: &Column) -> Option<EngineProblem> {
    let data_type = column.data_type.as_ref()?;
    if data_type.holds_aggregate() {
        Some(EngineProblem::StateInSortingKey(column.name.clone()))
    } else if data_type.holds_nullable() {
        Some(EngineProblem::NullableInSortingKey(column.name.clone()))
    } else {
        None
    }
}
