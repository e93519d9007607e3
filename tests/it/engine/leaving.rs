//! Clients that leave before the end: their queries stop, their inserts store nothing.

use std::time::Duration;

use roost::engine::{EngineClient, Query};
use tokio::io::AsyncWriteExt;

use super::value;
use crate::harness::{Block, TestEngine, eventually, shared_engine, within};

/// Within this time, a query without a reader is gone.
const PROMISE: Duration = Duration::from_millis(500);
/// Enough work for a minute.
const LONG: &str = "SELECT count() FROM numbers_mt(200000000000) WHERE sipHash64(number) = 1";

/// A comment by which a test finds its own query.
fn named(sql: &str) -> (String, String) {
    let name = uuid::Uuid::new_v4().simple().to_string();
    (format!("/*{name}*/ {sql}"), name)
}

/// How many queries with this name run.
async fn running(engine: &EngineClient, name: &str) -> usize {
    // The name is put together here, so that this query does not find itself.
    let (front, back) = name.split_at(8);
    let sql = format!(
        "SELECT count() FROM system.processes WHERE position(query, concat('{front}', '{back}')) > 0"
    );
    value(engine, &sql).await.parse().unwrap()
}

async fn gone_within_the_promise(engine: &EngineClient, name: &str) {
    let gone = async || (running(engine, name).await == 0).then_some(());
    within(PROMISE, "the query without a reader is gone", gone).await;
}

#[tokio::test]
async fn a_query_whose_client_leaves_before_the_first_byte_is_stopped() {
    let engine = shared_engine();
    let (sql, name) = named(LONG);
    {
        let mut query = std::pin::pin!(engine.query(Query::new(sql, "JSON")));
        let observer = engine.fresh();
        let runs = eventually("the query runs", async || (running(&observer, &name).await > 0).then_some(()));
        tokio::select! {
            _ = &mut query => panic!("the query ended"),
            () = runs => {}
        }
    }
    gone_within_the_promise(&engine, &name).await;
}

#[tokio::test]
async fn a_query_whose_client_leaves_in_the_middle_of_the_rows_is_stopped() {
    let engine = shared_engine();
    let (sql, name) = named("SELECT number, toString(number) FROM numbers(100000000000)");
    let mut rows = engine.query(Query::new(sql, "CSV")).await.unwrap();
    for _ in 0..10 {
        rows.next().await.unwrap().unwrap();
    }
    assert_eq!(running(&engine, &name).await, 1);
    drop(rows);
    gone_within_the_promise(&engine, &name).await;
}

#[tokio::test]
async fn queries_whose_clients_leave_at_once_do_not_run_on() {
    let engine = shared_engine();
    let (sql, name) = named(LONG);
    for microseconds in (0..4000).step_by(200) {
        let query = engine.query(Query::new(sql.clone(), "JSON"));
        let left = tokio::time::timeout(Duration::from_micros(microseconds), query).await;
        assert!(left.is_err());
    }
    let gone = async || (running(&engine, &name).await == 0).then_some(());
    within(Duration::from_secs(2), "all queries without a reader are gone", gone).await;
}

#[tokio::test]
async fn an_insert_whose_client_leaves_in_the_middle_stores_nothing() {
    let engine = shared_engine();
    let database = engine.database().await;
    engine.execute(&format!("CREATE TABLE {database}.t (n UInt64) ORDER BY n")).await.unwrap();
    let block = Block::new(10_000).numbers("n", 0..10_000).bytes();
    for sent in [0, 100, block.len() - 1, block.len()] {
        let mut stream = engine.address().connect().await;
        let sql = format!("query=INSERT+INTO+{database}.t+FORMAT+Native");
        let head = format!("POST /?{sql} HTTP/1.1\r\nHost: engine\r\nTransfer-Encoding: chunked\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        if sent > 0 {
            stream.write_all(format!("{sent:x}\r\n").as_bytes()).await.unwrap();
            stream.write_all(&block[..sent]).await.unwrap();
            stream.write_all(b"\r\n").await.unwrap();
        }
        stream.flush().await.unwrap();
        // No final chunk: as far as the engine knows, more was to come.
        drop(stream);
    }
    eventually("no insert is left", async || (running(&engine, &database).await == 0).then_some(())).await;
    assert_eq!(value(&engine, &format!("SELECT count() FROM {database}.t")).await, "0");
}

#[tokio::test]
async fn an_insert_whose_client_leaves_before_it_begins_stores_nothing() {
    let engine = TestEngine::start();
    let client = engine.client();
    client.execute("CREATE TABLE t (n UInt64) ORDER BY n").await.unwrap();
    // More calls than the engine makes at once.
    let mut calls = Vec::new();
    for _ in 0..64 {
        let mut call = engine.address().connect().await;
        let sleep = b"POST / HTTP/1.1\r\nHost: engine\r\nContent-Length: 15\r\n\r\nSELECT sleep(2)";
        call.write_all(sleep).await.unwrap();
        calls.push(call);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let block = Block::new(10_000).numbers("n", 0..10_000).bytes();
    let mut insert = engine.address().connect().await;
    let length = block.len();
    let head = format!(
        "POST /?query=INSERT+INTO+t+FORMAT+Native HTTP/1.1\r\nHost: engine\r\nContent-Length: {length}\r\n\r\n"
    );
    insert.write_all(head.as_bytes()).await.unwrap();
    insert.write_all(&block).await.unwrap();
    insert.flush().await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(insert);
    // This one waits behind the insert.
    assert_eq!(value(&client, "SELECT count() FROM t").await, "0");
    eventually("no insert is left", async || (running(&client, "INSERT INTO t ").await == 0).then_some(()))
        .await;
    assert_eq!(value(&client, "SELECT count() FROM t").await, "0");
}
