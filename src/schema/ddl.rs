//! `CREATE TABLE`, as text that ClickHouse reads.

use std::fmt::{self, Write};

use super::engine::KeyStyle;
use super::quoting;
use super::table::{Index, Table};
use super::{Column, DataType};

/// The full name of a table in ClickHouse; prints quoted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName {
    database: Box<str>,
    table: Box<str>,
}

impl TableName {
    /// A table of a database, both names unquoted.
    pub fn new(database: impl Into<Box<str>>, table: impl Into<Box<str>>) -> Self {
        Self { database: database.into(), table: table.into() }
    }

    /// The database, unquoted.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The table in it, unquoted.
    pub fn table(&self) -> &str {
        &self.table
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", quoting::identifier(&self.database), quoting::identifier(&self.table))
    }
}

/// The statement that makes a table, with the settings that every table gets; one line per column.
pub fn create_table(name: &TableName, table: &Table) -> String {
    let columns = table.columns.iter().map(column);
    let lines: Vec<String> = columns.chain(table.indexes.iter().map(index)).collect();
    let mut statement = format!("CREATE TABLE {name}\n(\n    {}\n)\nENGINE = ", lines.join(",\n    "));
    // Writing to a text cannot fail.
    let _ = table.engine.write_clauses(&mut statement, KeyStyle::Bare);
    let settings: Vec<String> = table.engine.effective_settings().iter().map(ToString::to_string).collect();
    if !settings.is_empty() {
        let _ = write!(statement, "\nSETTINGS {}", settings.join(", "));
    }
    statement
}

/// A column as it stands in `CREATE TABLE` and `ALTER TABLE ... ADD COLUMN`.
pub fn column(column: &Column) -> String {
    let mut line = quoting::identifier(column.name.as_str());
    if let Some(data_type) = &column.data_type {
        let _ = write!(line, " {data_type}");
    }
    if let Some(default) = default_expression(column) {
        let _ = write!(line, " DEFAULT {default}");
    }
    if let Some(codec) = &column.codec {
        let _ = write!(line, " CODEC({codec})");
    }
    line
}

/// The default of a column. ClickHouse reads no date from `''`, which real projects mean as "none":
/// it becomes the epoch.
fn default_expression(column: &Column) -> Option<&str> {
    let default = column.default.as_deref()?;
    let date = column.data_type.as_ref().is_some_and(DataType::is_date);
    Some(if date && default.trim() == "''" { "0" } else { default })
}

/// An index as it stands in `CREATE TABLE` and `ALTER TABLE ... ADD`.
pub fn index(index: &Index) -> String {
    let Index { name, expression, index_type, granularity } = index;
    let mut line = format!("INDEX {} {expression} TYPE {index_type}", quoting::identifier(name));
    if let Some(granularity) = granularity {
        let _ = write!(line, " GRANULARITY {granularity}");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::expression::Expression;
    use crate::schema::{ColumnName, Engine};

    fn declared(name: &str, data_type: Option<&str>, default: Option<&str>, codec: Option<&str>) -> Column {
        Column {
            name: ColumnName::new(name),
            data_type: data_type.map(|text| DataType::parse(text).unwrap()),
            json_path: None,
            default: default.map(Into::into),
            codec: codec.map(Into::into),
        }
    }

    #[test]
    fn a_table_is_made_with_all_its_parts_in_order() {
        let expression = |text| Expression::parse(text).unwrap();
        let table = Table {
            columns: vec![
                declared("a`b", Some("Int32"), None, Some("Delta, ZSTD(3)")),
                declared("d", Some("Nullable(DateTime)"), Some("''"), None),
                declared("n", None, Some("a + 1"), None),
            ],
            engine: Engine {
                partition_key: Some(expression("toYYYYMM(d)")),
                ttl: Some(expression("d + toIntervalDay(30)")),
                ..Engine::merge_tree(Some(expression("n, d")))
            },
            indexes: vec![Index {
                name: "by_n".into(),
                expression: expression("n"),
                index_type: expression("minmax"),
                granularity: Some(4),
            }],
        };
        insta::assert_snapshot!(create_table(&TableName::new("d_1", "t\\1"), &table), @r"
        CREATE TABLE `d_1`.`t\\1`
        (
            `a\`b` Int32 CODEC(Delta, ZSTD(3)),
            `d` Nullable(DateTime) DEFAULT 0,
            `n` DEFAULT a + 1,
            INDEX `by_n` n TYPE minmax GRANULARITY 4
        )
        ENGINE = MergeTree PARTITION BY toYYYYMM(d) ORDER BY (n, d) TTL d + toIntervalDay(30)
        SETTINGS old_parts_lifetime = 480, max_suspicious_broken_parts = 1000000, max_suspicious_broken_parts_bytes = 1000000000000, allow_nullable_key = 1, ttl_only_drop_parts = 1
        ");
    }

    #[test]
    fn a_table_that_keeps_nothing_has_no_settings() {
        let mut options = crate::schema::EngineOptions::default();
        options.set(crate::schema::EngineOption::Engine, "Null");
        let columns = vec![declared("a", Some("Int32"), None, None)];
        let engine = Engine::parse(&options, &columns).unwrap();
        let table = Table { columns, engine, indexes: Vec::new() };
        assert!(create_table(&TableName::new("d", "t"), &table).ends_with("ENGINE = Null"));
    }
}
