//! Requests that are sent again with their Idempotency-Key: stored once, answered as the first was.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{ApiClient, Home, Project, Reply, ServerProcess, TestApp, send, within};

const EVENTS: &str = "{\"id\":1}\n{\"id\":2}\n{\"id\":\"x\"}";

fn project() -> Project {
    Project::default()
        .data_source("hits", &["id UInt64"])
        .data_source("others", &["id UInt64"])
        .endpoint("count_hits", "SELECT count() AS hits FROM hits")
}

async fn post(api: &ApiClient, path: &str, key: &str, events: &str) -> Reply {
    let request = api.request(reqwest::Method::POST, path);
    send(request.header("Idempotency-Key", key).body(events.to_owned())).await
}

/// Sends events under a key and waits for them.
async fn hit(api: &ApiClient, key: &str, events: &str) -> Reply {
    post(api, "/v0/events?name=hits&wait=true", key, events).await
}

fn is_repeat(reply: &Reply) -> bool {
    reply.headers.get("idempotent-replayed").is_some_and(|value| value == "true")
}

async fn hits(server: &ServerProcess) -> serde_json::Value {
    server.admin().rows("count_hits").await[0]["hits"].clone()
}

#[tokio::test]
async fn a_repeat_is_answered_as_the_first_and_stores_nothing() {
    let app = TestApp::start(&project()).await;
    let admin = app.admin();
    let first = hit(&admin, "one", EVENTS).await;
    assert_eq!((first.status.as_u16(), first.counts(), is_repeat(&first)), (200, (2, 1), false));
    let again = hit(&admin, "one", EVENTS).await;
    assert_eq!(
        (again.status.as_u16(), again.text.as_str(), is_repeat(&again)),
        (200, first.text.as_str(), true)
    );
    let without_wait = post(&admin, "/v0/events?name=hits", "one", EVENTS).await;
    assert_eq!((without_wait.status.as_u16(), without_wait.counts()), (202, (2, 1)));
    assert_eq!((app.rows("hits").await, app.rows("hits_quarantine").await), (2, 1));
    let metrics = admin.get("/metrics").await.text;
    for line in [
        "roost_ingest_repeated_requests_total{data_source=\"hits\"} 2\n",
        "roost_ingest_idempotency_keys 1\n",
        "roost_ingest_rows_total{data_source=\"hits\"} 2\n",
    ] {
        assert!(metrics.contains(line), "{line}{metrics}");
    }
}

#[tokio::test]
async fn other_keys_other_data_sources_and_no_key_are_other_requests() {
    let app = TestApp::start(&project()).await;
    let admin = app.admin();
    for (name, key) in [("hits", "one"), ("hits", "One"), ("others", "one")] {
        let reply = post(&admin, &format!("/v0/events?name={name}&wait=true"), key, "{\"id\":1}").await;
        assert_eq!((reply.status.as_u16(), is_repeat(&reply)), (200, false), "{name} {key}");
    }
    for _ in 0..2 {
        assert_eq!(admin.append("hits", "{\"id\":1}").await, (1, 0));
    }
    assert_eq!((app.rows("hits").await, app.rows("others").await), (4, 1));
}

#[tokio::test]
async fn a_key_of_other_events_is_refused() {
    let app = TestApp::start(&project()).await;
    let admin = app.admin();
    assert_eq!(hit(&admin, "one", "{\"id\":1}").await.status, 200);
    let error = hit(&admin, "one", "{\"id\":2}").await.error(409);
    assert!(error.contains("was used for other events") && error.contains("nothing was taken"), "{error}");
    assert_eq!(app.rows("hits").await, 1);
}

#[tokio::test]
async fn a_key_that_cannot_be_one_is_refused() {
    let app = TestApp::start(&project()).await;
    let admin = app.admin();
    assert_eq!(hit(&admin, &"k".repeat(128), "{\"id\":1}").await.status, 200);
    let error = hit(&admin, &"k".repeat(129), "{\"id\":1}").await.error(400);
    assert!(error.contains("1 to 128 bytes"), "{error}");
    hit(&admin, "", "{\"id\":1}").await.error(400);
    assert_eq!(app.rows("hits").await, 1);
}

#[tokio::test]
async fn a_request_of_which_nothing_was_taken_leaves_its_key_free() {
    let app = TestApp::start(&project()).await;
    let admin = app.admin();
    hit(&admin, "one", "nothing like JSON").await.error(400);
    let reply = hit(&admin, "one", "{\"id\":1}").await;
    assert_eq!((reply.status.as_u16(), is_repeat(&reply)), (200, false));
    assert_eq!(app.rows("hits").await, 1);
}

#[tokio::test]
async fn a_token_without_the_right_learns_nothing_of_a_key() {
    let app = TestApp::start(&project()).await;
    assert_eq!(hit(&app.admin(), "one", "{\"id\":1}").await.status, 200);
    let stranger = app.anonymous().with_token("p.nobody");
    hit(&stranger, "one", "{\"id\":1}").await.error(403);
}

#[tokio::test]
async fn of_fifty_at_once_one_is_stored() {
    let app = TestApp::start(&project()).await;
    let admin = app.admin();
    // Long enough that the others come while the first is being read.
    let events = (0..10_000).map(|id| format!("{{\"id\":{id}}}")).collect::<Vec<_>>().join("\n");
    let posts = (0..50).map(|_| hit(&admin, "one", &events));
    let replies = futures_util::future::join_all(posts).await;
    assert!(replies.iter().all(|reply| (reply.status.as_u16(), reply.counts()) == (200, (10_000, 0))));
    assert_eq!(replies.iter().filter(|reply| !is_repeat(reply)).count(), 1);
    assert_eq!(app.rows("hits").await, 10_000);
}

#[tokio::test]
async fn the_oldest_keys_are_forgotten_first() {
    let app = Home::with_settings("ingest.idempotency_keys = 10").start(&project()).await;
    let admin = app.admin();
    for key in 0..11 {
        assert_eq!(hit(&admin, &key.to_string(), "{\"id\":1}").await.status, 200);
    }
    assert!(is_repeat(&hit(&admin, "1", "{\"id\":1}").await));
    assert!(!is_repeat(&hit(&admin, "0", "{\"id\":1}").await));
    assert_eq!(app.rows("hits").await, 12);
}

#[tokio::test]
async fn a_key_outlives_the_log_and_the_server() {
    let mut server = ServerProcess::start(&project()).await;
    assert_eq!(hit(&server.admin(), "in the log", EVENTS).await.status, 200);
    server.kill();
    server.start_again().await;
    assert!(is_repeat(&hit(&server.admin(), "in the log", EVENTS).await));
    let data = server.folder().data();
    let is_saved = async || std::fs::read_dir(data.join("keys")).unwrap().next().map(drop);
    within(Duration::from_secs(20), "the key is in a file", is_saved).await;
    server.kill();
    // As if everything had been cut away from it, which it may be from now on.
    std::fs::remove_dir_all(data.join("wal")).unwrap();
    server.start_again().await;
    let again = hit(&server.admin(), "in the log", EVENTS).await;
    assert_eq!((again.status.as_u16(), again.counts(), is_repeat(&again)), (200, (2, 1), true));
    assert_eq!(hits(&server).await, 2);
}

/// Sends a request and hangs up after so many bytes of the answer; how many came.
async fn cut_off(server: &ServerProcess, key: &str, after: usize) -> usize {
    let address = server.url().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "POST /v0/events?name=hits HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\nIdempotency-Key: {key}\r\nContent-Length: 8\r\n\r\n{{\"id\":1}}",
        server.admin().token()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.take(after as u64).read_to_end(&mut answer).await.unwrap();
    answer.len()
}

#[tokio::test]
async fn an_answer_that_is_cut_at_any_byte_doubles_nothing_for_who_sends_again() {
    let server = ServerProcess::start(&project()).await;
    let admin = server.admin();
    let mut length = 0;
    for cut in 0.. {
        let key = format!("cut at {cut}");
        let came = cut_off(&server, &key, cut).await;
        let reply = post(&admin, "/v0/events?name=hits", &key, "{\"id\":1}").await;
        assert_eq!((reply.status.as_u16(), reply.counts()), (202, (1, 0)));
        length += 1;
        if came < cut {
            break;
        }
    }
    assert!(length > 100, "an answer of {length} bytes");
    assert_eq!(hit(&admin, "the last", "{\"id\":1}").await.status, 200);
    assert_eq!(hits(&server).await, length + 1);
}
