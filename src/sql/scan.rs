//! Finds where table names stand in `ClickHouse` SQL.
//!
//! In: one text.  Out: a [`Scan`]: the tables it reads with their places, table functions,
//! functions, dictionaries, SETTINGS.  Promise: fails closed (what is not understood where a table
//! may stand is an error), and reads names as `ClickHouse` 26.7 does: common table expressions,
//! aliases and lambda parameters are told apart from tables.  Depth is limited.
//! Not here: which tables exist, what is allowed.  May use: `lexer`, `quote`, `token`, `error`.

mod call;
mod clause;
mod cursor;
mod expression;
mod operand;
mod scope;
mod select;
mod source;
mod words;

use std::fmt;
use std::ops::Range;

use self::cursor::Cursor;
use self::expression::InKeyword;
use self::scope::Scopes;
use super::error::{Situation, SqlError};
use crate::syntax::Span;

/// How deep parentheses, subqueries and functions may stand inside each other.
pub const MAX_DEPTH: usize = 128;

/// What a text reads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scan {
    /// Tables, in the order of their places; names of common table expressions are not among them.
    pub tables: Vec<TableReference>,
    /// Uses of table functions.
    pub table_functions: Vec<TableFunction>,
    /// Calls of functions, and functions passed by name to other functions.
    pub functions: Vec<FunctionUse>,
    /// Uses of dictionaries.
    pub dictionaries: Vec<DictionaryUse>,
    /// Names that stand for columns, aliases or lambda parameters; of `a.b` the `a`.
    pub names: Vec<Span>,
    /// SETTINGS clauses, the word included.
    pub settings: Vec<Span>,
    /// The table that leads the query: the leftmost one of its outermost FROM, looked for inside
    /// subqueries and common table expressions. Rows that arrive there set off a materialized view.
    pub leading: Option<TableName>,
    /// UNION, INTERSECT and EXCEPT between the outermost SELECTs.
    pub set_operations: Vec<Span>,
    /// Lambdas with an alias: in `ClickHouse` they replace the function of that name everywhere below.
    pub lambdas: Vec<NamedLambda>,
}

/// A table name as written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName {
    /// What stands before the dot.
    pub database: Option<String>,
    /// The name, unquoted.
    pub table: String,
}

impl fmt::Display for TableName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(database) = &self.database {
            write!(out, "{database}.")?;
        }
        out.write_str(&self.table)
    }
}

/// One use of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableReference {
    /// The bytes that name the table, parentheses on the right of IN included.
    pub span: Span,
    /// The name.
    pub name: TableName,
    /// Where it stands.
    pub place: Place,
}

/// Where a table name stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In FROM or JOIN.
    From {
        /// Whether an alias follows.
        alias: Alias,
        /// `FINAL`, `SAMPLE …` or both.
        modifiers: Option<Span>,
    },
    /// On the right of IN.
    Set,
    /// The first argument of `joinGet`.
    JoinGet,
}

/// Whether a table has an alias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alias {
    /// `name AS alias` or `name alias`.
    Given,
    /// The name alone.
    Absent,
}

/// One use of a table function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFunction {
    /// The name as written.
    pub name: String,
    /// The bytes of the name.
    pub span: Span,
    /// The arguments with their parentheses.
    pub arguments: Span,
}

/// One use of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionUse {
    /// The name, unquoted.
    pub name: String,
    /// The bytes of the name.
    pub span: Span,
}

/// One use of a dictionary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DictionaryUse {
    /// The name, where it is a literal.
    pub name: Option<String>,
    /// The bytes of the first argument.
    pub span: Span,
}

/// A lambda with an alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedLambda {
    /// The alias.
    pub name: String,
    /// The bytes of the alias.
    pub span: Span,
}

/// Reads one text from left to right.
pub(super) struct Scanner<'a> {
    pub(super) cursor: Cursor<'a>,
    scopes: Scopes,
    found: Scan,
    depth: usize,
    /// The table that leads the query or source that was read last.
    leading: Option<TableName>,
    /// The tables that lead the common table expressions read so far, the latest last.
    leading_of_common_tables: Vec<(String, Option<TableName>)>,
    /// In a later SELECT of a UNION: the bindings that it has from the first one if it has no WITH.
    inherited: Option<Range<usize>>,
}

impl<'a> Scanner<'a> {
    /// Fails on the first token that is broken in itself.
    pub(super) fn new(text: &'a str) -> Result<Self, SqlError> {
        let cursor = Cursor::new(text)?;
        Ok(Self {
            cursor,
            scopes: Scopes::new(),
            found: Scan::default(),
            depth: 0,
            leading: None,
            leading_of_common_tables: Vec::new(),
            inherited: None,
        })
    }

    /// Reads one expression without an alias.
    pub(super) fn condition(&mut self) -> Result<(), SqlError> {
        self.bare_expression(InKeyword::Operator).map(|_| ())
    }

    /// What was found, in the order of the text.
    pub(super) fn finish(mut self) -> Scan {
        self.close_select();
        let mut found = self.found;
        found.leading = self.leading;
        found.tables.sort_by_key(|table| table.span);
        found
    }

    /// One level deeper.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, SqlError>) -> Result<T, SqlError> {
        if self.depth == MAX_DEPTH {
            return Err(SqlError::new(self.cursor.span(), Situation::NestedTooDeep { limit: MAX_DEPTH }));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Decides which names on the right of IN are tables: those that no alias of their SELECT explains.
    fn close_select(&mut self) {
        for (name, span) in self.scopes.close_select() {
            self.found.tables.push(TableReference { span, name, place: Place::Set });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::statement::Statement;
    use super::*;
    use proptest::prelude::*;
    use std::fmt::Write as _;

    const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sql/scan");

    /// What a fixture expects: one line for everything that was found, in the order of the text.
    fn report(text: &str) -> String {
        let statement = match Statement::parse(text) {
            Ok(statement) => statement,
            Err(error) => return format!("error {error} @ {}", error.span.of(text)),
        };
        let tables = statement.tables().iter().map(|table| (table.span.start, describe(table, text)));
        let functions =
            statement.table_functions().iter().map(|f| (f.span.start, format!("function {}", f.name)));
        let dictionaries = statement
            .dictionaries()
            .iter()
            .map(|d| (d.span.start, format!("dictionary {}", d.name.as_deref().unwrap_or("?"))));
        let settings =
            statement.settings().iter().map(|span| (span.start, format!("settings {}", span.of(text))));
        let lambdas =
            statement.lambdas().iter().map(|lambda| (lambda.span.start, format!("lambda {}", lambda.name)));
        let mut lines: Vec<_> =
            tables.chain(functions).chain(dictionaries).chain(settings).chain(lambdas).collect();
        lines.sort();
        lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("\n")
    }

    fn describe(table: &TableReference, text: &str) -> String {
        let mut line = match table.place {
            Place::From { .. } => format!("table {}", table.name),
            Place::Set => format!("set {}", table.name),
            Place::JoinGet => format!("joinGet {}", table.name),
        };
        if let Place::From { alias, modifiers } = table.place {
            line.push_str(if alias == Alias::Given { " aliased" } else { "" });
            if let Some(modifiers) = modifiers {
                write!(line, " [{}]", modifiers.of(text)).unwrap();
            }
        }
        line
    }

    #[test]
    fn every_fixture_finds_what_it_says() {
        let mut failures = String::new();
        let mut cases = 0;
        for file in std::fs::read_dir(FIXTURES).unwrap() {
            let path = file.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            for case in text.split("=== ").filter(|case| !case.trim().is_empty()) {
                let (title, case) = case.split_once('\n').unwrap();
                let (sql, expected) = case.split_once("\n---\n").unwrap_or_else(|| panic!("{title}: no ---"));
                let found = report(sql);
                if found.trim_end() != expected.trim_end() {
                    writeln!(failures, "{}: {title}\n{sql}\n-- found\n{found}\n", path.display()).unwrap();
                }
                cases += 1;
            }
        }
        assert!(cases > 50, "only {cases} fixtures found");
        assert!(failures.is_empty(), "{failures}");
    }

    #[test]
    fn nesting_without_end_is_an_error_and_no_crash() {
        for open in
            ["(", "[", "f(", "(SELECT ", "x -> ", "CASE ", "INTERVAL ", "x IN (SELECT ", "(SELECT 1 FROM ("]
        {
            let error = Statement::parse(&format!("SELECT {}", open.repeat(20_000))).unwrap_err();
            assert_eq!(error.situation, Situation::NestedTooDeep { limit: MAX_DEPTH }, "{open}");
        }
        for open in ["- ", "NOT ", "a + ", "a IN b AND ", "a, ", "a.b::c[1] + "] {
            assert!(Statement::parse(&format!("SELECT {}1", open.repeat(20_000))).is_ok(), "{open}");
        }
    }

    #[test]
    fn parentheses_before_a_name_on_the_right_of_in_do_not_count() {
        let text = format!("SELECT 1 IN {}t{}", "(".repeat(20_000), ")".repeat(20_000));
        assert_eq!(report(&text), "set t");
    }

    #[test]
    fn texts_made_to_be_slow_are_read() {
        let chain: Vec<_> = (0..2_000).map(|i| format!("[n{}] AS n{i}, ", i + 1)).collect();
        let definitions: Vec<_> = (0..2_000).map(|i| format!("n{i} AS (SELECT * FROM n0), ")).collect();
        for text in [
            format!("WITH {} 1 IN n0 AS n2000 SELECT 1 IN n1", chain.concat()),
            format!("WITH {} SELECT 1 FROM n0", definitions.concat()),
            format!("SELECT {} 1 AS a", "1 IN a, ".repeat(2_000)),
        ] {
            assert!(Statement::parse(&text).is_ok());
        }
    }

    /// Words and symbols that steer the scanner.
    const PIECES: &str = "SELECT FROM WITH AS a b t IN NOT ( ) ( ) , . * + - -> :: [ ] ? : { } ; 'x' `q` 1 = JOIN ON USING \
        LEFT ARRAY UNION ALL EXCEPT CASE WHEN THEN END INTERVAL DAY WHERE GROUP ORDER BY LIMIT FINAL SAMPLE OVER SETTINGS \
        FORMAT IS NULL BETWEEN AND joinGet in dictGet CAST position EXPLAIN DESCRIBE RECURSIVE VALUES APPLY REPLACE FILL \
        WINDOW";

    fn soup(length: usize) -> impl Strategy<Value = String> {
        let pieces: Vec<_> = PIECES.split_whitespace().collect();
        prop::collection::vec(prop::sample::select(pieces), 0..length).prop_map(|pieces| pieces.join(" "))
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = Statement::parse(&text);
        }

        #[test]
        fn any_soup_of_tokens_is_read_or_refused(text in soup(40)) {
            if let Ok(statement) = Statement::parse(&text) {
                for table in statement.tables() {
                    prop_assert!(!table.span.of(&text).is_empty());
                }
            }
        }

        #[test]
        fn a_query_with_its_parentheses_closed_finds_the_same_tables_in_a_subquery(pieces in soup(12)) {
            let query = format!("SELECT {pieces} FROM t");
            if let Ok(plain) = Statement::parse(&query) {
                let body = plain.body();
                if let Ok(inside) = Statement::parse(&format!("SELECT * FROM ({body}) AS x")) {
                    let names = |statement: &Statement<'_>| -> Vec<_> {
                        statement.tables().iter().map(|table| table.name.clone()).collect()
                    };
                    prop_assert_eq!(names(&plain), names(&inside));
                }
            }
        }
    }
}
