//! Hard statements, read by the scanner and by the engine: `tests/fixtures/sql/engine`.
//!
//! A file is a list of `=== title` and the statement below it. In `refused.txt` the scanner's reason
//! stands behind a line `---`. The engine shows which tables a statement reads when it resolves the
//! names in it; for the statements of `unresolved.txt`, whose tables do not exist, it only parses.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use roost::engine::{EngineClient, Query};
use roost::sql::Statement;
use roost::sql::scan::Place;

use crate::harness::{SharedEngine, shared_engine};

/// What a statement of the fixtures may read; `DATABASE` stands for the test's own database.
const TABLES: [&str; 7] = [
    "events (user_id String, page String, duration Float64, timestamp DateTime, tags Array(String)) ORDER BY ()",
    "visits (user_id String, page String, duration Float64, timestamp DateTime, tags Array(String)) ORDER BY ()",
    "users (id String) ORDER BY ()",
    "ids (id String) ORDER BY ()",
    "versions (id String, v UInt32) ENGINE = ReplacingMergeTree(v) ORDER BY id",
    "sampled (id UInt64) ORDER BY id SAMPLE BY id",
    "joined (k String, v String) ENGINE = Join(ANY, LEFT, k)",
];

/// One statement of a file.
struct Case {
    title: String,
    sql: String,
    reason: Option<String>,
}

fn cases(file: &str) -> Vec<Case> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sql/engine")).join(file);
    let text = fs::read_to_string(path).unwrap();
    let cases = text.split("=== ").skip(1).map(|case| {
        let (title, rest) = case.split_once('\n').unwrap();
        let (sql, reason) = match rest.split_once("\n---\n") {
            Some((sql, reason)) => (sql, Some(reason.trim().to_owned())),
            None => (rest, None),
        };
        Case { title: title.to_owned(), sql: sql.trim().to_owned(), reason }
    });
    cases.collect()
}

async fn database_with_tables(engine: &SharedEngine) -> String {
    let database = engine.database().await;
    for table in TABLES {
        engine.execute(&format!("CREATE TABLE {database}.{table}")).await.unwrap();
    }
    database
}

/// What the engine explains about a statement, or its complaint.
async fn explained(engine: &EngineClient, database: &str, verb: &str, sql: &str) -> Result<String, String> {
    let mut query = Query::new(format!("EXPLAIN {verb} {sql}"), "TSVRaw")
        .with_setting("joined_subquery_requires_alias", 0)
        .with_setting("allow_experimental_analyzer", 1);
    query.database = Some(database.to_owned());
    for (name, value) in [("p", "a"), ("n", "1"), ("list", "['a']"), ("t", "events")] {
        query.parameters.push((name.to_owned(), value.to_owned()));
    }
    let rows = engine.query(query).await.map_err(|error| error.to_string())?;
    let bytes = rows.collect().await.map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The tables of the database that a query tree reads.
fn tables_in(tree: &str, database: &str) -> BTreeSet<String> {
    let names = tree.split("table_name: ").skip(1);
    let names = names.filter_map(|rest| rest.split([',', '\n', ' ']).next());
    names.filter_map(|name| name.strip_prefix(database)?.strip_prefix('.')).map(str::to_owned).collect()
}

/// The tables that the scanner finds; the engine does not show the one of `joinGet`.
fn tables_of(statement: &Statement<'_>) -> BTreeSet<String> {
    let tables = statement.tables().iter().filter(|table| table.place != Place::JoinGet);
    tables.map(|table| table.name.table.clone()).collect()
}

/// What is wrong with the reading of a statement; nothing, if the engine reads it alike.
async fn complaint(engine: &EngineClient, database: &str, case: &Case) -> Option<String> {
    let sql = case.sql.replace("DATABASE", database);
    let statement = match Statement::parse(&sql) {
        Ok(statement) => statement,
        Err(error) => return Some(format!("refused: {error}")),
    };
    let verb = "QUERY TREE run_passes = 1, passes = 1";
    match explained(engine, database, verb, statement.body()).await {
        Err(error) => Some(format!("the engine refuses it: {error}")),
        Ok(tree) => {
            let (ours, theirs) = (tables_of(&statement), tables_in(&tree, database));
            (ours != theirs).then(|| format!("reads {theirs:?}, and not {ours:?}"))
        }
    }
}

fn report(complaints: &mut String, case: &Case, complaint: &str) {
    writeln!(complaints, "{}: {complaint}\n    {}", case.title, case.sql).unwrap();
}

#[tokio::test]
async fn the_scanner_finds_the_tables_that_the_engine_reads() {
    let engine = shared_engine();
    let database = database_with_tables(&engine).await;
    let cases: Vec<Case> =
        ["clauses.txt", "expressions.txt", "texts.txt"].iter().flat_map(|file| cases(file)).collect();
    assert!(cases.len() > 100, "{} statements", cases.len());
    let mut complaints = String::new();
    for case in &cases {
        if let Some(complaint) = complaint(&engine, &database, case).await {
            report(&mut complaints, case, &complaint);
        }
    }
    assert!(complaints.is_empty(), "{complaints}");
}

#[tokio::test]
async fn what_the_engine_parses_the_scanner_reads() {
    let engine = shared_engine();
    let mut complaints = String::new();
    for case in cases("unresolved.txt") {
        if let Err(error) = Statement::parse(&case.sql) {
            report(&mut complaints, &case, &format!("refused: {error}"));
        }
        if let Err(error) = explained(&engine, "default", "AST", &case.sql).await {
            report(&mut complaints, &case, &format!("the engine refuses it: {error}"));
        }
    }
    assert!(complaints.is_empty(), "{complaints}");
}

#[tokio::test]
async fn refusals_of_what_the_engine_parses_are_listed() {
    let engine = shared_engine();
    let mut complaints = String::new();
    for case in cases("refused.txt") {
        match Statement::parse(&case.sql) {
            Ok(_) => report(&mut complaints, &case, "not refused"),
            Err(error) if case.reason.as_deref() == Some(error.to_string().as_str()) => {}
            Err(error) => report(&mut complaints, &case, &format!("refused with {error}")),
        }
        if let Err(error) = explained(&engine, "default", "AST", &case.sql).await {
            report(&mut complaints, &case, &format!("the engine refuses it: {error}"));
        }
    }
    assert!(complaints.is_empty(), "{complaints}");
}
