//! More than the settings allow: who is told to wait, and that nothing was taken.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Home, Project, Reply, TestApp, jwt, try_send, within};

fn project() -> Project {
    Project::default()
        .data_source("hits", &["id UInt64"])
        .data_source("others", &["id UInt64"])
        .endpoint("count_hits", "SELECT count() AS hits FROM hits")
}

async fn app(settings: &str) -> TestApp {
    Home::with_settings(settings).start(&project()).await
}

/// Refused with all that a client needs to come back in time.
fn check_refusal(reply: &Reply, text: &str) {
    let error = reply.error(429);
    assert!(error.contains(text), "{error}");
    let headers = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after"];
    assert_eq!(headers.map(|name| reply.header(name)), ["2", "0", "1", "1"]);
}

#[tokio::test]
async fn a_data_source_takes_so_many_requests_a_second_and_no_other_pays_for_it() {
    let app = app("ingest.requests_per_second = 2").await;
    let admin = app.admin();
    let posts = (0..20).map(|id| {
        let admin = &admin;
        async move { admin.post("/v0/events?name=hits", format!("{{\"id\":{id}}}")).await }
    });
    let replies = futures_util::future::join_all(posts).await;
    let taken = replies.iter().filter(|reply| reply.status == 202).count();
    assert!((2..15).contains(&taken), "{taken} were taken");
    for reply in replies.iter().filter(|reply| reply.status != 202) {
        check_refusal(reply, "`hits` takes 2 requests a second: nothing was taken");
    }
    assert_eq!(admin.post("/v0/events?name=others&wait=true", "{\"id\":1}").await.status, 200);
    // Behind every row that was taken before.
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(admin.post("/v0/events?name=hits&wait=true", "{\"id\":99}").await.status, 200);
    assert_eq!(app.rows("hits").await, taken as u64 + 1, "nothing of a refused request is there");
    let metrics = admin.get("/metrics").await.text;
    let counted = format!("roost_ingest_refused_requests_total{{reason=\"rate\"}} {}\n", 20 - taken);
    assert!(metrics.contains(&counted), "{metrics}");
}

#[tokio::test]
async fn a_token_makes_so_many_requests_a_second() {
    let app = app("tokens.requests_per_second = 2").await;
    let scopes = json!([{ "type": "PIPES:READ", "resource": "count_hits" }]);
    // A JWT that sets no limit of its own is a token like any other.
    let front_end = app.anonymous().with_token(&jwt(app.admin().token(), &scopes, &json!({})));
    for caller in [app.admin(), front_end] {
        let gets = (0..20).map(|_| caller.get("/v0/pipes/count_hits.json"));
        let replies = futures_util::future::join_all(gets).await;
        let passed = replies.iter().filter(|reply| reply.status == 200).count();
        assert!((2..15).contains(&passed), "{passed} passed");
        for reply in replies.iter().filter(|reply| reply.status != 200) {
            check_refusal(reply, "may be used 2 times a second");
        }
    }
}

#[tokio::test]
async fn an_address_has_so_many_connections() {
    let app = app("server.max_connections_per_address = 2").await;
    let connect = || TcpStream::connect(app.address());
    let (first, _second) = (connect().await.unwrap(), connect().await.unwrap());
    let mut answer = String::new();
    connect().await.unwrap().read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nRetry-After: 1\r\n"), "{answer}");
    assert!(answer.contains("server.max_connections_per_address"), "{answer}");
    drop(first);
    let (metrics, _) = within(Duration::from_secs(5), "a place is free", async || {
        let metrics = try_send(app.admin().request(reqwest::Method::GET, "/metrics")).await.ok()?;
        (metrics.status == 200).then_some(metrics.text)
    })
    .await;
    assert!(metrics.contains("\nroost_connections_open 2\n"), "{metrics}");
    assert!(!metrics.contains("\nroost_connections_refused_total 0\n"), "{metrics}");
}

#[tokio::test]
async fn a_body_that_does_not_come_ends_its_request() {
    let app = app("server.body_timeout_seconds = 1").await;
    let admin = app.admin();
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    let head = format!(
        "POST /v0/events?name=hits HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 100\r\n\r\n{{\"id\":1}}\n",
        admin.token()
    );
    let began = Instant::now();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let length = stream.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(
        answer.contains("server.body_timeout_seconds") && answer.contains("connection: close"),
        "{answer}"
    );
    assert!(began.elapsed() >= Duration::from_millis(900) && began.elapsed() < Duration::from_secs(5));
    assert_eq!(admin.append("hits", "{\"id\":2}").await, (1, 0));
    assert_eq!(app.rows("hits").await, 1, "of half a body nothing is taken");
}

/// Half-sent events for a data source: they hold their part of the budget as long as the connection.
async fn half_a_body(app: &TestApp, data_source: &str, bytes: usize) -> TcpStream {
    let head = format!(
        "POST /v0/events?name={data_source} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
        app.admin().token(),
        bytes + 2
    );
    let mut connection = TcpStream::connect(app.address()).await.unwrap();
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.write_all(&vec![b' '; bytes]).await.unwrap();
    connection
}

#[tokio::test]
async fn a_data_source_that_is_flooded_leaves_room_for_the_others() {
    let app = app(
        "ingest.queue_bytes = 2_000_000\ningest.data_source_queue_bytes = 1_000_000\n\
         ingest.decoded_body_bytes = 1_000_000\ningest.batch_bytes = 1_000_000\ningest.body_bytes = 1_000_000",
    )
    .await;
    let mut flood = half_a_body(&app, "hits", 900_000).await;
    let admin = app.admin();
    within(Duration::from_secs(5), "the flood has arrived", async || {
        let metrics = admin.get("/metrics").await.text;
        let held = metrics.lines().find_map(|line| line.strip_prefix("roost_ingest_held_bytes "))?;
        (held.parse::<u64>().unwrap() >= 900_000).then_some(())
    })
    .await;
    let events = || "{\"id\":1}\n".repeat(20_000);
    let refused = admin.post("/v0/events?name=hits", events()).await;
    let error = refused.error(503);
    assert!(
        error.contains("for the data source `hits` are waiting for the engine (1000000 bytes)"),
        "{error}"
    );
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(admin.post("/v0/events?name=others&wait=true", events()).await.status, 200);
    flood.write_all(b"{}").await.unwrap();
    let mut answer = vec![0; 12];
    flood.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 202");
    assert_eq!(admin.post("/v0/events?name=hits&wait=true", events()).await.status, 200);
}

#[tokio::test]
async fn a_connection_that_asks_for_nothing_more_is_closed() {
    let app = app("server.header_timeout_seconds = 1").await;
    let mut connection = TcpStream::connect(app.address()).await.unwrap();
    let request = b"GET /v0/health HTTP/1.1\r\nHost: x\r\n\r\n";
    for _ in 0..2 {
        connection.write_all(request).await.unwrap();
        let mut answer = vec![0; 4096];
        let length = connection.read(&mut answer).await.unwrap();
        assert!(answer[..length].starts_with(b"HTTP/1.1 200"), "a connection serves more than one request");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(5), connection.read_to_end(&mut rest)).await;
    closed.expect("the connection stays open").unwrap();
    assert_eq!(rest, b"", "and is closed without a word");
}
