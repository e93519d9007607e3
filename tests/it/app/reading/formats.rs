//! How answers are written: bytes and content types of each format, and that none is cut off unseen.

use reqwest::Method;
use serde_json::json;

use super::{app, encoded, shop};
use crate::harness::{Reply, TestApp, send, try_send};

const ROWS: &str = "SELECT 'baz' AS key, 'ed' AS value UNION ALL SELECT 'foo', 'bar'";

async fn sql(app: &TestApp, format: &str) -> Reply {
    let sql = format!("SELECT * FROM ({ROWS}) ORDER BY key FORMAT {format}");
    app.admin().get(&format!("/v0/sql?q={}", encoded(&sql))).await
}

#[tokio::test]
async fn text_formats_are_what_clients_compare_byte_for_byte() {
    let app = app().await;
    let expected = [
        ("CSV", "text/csv; charset=utf-8", "\"baz\",\"ed\"\n\"foo\",\"bar\"\n"),
        ("CSVWithNames", "text/csv; charset=utf-8", "\"key\",\"value\"\n\"baz\",\"ed\"\n\"foo\",\"bar\"\n"),
        ("TSV", "text/tab-separated-values; charset=utf-8", "baz\ted\nfoo\tbar\n"),
        ("TabSeparated", "text/tab-separated-values; charset=utf-8", "baz\ted\nfoo\tbar\n"),
        ("TSVWithNames", "text/tab-separated-values; charset=utf-8", "key\tvalue\nbaz\ted\nfoo\tbar\n"),
        (
            "JSONEachRow",
            "application/x-ndjson",
            "{\"key\":\"baz\",\"value\":\"ed\"}\n{\"key\":\"foo\",\"value\":\"bar\"}\n",
        ),
        (
            "Markdown",
            "text/markdown; charset=utf-8",
            "| key | value |\n|:-|:-|\n| baz | ed |\n| foo | bar |\n",
        ),
        (
            "PrettyCompact",
            "text/plain",
            "   ┌─key─┬─value─┐\n1. │ baz │ ed    │\n2. │ foo │ bar   │\n   └─────┴───────┘\n",
        ),
    ];
    for (format, content_type, text) in expected {
        let reply = sql(&app, format).await;
        assert_eq!((reply.status.as_u16(), reply.text.as_str()), (200, text), "{format}");
        assert_eq!(reply.header("content-type"), content_type, "{format}");
    }
}

#[tokio::test]
async fn json_is_the_default_and_any_case_is_read() {
    let app = app().await;
    for format in ["JSON", "json", "Json;"] {
        let reply = sql(&app, format).await;
        assert_eq!(reply.header("content-type"), "application/json");
        assert_eq!(reply.json()["data"][0], json!({"key": "baz", "value": "ed"}));
    }
}

#[tokio::test]
async fn other_formats_are_refused_with_the_list() {
    let app = app().await;
    for format in ["Native", "JSONCompact", "Null", "SQLInsert", "RowBinary", "Arrow", "XML", "`JSON`"] {
        let error = sql(&app, format).await.error(400);
        assert!(error.contains(format) && error.contains("CSV, CSVWithNames, JSON, TSV"), "{error}");
    }
}

#[tokio::test]
async fn every_ending_of_an_endpoint_has_its_bytes_and_its_content_type() {
    let app = app().await;
    let csv = "\"n\",\"text\"\n0,\"é0\"\n1,\"é1\"\n";
    for (ending, content_type, text) in [
        ("csv", "text/csv; charset=utf-8", csv),
        ("csvwithnames", "text/csv; charset=utf-8", csv),
        ("csv?__tb__csv_header=1", "text/csv; charset=utf-8", csv),
        ("csv?__tb__csv_header=0", "text/csv; charset=utf-8", "0,\"é0\"\n1,\"é1\"\n"),
        ("ndjson", "application/x-ndjson", "{\"n\":0,\"text\":\"é0\"}\n{\"n\":1,\"text\":\"é1\"}\n"),
    ] {
        let reply = app.admin().get(&format!("/v0/pipes/rows.{ending}")).await;
        assert_eq!((reply.status.as_u16(), reply.text.as_str()), (200, text), "{ending}");
        assert_eq!(reply.header("content-type"), content_type, "{ending}");
    }
    assert_eq!(app.admin().get("/v0/pipes/rows.json").await.header("content-type"), "application/json");
    for ending in ["xml", "JSON", "csvWithNames", "arrow"] {
        let error = app.admin().get(&format!("/v0/pipes/rows.{ending}")).await.error(404);
        assert!(error.contains(ending) && error.contains(".prometheus"), "{error}");
    }
}

/// The bytes of an answer that is no text.
async fn bytes(app: &TestApp, path: &str) -> (String, Vec<u8>) {
    let response = app.admin().request(Method::GET, path).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    (content_type, response.bytes().await.unwrap().to_vec())
}

#[tokio::test]
async fn parquet_is_one_whole_file_and_its_texts_are_bytes_unless_asked_otherwise() {
    let app = app().await;
    let path = "/v0/pipes/rows.parquet?rows=100000";
    let (content_type, file) = bytes(&app, path).await;
    assert_eq!(content_type, "application/vnd.apache.parquet");
    assert!(file.starts_with(b"PAR1") && file.ends_with(b"PAR1"));
    assert_eq!(file.windows(4).filter(|window| window == b"PAR1").count(), 2, "one file, not several");
    let (_, texts) = bytes(&app, &format!("{path}&output_format_parquet_string_as_string=1")).await;
    assert_ne!(file, texts, "the logical type of the column is in the file");
    let (_, same) = bytes(&app, &format!("{path}&output_format_parquet_string_as_string=0")).await;
    assert_eq!(file.len(), same.len());
    let query = encoded("SELECT 1 AS n FORMAT Parquet");
    assert!(bytes(&app, &format!("/v0/sql?q={query}")).await.1.starts_with(b"PAR1"));
}

#[tokio::test]
async fn prometheus_needs_its_columns() {
    let metrics = "SELECT 'requests' AS name, toFloat64(12) AS value, 'All of them' AS help, \
                   map('path', '/\"a\"') AS labels, 'counter' AS type";
    let project =
        shop().endpoint("metrics", metrics).endpoint("text_value", "SELECT 'a' AS name, 'b' AS value");
    let app = TestApp::start(&project).await;
    let reply = app.admin().get("/v0/pipes/metrics.prometheus").await;
    assert_eq!(reply.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(
        reply.text,
        "# HELP requests All of them\n# TYPE requests counter\nrequests{path=\"/\\\"a\\\"\"} 12\n\n"
    );
    let error = app.admin().get("/v0/pipes/rows.prometheus").await.error(400);
    assert!(error.contains("Column 'name' is required for output format 'Prometheus'"), "{error}");
    let error = app.admin().get("/v0/pipes/text_value.prometheus").await.error(400);
    assert!(error.contains("'value'") && error.contains("Prometheus"), "{error}");
    assert_eq!(
        app.token("dashboard").get("/v0/pipes/by_tenant.prometheus").await.error(400).split(' ').next(),
        Some("Column")
    );
}

#[tokio::test]
async fn settings_of_the_request_reach_both_ways_of_reading() {
    let app = app().await;
    let sql = encoded("SELECT toUInt64(9007199254740993) AS w, 1 / 0 AS f FORMAT JSONEachRow");
    let settings = "output_format_json_quote_64bit_integers=1&output_format_json_quote_denormals=1";
    let reply = app.admin().get(&format!("/v0/sql?q={sql}")).await;
    assert_eq!(reply.text, "{\"w\":9007199254740993,\"f\":null}\n");
    let reply = app.admin().get(&format!("/v0/sql?{settings}&q={sql}")).await;
    assert_eq!(reply.text, "{\"w\":\"9007199254740993\",\"f\":\"inf\"}\n");
    let error = app.admin().get("/v0/sql?output_format_json_quote_denormals=x&q=SELECT+1").await.error(400);
    assert!(error.contains("output_format_json_quote_denormals") && error.contains("0 or 1"), "{error}");
}

#[tokio::test]
async fn half_made_aggregates_are_finished_for_those_who_ask() {
    let states = "SELECT 'a' AS `k``ey`, sumState(number) AS total, count() AS n FROM numbers(10)";
    let app = TestApp::start(&shop().endpoint("states", states)).await;
    let raw = app.admin().get("/v0/pipes/states.ndjson").await;
    assert!(raw.status == 200 && !raw.text.contains("45"), "{}", raw.text);
    let reply = app.admin().get("/v0/pipes/states.ndjson?finalize_aggregations=true").await;
    assert_eq!(reply.text, "{\"k`ey\":\"a\",\"total\":45,\"n\":10}\n");
    let plain = app.admin().get("/v0/pipes/rows.ndjson?finalize_aggregations=1&rows=1").await;
    assert_eq!(plain.text, "{\"n\":0,\"text\":\"é0\"}\n");
    let sql = encoded("SELECT avgState(number) AS a FROM numbers(3) FORMAT CSV");
    assert_eq!(app.admin().get(&format!("/v0/sql?finalize_aggregations=1&q={sql}")).await.text, "1\n");
}

/// An answer that fails late breaks off, or is refused in good order where it was not begun.
async fn expect_no_whole_answer(app: &TestApp, path: &str, encoding: &str) {
    let request = app.admin().request(Method::GET, path).header("accept-encoding", encoding);
    let answered = try_send(request).await;
    let is_refused = answered.as_ref().is_ok_and(|reply| reply.status == 400);
    assert!(answered.is_err() || is_refused, "a short answer passes for a whole one: {path}, {encoding}");
}

#[tokio::test]
async fn no_format_and_no_encoding_passes_a_broken_answer_for_a_whole_one() {
    let late = "SELECT number AS n, repeat('x', 100) AS filler, throwIf(number = 400000, 'too late') AS t FROM numbers(500000)";
    let app = TestApp::start(&shop().endpoint("late", late)).await;
    let of_endpoints =
        [("parquet", "identity"), ("parquet", "gzip"), ("json", "zstd"), ("csvwithnames", "identity")];
    for (ending, encoding) in of_endpoints {
        expect_no_whole_answer(&app, &format!("/v0/pipes/late.{ending}"), encoding).await;
    }
    for format in ["TSV", "TSVWithNames", "PrettyCompact", "Markdown"] {
        let sql = format!("SELECT * FROM late FORMAT {format}");
        expect_no_whole_answer(&app, &format!("/v0/sql?q={}", encoded(&sql)), "identity").await;
    }
    let alive = app.admin().request(Method::GET, "/v0/pipes/rows.json");
    assert_eq!(send(alive).await.status, 200);
}
