//! Statements reach the engine as they were written, and each kind of them works.

use super::{text, value};
use crate::harness::shared_engine;

#[tokio::test]
async fn question_marks_are_no_bind_slots() {
    let engine = shared_engine();
    for text in ["?", "??", "a?b", "is it ?? or ???", "?fields", "{x}?"] {
        assert_eq!(value(&engine, &format!("SELECT '{text}'")).await, text);
    }
    assert_eq!(value(&engine, "SELECT 1 ? 'yes' : 'no'").await, "yes");
}

#[tokio::test]
async fn statements_that_answer_rows_answer_them() {
    let engine = shared_engine();
    let database = engine.database().await;
    engine.execute(&format!("CREATE TABLE {database}.t (n UInt64) ORDER BY n")).await.unwrap();
    for (sql, expected) in [
        ("SELECT 1".to_owned(), "1"),
        ("  select 1  ".to_owned(), "1"),
        ("WITH 1 AS x SELECT x".to_owned(), "1"),
        ("(SELECT 1)".to_owned(), "1"),
        ("((SELECT 1))".to_owned(), "1"),
        ("(SELECT 1) UNION ALL (SELECT 1 WHERE 0)".to_owned(), "1"),
        ("FROM numbers(1) SELECT number + 1".to_owned(), "1"),
        ("-- a comment\n/* and another */ SELECT 1 -- and one behind it".to_owned(), "1"),
        ("SELECT 1 /* a comment behind it */".to_owned(), "1"),
        ("SELECT 1 SETTINGS max_threads = 1".to_owned(), "1"),
        ("SELECT number FROM numbers(3) ORDER BY number DESC LIMIT 1".to_owned(), "2"),
        (format!("SHOW TABLES FROM {database}"), "t"),
        (format!("EXISTS TABLE {database}.t"), "1"),
        ("EXPLAIN SYNTAX SELECT 1".to_owned(), "SELECT 1\nFROM system.one"),
    ] {
        assert_eq!(value(&engine, &sql).await, expected, "{sql}");
    }
    let described = text(&engine, &format!("DESCRIBE TABLE {database}.t"), "CSV").await;
    assert!(described.starts_with("\"n\",\"UInt64\""), "{described}");
    let created = value(&engine, &format!("SHOW CREATE TABLE {database}.t")).await;
    assert!(created.contains("ENGINE = MergeTree"), "{created}");
}

#[tokio::test]
async fn commands_run_and_answer_nothing() {
    let engine = shared_engine();
    let database = engine.database().await;
    for sql in [
        format!("CREATE TABLE {database}.t (n UInt64) ENGINE = MergeTree ORDER BY n"),
        format!("INSERT INTO {database}.t SELECT number FROM numbers(10)"),
        format!("INSERT INTO {database}.t VALUES (10), (11)"),
        format!("INSERT INTO {database}.t (n) VALUES (12) -- a comment"),
        format!("ALTER TABLE {database}.t ADD COLUMN text String DEFAULT 'later'"),
        format!("OPTIMIZE TABLE {database}.t FINAL"),
        format!("RENAME TABLE {database}.t TO {database}.u"),
    ] {
        engine.execute(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    assert_eq!(value(&engine, &format!("SELECT sum(n), any(text) FROM {database}.u")).await, "78\tlater");
    engine.execute(&format!("DROP DATABASE {database}")).await.unwrap();
}

#[tokio::test]
async fn a_position_in_an_error_is_that_of_the_callers_text() {
    let engine = shared_engine();
    let query = roost::engine::Query::new("SELECT 1,\n  2 3 4", "JSON");
    let (code, message) = super::exception(&engine, query).await;
    assert_eq!(code, 62);
    assert!(message.contains("line 2, col 5"), "{message}");
    assert!(!message.contains("/proc/") && !message.contains("roost"), "{message}");
}

#[tokio::test]
async fn the_clock_of_the_engine_is_utc() {
    let engine = shared_engine();
    assert_eq!(
        value(&engine, "SELECT timezone(), toString(toDateTime(0))").await,
        "UTC\t1970-01-01 00:00:00"
    );
}
