//! Columns: name, type, where their value stands in a JSON event, and what fills a gap.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{DataType, JsonPath};

/// The name of a column, without quotes: letters, digits, `_`, `.` and whatever else stood inside
/// backticks. Printed with [`fmt::Display`] as is; DDL quotes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ColumnName(Box<str>);

impl ColumnName {
    /// Takes a name that a parser has already cut out of its quotes.
    pub fn new(name: impl Into<Box<str>>) -> Self {
        Self(name.into())
    }

    /// The bare text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ColumnName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// One column of a data source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: ColumnName,
    /// Its type; `None` where only a DEFAULT is given and ClickHouse infers the type from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_type: Option<DataType>,
    /// Where its value stands in an event; `None` in tables that are not fed with JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json_path: Option<JsonPath>,
    /// The SQL expression that fills a missing value, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Box<str>>,
    /// What stood between the parentheses of `CODEC(...)`, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec: Option<Box<str>>,
}
