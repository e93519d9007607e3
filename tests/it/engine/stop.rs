//! A stop in good order: what was acknowledged is there, and it ends in time.

use std::time::{Duration, Instant};

use roost::engine::{EngineClient, EngineError, Query};

use super::value;
use crate::harness::{Block, TestEngine, eventually};

const ROWS: u64 = 50_000;

/// What became of a stream of inserts that a stop interrupted.
#[derive(Default)]
struct Outcomes {
    stored: u64,
    unknown: u64,
}

/// Inserts blocks until the engine is no more.
async fn insert_until_refused(engine: EngineClient) -> Outcomes {
    let block = Block::new(50_000).numbers("n", 0..ROWS).bytes();
    let mut outcomes = Outcomes::default();
    loop {
        let inserted = engine.insert("INSERT INTO d.t FORMAT Native", block.clone(), Duration::from_secs(20));
        match inserted.await {
            Ok(()) => outcomes.stored += 1,
            Err(EngineError::Lost(_)) => outcomes.unknown += 1,
            Err(EngineError::Unavailable(_)) => return outcomes,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn inserts_at_a_stop_are_stored_or_refused() {
    let engine = TestEngine::start();
    let client = engine.client();
    client.execute("CREATE DATABASE d ENGINE = Atomic").await.unwrap();
    client.execute("CREATE TABLE d.t (n UInt64) ORDER BY n").await.unwrap();
    let inserting = futures_util::future::join_all([0; 3].map(|_| insert_until_refused(client.fresh())));
    let counts = client.fresh();
    let stopping = async {
        let stored = async || (value(&counts, "SELECT count() FROM d.t").await != "0").then_some(());
        eventually("inserts are under way", stored).await;
        let began = Instant::now();
        let folder = tokio::task::spawn_blocking(|| engine.stop()).await.unwrap();
        (folder, began.elapsed())
    };
    let (outcomes, (folder, took)) = tokio::join!(inserting, stopping);
    assert!(took < Duration::from_secs(8), "{took:?}");

    let engine = TestEngine::start_in(folder, |_| {});
    let count: u64 = value(&engine.client(), "SELECT count() FROM d.t").await.parse().unwrap();
    let stored: u64 = outcomes.iter().map(|outcome| outcome.stored).sum();
    let unknown: u64 = outcomes.iter().map(|outcome| outcome.unknown).sum();
    assert_eq!(count % ROWS, 0, "a block was stored in part");
    assert!((stored..=stored + unknown).contains(&(count / ROWS)), "{stored} {unknown} {count}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_a_long_query() {
    let engine = TestEngine::start();
    let client = engine.client();
    let sql = "SELECT count() FROM numbers_mt(200000000000) WHERE sipHash64(number) = 1";
    let query = client.query(Query::new(sql, "JSON"));
    let observer = engine.client();
    let stopping = async {
        let running = "SELECT count() FROM system.processes WHERE position(query, concat('sip', 'Hash')) > 0";
        let runs = async || (value(&observer, running).await == "1").then_some(());
        eventually("the query runs", runs).await;
        let began = Instant::now();
        tokio::task::spawn_blocking(|| engine.stop()).await.unwrap();
        began.elapsed()
    };
    let (answer, took) = tokio::join!(query, stopping);
    assert!(answer.is_err());
    assert!(took < Duration::from_secs(8), "{took:?}");
}
