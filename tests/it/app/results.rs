//! Answers of endpoints: formats, how numbers are printed, limits, and what a failure looks like.

use reqwest::Method;
use serde_json::json;

use crate::harness::{Home, Project, TestApp, eventually, send, try_send};

fn project() -> Project {
    let rows = "SELECT number AS n, if(number = 1, 'a \"b\",\\nc', 'é/x') AS text FROM numbers({{ Int32(rows, 2) }}) ORDER BY n";
    // Each row has a hundred bytes, so the answer has begun long before the last of them.
    let late = "SELECT number, repeat('x', 100) AS filler, throwIf(number = 400000, 'too late') FROM numbers(500000)";
    Project::default()
        .data_source("hits", &["id UInt64", "page String"])
        .endpoint("rows", rows)
        .endpoint("wide", "SELECT toUInt64(9007199254740993) AS wide, toInt128(-5) AS wider, 1 / 0 AS infinite")
        .endpoint("late", late)
        .endpoint("early", "SELECT throwIf(number = 3, 'at once') FROM numbers(10)")
        .endpoint("slow", "SELECT count() FROM numbers(100000000000) WHERE NOT ignore(number)")
        .endpoint("unknown_column", "SELECT nothing FROM hits")
        .endpoint("status", "{% if defined(x) %} {{ error('x is not welcome') }} {% else %} {{ custom_error({'error': 'a teapot'}, 418) }} {% end %} SELECT 1")
}

#[tokio::test]
async fn csv_has_a_header_and_its_content_type() {
    let app = TestApp::start(&project()).await;
    let reply = app.admin().get("/v0/pipes/rows.csv").await;
    assert_eq!(reply.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(reply.text, "\"n\",\"text\"\n0,\"é/x\"\n1,\"a \"\"b\"\",\nc\"\n");
    assert_eq!(app.admin().get("/v0/pipes/rows.csv?rows=0").await.text, "\"n\",\"text\"\n");
}

#[tokio::test]
async fn ndjson_has_one_object_per_line_and_its_content_type() {
    let app = TestApp::start(&project()).await;
    let reply = app.admin().get("/v0/pipes/rows.ndjson").await;
    assert_eq!(reply.header("content-type"), "application/x-ndjson");
    assert_eq!(reply.text, "{\"n\":0,\"text\":\"é\\/x\"}\n{\"n\":1,\"text\":\"a \\\"b\\\",\\nc\"}\n");
    assert_eq!(app.admin().get("/v0/pipes/rows.ndjson?rows=0").await.text, "");
}

#[tokio::test]
async fn wide_integers_are_numbers_unless_the_caller_asks_for_texts() {
    let app = TestApp::start(&project()).await;
    let text = app.admin().get("/v0/pipes/wide.ndjson").await.text;
    assert_eq!(text, "{\"wide\":9007199254740993,\"wider\":-5,\"infinite\":null}\n");
    let settings = "output_format_json_quote_64bit_integers=1&output_format_json_quote_denormals=1";
    let text = app.admin().get(&format!("/v0/pipes/wide.ndjson?{settings}")).await.text;
    assert_eq!(text, "{\"wide\":\"9007199254740993\",\"wider\":\"-5\",\"infinite\":\"inf\"}\n");
}

#[tokio::test]
async fn an_answer_without_rows_is_a_whole_envelope() {
    let app = TestApp::start(&project()).await;
    let answer = app.admin().get("/v0/pipes/rows.json?rows=0").await.json();
    assert_eq!((&answer["data"], &answer["rows"]), (&json!([]), &json!(0)));
    assert_eq!(answer["meta"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_large_answer_arrives_whole() {
    let app = TestApp::start(&project()).await;
    let reply = app.admin().get("/v0/pipes/rows.ndjson?rows=300000").await;
    assert_eq!(reply.text.lines().count(), 300_000);
}

#[tokio::test]
async fn an_answer_that_fails_after_its_first_bytes_is_a_broken_connection() {
    let app = TestApp::start(&project()).await;
    for format in ["json", "csv", "ndjson"] {
        for encoding in ["identity", "gzip"] {
            let request = app.admin().request(Method::GET, &format!("/v0/pipes/late.{format}"));
            let answered = try_send(request.header("accept-encoding", encoding)).await;
            assert!(answered.is_err(), "a short answer passes for a whole one: {format}, {encoding}");
        }
    }
    assert_eq!(app.admin().rows("rows").await.len(), 2, "the server goes on");
}

#[tokio::test]
async fn a_query_that_fails_at_once_is_an_error_with_the_code_of_clickhouse() {
    let app = TestApp::start(&project()).await;
    let reply = app.admin().get("/v0/pipes/early.json").await;
    let error = reply.error(400);
    assert_eq!(reply.header("x-db-exception-code"), "395");
    assert!(error.contains("at once"), "{error}");
}

#[tokio::test]
async fn an_error_does_not_show_the_statement_or_the_name_of_the_database() {
    let app = TestApp::start(&project()).await;
    let reply = app.admin().get("/v0/pipes/unknown_column.json").await;
    let error = reply.error(400);
    assert!(error.contains("nothing"), "{error}");
    assert!(!error.contains(app.database()) && !error.contains("SELECT"), "{error}");
}

#[tokio::test]
async fn a_query_over_its_time_is_stopped_with_408() {
    let app = Home::with_settings("query.max_execution_seconds = 1").start(&project()).await;
    let reply = app.admin().get("/v0/pipes/slow.json").await;
    let error = reply.error(408);
    assert_eq!(reply.header("x-db-exception-code"), "159");
    assert!(error.to_lowercase().contains("time"), "{error}");
}

#[tokio::test]
async fn a_result_over_its_size_is_refused() {
    let app = Home::with_settings("query.max_result_bytes = 1000").start(&project()).await;
    let reply = app.admin().get("/v0/pipes/rows.json?rows=100000").await;
    assert_eq!(reply.status, 400, "{}", &reply.text[..200.min(reply.text.len())]);
    assert_eq!(reply.header("x-db-exception-code"), "396");
}

#[tokio::test]
async fn queries_beyond_the_queue_are_told_to_come_back() {
    let settings = "query.concurrency = 1\nquery.queue = 0\nquery.max_execution_seconds = 2";
    let app = Home::with_settings(settings).start(&project()).await;
    let admin = app.admin();
    // Whichever query comes first may turn the other away.
    let slow = eventually("the slow query gets its turn", async || {
        let reply = admin.get("/v0/pipes/slow.json").await;
        (reply.status != 429).then_some(reply)
    });
    let refused = eventually("a query is refused", async || {
        let reply =
            send(admin.request(Method::GET, "/v0/pipes/rows.json").header("cache-control", "no-cache")).await;
        (reply.status == 429).then_some(reply)
    });
    let (slow, refused) = tokio::join!(slow, refused);
    slow.error(408);
    assert_eq!(refused.header("retry-after"), "1");
    assert!(refused.error(429).contains("try again"));
}

#[tokio::test]
async fn slow_queries_of_one_token_keep_nobody_else_out() {
    let settings = "query.concurrency = 4\nquery.queue = 4\nquery.max_execution_seconds = 3";
    let project = project().endpoint(
        "slow_too",
        "{{ max_threads(1) }} SELECT count() FROM numbers({{ UInt64(rows) }}) WHERE NOT ignore(number)",
    );
    let app = Home::with_settings(settings).start(&project).await;
    let admin = app.admin();
    let made = admin.post("/v0/tokens?name=dashboard&scope=PIPES:READ:rows", "").await.json();
    let dashboard = app.anonymous().with_token(made["token"].as_str().unwrap());
    let paths: Vec<String> =
        (0..12).map(|more| format!("/v0/pipes/slow_too.json?rows={}", 100_000_000_000_u64 + more)).collect();
    let greedy = futures_util::future::join_all(paths.iter().map(|path| admin.get(path)));
    let others = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        for rows in 0..10 {
            let reply = dashboard.get(&format!("/v0/pipes/rows.json?rows={rows}")).await;
            assert_eq!((reply.status.as_u16(), reply.header("x-cache")), (200, "miss"), "{}", reply.text);
        }
    };
    let (greedy, ()) = tokio::join!(greedy, others);
    let refused = greedy.iter().filter(|reply| reply.status == 429).count();
    assert!(refused >= 12 - 4 - 4, "{refused} were refused");
    for reply in &greedy {
        assert!(reply.status == 429 || reply.status == 408, "{} {}", reply.status, reply.text);
    }
}

#[tokio::test]
async fn a_template_can_refuse_a_call_with_its_own_text_and_status() {
    let app = TestApp::start(&project()).await;
    assert_eq!(app.admin().get("/v0/pipes/status.json?x=1").await.error(400), "x is not welcome");
    assert_eq!(app.admin().get("/v0/pipes/status.json").await.error(418), "a teapot");
}

#[tokio::test]
async fn pipes_read_pipes_and_nodes_read_nodes() {
    let project = Project::default()
        .data_source("hits", &["id UInt64", "page String"])
        .with(
            "pipes/pages.pipe",
            "NODE all_hits\nSQL >\n    SELECT id, page FROM hits\n\nNODE by_page\nSQL >\n    %\n    \
             SELECT page, count() AS hits FROM all_hits WHERE id > {{ Int32(above, 0) }} GROUP BY page\n",
        )
        .endpoint("top_page", "SELECT page, hits FROM pages ORDER BY hits DESC, page LIMIT 1");
    let app = TestApp::start(&project).await;
    let events = r#"{"id":1,"page":"/a"}
                    {"id":2,"page":"/b"}
                    {"id":3,"page":"/b"}"#;
    app.admin().append("hits", events).await;
    assert_eq!(app.admin().rows("top_page").await, [json!({"page": "/b", "hits": 2})]);
    assert_eq!(app.admin().rows("top_page?above=2").await, [json!({"page": "/b", "hits": 1})]);
    let untyped = app.admin().rows("pages?above=2").await;
    assert_eq!(untyped, [json!({"page": "/b", "hits": 1})], "a pipe without TYPE answers by its last node");
}

#[tokio::test]
async fn a_pipe_that_only_copies_is_no_endpoint() {
    let copies = "NODE all_hits\nSQL >\n    SELECT id, page FROM hits\n\nTYPE copy\nTARGET_DATASOURCE hits\n\
                  COPY_SCHEDULE @on-demand\n";
    let app = TestApp::start(&project().with("pipes/copies.pipe", copies)).await;
    let error = app.admin().get("/v0/pipes/copies.json").await.error(404);
    assert!(error.contains("'copies'") && error.contains("TYPE endpoint"), "{error}");
}
