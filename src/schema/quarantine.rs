//! The table that keeps the rows of a data source which did not fit.

use super::expression::Expression;
use super::table::Table;
use super::{Column, ColumnName, DataType, Engine};

/// What is appended to the name of a data source.
pub const SUFFIX: &str = "_quarantine";

/// Which columns of the row were wrong.
pub const ERROR_COLUMN: &str = "c__error_column";
/// What was wrong with them, in the same order.
pub const ERROR: &str = "c__error";
/// The job that the row came through, if any.
pub const IMPORT_ID: &str = "c__import_id";
/// When the row came.
pub const INSERTION_DATE: &str = "insertion_date";

/// The columns of the quarantine of a data source, in Tinybird's order: what was wrong, then every
/// value as received, then when.
///
/// A column of the data source that has one of the four names above is left out: the name is taken.
pub fn columns(of: &[Column]) -> Vec<Column> {
    let texts = DataType::Array(Box::new(DataType::String));
    let text = DataType::Nullable(Box::new(DataType::String));
    let taken = [ERROR_COLUMN, ERROR, IMPORT_ID, INSERTION_DATE];
    let copied = of.iter().filter(|column| !taken.contains(&column.name.as_str()));
    let before = [(ERROR_COLUMN, texts.clone()), (ERROR, texts), (IMPORT_ID, text.clone())];
    let mut columns: Vec<Column> =
        before.map(|(name, data_type)| plain(ColumnName::new(name), data_type)).into();
    columns.extend(copied.map(|column| plain(column.name.clone(), text.clone())));
    let mut arrival = plain(ColumnName::new(INSERTION_DATE), DataType::DateTime { zone: None });
    arrival.default = Some("now()".into());
    columns.push(arrival);
    columns
}

/// The quarantine table of a data source with these columns: monthly partitions, kept for 30 days.
pub fn table(of: &[Column]) -> Table {
    let sql = |text: &str| Expression::parse(text).ok();
    let engine = Engine {
        partition_key: sql("toYYYYMM(insertion_date)"),
        ttl: sql("insertion_date + toIntervalDay(30)"),
        ..Engine::merge_tree(sql(INSERTION_DATE))
    };
    Table { columns: columns(of), engine, indexes: Vec::new() }
}

fn plain(name: ColumnName, data_type: DataType) -> Column {
    Column { name, data_type: Some(data_type), json_path: None, default: None, codec: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::ddl::{TableName, create_table};

    #[test]
    fn every_value_is_kept_as_received() {
        let of = [
            plain(ColumnName::new("ts"), DataType::Date),
            plain(ColumnName::new("tags"), DataType::Array(Box::new(DataType::String))),
            plain(ColumnName::new(INSERTION_DATE), DataType::Date),
        ];
        insta::assert_snapshot!(create_table(&TableName::new("d", "t_quarantine"), &table(&of)), @"
        CREATE TABLE `d`.`t_quarantine`
        (
            `c__error_column` Array(String),
            `c__error` Array(String),
            `c__import_id` Nullable(String),
            `ts` Nullable(String),
            `tags` Nullable(String),
            `insertion_date` DateTime DEFAULT now()
        )
        ENGINE = MergeTree PARTITION BY toYYYYMM(insertion_date) ORDER BY insertion_date TTL insertion_date + toIntervalDay(30)
        SETTINGS old_parts_lifetime = 480, max_suspicious_broken_parts = 1000000, max_suspicious_broken_parts_bytes = 1000000000000, allow_nullable_key = 1, ttl_only_drop_parts = 1
        ");
    }
}
