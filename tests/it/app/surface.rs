//! The HTTP surface: what every route does with origins, ids, slashes, methods, encodings and
//! clients that misbehave.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{Address, ApiClient, Home, Project, Reply, TestApp, send, unpacked};

const EVENTS: &str = "/v0/events?name=hits&wait=true";

fn project() -> Project {
    Project::default()
        .data_source("hits", &["id UInt64", "page String DEFAULT '/'"])
        .endpoint("rows", "SELECT number, 'compress me, please' AS text FROM numbers({{ Int32(rows, 100) }})")
}

/// One request to each kind of answer that the server has.
async fn one_of_each(caller: &ApiClient) -> Vec<Reply> {
    let large = "x".repeat(10_000_001);
    vec![
        caller.get("/v0/pipes/rows.json").await,
        caller.post(EVENTS, r#"{"id":1}"#).await,
        caller.get("/v0/health").await,
        caller.get("/version").await,
        caller.get("/v0/pipes/nope.json").await,
        caller.get("/nowhere").await,
        caller.get("/v0/events").await,
        caller.post(EVENTS, "").await,
        caller.post(EVENTS, large).await,
        caller.post("/v1/deploy", "").await,
        caller.with_token("wrong").get("/v0/pipes/rows.json").await,
    ]
}

#[tokio::test]
async fn a_preflight_needs_no_token_and_allows_what_it_asks_for() {
    let app = TestApp::start(&project()).await;
    for path in [EVENTS, "/v0/pipes/rows.json", "/v0/pipes/nope.json", "/v0/events/", "/v1/build"] {
        let request = app.anonymous().request(Method::OPTIONS, path);
        let request =
            request.header("origin", "https://shop.example").header("access-control-request-method", "POST");
        let reply =
            send(request.header("access-control-request-headers", "authorization,content-type")).await;
        assert!(matches!(reply.status.as_u16(), 200 | 204), "{path}: {}", reply.status);
        assert_eq!(reply.header("access-control-allow-origin"), "*", "{path}");
        let headers = reply.header("access-control-allow-headers").to_lowercase();
        assert!(headers.contains("authorization") && headers.contains("content-type"), "{headers}");
        let methods = reply.header("access-control-allow-methods");
        assert!(methods.contains("POST") && methods.contains("GET"), "{methods}");
        assert!(reply.header("access-control-max-age").parse::<u64>().is_ok());
    }
}

#[tokio::test]
async fn every_answer_may_be_read_by_scripts_of_other_origins() {
    let app = TestApp::start(&project()).await;
    for reply in one_of_each(&app.admin()).await {
        assert_eq!(reply.header("access-control-allow-origin"), "*", "{}", reply.text);
        let exposed = reply.header("access-control-expose-headers").to_lowercase();
        assert!(exposed.contains("x-request-id") && exposed.contains("retry-after"), "{exposed}");
    }
}

#[tokio::test]
async fn every_answer_has_a_request_id_of_its_own() {
    let app = TestApp::start(&project()).await;
    let replies = one_of_each(&app.admin()).await;
    let mut ids: Vec<&str> = replies.iter().map(|reply| reply.header("x-request-id")).collect();
    let is_ulid = |id: &&str| {
        id.len() == 26 && id.bytes().all(|byte| b"0123456789ABCDEFGHJKMNPQRSTVWXYZ".contains(&byte))
    };
    assert!(ids.iter().all(is_ulid), "{ids:?}");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), replies.len());
}

#[tokio::test]
async fn a_request_id_of_the_client_is_kept() {
    let app = TestApp::start(&project()).await;
    for path in ["/v0/pipes/rows.json", "/nowhere"] {
        let request = app.admin().request(Method::GET, path).header("x-request-id", "my-own-id.7");
        assert_eq!(send(request).await.header("x-request-id"), "my-own-id.7");
    }
}

#[tokio::test]
async fn errors_are_json_with_a_text_and_nothing_else_to_guess() {
    let app = TestApp::start(&project()).await;
    let failed: Vec<Reply> =
        one_of_each(&app.admin()).await.into_iter().filter(|reply| reply.status.as_u16() >= 400).collect();
    let statuses: Vec<u16> = failed.iter().map(|reply| reply.status.as_u16()).collect();
    assert_eq!(statuses, [404, 404, 405, 400, 413, 501, 403]);
    for reply in failed {
        assert!(!reply.error(reply.status.as_u16()).is_empty());
        assert!(!reply.text.contains(app.admin().token()), "{}", reply.text);
    }
}

#[tokio::test]
async fn a_trailing_slash_changes_nothing() {
    let app = TestApp::start(&project()).await;
    let admin = app.admin();
    assert_eq!(admin.post("/v0/events/?name=hits&wait=true", r#"{"id":1}"#).await.status, 200);
    assert_eq!(admin.get("/v0/pipes/rows.json/?rows=1").await.json()["rows"], 1);
    assert_eq!(admin.get("/v0/health/").await.status, 200);
    assert_eq!(admin.get("/version/").await.status, 200);
    admin.post("/v1/build/", "").await.error(501);
    admin.post("/v1/deploy/?check=true", "").await.error(501);
    admin.get("/nowhere/").await.error(404);
}

#[tokio::test]
async fn a_wrong_method_is_told_which_one_is_right() {
    let app = TestApp::start(&project()).await;
    let reply = app.admin().get("/v0/events?name=hits").await;
    reply.error(405);
    assert!(reply.header("allow").contains("POST"), "{:?}", reply.headers);
    let reply = send(app.admin().request(Method::DELETE, "/v0/pipes/rows.json")).await;
    reply.error(405);
    assert!(reply.header("allow").contains("GET"), "{:?}", reply.headers);
}

#[tokio::test]
async fn health_and_version_need_no_token() {
    let app = TestApp::start(&project()).await;
    let reply = app.anonymous().get("/v0/health").await;
    assert_eq!((reply.status.as_u16(), reply.json()), (200, json!({"status": "ok"})));
    let reply = app.anonymous().get("/version").await;
    assert_eq!(reply.header("content-type"), "text/plain");
    assert_eq!((reply.status.as_u16(), reply.text.as_str()), (200, env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn builds_and_deployments_say_what_to_do_instead() {
    let app = TestApp::start(&project()).await;
    for path in ["/v1/build?from=cli", "/v1/deploy?auto_promote=true"] {
        let error = app.admin().post(path, "--x\r\n").await.error(501);
        assert!(error.contains("project directory") && error.contains("roost serve"), "{error}");
    }
}

#[tokio::test]
async fn answers_are_compressed_for_those_who_ask() {
    let app = TestApp::start(&project()).await;
    let plain = app.admin().get("/v0/pipes/rows.ndjson").await;
    assert_eq!(plain.header("content-encoding"), "");
    for encoding in ["gzip", "zstd"] {
        let request = app.admin().request(Method::GET, "/v0/pipes/rows.ndjson");
        let response = request.header("accept-encoding", encoding).send().await.unwrap();
        assert_eq!(response.headers()["content-encoding"], encoding);
        assert_eq!(response.headers()["content-type"], "application/x-ndjson");
        let bytes = response.bytes().await.unwrap();
        assert!(bytes.len() < plain.text.len() / 4, "{encoding}");
        assert_eq!(unpacked(encoding, &bytes), plain.text);
    }
}

#[tokio::test]
async fn an_answer_reaches_a_client_that_is_still_sending() {
    let app = TestApp::start(&project()).await;
    let body = "x".repeat(30_000_000);
    for (path, status) in
        [("/v1/deploy", 501), ("/nowhere", 404), (EVENTS, 413), ("/v0/pipes/rows.json", 413)]
    {
        let reply = app.admin().post(path, body.clone()).await;
        assert!([status, 413].contains(&reply.status.as_u16()), "{path}: {}", reply.text);
        app.anonymous().post(path, body[..5_000_000].to_owned()).await;
    }
}

#[tokio::test]
async fn a_client_is_told_when_its_connection_cannot_be_used_again() {
    let app = TestApp::start(&project()).await;
    let (admin, stranger) = (app.admin(), app.anonymous());
    for _ in 0..20 {
        let refused = stranger.post(EVENTS, "x".repeat(1_000_000)).await;
        assert_eq!(refused.status, 403);
        assert_eq!(refused.header("connection"), "close");
        let accepted = admin.post(EVENTS, "{\"id\":1,\"page\":\"/\"}").await;
        assert_eq!(accepted.header("connection"), "", "{}", accepted.text);
    }
}

/// Sends bytes and reads whatever comes until the server closes the connection.
async fn converse(app: &TestApp, bytes: &[u8]) -> String {
    let mut stream = Address::Url(format!("http://{}", app.address())).connect().await;
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // The server may reset the connection instead of closing it.
    let reading = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer));
    let _ = reading.await.expect("the server closes the connection");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_client_that_sends_half_a_head_is_cut_off() {
    let app = Home::with_settings("server.header_timeout_seconds = 1").start(&project()).await;
    let answer = converse(&app, b"GET /v0/health HTTP/1.1\r\nHost: x\r\nX-Slow").await;
    assert!(!answer.contains("200"), "{answer}");
    assert_eq!(app.anonymous().get("/v0/health").await.status, 200);
}

#[tokio::test]
async fn a_body_that_never_ends_is_answered_in_the_end() {
    let settings = "server.request_timeout_seconds = 1\ningest.insert_timeout_seconds = 1\ningest.wait_timeout_seconds = 1\n\
                    query.max_execution_seconds = 1\nquery.queue_timeout_seconds = 1";
    let app = Home::with_settings(settings).start(&project()).await;
    let token = app.admin().token().to_owned();
    let head = format!(
        "POST {EVENTS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 99\r\n\r\n{{"
    );
    let answer = converse(&app, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("\"error\""), "{answer}");
    assert_eq!(app.rows("hits").await, 0);
}

#[tokio::test]
async fn what_is_not_http_is_refused_and_harms_nobody() {
    let app = TestApp::start(&project()).await;
    for bytes in
        [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"HELLO\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"]
    {
        assert!(!converse(&app, bytes).await.contains("200 OK"));
    }
    assert_eq!(app.anonymous().get("/v0/health").await.status, 200);
}

#[tokio::test]
async fn odd_paths_and_names_are_not_found() {
    let app = TestApp::start(&project()).await;
    let paths = [
        "/",
        "//",
        "/v0",
        "/v0/pipes",
        "/v0/pipes/",
        "/v0/pipes/.json",
        "/v0/pipes/rows.",
        "/v0/pipes/rows.json.json",
        "/v0/pipes/%00.json",
        "/v0/pipes/..%2F..%2Frows.json",
        "/v0/pipes/rows%20.json",
        "/v0/pipes/%F0%9F%A6%80.json",
        "/v0/pipes/hits.json",
        "/v0/pipes/rows.JSON",
    ];
    for path in paths {
        let error = app.admin().get(path).await.error(404);
        assert!(!error.is_empty(), "{path}");
    }
    for name in ["hits_quarantine", "rows", "hits%60", "hits;", "%F0%9F%A6%80", "system.tables", "Hits"] {
        app.admin().post(&format!("/v0/events?name={name}"), "{}").await.error(404);
    }
}
