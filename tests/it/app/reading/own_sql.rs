//! `/v0/sql`: how the SQL arrives, what it may do, what it is told.

use reqwest::Method;
use serde_json::{Value, json};

use super::{app, encoded, fill, shop};
use crate::harness::{Home, Reply, TestApp, send};

async fn get(app: &TestApp, sql: &str) -> Reply {
    app.admin().get(&format!("/v0/sql?q={}", encoded(sql))).await
}

/// The rows of an answer in JSON.
fn data(reply: &Reply) -> Vec<Value> {
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.header("content-type"), "application/json");
    reply.json()["data"].as_array().unwrap().clone()
}

async fn post(app: &TestApp, query: &str, content_type: &str, body: &str) -> Reply {
    let request = app.admin().request(Method::POST, &format!("/v0/sql{query}"));
    let request =
        if content_type.is_empty() { request } else { request.header("content-type", content_type) };
    send(request.body(body.to_owned())).await
}

const FORM: &str = "application/x-www-form-urlencoded";

#[tokio::test]
async fn the_sql_comes_in_the_address_and_answers_the_envelope() {
    let app = app().await;
    let reply = get(&app, "SELECT count() AS n, toUInt64(7) AS wide FROM sales").await;
    assert_eq!(data(&reply), [json!({"n": 3, "wide": 7})]);
    let envelope = reply.json();
    assert_eq!(envelope["meta"][0], json!({"name": "n", "type": "UInt64"}));
    assert_eq!(envelope["rows"], 1);
    assert!(envelope["statistics"]["elapsed"].is_f64() && envelope["statistics"]["rows_read"].is_u64());
    assert!(envelope.get("error").is_none() && envelope.get("rows_before_limit_at_least").is_none());
    let limited = get(&app, "SELECT id FROM sales ORDER BY amount LIMIT 2").await.json();
    assert_eq!((&limited["rows"], &limited["rows_before_limit_at_least"]), (&json!(2), &json!(3)));
}

#[tokio::test]
async fn the_sql_comes_in_a_body_of_any_kind() {
    let app = app().await;
    let bare = "SELECT '100%25 a+b' AS t WHERE 1=1 AND 'x&q=2' != ''";
    for content_type in ["text/plain", "text/plain;charset=UTF-8", FORM, ""] {
        assert_eq!(
            data(&post(&app, "", content_type, bare).await),
            [json!({"t": "100%25 a+b"})],
            "{content_type}"
        );
        assert_eq!(data(&post(&app, "?q=SELECT+2", content_type, bare).await).len(), 1, "the body wins");
    }
    assert_eq!(data(&post(&app, "", FORM, "q=SELECT+1%2B1+AS+t").await), [json!({"t": 2})]);
    assert_eq!(data(&post(&app, "?q=SELECT+3+AS+t", FORM, "").await), [json!({"t": 3})]);
    let object = json!({"q": "SELECT 4 AS t"}).to_string();
    assert_eq!(data(&post(&app, "", "application/json", &object).await), [json!({"t": 4})]);
}

#[tokio::test]
async fn a_text_that_begins_with_a_percent_sign_is_a_template() {
    let app = app().await;
    let sql = "% SELECT {{ Int32(n, 5) }} AS n, {{ String(word, 'none') }} AS word, {{ Array(ids, 'Int32', '0') }} AS ids";
    assert_eq!(data(&get(&app, sql).await), [json!({"n": 5, "word": "none", "ids": [0]})]);
    let query = format!("?n=6&ids=1,2&q={}", encoded(sql));
    assert_eq!(
        data(&app.admin().get(&format!("/v0/sql{query}")).await),
        [json!({"n": 6, "word": "none", "ids": [1, 2]})]
    );
    let object = json!({"q": sql, "n": 7, "ids": [3], "word": "it's"}).to_string();
    let rows = data(&post(&app, "", "application/json", &object).await);
    assert_eq!(rows, [json!({"n": 7, "word": "it's", "ids": [3]})]);
    let form = format!("q={}&n=8&word={}", encoded(sql), encoded("' OR 1=1 --"));
    assert_eq!(data(&post(&app, "", FORM, &form).await)[0]["word"], "' OR 1=1 --");
    assert_eq!(data(&post(&app, "?n=9", "text/plain", sql).await)[0]["n"], 9);
    let error = get(&app, "% SELECT {{ Int32(n) }}").await.error(400);
    assert!(error.contains("Required parameter is not defined. Check the parameters n."), "{error}");
    assert!(get(&app, "% SELECT {% for i in range(10**9) %}1{% end %}").await.error(400).contains("steps"));
}

#[tokio::test]
async fn parameters_reach_the_pipes_that_are_read() {
    let app = app().await;
    let query = |least: u32, sql: &str| format!("/v0/sql?least={least}&q={}", encoded(sql));
    for sql in ["SELECT sum(n) AS n FROM by_tenant", "% SELECT sum(n) AS n FROM by_tenant"] {
        assert_eq!(data(&app.admin().get(&query(0, sql)).await), [json!({"n": 3})]);
        assert_eq!(data(&app.admin().get(&query(7, sql)).await), [json!({"n": 2})]);
    }
    app.admin().get("/v0/sql?least=x&q=SELECT+*+FROM+by_tenant").await.error(400);
}

#[tokio::test]
async fn the_pipeline_is_called_underscore() {
    let app = app().await;
    let query = |sql: &str| format!("/v0/sql?pipeline=by_tenant&least=7&q={}", encoded(sql));
    assert_eq!(data(&app.admin().get(&query("SELECT sum(n) AS n FROM _")).await), [json!({"n": 2})]);
    assert_eq!(
        data(&app.admin().get(&query("SELECT _.n AS n FROM _ WHERE _.tenant = 'b'")).await),
        [json!({"n": 1})]
    );
    let nodes = data(
        &app.admin().get(&query("SELECT sum(n) AS n, (SELECT count() FROM large) AS m FROM by_tenant")).await,
    );
    assert_eq!(nodes, [json!({"n": 2, "m": 2})], "an admin sees the nodes of the pipe");
    let error = get(&app, "SELECT * FROM _").await.error(400);
    assert_eq!(error, "Resource '_' not found");
    let error = app.admin().get("/v0/sql?pipeline=nope&q=SELECT+1").await.error(404);
    assert_eq!(error, "The pipe 'nope' does not exist");
}

#[tokio::test]
async fn keys_of_clients_are_tolerated() {
    let app = app().await;
    let keys = "from=ts-sdk&cli_version=5.0.2&playground=x&release_replacements=true&__tb__client=mcp&debug=blocks\
                &__tb__semver=1.0.0&query_id=1&tag=t&with_clickhouse_format=true&nope=1";
    assert_eq!(data(&app.admin().get(&format!("/v0/sql?{keys}&q=SELECT+1+AS+n")).await), [json!({"n": 1})]);
    assert_eq!(data(&app.admin().get("/v0/sql/?q=SELECT+1+AS+n").await), [json!({"n": 1})]);
}

#[tokio::test]
async fn what_clients_ask_of_the_shop_works() {
    let app = app().await;
    let wrapped = "SELECT * FROM (SELECT tenant, amount FROM sales ORDER BY id) LIMIT 100 FORMAT JSON";
    assert_eq!(data(&get(&app, wrapped).await).len(), 3);
    let quarantine = "SELECT * FROM sales_quarantine ORDER BY insertion_date DESC LIMIT 1 FORMAT JSON";
    assert_eq!(data(&get(&app, quarantine).await)[0]["amount"], "much");
    let join = "SELECT s.tenant, t.total FROM sales AS s JOIN by_tenant AS t USING tenant WHERE s.id IN (SELECT id FROM secrets)";
    assert_eq!(data(&get(&app, join).await), [json!({"tenant": "a", "total": 15})]);
    let rows = "SELECT formatRowNoNewline('JSONEachRow', *) AS row FROM sales WHERE id = 1";
    assert_eq!(data(&get(&app, rows).await)[0]["row"], r#"{"id":1,"tenant":"a","amount":10}"#);
    assert_eq!(
        data(&get(&app, "SELECT 1 AS n;").await),
        [json!({"n": 1})],
        "one semicolon at the end is fine"
    );
}

#[tokio::test]
async fn no_sql_is_refused_with_where_it_goes() {
    let app = app().await;
    for reply in [
        app.admin().get("/v0/sql").await,
        app.admin().get("/v0/sql?q=").await,
        app.admin().get("/v0/sql?q=%20").await,
        post(&app, "", FORM, "").await,
        post(&app, "", "text/plain", " ").await,
        post(&app, "", "application/json", "{}").await,
    ] {
        assert!(reply.error(400).contains("/v0/sql?q="), "{}", reply.text);
    }
    assert!(post(&app, "", "application/json", "[1]").await.error(400).contains("JSON"));
}

#[tokio::test]
async fn only_one_statement_that_reads_is_run() {
    let app = app().await;
    assert_eq!(get(&app, "SELECT 1; SELECT 2").await.error(400), "Multi-statements are not allowed");
    assert_eq!(
        get(&app, "DROP TABLE sales").await.error(400),
        "DROP statements are not allowed, only SELECT"
    );
    let error = get(&app, "SELECT 1 SETTINGS max_execution_time = 100").await.error(400);
    assert_eq!(error, "SETTINGS are not allowed in this query");
    let error =
        get(&app, "WITH (a, b) -> 1 AS equals SELECT * FROM sales WHERE tenant = 'a'").await.error(400);
    assert_eq!(error, "the lambda named 'equals' is not allowed in this query");
    for sql in [
        "INSERT INTO sales VALUES (1, 'a', 1)",
        "ALTER TABLE sales DELETE WHERE 1",
        "SYSTEM SHUTDOWN",
        "SET max_threads = 1",
        "SELECT 1 INTO OUTFILE '/tmp/x'",
        "SELECT * FROM file('/etc/passwd')",
        "SELECT file('/etc/passwd')",
        "SELECT * FROM url('http://127.0.0.1')",
        "SELECT * FROM s3('x')",
        "SELECT * FROM system.tables",
        "SELECT * FROM nope",
        "SELEC 1",
    ] {
        let error = get(&app, sql).await.error(400);
        assert!(!error.contains(app.database()), "{sql}: {error}");
    }
    let physical = format!("SELECT * FROM {}.sales", app.database());
    assert!(get(&app, &physical).await.error(400).contains("not found"));
    assert_eq!(app.rows("sales").await, 3);
}

#[tokio::test]
async fn plans_and_descriptions_are_answered() {
    let app = app().await;
    let described = data(&get(&app, "DESCRIBE TABLE sales").await);
    assert_eq!((&described[2]["name"], &described[2]["type"]), (&json!("amount"), &json!("Int32")));
    assert_eq!(data(&get(&app, "DESCRIBE by_tenant").await)[1]["name"], "total");
    for sql in
        ["EXPLAIN SELECT * FROM by_tenant", "EXPLAIN AST SELECT 1", "EXPLAIN SYNTAX SELECT * FROM sales"]
    {
        let plan = data(&get(&app, sql).await);
        assert!(plan.len() > 1 && plan[0]["explain"].is_string(), "{sql}: {plan:?}");
    }
}

#[tokio::test]
async fn a_text_is_read_up_to_its_limit() {
    let app = Home::with_settings("query.max_sql_bytes = 100").start(&shop()).await;
    let sql = |length: usize| format!("SELECT 1 AS n /*{}*/", "x".repeat(length - 18));
    assert_eq!(sql(100).len(), 100);
    assert_eq!(data(&get(&app, &sql(100)).await), [json!({"n": 1})]);
    let error = get(&app, &sql(101)).await.error(400);
    assert!(error.contains("101 bytes") && error.contains("query.max_sql_bytes"), "{error}");
    let posted = post(&app, "", "text/plain", &sql(101)).await;
    assert_eq!(posted.error(400), error);
    let over = app.admin().get(&format!("/v0/pipes/rows.json?q={}", encoded(&sql(101)))).await;
    assert_eq!(over.error(400), error);
    for path in ["/v0/sql_format", "/v0/sql_tables"] {
        assert_eq!(app.admin().get(&format!("{path}?q={}", encoded(&sql(101)))).await.error(400), error);
    }
}

#[tokio::test]
async fn rows_bytes_and_time_are_limited() {
    let settings = "query.max_result_rows = 5\nquery.max_result_bytes = 2000\nquery.max_execution_seconds = 1\nquery.max_rows_to_read = 200000000000";
    let app = Home::with_settings(settings).start(&shop()).await;
    fill(&app.admin()).await;
    assert_eq!(data(&get(&app, "SELECT number FROM numbers(5)").await).len(), 5);
    let reply = get(&app, "SELECT number FROM numbers(6)").await;
    reply.error(400);
    assert_eq!(reply.header("x-db-exception-code"), "396");
    get(&app, "SELECT repeat(toString(number), 3000) FROM numbers(5)").await.error(400);
    let reply = get(&app, "SELECT count() FROM numbers(300000000000) WHERE NOT ignore(number)").await;
    reply.error(400);
    assert_eq!(reply.header("x-db-exception-code"), "158");
    let reply = get(&app, "SELECT count() FROM numbers(100000000000) WHERE NOT ignore(number)").await;
    reply.error(408);
    assert_eq!(reply.header("x-db-exception-code"), "159");
}
