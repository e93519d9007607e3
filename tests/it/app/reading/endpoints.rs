//! `/v0/pipes/…`: calls of endpoints beyond their plain rows.

use reqwest::Method;
use serde_json::json;

use super::{app, encoded};
use crate::harness::send;

#[tokio::test]
async fn q_asks_over_the_rows_of_the_endpoint() {
    let app = app().await;
    let ask = |ending: &str, sql: &str| format!("/v0/pipes/by_tenant.{ending}q={}", encoded(sql));
    let reply = app.admin().get(&ask("json?", "SELECT sum(total) AS t FROM _")).await;
    assert_eq!(reply.json()["data"], json!([{"t": 22}]));
    let reply = app.admin().get(&ask("json?least=7&", "SELECT sum(total) AS t FROM _")).await;
    assert_eq!(reply.json()["data"], json!([{"t": 17}]), "parameters still apply");
    let reply =
        app.admin().get(&ask("csv?", "SELECT tenant FROM by_tenant ORDER BY total FORMAT JSON")).await;
    assert_eq!(reply.text, "\"tenant\"\n\"b\"\n\"a\"\n", "the ending decides, not FORMAT");
    let templated = "% SELECT count() AS n FROM _ WHERE total > {{ Int32(above, 0) }}";
    let reply = app.admin().get(&ask("ndjson?above=10&", templated)).await;
    assert_eq!(reply.text, "{\"n\":1}\n");
    let form = format!("least=10&q={}", encoded("SELECT sum(n) AS n FROM _"));
    let reply = app.admin().post("/v0/pipes/by_tenant.ndjson", form).await;
    assert_eq!(reply.text, "{\"n\":1}\n");
    let body = json!({"q": "SELECT max(total) AS m FROM _", "least": 6}).to_string();
    let request = app.admin().request(Method::POST, "/v0/pipes/by_tenant.ndjson");
    let reply = send(request.header("content-type", "application/json").body(body)).await;
    assert_eq!(reply.text, "{\"m\":10}\n");
    assert_eq!(app.admin().get(&ask("json?", "")).await.json()["rows"], 2, "an empty q is none");
    app.admin().get(&ask("json?", "DROP TABLE sales")).await.error(400);
    app.admin().get(&ask("json?", "SELECT 1; SELECT 2")).await.error(400);
}

#[tokio::test]
async fn the_count_before_the_limit_comes_with_a_limit_only() {
    let app = app().await;
    let plain = app.admin().get("/v0/pipes/rows.json?rows=5").await.json();
    assert_eq!((plain["rows"].as_u64(), plain.get("rows_before_limit_at_least")), (Some(5), None));
    let limited = encoded("SELECT * FROM _ ORDER BY total LIMIT 1");
    let limited = app.admin().get(&format!("/v0/pipes/by_tenant.json?q={limited}")).await.json();
    assert_eq!(
        (limited["rows"].as_u64(), limited["rows_before_limit_at_least"].as_u64()),
        (Some(1), Some(2))
    );
    for part in ["elapsed", "rows_read", "bytes_read"] {
        assert!(limited["statistics"][part].is_number(), "{part}");
    }
}

#[tokio::test]
async fn a_plan_is_shown_to_who_may_read_everything() {
    let app = app().await;
    let plan = app.admin().get("/v0/pipes/by_tenant/explain?least=7").await.json();
    let sql = plan["debug_query"].as_str().unwrap();
    assert!(sql.contains(">= toInt32('7')") && sql.contains("GROUP BY tenant"), "{sql}");
    assert!(plan["query_explain"].as_str().unwrap().contains("ReadFromMergeTree"), "{plan}");
    let node = app.admin().get("/v0/pipes/by_tenant/nodes/large/explain/").await.json();
    let sql = node["debug_query"].as_str().unwrap();
    assert!(sql.contains(">= toInt32('0')") && !sql.contains("GROUP BY"), "{sql}");
    assert_eq!(app.admin().get("/v0/pipes/by_tenant.json?explain=true&least=7").await.json(), plan);
    assert_eq!(app.admin().get("/v0/pipes/by_tenant.json?explain=false").await.json()["rows"], 2);
    let error = app.token("dashboard").get("/v0/pipes/by_tenant/explain").await.error(403);
    assert!(error.contains("ADMIN"), "{error}");
    app.token("dashboard").get("/v0/pipes/by_tenant.json?explain=1").await.error(403);
    app.token("dashboard").get("/v0/pipes/private/explain").await.error(403);
    assert_eq!(app.admin().get("/v0/pipes/nope/explain").await.error(404), "The pipe 'nope' does not exist");
    let error = app.admin().get("/v0/pipes/by_tenant/nodes/nope/explain").await.error(404);
    assert_eq!(error, "The node 'nope' does not exist in the pipe 'by_tenant'");
    app.anonymous().get("/v0/pipes/by_tenant/explain").await.error(403);
}

#[tokio::test]
async fn a_pipe_that_is_not_there_is_told_in_the_words_of_tinybird() {
    let app = app().await;
    assert_eq!(app.admin().get("/v0/pipes/nope.json").await.error(404), "The pipe 'nope' does not exist");
    assert_eq!(app.admin().get("/v0/pipes/nope").await.error(404), "Pipe 'nope' not found");
}

#[tokio::test]
async fn a_null_in_a_body_is_a_parameter_that_was_not_sent() {
    let app = app().await;
    for (least, rows) in [(json!(null), 3), (json!(7), 2), (json!("7"), 2)] {
        let body = json!({"least": least, "q": "SELECT sum(n) AS n FROM _"}).to_string();
        let request = app.admin().request(Method::POST, "/v0/pipes/by_tenant.ndjson");
        let reply = send(request.header("content-type", "application/json").body(body)).await;
        assert_eq!(reply.text, format!("{{\"n\":{rows}}}\n"), "{least}");
    }
}

#[tokio::test]
async fn no_limit_is_added_to_what_an_author_wrote() {
    let app = app().await;
    let reply = app.admin().get("/v0/pipes/rows.json?rows=70000").await.json();
    assert_eq!((&reply["rows"], reply["data"].as_array().map(Vec::len)), (&json!(70_000), Some(70_000)));
}
