//! Bodies of events: sizes, encodings, and what cannot be read at all.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{Address, Project, Reply, ServerProcess, TestApp, send};

const EVENTS: &str = "/v0/events?name=hits&wait=true";

fn project() -> Project {
    Project::default().data_source("hits", &["id UInt64", "page String DEFAULT '/'"])
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

async fn post_encoded(app: &TestApp, encoding: &str, body: Vec<u8>) -> Reply {
    let request = app.admin().request(Method::POST, EVENTS).header("content-encoding", encoding);
    send(request.body(body)).await
}

#[tokio::test]
async fn compressed_bodies_are_unpacked() {
    let app = TestApp::start(&project()).await;
    let body = b"{\"id\":1}\n{\"id\":2}\n".repeat(1000);
    let packed = [
        ("gzip", gzip(&body)),
        ("deflate", zlib(&body)),
        ("zstd", zstd::encode_all(body.as_slice(), 3).unwrap()),
        ("identity", body.clone()),
    ];
    for (encoding, bytes) in packed {
        assert_eq!(post_encoded(&app, encoding, bytes).await.counts(), (2000, 0), "{encoding}");
    }
}

type Packer = fn(&[u8]) -> Vec<u8>;

/// A packer of each kind.
const PACKERS: [(&str, Packer); 3] =
    [("gzip", gzip), ("deflate", zlib), ("zstd", |bytes| zstd::encode_all(bytes, 3).unwrap())];

#[tokio::test]
async fn what_stands_behind_the_end_of_a_packed_stream_is_read_or_refused() {
    let app = TestApp::start(&project()).await;
    for (encoding, pack) in PACKERS {
        let body = b"{\"id\":1}\n".repeat(1000);
        let twice = [pack(&body), pack(&body)].concat();
        assert_eq!(post_encoded(&app, encoding, twice).await.counts(), (2000, 0), "{encoding}");
        let garbage = [pack(&body), b"{\"id\":2}\n".to_vec()].concat();
        let error = post_encoded(&app, encoding, garbage).await.error(400);
        assert!(error.contains("body cannot be read"), "{encoding}: {error}");
    }
}

#[tokio::test]
async fn an_encoding_that_is_unknown_or_not_true_is_refused() {
    let app = TestApp::start(&project()).await;
    let error = post_encoded(&app, "br", b"{\"id\":1}".to_vec()).await.error(400);
    assert!(error.contains("gzip"), "{error}");
    for encoding in ["gzip", "deflate", "zstd"] {
        let error = post_encoded(&app, encoding, b"{\"id\":1}".to_vec()).await.error(400);
        assert!(error.contains("body cannot be read"), "{error}");
    }
    let mut cut = gzip(&b"{\"id\":1}\n".repeat(1000));
    cut.truncate(cut.len() - 12);
    post_encoded(&app, "gzip", cut).await.error(400);
    assert_eq!(app.rows("hits").await, 0, "nothing of a broken body is stored");
}

/// Events of ten megabytes, to the byte.
fn ten_megabytes() -> Vec<u8> {
    let line = format!("{{\"id\":1,\"page\":\"{}\"}}\n", "x".repeat(499_981));
    assert_eq!(line.len(), 500_000);
    line.repeat(20).into_bytes()
}

#[tokio::test]
async fn a_body_of_ten_megabytes_is_taken_and_one_byte_more_is_not() {
    let app = TestApp::start(&project()).await;
    let mut body = ten_megabytes();
    assert_eq!(app.admin().append("hits", body.clone()).await, (20, 0));
    body.push(b'\n');
    let error = app.admin().post(EVENTS, body).await.error(413);
    assert!(error.contains("10000000") || error.contains("limit"), "{error}");
    assert!(error.contains("several requests"), "{error}");
    assert_eq!(app.rows("hits").await, 20);
}

#[tokio::test]
async fn a_body_of_unsaid_length_is_cut_off_at_the_limit() {
    let app = TestApp::start(&project()).await;
    let url = Address::Url(format!("http://{}", app.address()));
    let mut stream = url.connect().await;
    let token = app.admin().token().to_owned();
    let head = format!(
        "POST {EVENTS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let line = format!("{{\"id\":1,\"page\":\"{}\"}}\n", "x".repeat(499_981));
    let chunk = format!("{:x}\r\n{line}\r\n", line.len());
    for _ in 0..22 {
        // The server may have answered and closed already.
        if stream.write_all(chunk.as_bytes()).await.is_err() {
            break;
        }
    }
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 413");
    assert_eq!(app.rows("hits").await, 0);
}

#[tokio::test]
async fn a_body_that_unpacks_to_too_much_is_refused_without_memory_for_it() {
    let server = ServerProcess::start(&project()).await;
    let admin = server.admin();
    assert_eq!(admin.append("hits", ten_megabytes()).await, (20, 0));
    let before = server.peak_bytes();
    // One gigabyte in one megabyte: two hundred times five megabytes of blanks.
    let bombs = [
        ("gzip", gzip(&vec![b' '; 5_000_000]).repeat(200)),
        ("zstd", zstd::encode_all(vec![b' '; 50_000_000].as_slice(), 1).unwrap().repeat(20)),
    ];
    for (encoding, bomb) in bombs {
        let request = admin.request(Method::POST, EVENTS).header("content-encoding", encoding).body(bomb);
        let error = send(request).await.error(413);
        assert!(error.contains("64000000"), "{error}");
    }
    let grown = server.peak_bytes() - before;
    assert!(grown < 200_000_000, "the server grew by {grown} bytes");
}

#[tokio::test]
async fn a_body_without_events_is_explained() {
    let app = TestApp::start(&project()).await;
    for body in ["", "\n", " \r\n\t\n"] {
        assert_eq!(app.admin().post(EVENTS, body).await.error(400), "the body holds no events");
    }
    assert_eq!(
        app.admin().post(&format!("{EVENTS}&format=json"), "[]").await.error(400),
        "the body holds no events"
    );
}

#[tokio::test]
async fn a_body_that_is_not_json_is_explained_with_the_way_out() {
    let app = TestApp::start(&project()).await;
    for body in ["id,page\n1,/a", "hello", "{\"id\":1", "id=1&page=2", "<xml/>"] {
        let error = app.admin().post(EVENTS, body).await.error(400);
        assert!(error.contains("one JSON object per line"), "{body}: {error}");
        let error = app.admin().post(&format!("{EVENTS}&format=json"), body).await.error(400);
        assert!(error.contains("one object or an array"), "{body}: {error}");
    }
    assert_eq!(app.rows("hits_quarantine").await, 0, "a wrong body must not look like success");
}

#[tokio::test]
async fn an_event_over_several_lines_is_explained_with_the_way_out() {
    let app = TestApp::start(&project()).await;
    for body in ["{\n  \"id\": 1\n}", "[\n  {\"id\": 1},\n  {\"id\": 2}\n]", "{\"id\":1,\n\"page\":\"/\"}\n"]
    {
        let error = app.admin().post(EVENTS, body).await.error(400);
        assert!(error.contains("one event per line, or format=json"), "{body}: {error}");
    }
    assert_eq!((app.rows("hits").await, app.rows("hits_quarantine").await), (0, 0));
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_its_body_leaves_no_rows() {
    let app = TestApp::start(&project()).await;
    let url = Address::Url(format!("http://{}", app.address()));
    let mut stream = url.connect().await;
    let token = app.admin().token().to_owned();
    let head = format!(
        "POST {EVENTS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 100\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(b"{\"id\":1}\n{\"id\":2}\n").await.unwrap();
    drop(stream);
    assert_eq!(app.admin().append("hits", "{\"id\":3}").await, (1, 0));
    assert_eq!(app.query_engine("SELECT id FROM hits").await, [serde_json::json!({"id": 3})]);
}

/// A zstd frame that may be skipped.
fn skippable(bytes: usize) -> Vec<u8> {
    let length = u32::try_from(bytes).unwrap().to_le_bytes();
    [[0x50, 0x2a, 0x4d, 0x18].as_slice(), &length, &vec![0; bytes]].concat()
}

#[tokio::test]
async fn frames_of_zstd_that_may_be_skipped_are_skipped() {
    let app = TestApp::start(&project()).await;
    let event = zstd::encode_all(b"{\"id\":1}\n".as_slice(), 1).unwrap();
    for skipped in [skippable(8_000_000), skippable(0).repeat(100_000)] {
        let body = [skipped, event.clone()].concat();
        assert_eq!(post_encoded(&app, "zstd", body).await.counts(), (1, 0));
    }
}

#[tokio::test]
async fn a_zstd_window_beyond_all_reason_is_refused() {
    let app = TestApp::start(&project()).await;
    // The head of a frame with a window of 2 GiB.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00];
    let error = post_encoded(&app, "zstd", frame.to_vec()).await.error(400);
    assert!(error.contains("body cannot be read"), "{error}");
}

#[tokio::test]
async fn events_that_are_meant_to_hurt_go_to_quarantine() {
    let app = TestApp::start(&project()).await;
    let nested = |levels: usize| format!("{{\"id\":1,\"x\":{}1{}}}", "[".repeat(levels), "]".repeat(levels));
    let keys: Vec<String> = (0..80_000).map(|key| format!("\"{key}\":1,")).collect();
    let hurting = [
        nested(480_000),
        "[".repeat(990_000),
        format!("{{{}\"id\":1}}", keys.concat()),
        format!("{{\"id\":{}}}", "9".repeat(990_000)),
        format!("{{\"id\":\"{}\"}}", "\\u0031".repeat(160_000)),
        format!("{{\"id\":1,\"x\":\"{}", "\\".repeat(990_000)),
    ];
    for event in hurting {
        let body = format!("{{\"id\":1}}\n{event}\n");
        assert_eq!(app.admin().append("hits", body).await, (1, 1), "{}", &event[..20]);
    }
}
