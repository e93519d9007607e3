//! Which rows of a data source are to be deleted, as a caller says it: parsed, and not yet looked at by
//! the engine.

use super::IngestError;
use super::delivery::{Condition, Side};
use crate::sql::RowFilter;

/// Bytes of a condition.
const MAX_CONDITION_BYTES: usize = 100_000;

/// Rows of one data source that are to be deleted. Only [`super::Ingest`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// The data source.
    pub(super) data_source: String,
    pub(super) side: Side,
    pub(super) condition: Condition,
}

impl Deletion {
    /// The data source, or its quarantine, as it was named.
    pub fn name(&self) -> String {
        self.side.name(&self.data_source)
    }

    /// The condition, as it was written but for space around it.
    pub fn condition(&self) -> &str {
        self.condition.filter.as_str()
    }

    /// The partition that it keeps to.
    pub fn partition(&self) -> Option<&str> {
        self.condition.partition.as_deref()
    }
}

impl Condition {
    /// Reads what a caller sent: one expression over the columns of one row.
    pub(super) fn parse(text: &str, partition: Option<&str>) -> Result<Self, IngestError> {
        if text.len() > MAX_CONDITION_BYTES {
            let reason = format!("it has {} bytes, and the limit is {MAX_CONDITION_BYTES}", text.len());
            return Err(IngestError::ConditionRefused { reason });
        }
        let refused =
            |error: crate::sql::error::SqlError| IngestError::ConditionRefused { reason: error.to_string() };
        let filter = RowFilter::parse(text).map_err(refused)?;
        Ok(Self { filter, partition: partition.map(str::to_owned) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Condition::parse(text, None).unwrap_err().to_string()
    }

    #[test]
    fn a_condition_is_one_expression_over_the_columns_of_a_row() {
        let condition = Condition::parse(" country = 'ES' -- gone", Some("202401")).unwrap();
        assert_eq!(condition.filter.as_str(), "country = 'ES'");
        assert_eq!(condition.partition.as_deref(), Some("202401"));
    }

    #[test]
    fn what_is_more_than_an_expression_is_refused() {
        for text in ["", "1) OR (1", "a = 1; DROP TABLE x", "a = 1 SETTINGS x = 1", "a = 'x"] {
            assert!(refusal(text).starts_with("the condition cannot be used: "), "{text}");
        }
        assert_eq!(
            refusal("id IN (SELECT id FROM others)"),
            "the condition cannot be used: a row filter cannot read 'others'"
        );
    }

    #[test]
    fn a_condition_has_a_limit() {
        let text = |bytes: usize| format!("a = '{}'", "x".repeat(bytes - 6));
        assert!(Condition::parse(&text(MAX_CONDITION_BYTES), None).is_ok());
        assert!(
            refusal(&text(MAX_CONDITION_BYTES + 1)).contains("it has 100001 bytes, and the limit is 100000")
        );
    }
}
