//! Table functions: an allow-list.

use super::super::error::{Situation, SqlError};
use super::super::scan::TableFunction;
use super::Purpose;

/// Table functions that make their rows up: Tinybird's list and the newer names of `numbers`.
const GENERATORS: &[&str] = &[
    "generateRandom",
    "generateSeries",
    "generate_series",
    "null",
    "numbers",
    "numbers_mt",
    "values",
    "zeros",
    "zeros_mt",
];

/// Table functions that Tinybird allows in copy pipes only.
const REMOTE: &[&str] =
    &["azureBlobStorage", "deltaLake", "gcs", "iceberg", "mongodb", "mysql", "postgresql", "s3", "url"];

const REFUSED: &str = include_str!("refused_table_functions.txt");

/// True for a table function that stands in one of the lists.
pub fn is_known(name: &str) -> bool {
    GENERATORS.contains(&name) || REMOTE.contains(&name) || REFUSED.lines().any(|refused| refused == name)
}

/// Table functions that are refused by name.
pub fn refused() -> impl Iterator<Item = &'static str> {
    REFUSED.lines().filter(|line| !line.starts_with('#'))
}

/// The reason to refuse a use.
pub(in crate::sql) fn problem(function: &TableFunction, purpose: Purpose) -> Option<SqlError> {
    let is_in = |list: &[&str]| list.iter().any(|name| name.eq_ignore_ascii_case(&function.name));
    let name = function.name.clone();
    let situation = match () {
        () if is_in(GENERATORS) => return None,
        () if is_in(REMOTE) && purpose == Purpose::Copy => return None,
        () if is_in(REMOTE) => Situation::TableFunctionOnlyInCopies { name },
        () => Situation::TableFunctionDisabled { name },
    };
    Some(SqlError::new(function.span, situation))
}
