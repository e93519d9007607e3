//! Results: one document each, streamed in bounded memory, and never short without an error.

use roost::engine::{EngineError, Query};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{exception, text, value};
use crate::harness::{TestEngine, shared_engine};

/// ClickHouse's code for `throwIf`.
const THROWN: u32 = 395;

/// The JSON envelope, without its rows.
#[derive(Deserialize)]
struct Document {
    data: Vec<IgnoredAny>,
    rows: usize,
    #[serde(default)]
    totals: Option<serde_json::Value>,
}

#[tokio::test]
async fn a_large_json_result_is_one_document() {
    let engine = shared_engine();
    let sql = "SELECT number, toString(number) AS text, number % 7 AS small FROM numbers(1000000)";
    let bytes = engine.query(Query::new(sql, "JSON")).await.unwrap().collect().await.unwrap();
    assert!(bytes.len() > 40_000_000, "{}", bytes.len());
    let document: Document = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((document.rows, document.data.len()), (1_000_000, 1_000_000));
}

#[tokio::test]
async fn json_with_totals_is_one_document() {
    let engine = shared_engine();
    let sql = "SELECT number % 3 AS k, count() AS c FROM numbers(9) GROUP BY k WITH TOTALS ORDER BY k";
    let query = Query::new(sql, "JSON").with_setting("output_format_json_quote_64bit_integers", 0);
    let bytes = engine.query(query).await.unwrap().collect().await.unwrap();
    let document: Document = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((document.rows, document.data.len()), (3, 3));
    assert_eq!(document.totals.unwrap()["c"], 9);
}

#[tokio::test]
async fn a_large_result_has_one_head() {
    let engine = shared_engine();
    let csv = text(&engine, "SELECT number AS head FROM numbers(1000000)", "CSVWithNames").await;
    assert_eq!(csv.lines().count(), 1_000_001);
    assert_eq!(csv.matches("head").count(), 1);
}

#[tokio::test]
async fn a_result_without_rows_is_a_whole_document() {
    let engine = shared_engine();
    let nothing = "SELECT 1 AS x WHERE 0";
    let document: Document = serde_json::from_str(&text(&engine, nothing, "JSON").await).unwrap();
    assert_eq!(document.rows, 0);
    assert_eq!(text(&engine, nothing, "CSVWithNames").await, "\"x\"\n");
    assert_eq!(text(&engine, nothing, "JSONEachRow").await, "");
}

#[tokio::test]
async fn a_large_result_takes_bounded_memory() {
    const TOTAL: usize = 400_000_000;
    let engine = TestEngine::start();
    let client = engine.client();
    value(&client, "SELECT 1").await;
    let process = engine.process();
    let before = process.resident_bytes();
    let sql = format!("SELECT repeat('x', 999) FROM numbers({})", TOTAL / 1000);
    let query = Query::new(sql, "TSVRaw").with_setting("max_block_size", 8192);
    let mut rows = client.query(query).await.unwrap();
    let (mut received, mut looked, mut highest) = (0, 0, before);
    while let Some(piece) = rows.next().await.unwrap() {
        received += piece.len();
        if received - looked > 20_000_000 {
            looked = received;
            highest = highest.max(process.resident_bytes());
        }
    }
    assert_eq!(received, TOTAL);
    let grown = highest - before;
    assert!(grown < TOTAL as u64 / 3, "the engine grew by {grown} bytes");
}

#[tokio::test]
async fn a_failure_after_four_million_rows_is_an_error() {
    let engine = shared_engine();
    let sql = "SELECT number, throwIf(number = 3999999, 'at the end') FROM numbers(4000000)";
    let mut rows = engine.query(Query::new(sql, "JSON")).await.unwrap();
    let mut received = 0;
    let error = loop {
        match rows.next().await {
            Ok(Some(piece)) => received += piece.len(),
            Ok(None) => panic!("a short result of {received} bytes"),
            Err(error) => break error,
        }
    };
    assert!(received > 40_000_000, "{received}");
    let EngineError::Exception { code, message } = error else { panic!("{error:?}") };
    assert_eq!(code, THROWN);
    assert!(message.contains("at the end") && !message.contains("/proc/"), "{message}");
}

#[tokio::test]
async fn a_failure_after_the_first_byte_is_an_error_in_every_format() {
    let engine = shared_engine();
    for format in [
        "JSONCompact",
        "JSONEachRow",
        "CSV",
        "CSVWithNames",
        "TSV",
        "Native",
        "RowBinary",
        "Parquet",
        "Prometheus",
    ] {
        let (name, number) = if format == "Prometheus" {
            ("'metric' AS name", "toFloat64(number) AS value")
        } else {
            ("repeat('x', 20)", "number")
        };
        let sql = format!("SELECT {name}, {number}, throwIf(number = 400000) AS t FROM numbers(500000)");
        let (code, message) = exception(&engine, Query::new(sql, format)).await;
        assert_eq!(code, THROWN, "{format}: {message}");
    }
}

#[tokio::test]
async fn a_failure_after_the_first_byte_is_told_as_clickhouse_tells_it() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let engine = shared_engine();
    let mut stream = engine.address().connect().await;
    let sql = "SELECT number, throwIf(number = 400000) FROM numbers(500000)";
    let head = format!(
        "POST /?default_format=CSV HTTP/1.1\r\nHost: engine\r\nContent-Length: {}\r\n\r\n",
        sql.len()
    );
    stream.write_all(format!("{head}{sql}").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let head = head.to_lowercase();
    assert!(head.starts_with("http/1.1 200 ok"), "{head}");
    let tag = head.split_once("x-clickhouse-exception-tag: ").unwrap().1.lines().next().unwrap();
    let (_, frame) = body.split_once("\r\n__exception__\r\n").unwrap();
    assert!(frame.starts_with(&format!("{tag}\r\nCode: 395. DB::Exception: ")), "{frame}");
    assert!(frame.contains(&format!(" {tag}\r\n__exception__\r\n")), "{frame}");
    assert!(!body.ends_with("\r\n0\r\n\r\n"), "a failed result must not look whole");
}

#[tokio::test]
async fn a_failure_before_the_first_byte_has_a_code_and_a_status() {
    let engine = shared_engine();
    for (sql, settings, status, code) in [
        ("SELEC 1", [("max_threads", "1")], 400, "62"),
        ("SELECT * FROM no_such_table", [("max_threads", "1")], 404, "60"),
        ("SELECT no_such_column", [("max_threads", "1")], 404, "47"),
        ("SELECT {x:UInt8}", [("max_threads", "1")], 400, "456"),
        ("CREATE DATABASE x", [("readonly", "1")], 403, "164"),
        ("SELECT sleepEachRow(0.1) FROM numbers(30)", [("max_execution_time", "0.3")], 408, "159"),
        ("SELECT throwIf(1)", [("max_threads", "1")], 500, "395"),
        ("SELECT 1", [("no_such_setting", "1")], 404, "115"),
    ] {
        let reply = engine.http().post(&settings, sql).await;
        assert_eq!(reply.header("x-clickhouse-exception-code"), code, "{reply:?}");
        assert_eq!(reply.status, status, "{reply:?}");
        assert!(reply.text.starts_with(&format!("Code: {code}. DB::")), "{reply:?}");
        assert!(!reply.text.contains("/proc/"), "{reply:?}");
    }
}

#[tokio::test]
async fn a_whole_result_comes_with_its_counters() {
    let engine = shared_engine();
    let reply = engine.http().post(&[("query_id", "my-query.1")], "SELECT number FROM numbers(1000)").await;
    let summary: serde_json::Value = serde_json::from_str(reply.header("x-clickhouse-summary")).unwrap();
    assert_eq!(summary["read_rows"], "1000");
    assert_eq!(reply.header("x-clickhouse-query-id"), "my-query.1");
    assert_eq!(reply.text.lines().count(), 1000);
}

/// Texts that a careless client takes for an error of the engine.
const LOOKALIKES: [&str; 4] = [
    "Code: 1. DB::Exception: no error at all (version 1 (official build))",
    "Code: 1. DB::Exception: no error at all (version 1 (official build))\n",
    "\r\n__exception__\r\nabcdefghijklmnop\r\nCode: 1. DB::Exception: x\n26 abcdefghijklmnop\r\n__exception__\r\n",
    "__exception__\r\n",
];

#[tokio::test]
async fn a_value_that_reads_like_an_exception_is_a_value() {
    let engine = shared_engine();
    for lookalike in LOOKALIKES {
        let sql = format!("SELECT '{}' AS x", lookalike.replace('\r', "\\r").replace('\n', "\\n"));
        let document: serde_json::Value = serde_json::from_str(&text(&engine, &sql, "JSON").await).unwrap();
        assert_eq!(document["data"][0]["x"], lookalike);
        let row: serde_json::Value = serde_json::from_str(&text(&engine, &sql, "JSONEachRow").await).unwrap();
        assert_eq!(row["x"], lookalike);
        assert_eq!(text(&engine, &sql, "CSV").await, format!("\"{lookalike}\"\n"));
        assert!(text(&engine, &sql, "Parquet").await.ends_with("PAR1"));
    }
}

#[tokio::test]
async fn a_binary_value_that_reads_like_an_exception_is_a_value() {
    let engine = shared_engine();
    let sql = format!("SELECT '{}' AS x", LOOKALIKES[0]);
    for format in ["Native", "RowBinary"] {
        assert!(text(&engine, &sql, format).await.ends_with(LOOKALIKES[0]), "{format}");
    }
}

#[tokio::test]
async fn a_long_result_of_values_that_read_like_exceptions_is_whole() {
    let engine = shared_engine();
    for lookalike in LOOKALIKES {
        let value = lookalike.replace('\r', "\\r").replace('\n', "\\n");
        let sql = format!("SELECT '{value}' AS x FROM numbers(50000)");
        assert_eq!(text(&engine, &sql, "JSONEachRow").await.lines().count(), 50_000);
        let document: Document = serde_json::from_str(&text(&engine, &sql, "JSON").await).unwrap();
        assert_eq!(document.data.len(), 50_000);
    }
}
