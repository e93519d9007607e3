//! Row filters: conditions that are added to every read of a table.

use super::error::{Situation, SqlError};
use super::gate::{Constancy, functions};
use super::quote;
use super::scan::Scanner;
use crate::syntax::Span;

/// One expression over the columns of one table, safe to stand in parentheses.
///
/// Every column of [`Self::columns`] must exist in the table: `ClickHouse` takes a missing one from
/// the aliases of the query around it, which its author chooses.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RowFilter {
    text: String,
    columns: Vec<String>,
    constancy: Constancy,
}

impl RowFilter {
    /// Reads a condition; it may read no table and call no function that looks at the server.
    pub fn parse(text: &str) -> Result<Self, SqlError> {
        let mut scanner = Scanner::new(text)?;
        let start = scanner.cursor.span().start;
        scanner.condition()?;
        if !scanner.cursor.is_at_end() {
            return Err(scanner.cursor.unexpected("the end of the filter"));
        }
        let body = Span::new(start, scanner.cursor.end());
        let scan = scanner.finish();
        let reads = scan.tables.iter().map(|table| table.span);
        let reads = reads.chain(scan.table_functions.iter().map(|function| function.span));
        let reads = reads.chain(scan.settings).chain(scan.lambdas.iter().map(|lambda| lambda.span)).min();
        if let Some(span) = reads {
            return Err(SqlError::new(span, Situation::FilterReads { found: span.of(text).to_owned() }));
        }
        if let Some(problem) = scan.functions.iter().find_map(functions::problem) {
            return Err(problem);
        }
        let constancy = Constancy::of(&scan.functions, &[]);
        let columns = scan.names.iter().filter_map(|span| quote::unquoted_name(span.of(text))).collect();
        Ok(Self { text: body.of(text).to_owned(), columns, constancy })
    }

    /// The columns it needs, unquoted, in the order of the text.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The filter of the rows that both let through.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.text = format!("({}) AND ({})", self.text, other.text);
        self.columns.extend(other.columns);
        self.constancy = self.constancy.and(other.constancy);
        self
    }

    /// Whether it lets the same rows through at any time.
    pub fn constancy(&self) -> Constancy {
        self.constancy
    }

    /// The condition.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_over_columns_is_a_filter() {
        for text in
            ["tenant = 'a'", "a == 1 AND b IN (1, 2) -- only these", "(x) OR y LIKE '%'", "has([1, 2], id)"]
        {
            let filter = RowFilter::parse(text).unwrap();
            assert!(!filter.as_str().contains("--"), "{text}");
        }
    }

    #[test]
    fn a_filter_says_which_columns_it_needs() {
        let filter =
            RowFilter::parse("a = 'b' AND `c d` IN (1, e.f) OR lower(\"g\") = lower(h) AND i IS NULL")
                .unwrap();
        assert_eq!(filter.columns(), ["a", "c d", "e", "g", "h", "i"]);
    }

    #[test]
    fn two_filters_hold_together() {
        let both = RowFilter::parse("a = 1 OR b = 2").unwrap().and(RowFilter::parse("c = 3").unwrap());
        assert_eq!(both.as_str(), "(a = 1 OR b = 2) AND (c = 3)");
        assert_eq!(both.columns(), ["a", "b", "c"]);
        assert_eq!(RowFilter::parse(both.as_str()).unwrap(), both, "what comes out is a filter again");
    }

    #[test]
    fn a_text_that_leaves_its_parentheses_or_reads_is_none() {
        for (text, message) in [
            ("1) OR (1", "expected the end of the filter, found ')'"),
            ("1 /*", "the comment is not closed"),
            ("a = 'x", "the text is not closed"),
            ("", "expected an expression, found the end"),
            ("a = 1; SELECT 1", "expected the end of the filter, found ';'"),
            ("a, b", "expected the end of the filter, found ','"),
            ("a = 1 SETTINGS x = 1", "expected the end of the filter, found 'SETTINGS'"),
            ("a IN secrets", "a row filter cannot read 'secrets'"),
            ("a IN (SELECT b FROM secrets)", "a row filter cannot read 'secrets'"),
            ("a IN (SELECT number FROM numbers(2))", "a row filter cannot read 'numbers'"),
            ("file('/etc/passwd') = ''", "the function 'file' is not allowed"),
        ] {
            assert_eq!(RowFilter::parse(text).unwrap_err().to_string(), message, "{text}");
        }
    }
}
