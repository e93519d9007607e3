//! Large answers pass through the server: it holds a few pieces of them, never the whole.

use reqwest::Method;

use super::encoded;
use crate::harness::{ApiClient, Project, ServerProcess, TestApp, eventually};

const ROWS: u64 = 1_000_000;
/// What a server may grow by while such an answer passes through it.
const GROWTH: u64 = 30_000_000;

/// Reads an answer to its end, keeping nothing; its length.
async fn length(caller: &ApiClient, path: &str, encoding: &str) -> u64 {
    let request = caller.request(Method::GET, path).header("accept-encoding", encoding);
    let mut response = request.send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    let mut length = 0;
    while let Some(piece) = response.chunk().await.unwrap() {
        length += piece.len() as u64;
    }
    length
}

#[tokio::test]
async fn a_million_rows_pass_through_a_server_that_stays_small() {
    let rows = format!("SELECT number AS n, hex(cityHash64(number)) AS text FROM numbers({ROWS})");
    let server = ServerProcess::start(&Project::default().endpoint("rows", &rows)).await;
    let admin = server.admin();
    let sql = |format: &str| format!("/v0/sql?q={}", encoded(&format!("SELECT * FROM rows FORMAT {format}")));
    length(&admin, "/v0/pipes/rows.json?q=SELECT+*+FROM+_+LIMIT+10", "gzip").await;
    let before = server.peak_bytes();
    for (path, encoding, least) in [
        ("/v0/pipes/rows.json".to_owned(), "identity", 50_000_000),
        ("/v0/pipes/rows.ndjson".to_owned(), "gzip", 10_000_000),
        ("/v0/pipes/rows.parquet".to_owned(), "identity", 10_000_000),
        (sql("CSVWithNames"), "identity", 20_000_000),
    ] {
        let length = length(&admin, &path, encoding).await;
        assert!(length > least, "{path}: {length} bytes");
        let grown = server.peak_bytes() - before;
        assert!(grown < GROWTH, "{path} as {encoding} of {length} bytes: grown by {grown} bytes");
    }
}

/// What the engine is told of the threads that write, while it answers a call with this number in it.
async fn told(app: &TestApp, rows: u64) -> String {
    let (admin, path) = (app.admin(), format!("/v0/pipes/rows.csv?rows={rows}"));
    let mut call = std::pin::pin!(admin.get(&path));
    // The number is put together here, so that this query does not find itself.
    let digits = rows.to_string();
    let (front, back) = digits.split_at(4);
    let sql = format!(
        "SELECT Settings['output_format_parallel_formatting'] AS told FROM system.processes \
         WHERE position(query, concat('{front}', '{back}')) > 0"
    );
    let seen = eventually("the query runs", async || {
        let found = app.query_engine(&sql).await.into_iter().next()?;
        Some(found["told"].as_str().unwrap().to_owned())
    });
    tokio::select! {
        seen = seen => seen,
        reply = &mut call => panic!("the call ended: {}", reply.status),
    }
}

#[tokio::test]
async fn an_answer_is_written_on_several_threads_where_the_last_one_was_long() {
    // Work for a minute, of which a caller that leaves makes nothing.
    let slow = "SELECT count() AS n FROM numbers({{ UInt64(rows) }}) WHERE sipHash64(number) = 1";
    let long = "SELECT number AS n FROM numbers({{ UInt64(rows) }})";
    let sql = format!("{{% if defined(listed) %}} {long} {{% else %}} {slow} {{% end %}}");
    let app = TestApp::start(&Project::default().endpoint("rows", &sql)).await;
    let answer = async |query: &str| {
        let reply = app.admin().get(&format!("/v0/pipes/rows.csv?{query}")).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.text.len()
    };
    assert_eq!(told(&app, 300_000_000_001).await, "0");
    assert!(answer("rows=1000000&listed=1").await > 1 << 20);
    assert_eq!(told(&app, 300_000_000_002).await, "", "the engine's own default");
    assert!(answer("rows=3&listed=1").await < 100);
    assert_eq!(told(&app, 300_000_000_003).await, "0");
}
