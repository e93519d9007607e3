//! Nobody sees what belongs to another caller: rows of a failed query, settings, a database.

use futures_util::future::join_all;
use roost::engine::{EngineClient, Query};

use super::{text, value};
use crate::harness::shared_engine;

const FORMATS: [&str; 3] = ["JSON", "JSONCompact", "Parquet"];
const ROUNDS: usize = 4;
const GOOD_ROWS: usize = 1000;
/// What the rows of callers that fail say; nobody may read it in an answer of their own.
const SECRET: &str = "row-of-a-failed-query";

/// A query that fails after it has produced rows.
fn failing(format: &str, way: &str) -> Query {
    let sql = format!("SELECT '{SECRET}' AS owner, number, throwIf(number = 400000) FROM numbers(500000)");
    uncompressed(Query::new(sql, format), way)
}

fn own(caller: usize, format: &str, way: &str) -> Query {
    let sql = format!("SELECT 'row-of-{caller}' AS owner, number FROM numbers({GOOD_ROWS})");
    uncompressed(Query::new(sql, format), way)
}

/// Both kinds of caller use the same settings, so that the engine may reuse their connections.
fn uncompressed(query: Query, way: &str) -> Query {
    query
        .with_setting("output_format_parquet_compression_method", "none")
        .with_setting("output_format_parquet_use_custom_encoder", 0)
        .with_setting("wait_end_of_query", way)
}

async fn fails(engine: &EngineClient, format: &str, way: &str) {
    let (code, _) = super::exception(engine, failing(format, way)).await;
    assert_eq!(code, 395, "{format}");
}

async fn reads_its_own(engine: &EngineClient, caller: usize, format: &str, way: &str) {
    let rows = engine.query(own(caller, format, way)).await.unwrap();
    let bytes = rows.collect().await.unwrap();
    let answer = String::from_utf8_lossy(&bytes);
    assert!(!answer.contains(SECRET), "{format}: caller {caller} got rows of a failed query");
    assert!(answer.contains(&format!("row-of-{caller}")), "{format}: caller {caller}");
    if format == "Parquet" {
        assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
        return;
    }
    let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(document["rows"], GOOD_ROWS, "{format}: caller {caller}");
    let owners = document["data"].as_array().unwrap().iter();
    let mine = owners.filter(|row| row.to_string().contains(&format!("row-of-{caller}\"")));
    assert_eq!(mine.count(), GOOD_ROWS, "{format}: caller {caller}");
}

/// Eight callers at once, every second one failing in the middle of its run.
async fn nobody_sees_foreign_rows(way: &str) {
    let engine = shared_engine();
    for format in FORMATS {
        let callers = (0..8).map(|caller| {
            let engine = &engine;
            async move {
                for _ in 0..ROUNDS {
                    if caller % 2 == 0 {
                        fails(engine, format, way).await;
                    } else {
                        reads_its_own(engine, caller, format, way).await;
                    }
                }
            }
        });
        join_all(callers).await;
    }
}

#[tokio::test]
async fn nobody_sees_rows_of_a_streamed_query_that_failed() {
    nobody_sees_foreign_rows("0").await;
}

#[tokio::test]
async fn nobody_sees_rows_of_a_buffered_query_that_failed() {
    nobody_sees_foreign_rows("1").await;
}

#[tokio::test]
async fn nobody_sees_rows_of_a_statement_before_a_syntax_error() {
    let engine = shared_engine();
    for way in ["0", "1"] {
        let stacked = Query::new(format!("SELECT '{SECRET}'; SELECT FROM WHERE"), "JSON");
        super::exception(&engine, stacked.with_setting("wait_end_of_query", way)).await;
        for caller in 0..4 {
            let query = Query::new(format!("SELECT 'row-of-{caller}'"), "JSON");
            let query = query.with_setting("wait_end_of_query", way);
            let bytes = engine.query(query).await.unwrap().collect().await.unwrap();
            let answer = String::from_utf8_lossy(&bytes);
            assert!(!answer.contains(SECRET) && answer.contains(&format!("row-of-{caller}")));
        }
    }
}

#[tokio::test]
async fn a_set_reaches_no_later_caller() {
    let engine = shared_engine();
    let sql = "SELECT value FROM system.settings WHERE name = 'max_block_size'";
    let before = value(&engine, sql).await;
    engine.execute("SET max_block_size = 1234").await.unwrap();
    assert_eq!(value(&engine, sql).await, before);
    text(&engine, "SET max_block_size = 1234; SELECT 1", "CSV").await;
    assert_eq!(value(&engine, sql).await, before);
}

#[tokio::test]
async fn a_use_reaches_no_later_caller() {
    let engine = shared_engine();
    let database = engine.database().await;
    let before = value(&engine, "SELECT currentDatabase()").await;
    engine.execute(&format!("USE {database}")).await.unwrap();
    assert_eq!(value(&engine, "SELECT currentDatabase()").await, before);
}

#[tokio::test]
async fn callers_with_different_databases_share_an_engine() {
    let engine = shared_engine();
    let databases = [engine.database().await, engine.database().await];
    for _ in 0..3 {
        for database in &databases {
            let query =
                Query { database: Some(database.clone()), ..Query::new("SELECT currentDatabase()", "CSV") };
            let answer = engine.query(query).await.unwrap().collect().await.unwrap();
            assert_eq!(answer, format!("\"{database}\"\n"));
        }
    }
}
