//! What one query may take: for everybody, and less for some kinds of tokens.

use reqwest::Method;
use serde_json::json;

use super::{encoded, shop};
use crate::harness::{Home, Reply, TestApp, jwt};

/// ClickHouse's code for a result that is too long.
const TOO_MANY_ROWS_OR_BYTES: &str = "396";

async fn app(settings: &str) -> TestApp {
    let numbers = "TOKEN \"poster\" READ\n\nNODE endpoint\nSQL >\n    %\n    \
                   SELECT number, {{ String(text, '') }} AS text FROM numbers({{ UInt64(rows, 1) }})\n\nTYPE endpoint\n";
    Home::with_settings(settings).start(&shop().with("pipes/numbers.pipe", numbers)).await
}

#[tokio::test]
async fn each_kind_of_token_has_limits_of_its_own_within_those_of_all() {
    let settings = "query.max_result_rows = 30\nquery_token.max_result_rows = 20\n\
                    query_jwt.max_result_rows = 10\nquery_jwt.max_rows_to_read = 1000";
    let app = app(settings).await;
    let scopes = json!([{ "type": "PIPES:READ", "resource": "numbers" }]);
    let front_end = app.anonymous().with_token(&jwt(app.admin().token(), &scopes, &json!({})));
    // The widest first: what is kept for one kind is not handed to another, with the same rights.
    for (caller, limit) in [(app.admin(), 30), (app.token("poster"), 20), (front_end.clone(), 10)] {
        for rows in [limit, limit + 1, 10, 20, 30, 31] {
            let reply = caller.get(&format!("/v0/pipes/numbers.json?rows={rows}")).await;
            if rows <= limit {
                assert_eq!(reply.json()["rows"], rows, "{}", reply.text);
            } else {
                reply.error(400);
                assert_eq!(reply.header("x-db-exception-code"), TOO_MANY_ROWS_OR_BYTES);
            }
        }
    }
    let over = |caller: &crate::harness::ApiClient| {
        let caller = caller.clone();
        async move { caller.get("/v0/pipes/numbers.json?rows=2000&q=SELECT+count()+AS+n+FROM+numbers").await }
    };
    assert_eq!(over(&app.token("poster")).await.json()["data"], json!([{ "n": 2000 }]));
    assert_eq!(over(&front_end).await.header("x-db-exception-code"), "158");
}

/// How many MiB stand before and behind some words of a message.
fn mebibytes(text: &str, before: &str) -> f64 {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("{before} in {text}"));
    rest.split(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_query_that_runs_away_is_stopped_near_its_limit() {
    let settings = "query.max_memory_bytes = 104857600\nquery.max_result_bytes = 5000000";
    let app = app(settings).await;
    let ask = async |sql: &str| -> Reply { app.admin().get(&format!("/v0/sql?q={}", encoded(sql))).await };
    // Memory: what it has when it is stopped is what it would have less what it asked for.
    let error = ask("SELECT uniqExact(number) FROM numbers(100000000)").await.error(400);
    let has = mebibytes(&error, "would use ") - mebibytes(&error, "attempt to allocate chunk of ");
    assert!(has <= 120.0 && error.contains("maximum: 100.00 MiB"), "{error}");
    // The result: it breaks off, with no more of it sent than the limit and a piece.
    let sql = "SELECT number, repeat('x', 100) AS text FROM numbers(10000000) FORMAT CSV";
    let mut response =
        app.admin().request(Method::GET, &format!("/v0/sql?q={}", encoded(sql))).send().await.unwrap();
    let mut sent = 0;
    let broken = loop {
        match response.chunk().await {
            Ok(Some(piece)) => sent += piece.len(),
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert!(broken && sent <= 6_000_000, "{sent} bytes, broken: {broken}");
    // Recursion.
    let sql = "WITH RECURSIVE endless AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM endless) SELECT count() FROM endless";
    let error = ask(sql).await.error(400);
    assert!(error.contains("depth") || error.contains("TOO_DEEP_RECURSION"), "{error}");
}
