//! Large answers pass through the server: it holds a few pieces of them, never the whole.

use reqwest::Method;

use super::encoded;
use crate::harness::{ApiClient, Project, ServerProcess};

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
