//! The plan of a table: everything about its columns that can be decided before an event comes.
//!
//! In: the columns of a data source.  Out: [`RowPlan`], made once per schema, read by any number
//! of requests at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::block::Layout;
use super::body::{self, BodyError, BodyFormat, DecodedBody, Limits};
use super::cell::{Cell, Unfillable};
use super::json::{JsonText, JsonValue};
use super::literal::literal_to_json;
use super::paths::PathTree;
use super::quarantine::QuarantinePlan;
use crate::schema::{Column, ColumnName, DataType};

/// How events become rows of one table.
#[derive(Debug)]
pub struct RowPlan {
    pub(super) columns: Vec<PlannedColumn>,
    pub(super) paths: PathTree,
    pub(super) layout: Arc<Layout>,
    pub(super) quarantine: QuarantinePlan,
    /// Numbers of planned columns whose arrays must have the same length in each row.
    pub(super) parallel_arrays: Vec<Vec<usize>>,
    /// The number of all columns of the data source.
    pub(super) slots: usize,
}

/// A column that events fill.
#[derive(Debug)]
pub(super) struct PlannedColumn {
    pub(super) name: ColumnName,
    pub(super) data_type: DataType,
    /// Its place among all columns of the data source, those without a path included.
    pub(super) slot: usize,
    pub(super) cell: Cell,
    pub(super) absent: Absent,
}

/// What a row gets where its event holds no value.
#[derive(Debug)]
pub(super) enum Absent {
    /// The literal of the DEFAULT or NULL, encoded: one fragment per stream of the column.
    Literal(Vec<Vec<u8>>),
    /// Nothing: the row goes into a block without the column, and the engine computes its DEFAULT.
    Engine,
    /// Nothing at all: the row goes to quarantine.
    Refuse,
}

/// Why events cannot be turned into rows of a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A table that only materializations, copies or CSV files fill.
    #[error(
        "no column has a JSON path, so events cannot fill the data source: add `json:$.<key>` to its columns"
    )]
    NoJsonPath,
    /// Only a DEFAULT is given; ClickHouse has not been asked yet which type it has.
    #[error("column '{0}' has a JSON path but no type: add its type to the schema")]
    NoType(ColumnName),
    /// A type that events cannot hold.
    #[error("column '{column}': {reason}")]
    Type {
        /// The column.
        column: ColumnName,
        /// What is wrong with its type.
        reason: Unfillable,
    },
}

impl RowPlan {
    /// Compiles the plan of a data source. Columns without a JSON path are left to the engine.
    pub fn new(columns: &[Column]) -> Result<Self, PlanError> {
        let mut layout = Layout::default();
        let mut paths = PathTree::default();
        let mut planned = Vec::new();
        for (slot, column) in columns.iter().enumerate() {
            let Some(path) = &column.json_path else { continue };
            paths.add(path, slot);
            planned.push(PlannedColumn::new(column, slot, &mut layout)?);
        }
        if planned.is_empty() {
            return Err(PlanError::NoJsonPath);
        }
        Ok(Self {
            parallel_arrays: parallel_arrays(&planned),
            columns: planned,
            paths,
            layout: Arc::new(layout),
            quarantine: QuarantinePlan::new(columns)?,
            slots: columns.len(),
        })
    }

    /// Decodes the body of a request; an error means that nothing of it may be stored.
    pub fn decode(&self, body: &[u8], format: BodyFormat, limits: &Limits) -> Result<DecodedBody, BodyError> {
        body::decode(self, body, format, limits)
    }
}

impl PlannedColumn {
    fn new(column: &Column, slot: usize, layout: &mut Layout) -> Result<Self, PlanError> {
        let name = column.name.clone();
        let data_type = column.data_type.clone().ok_or_else(|| PlanError::NoType(name.clone()))?;
        let cell = layout
            .add(name.clone(), &data_type)
            .map_err(|reason| PlanError::Type { column: name.clone(), reason })?;
        let implied = cell.takes_null().then_some("NULL");
        let absent = match column.default.as_deref().or(implied) {
            Some(expression) => default_value(expression, &data_type, &cell, layout),
            None => Absent::Refuse,
        };
        Ok(Self { name, data_type, slot, cell, absent })
    }

    /// The value of the column in an event; a NULL that it cannot hold counts as none.
    pub(super) fn given<'a>(&self, slots: &[Option<JsonText<'a>>]) -> Option<JsonText<'a>> {
        slots[self.slot].filter(|value| self.cell.takes_null() || !value.is_null())
    }
}

/// Finds the array columns that ClickHouse takes for parts of one `Nested` by their names: of `n.a`
/// and `n.b`, it accepts only arrays of the same length.
fn parallel_arrays(columns: &[PlannedColumn]) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (number, column) in columns.iter().enumerate() {
        if let (Cell::Array { .. }, Some((table, _))) = (&column.cell, column.name.as_str().split_once('.')) {
            groups.entry(table).or_default().push(number);
        }
    }
    groups.into_values().filter(|columns| columns.len() > 1).collect()
}

/// Encodes a DEFAULT once, by the rules for events. Where these refuse it (`''` for a date) or
/// could differ from a cast of the literal (`1.50` as text), the engine computes it for each row.
fn default_value(expression: &str, data_type: &DataType, cell: &Cell, layout: &Layout) -> Absent {
    encode_literal(expression, data_type, cell, layout).map_or(Absent::Engine, Absent::Literal)
}

fn encode_literal(
    expression: &str,
    data_type: &DataType,
    cell: &Cell,
    layout: &Layout,
) -> Option<Vec<Vec<u8>>> {
    let json = literal_to_json(expression)?;
    let value = JsonText::parse(&json).ok()?.read()?;
    let keeps_text = matches!(data_type.plain(), DataType::String | DataType::FixedString(_));
    if keeps_text && !matches!(value, JsonValue::Text(_) | JsonValue::Null) {
        return None;
    }
    let mut streams = layout.empty_streams();
    cell.write(&value, &mut streams).ok()?;
    Some(streams.split_off(layout.last_streams().start))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::column;
    use super::*;

    fn refusal(columns: &[&str]) -> String {
        let columns: Vec<Column> = columns.iter().map(|text| column(text)).collect();
        RowPlan::new(&columns).unwrap_err().to_string()
    }

    #[test]
    fn tables_that_events_cannot_fill_are_refused_with_the_column() {
        assert_eq!(
            refusal(&["id | UInt32"]),
            "no column has a JSON path, so events cannot fill the data source: add `json:$.<key>` to its columns"
        );
        assert_eq!(
            refusal(&["id | UInt32 | $.id", "hits | AggregateFunction(count) | $.hits"]),
            "column 'hits': events cannot hold values of type AggregateFunction(count): remove the JSON path or change the type"
        );
        assert_eq!(
            refusal(&["at | Array(DateTime('Mars/Olympus')) | $.at"]),
            "column 'at': time zone 'Mars/Olympus' is not known"
        );
    }

    #[test]
    fn a_column_without_a_type_may_only_be_left_to_the_engine() {
        let untyped = |json_path| Column { data_type: None, json_path, ..column("at | UInt8 | | now()") };
        let path = crate::schema::JsonPath::parse("$.at").unwrap();
        let refused = RowPlan::new(&[untyped(Some(path))]);
        assert_eq!(refused.unwrap_err(), PlanError::NoType(ColumnName::new("at")));
        assert!(RowPlan::new(&[column("id | UInt32 | $.id"), untyped(None)]).is_ok());
    }

    #[test]
    fn defaults_that_the_rules_for_events_would_change_are_left_to_the_engine() {
        let absent = |text| RowPlan::new(&[column(text)]).unwrap().columns.remove(0).absent;
        for text in [
            "x | String | $.x | 1.50",
            "x | Date | $.x | ''",
            "x | UInt8 | $.x | NULL",
            "x | UInt8 | $.x | 1 + 1",
        ] {
            assert!(matches!(absent(text), Absent::Engine), "{text}");
        }
        assert!(matches!(absent("x | UInt8 | $.x"), Absent::Refuse));
        assert!(matches!(absent("x | String | $.x | '1.50'"), Absent::Literal(_)));
    }
}
