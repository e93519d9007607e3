//! Large answers pass through the server: it holds a few pieces of them, never the whole.

use reqwest::Method;

use super::encoded;
use crate::harness::{ApiClient, Project, ServerFolder, ServerProcess, TestApp, eventually, send};

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

/// The body of an answer that the engine gives now.
async fn fresh(caller: &ApiClient, path: &str) -> String {
    let reply = send(caller.request(Method::GET, path).header("cache-control", "no-cache")).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text);
    reply.text
}

/// What was short last time is asked for at once, and what was not, or is new, piece by piece.
#[tokio::test]
async fn an_answer_is_the_same_however_long_it_was_expected_to_be() {
    let app = TestApp::start(&Project::default()).await;
    let sql = "SELECT 'a' AS name, toFloat64(number) AS value FROM numbers(3) ORDER BY number FORMAT";
    let formats = [
        "CSV",
        "CSVWithNames",
        "JSON",
        "TSV",
        "TSVWithNames",
        "PrettyCompact",
        "JSONEachRow",
        "Parquet",
        "Prometheus",
        "Markdown",
    ];
    for format in formats {
        let path = format!("/v0/sql?q={}", encoded(&format!("{sql} {format}")));
        // The times of a query are none of its rows.
        let answer =
            async || fresh(&app.admin(), &path).await.split("\"statistics\"").next().unwrap().to_owned();
        let first = answer().await;
        assert!(!first.is_empty(), "{format}");
        for _ in 0..2 {
            assert_eq!(answer().await, first, "{format}");
        }
    }
}

#[tokio::test]
async fn an_answer_longer_than_the_last_is_whole() {
    let sql = "SELECT number AS n, repeat('x', {{ UInt32(width) }}) AS text FROM numbers({{ UInt64(rows) }})";
    let app = TestApp::start(&Project::default().endpoint("rows", sql)).await;
    // Twice each, so that the second knows of the first; at the bounds, far beyond, and back.
    for (rows, width) in
        [(5, 1), (10_000, 1), (10_001, 1), (5, 1), (9_000, 2_000), (300_000, 1), (0, 1), (60_000, 30)]
    {
        for _ in 0..2 {
            let text = fresh(&app.admin(), &format!("/v0/pipes/rows.csv?rows={rows}&width={width}")).await;
            let lines: Vec<&str> = text.lines().skip(1).collect();
            assert_eq!(lines.len(), rows, "{rows} rows of {width}");
            let last = |rows: usize| format!("{},\"{}\"", rows - 1, "x".repeat(width));
            assert!(lines.last().is_none_or(|line| *line == last(rows)), "{rows} rows of {width}");
        }
    }
}

#[tokio::test]
async fn a_limit_of_the_operator_is_told_as_such_whatever_was_expected() {
    let server = ServerFolder::new(
        &Project::default().endpoint("rows", "SELECT number FROM numbers({{ UInt64(rows) }})"),
    )
    .with_variable("ROOST__QUERY__MAX_RESULT_ROWS", "100")
    .start()
    .await;
    let admin = server.admin();
    for rows in [100, 100, 101, 100, 100, 101] {
        let request = admin.request(Method::GET, &format!("/v0/pipes/rows.csv?rows={rows}"));
        let reply = send(request.header("cache-control", "no-cache")).await;
        let told = (reply.status.as_u16(), reply.header("x-db-exception-code").to_owned());
        let expected = if rows > 100 { (400, "396".to_owned()) } else { (200, String::new()) };
        assert_eq!(told, expected, "{rows}: {}", reply.text);
    }
}

/// An answer that is too long to come at once, and not so long as to come piece by piece.
#[tokio::test]
async fn what_has_grown_is_asked_again_once_and_not_at_every_call() {
    let rows = "SELECT number FROM numbers({{ UInt64(rows) }})";
    let server = ServerProcess::start(&Project::default().endpoint("rows", rows)).await;
    let asked_again = async |rows: u32| {
        fresh(&server.admin(), &format!("/v0/pipes/rows.csv?rows={rows}")).await;
        let metrics = server.admin().get("/metrics").await.text;
        let line = metrics.lines().find_map(|line| line.strip_prefix("roost_query_asked_again_total "));
        line.unwrap().parse::<u32>().unwrap()
    };
    // New, at once, grown, known, known, small again.
    for (rows, expected) in
        [(5, 0), (5, 0), (12_000, 1), (12_000, 1), (12_000, 1), (5, 1), (5, 1), (12_000, 2)]
    {
        assert_eq!(asked_again(rows).await, expected, "{rows} rows");
    }
}
