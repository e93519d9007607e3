//! Stops in good order: what was answered is there, and it ends in time.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::io::AsyncWriteExt;

use super::load::{self, Load};
use crate::harness::{Address, ServerFolder, ServerProcess, eventually};

/// A stop that waits for nobody ends within this time.
const PROMPT: Duration = Duration::from_secs(5);

async fn stop(server: &mut ServerProcess, signal: Signal) -> (Duration, String) {
    let began = Instant::now();
    server.signal(signal);
    let (status, output) = server.ended().await;
    assert_eq!(status.code(), Some(0), "{output}");
    (began.elapsed(), output)
}

#[tokio::test]
async fn a_stop_under_load_loses_nothing_and_ends_in_time() {
    let mut server = ServerProcess::start(&load::project()).await;
    let load = Load::start(&server.admin());
    load.progress(30, Duration::from_secs(10)).await;
    let engine = server.engine().await;
    let (took, output) = stop(&mut server, Signal::TERM).await;
    assert!(took < PROMPT, "{took:?}\n{output}");
    assert!(!engine.is_alive(), "the engine outlives its server");
    let ledger = load.finish().await;
    server.start_again().await;
    ledger.check(&server.admin()).await;
}

#[tokio::test]
async fn an_interrupt_is_a_stop() {
    let mut server = ServerProcess::start(&load::project()).await;
    assert!(stop(&mut server, Signal::INT).await.0 < PROMPT);
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_a_stop() {
    let mut server = ServerProcess::start(&load::project()).await;
    let idle = server.anonymous();
    assert_eq!(idle.get("/v0/health").await.status, 200);
    let _silent = Address::Url(server.url()).connect().await;
    assert!(stop(&mut server, Signal::TERM).await.0 < PROMPT);
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_off_when_the_grace_runs_out() {
    let folder = ServerFolder::new(&load::project()).with_variable("ROOST__SERVER__STOP_GRACE_SECONDS", "1");
    let mut server = folder.start().await;
    let mut stream = Address::Url(server.url()).connect().await;
    let token = server.admin().token().to_owned();
    let head = format!(
        "POST /v0/events?name=load HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 99\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server has read the head once it answers somebody who came later.
    assert_eq!(server.anonymous().get("/v0/health").await.status, 200);
    let (took, output) = stop(&mut server, Signal::TERM).await;
    assert!(took < PROMPT, "{took:?}\n{output}");
}

#[tokio::test]
async fn a_query_in_flight_is_finished_before_the_stop() {
    let busy = "SELECT count() AS n FROM numbers(100000000) WHERE NOT ignore(sipHash64(number))";
    let folder = ServerFolder::new(&load::project().endpoint("busy", busy));
    let mut server = folder.with_variable("ROOST__QUERY__MAX_EXECUTION_SECONDS", "30").start().await;
    let admin = server.admin();
    let query = admin.get("/v0/pipes/busy.json");
    let stopped = async {
        eventually("the query runs", async || {
            let metrics = server.admin().get("/metrics").await.text;
            metrics.lines().any(|line| line == "roost_query_running 1").then_some(())
        })
        .await;
        stop(&mut server, Signal::TERM).await
    };
    let (reply, (_, output)) = tokio::join!(query, stopped);
    assert_eq!(reply.status, 200, "{}\n{output}", reply.text);
    assert_eq!(reply.json()["data"][0]["n"], 100_000_000);
}
