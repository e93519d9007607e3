//! The columns that the Kafka connector fills besides those of the message.

use super::{Column, ColumnName, DataType};

/// Their names and types, in Tinybird's order.
const METADATA: [(&str, &str); 7] = [
    ("__value", "String"),
    ("__topic", "LowCardinality(String)"),
    ("__partition", "Int16"),
    ("__offset", "Int64"),
    ("__timestamp", "DateTime"),
    ("__key", "String"),
    ("__headers", "Map(String, String)"),
];

/// All metadata columns, `__headers` last.
pub fn metadata_columns() -> impl Iterator<Item = Column> {
    METADATA.into_iter().map(|(name, data_type)| Column {
        name: ColumnName::new(name),
        data_type: DataType::parse(data_type).ok(),
        json_path: None,
        default: None,
        codec: None,
    })
}

/// True for the name of a metadata column.
pub fn is_metadata(name: &ColumnName) -> bool {
    METADATA.iter().any(|(known, _)| *known == name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metadata_column_has_its_type() {
        assert!(metadata_columns().all(|column| column.data_type.is_some() && is_metadata(&column.name)));
    }
}
