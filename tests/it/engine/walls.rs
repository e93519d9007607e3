//! The sandbox: nothing outside the data directory, and no network. Each test shows first that the
//! same statement gets through without the walls.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};

use roost::config::Sandbox;
use roost::engine::{EngineError, Query};

use crate::harness::{Folder, TestEngine};

const CANARY: &str = "a canary outside of the data directory";

fn engine(sandbox: Sandbox) -> TestEngine {
    TestEngine::start_with(|options| options.settings.sandbox = sandbox)
}

/// Asks with the whole answer held back, which leaves INTO OUTFILE to the statement.
async fn ask(engine: &TestEngine, sql: &str) -> Result<String, EngineError> {
    let query =
        Query::new(sql, "TSVRaw").with_setting("wait_end_of_query", 1).with_setting("http_max_tries", 1);
    let bytes = engine.client().query(query).await?.collect().await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn refused(engine: &TestEngine, sql: &str) -> u32 {
    match ask(engine, sql).await {
        Err(EngineError::Exception { code, message }) => {
            assert!(!message.contains(CANARY), "{message}");
            code
        }
        other => panic!("{sql}: {other:?}"),
    }
}

#[tokio::test]
async fn sql_reads_no_file_outside_the_data_directory() {
    let folder = Folder::new();
    let canary = folder.path().join("canary");
    std::fs::write(&canary, CANARY).unwrap();
    let canary = canary.to_str().unwrap();
    let ways = [
        format!("SELECT file('{canary}')"),
        format!("SELECT * FROM file('{canary}', 'LineAsString')"),
        format!("SELECT * FROM file('{canary}', 'RawBLOB')"),
    ];

    let open = engine(Sandbox::Off);
    for sql in &ways {
        assert_eq!(ask(&open, sql).await.unwrap().trim_end(), CANARY, "{sql}");
    }
    drop(open);

    let closed = engine(Sandbox::Required);
    for sql in &ways {
        refused(&closed, sql).await;
    }
    for sql in ["SELECT file('/etc/passwd')", "SELECT file('/proc/1/environ')"] {
        assert_eq!(refused(&closed, sql).await, 76, "{sql}");
    }
}

#[tokio::test]
async fn sql_writes_no_file_outside_the_data_directory() {
    let folder = Folder::new();
    let target = folder.path().join("written");
    let sql = format!("SELECT '{CANARY}' INTO OUTFILE '{}' FORMAT TSVRaw", target.display());

    let open = engine(Sandbox::Off);
    ask(&open, &sql).await.unwrap();
    assert_eq!(std::fs::read_to_string(&target).unwrap().trim_end(), CANARY);
    std::fs::remove_file(&target).unwrap();
    drop(open);

    let closed = engine(Sandbox::Required);
    assert_eq!(refused(&closed, &sql).await, 76);
    let streamed = closed.client().query(Query::new(&sql, "TSVRaw")).await;
    assert!(matches!(streamed, Err(EngineError::Exception { .. })));
    assert!(!target.try_exists().unwrap());
}

/// A web server for one request; says when somebody came.
fn web_server() -> (u16, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (came, seen) = sync_channel(16);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = came.try_send(());
            let _ = stream.read(&mut [0; 4096]);
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", CANARY.len());
            let _ = stream.write_all(format!("{head}{CANARY}").as_bytes());
        }
    });
    (port, seen)
}

#[tokio::test]
async fn sql_reaches_no_network() {
    let (port, seen) = web_server();
    let url = format!("SELECT * FROM url('http://127.0.0.1:{port}/', 'LineAsString')");

    let open = engine(Sandbox::Off);
    assert_eq!(ask(&open, &url).await.unwrap().trim_end(), CANARY);
    while seen.try_recv().is_ok() {}
    drop(open);

    let closed = engine(Sandbox::Required);
    refused(&closed, &url).await;
    refused(&closed, &format!("SELECT * FROM remote('127.0.0.1:{port}', system.one)")).await;
    refused(&closed, &format!("SELECT * FROM mysql('127.0.0.1:{port}', 'a', 'b', 'c', 'd')")).await;
    refused(&closed, "SELECT * FROM url('http://localhost/', 'LineAsString')").await;
    assert!(seen.try_recv().is_err(), "somebody came");
}

#[tokio::test]
async fn the_engine_knows_nothing_of_the_environment() {
    let engine = engine(Sandbox::Required);
    let environment = ask(&engine, "SELECT file('/proc/self/environ')").await.unwrap();
    let mut names: Vec<&str> =
        environment.split('\0').filter_map(|pair| Some(pair.split_once('=')?.0)).collect();
    names.sort_unstable();
    assert_eq!(names, ["HOME", "TZ"]);
}

#[test]
fn the_socket_is_for_this_user_only() {
    use std::os::unix::fs::PermissionsExt;
    let engine = TestEngine::start();
    let crate::harness::Address::Socket(socket) = engine.address() else { panic!("not a socket") };
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&socket), 0o600);
    assert_eq!(mode(socket.parent().unwrap()), 0o700);
}
