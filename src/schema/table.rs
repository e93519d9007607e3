//! Tables: columns, engine and indexes together.

use serde::{Deserialize, Serialize};

use super::expression::Expression;
use super::{Column, ColumnName, DataType, Engine};

/// The definition of a table, checked.
///
/// Its serde form is stable: equal definitions give equal JSON, so that it can be hashed, kept
/// beside the data and compared with what a later start declares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// The columns, in order.
    pub columns: Vec<Column>,
    /// The engine with its keys.
    pub engine: Engine,
    /// The data-skipping indexes, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<Index>,
}

impl Table {
    /// The column of a name.
    pub fn column(&self, name: &ColumnName) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == *name)
    }
}

/// A data-skipping index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Its name.
    pub name: Box<str>,
    /// What it covers.
    pub expression: Expression,
    /// Its type with arguments: `minmax`, `ngrambf_v1(3, 256, 2, 0)`.
    pub index_type: Expression,
    /// How many granules one entry covers; `None` leaves it to ClickHouse.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub granularity: Option<u32>,
}

/// Why an index cannot be made. Texts are Tinybird's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// An index type other than the five that are allowed.
    #[error("Not allowed index '{0}'")]
    Type(String),
    /// An index type that cannot cover a column of this type.
    #[error("Not allowed data type '{data_type}' for index '{index_type}'")]
    DataType {
        /// The type of the column.
        data_type: Box<DataType>,
        /// The type of the index.
        index_type: String,
    },
}

/// The index types that Tinybird allows.
const INDEX_TYPES: &[&str] = &["minmax", "set", "bloom_filter", "ngrambf_v1", "tokenbf_v1"];

impl Index {
    /// Checks the type of the index against the column that it covers; an expression over columns
    /// is left to ClickHouse.
    pub fn check(&self, columns: &[Column]) -> Result<(), IndexError> {
        let index_type = self.index_type.as_str();
        let Some(family) = INDEX_TYPES.iter().find(|known| index_type.contains(**known)) else {
            return Err(IndexError::Type(index_type.to_owned()));
        };
        let Some(data_type) = self.covered(columns) else { return Ok(()) };
        let fits = match *family {
            "bloom_filter" => fits_bloom_filter(data_type),
            "ngrambf_v1" => {
                matches!(data_type, DataType::String | DataType::FixedString(_) | DataType::Map(..))
            }
            _ => true,
        };
        let refusal = || IndexError::DataType {
            data_type: Box::new(data_type.clone()),
            index_type: index_type.to_owned(),
        };
        if fits { Ok(()) } else { Err(refusal()) }
    }

    /// The type of the column that the index covers, where it covers a bare column.
    fn covered<'a>(&self, columns: &'a [Column]) -> Option<&'a DataType> {
        let tokens = self.expression.tokens();
        let [token] = tokens.as_slice() else { return None };
        let name = token.name()?;
        columns.iter().find(|column| column.name.as_str() == name)?.data_type.as_ref()
    }
}

fn fits_bloom_filter(data_type: &DataType) -> bool {
    data_type.is_date()
        || matches!(
            data_type,
            DataType::Int(_)
                | DataType::UInt(_)
                | DataType::Float32
                | DataType::Float64
                | DataType::Enum { .. }
                | DataType::String
                | DataType::FixedString(_)
                | DataType::Array(_)
                | DataType::LowCardinality(_)
                | DataType::Nullable(_)
                | DataType::Uuid
                | DataType::Map(..)
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(column_type: &str, index_type: &str) -> String {
        let column = Column {
            name: ColumnName::new("a"),
            data_type: Some(DataType::parse(column_type).unwrap()),
            json_path: None,
            default: None,
            codec: None,
        };
        let index = Index {
            name: "i".into(),
            expression: Expression::parse("a").unwrap(),
            index_type: Expression::parse(index_type).unwrap(),
            granularity: None,
        };
        index.check(&[column]).map_or_else(|error| error.to_string(), |()| "ok".to_owned())
    }

    #[test]
    fn a_definition_has_one_stable_form_and_reads_back() {
        let mut options = crate::schema::EngineOptions::default();
        options.set(crate::schema::EngineOption::Engine, "ReplacingMergeTree");
        options.set(crate::schema::EngineOption::SortingKey, "a");
        options.set(crate::schema::EngineOption::Ver, "b");
        options.set(crate::schema::EngineOption::Settings, "x = 1, y = 1.5, z = 'w', v = true");
        let column = |name: &str, data_type: &str| Column {
            name: ColumnName::new(name),
            data_type: DataType::parse(data_type).ok(),
            json_path: crate::schema::JsonPath::parse("$.a.b").ok(),
            default: Some("1".into()),
            codec: None,
        };
        let columns = vec![column("a", "Enum8('x' = 1)"), column("b", "LowCardinality(Nullable(String))")];
        let engine = Engine::parse(&options, &columns).unwrap();
        let table = Table { columns, engine, indexes: Vec::new() };
        let text = serde_json::to_string(&table).unwrap();
        insta::assert_snapshot!(text, @r#"{"columns":[{"name":"a","data_type":"Enum8('x' = 1)","json_path":"$.a.b","default":"1"},{"name":"b","data_type":"LowCardinality(Nullable(String))","json_path":"$.a.b","default":"1"}],"engine":{"family":{"Replacing":{"version":{"ver":"b"}}},"sorting_key":"a","settings":[{"name":"x","value":1},{"name":"y","value":{"number":"1.5"}},{"name":"z","value":"w"},{"name":"v","value":true}]}}"#);
        assert_eq!(serde_json::from_str::<Table>(&text).unwrap(), table);
    }

    #[test]
    fn indexes_are_checked_against_the_column_they_cover() {
        assert_eq!(check("Int32", "minmax"), "ok");
        assert_eq!(check("UUID", "bloom_filter(0.01)"), "ok");
        assert_eq!(check("JSON", "bloom_filter"), "Not allowed data type 'JSON' for index 'bloom_filter'");
        assert_eq!(
            check("Int32", "ngrambf_v1(3, 256, 2, 0)"),
            "Not allowed data type 'Int32' for index 'ngrambf_v1(3, 256, 2, 0)'"
        );
        assert_eq!(check("Int32", "hypothesis"), "Not allowed index 'hypothesis'");
    }
}
