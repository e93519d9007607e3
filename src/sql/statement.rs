//! One statement that reads, and the clauses around it.
//!
//! In: a text.  Out: a [`Statement`]: its body without `;` and FORMAT, and what it reads.
//! Promise: exactly one SELECT (or EXPLAIN or DESCRIBE, told apart); everything else is refused
//! by name.  Not here: whether tables, functions and settings are allowed.  May use: `scan`.

use super::error::{Situation, SqlError};
use super::scan::{
    DictionaryUse, FunctionUse, NamedLambda, Scan, Scanner, TableFunction, TableName, TableReference,
};
use super::token::Symbol;
use crate::syntax::Span;

/// A checked statement over its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement<'a> {
    text: &'a str,
    kind: Kind,
    body: Span,
    format: Option<Format>,
    scan: Scan,
}

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// SELECT in all its forms.
    Select,
    /// EXPLAIN of a SELECT.
    Explain,
    /// DESCRIBE of a table or a SELECT.
    Describe,
}

/// A FORMAT clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    /// The name as written.
    pub name: String,
    /// The whole clause.
    pub span: Span,
}

impl<'a> Statement<'a> {
    /// Reads a text that is one statement.
    pub fn parse(text: &'a str) -> Result<Self, SqlError> {
        let mut scanner = Scanner::new(text)?;
        let start = scanner.cursor.span().start;
        let kind = verb(&mut scanner)?;
        match kind {
            Kind::Select | Kind::Explain => scanner.query().map_err(|error| name_the_verb(error, text))?,
            Kind::Describe => scanner.source()?,
        }
        let body = Span::new(start, scanner.cursor.end());
        let format = tail(&mut scanner, text)?;
        Ok(Self { text, kind, body, format, scan: scanner.finish() })
    }

    /// What it does.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The text from the first word to the last, without FORMAT, `;` and comments around it.
    pub fn body(&self) -> &'a str {
        self.body.of(self.text)
    }

    /// Where [`Self::body`] lies; all other spans count from the start of the whole text, too.
    pub fn body_span(&self) -> Span {
        self.body
    }

    /// The FORMAT clause.
    pub fn format(&self) -> Option<&Format> {
        self.format.as_ref()
    }

    /// The tables it reads, in the order of the text.
    pub fn tables(&self) -> &[TableReference] {
        &self.scan.tables
    }

    /// The table that leads it: see [`Scan::leading`].
    pub fn leading(&self) -> Option<&TableName> {
        self.scan.leading.as_ref()
    }

    /// UNION, INTERSECT and EXCEPT between its outermost SELECTs.
    pub fn set_operations(&self) -> &[Span] {
        &self.scan.set_operations
    }

    /// The table functions it uses.
    pub fn table_functions(&self) -> &[TableFunction] {
        &self.scan.table_functions
    }

    /// The functions it uses.
    pub fn functions(&self) -> &[FunctionUse] {
        &self.scan.functions
    }

    /// The dictionaries it uses.
    pub fn dictionaries(&self) -> &[DictionaryUse] {
        &self.scan.dictionaries
    }

    /// Its SETTINGS clauses, those of subqueries included.
    pub fn settings(&self) -> &[Span] {
        &self.scan.settings
    }

    /// Its lambdas with a name.
    pub fn lambdas(&self) -> &[NamedLambda] {
        &self.scan.lambdas
    }
}

/// Tells the kinds apart and takes what stands before the SELECT.
fn verb(scanner: &mut Scanner<'_>) -> Result<Kind, SqlError> {
    if scanner.cursor.is_at_end() {
        return Err(SqlError::new(scanner.cursor.span(), Situation::Empty));
    }
    if scanner.cursor.eat_words(&["EXPLAIN"]) {
        explain_options(scanner);
        return Ok(Kind::Explain);
    }
    if scanner.cursor.eat_one_of(&["DESCRIBE", "DESC"]) {
        scanner.cursor.eat_words(&["TABLE"]);
        return Ok(Kind::Describe);
    }
    Ok(Kind::Select)
}

/// `EXPLAIN PLAN actions = 1, header = 1 SELECT …`.
fn explain_options(scanner: &mut Scanner<'_>) {
    let cursor = &mut scanner.cursor;
    if !cursor.eat_words(&["QUERY", "TREE"]) {
        cursor.eat_one_of(&["AST", "SYNTAX", "PLAN", "PIPELINE", "ESTIMATE"]);
    }
    while cursor.eat_option() {
        cursor.eat(Symbol::Comma);
    }
}

/// Turns `expected SELECT` at a statement of another kind into the error that names the kind.
fn name_the_verb(error: SqlError, text: &str) -> SqlError {
    const VERBS: &[&str] = &[
        "ALTER", "ATTACH", "BACKUP", "BEGIN", "CHECK", "COMMIT", "CREATE", "DELETE", "DETACH", "DROP",
        "EXCHANGE", "EXISTS", "GRANT", "INSERT", "KILL", "MOVE", "OPTIMIZE", "RENAME", "REPLACE", "RESTORE",
        "REVOKE", "ROLLBACK", "SET", "SHOW", "SYSTEM", "TRUNCATE", "UNDROP", "UPDATE", "USE", "WATCH",
    ];
    let word = error.span.of(text).to_ascii_uppercase();
    match error.situation {
        Situation::Unexpected { expected: "SELECT", .. } if VERBS.contains(&word.as_str()) => {
            SqlError::new(error.span, Situation::Verb { verb: word })
        }
        _ => error,
    }
}

/// What may follow the body: FORMAT and one `;`.
fn tail(scanner: &mut Scanner<'_>, text: &str) -> Result<Option<Format>, SqlError> {
    let cursor = &mut scanner.cursor;
    if cursor.is_word(0, "INTO") && cursor.is_word(1, "OUTFILE") {
        return Err(SqlError::new(cursor.span(), Situation::IntoOutfile));
    }
    let mut format = None;
    let start = cursor.span().start;
    if cursor.eat_words(&["FORMAT"]) {
        let span = cursor.span();
        cursor.name("the name of a format")?;
        format = Some(Format { name: span.of(text).to_owned(), span: Span::new(start, span.end) });
    }
    if format.is_some() && cursor.is_word(0, "SETTINGS") {
        return Err(SqlError::new(cursor.span(), Situation::SettingsAfterFormat));
    }
    let has_semicolon = cursor.eat(Symbol::Semicolon);
    if cursor.is_at_end() {
        return Ok(format);
    }
    if has_semicolon {
        return Err(SqlError::new(cursor.span(), Situation::SeveralStatements));
    }
    Err(cursor.unexpected("the end of the statement"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Statement::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn format_and_semicolon_are_not_part_of_the_body() {
        let statement = Statement::parse("-- top\nSELECT 1 -- one\nFORMAT JSON; -- end").unwrap();
        assert_eq!(statement.body(), "SELECT 1");
        assert_eq!(statement.kind(), Kind::Select);
        assert_eq!(statement.format().unwrap().name, "JSON");
        assert_eq!(Statement::parse("SELECT format FROM t").unwrap().format(), None);
    }

    #[test]
    fn one_table_leads_however_deep_it_stands() {
        let leading = |text: &str| {
            let statement = Statement::parse(text).unwrap();
            statement.leading().map_or("nothing".to_owned(), ToString::to_string)
        };
        for text in [
            "SELECT (SELECT max(x) FROM b) FROM a WHERE y IN (SELECT y FROM c)",
            "FROM a SELECT 1",
            "SELECT * FROM (SELECT * FROM a JOIN b USING x) AS q, c",
            "SELECT * FROM (a JOIN b USING x) JOIN c USING x",
            "SELECT * FROM a ARRAY JOIN [1] AS i LEFT JOIN (SELECT * FROM b) AS b ON a.x = b.x",
            "WITH z AS (SELECT * FROM a), y AS (SELECT * FROM z) SELECT * FROM y JOIN b USING x",
            "WITH (SELECT 1 FROM b) AS n SELECT * FROM a",
            "SELECT * FROM view(SELECT * FROM a)",
            "(SELECT * FROM a) UNION ALL (SELECT * FROM b)",
            "SELECT 1 FROM a HAVING count() > (SELECT 1 FROM b) ORDER BY (SELECT 1 FROM c)",
        ] {
            assert_eq!(leading(text), "a", "{text}");
        }
        for text in [
            "SELECT 1",
            "SELECT * FROM numbers(2), a",
            "SELECT 1 IN a",
            "WITH a AS (SELECT 1) SELECT * FROM a",
        ] {
            assert_eq!(leading(text), "nothing", "{text}");
        }
        assert_eq!(leading("SELECT * FROM d.t"), "d.t");
    }

    #[test]
    fn only_set_operations_of_the_outermost_query_count() {
        let count = |text: &str| Statement::parse(text).unwrap().set_operations().len();
        assert_eq!(count("SELECT 1 UNION ALL SELECT 2 EXCEPT SELECT 3"), 2);
        assert_eq!(count("SELECT * FROM (SELECT 1 UNION ALL SELECT 2)"), 0);
        assert_eq!(count("WITH a AS (SELECT 1 UNION ALL SELECT 2) SELECT * FROM a"), 0);
    }

    #[test]
    fn statements_that_write_are_refused_by_name() {
        for verb in
            ["INSERT INTO t VALUES (1)", "drop table t", "SYSTEM SHUTDOWN", "(ALTER TABLE t)", "SET a = 1"]
        {
            let first = verb.trim_start_matches('(').split(' ').next().unwrap().to_uppercase();
            assert_eq!(refusal(verb), format!("{first} statements are not allowed, only SELECT"));
        }
        assert_eq!(
            refusal("WITH a AS (SELECT 1) INSERT INTO t SELECT 1"),
            "INSERT statements are not allowed, only SELECT"
        );
        assert_eq!(refusal("SELECT 1 INTO OUTFILE '/tmp/x' FORMAT CSV"), "INTO OUTFILE is not allowed");
        assert_eq!(refusal("hello"), "expected SELECT, found 'hello'");
        assert_eq!(refusal("-- nothing"), "the statement is empty");
    }

    #[test]
    fn only_one_statement_passes() {
        assert_eq!(refusal("SELECT 1; SELECT 2"), "Multi-statements are not allowed");
        assert_eq!(refusal("SELECT 1;;"), "Multi-statements are not allowed");
        assert_eq!(
            refusal("SELECT 1 PARALLEL WITH SELECT 2"),
            "expected the end of the statement, found 'PARALLEL'"
        );
        assert_eq!(refusal("SELECT 1 FORMAT JSON SETTINGS a = 1"), "SETTINGS after FORMAT are not supported");
    }

    #[test]
    fn explain_and_describe_are_told_apart() {
        let explain = Statement::parse("EXPLAIN PLAN actions = 1, header=1 SELECT * FROM t").unwrap();
        assert_eq!((explain.kind(), explain.tables().len()), (Kind::Explain, 1));
        assert_eq!(explain.body(), "EXPLAIN PLAN actions = 1, header=1 SELECT * FROM t");
        for text in ["DESCRIBE TABLE t", "DESC t", "DESCRIBE (SELECT * FROM t)"] {
            let describe = Statement::parse(text).unwrap();
            assert_eq!((describe.kind(), describe.tables().len()), (Kind::Describe, 1), "{text}");
        }
        assert_eq!(
            refusal("EXPLAIN CREATE TABLE q (a UInt8)"),
            "CREATE statements are not allowed, only SELECT"
        );
    }

    #[test]
    fn settings_are_reported_with_their_places() {
        let text = "SELECT * FROM (SELECT 1 SETTINGS a = 1) SETTINGS b = {'t': 'x'}, c = -1 FORMAT CSV";
        let statement = Statement::parse(text).unwrap();
        let settings: Vec<_> = statement.settings().iter().map(|span| span.of(text)).collect();
        assert_eq!(settings, ["SETTINGS a = 1", "SETTINGS b = {'t': 'x'}, c = -1"]);
    }
}
