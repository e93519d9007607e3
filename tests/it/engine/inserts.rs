//! Inserts: a block is stored whole, or not at all with an error.

use std::time::Duration;

use bytes::Bytes;
use roost::engine::{EngineClient, EngineError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::value;
use crate::harness::{Block, SharedEngine, shared_engine};

const PATIENCE: Duration = Duration::from_secs(20);

/// A table of a number and a text in a database of its own.
async fn table(engine: &SharedEngine, rest: &str) -> String {
    let table = format!("{}.t", engine.database().await);
    let columns = "(n UInt64, text String)";
    engine.execute(&format!("CREATE TABLE {table} {columns} ENGINE = MergeTree {rest}")).await.unwrap();
    table
}

async fn insert(engine: &EngineClient, table: &str, block: Bytes) -> Result<(), EngineError> {
    engine.insert(&format!("INSERT INTO {table} FORMAT Native"), block, PATIENCE).await
}

async fn refused(engine: &EngineClient, table: &str, block: Bytes) -> (u32, String) {
    let Err(EngineError::Exception { code, message }) = insert(engine, table, block).await else {
        panic!("not refused")
    };
    assert_eq!(value(engine, &format!("SELECT count() FROM {table}")).await, "0");
    (code, message)
}

#[tokio::test]
async fn a_block_comes_back_as_it_was_sent() {
    let engine = shared_engine();
    let table = table(&engine, "ORDER BY n").await;
    let texts = ["", "plain", "tab\tnewline\nquote'", "🐓", "nul\0", "{\"json\": [1]}"];
    let block = Block::new(6).numbers("n", 0..6).texts("text", texts).bytes();
    insert(&engine, &table, block).await.unwrap();
    let rows: Vec<serde_json::Value> =
        engine.rows(format!("SELECT * FROM {table} ORDER BY n")).await.unwrap();
    for (n, (row, text)) in rows.iter().zip(texts).enumerate() {
        assert_eq!(*row, serde_json::json!({ "n": n, "text": text }));
    }
    assert_eq!(rows.len(), 6);
}

#[tokio::test]
async fn columns_are_found_by_their_names() {
    let engine = shared_engine();
    let table = table(&engine, "ORDER BY n").await;
    let block = Block::new(1).texts("text", ["x"]).numbers("n", 7..8).bytes();
    engine.insert(&format!("INSERT INTO {table} (text, n) FORMAT Native"), block, PATIENCE).await.unwrap();
    assert_eq!(value(&engine, &format!("SELECT n, text FROM {table}")).await, "7\tx");
}

#[tokio::test]
async fn a_large_block_is_one_part() {
    let engine = shared_engine();
    let table = table(&engine, "ORDER BY n").await;
    let rows = 900_000;
    insert(&engine, &table, Block::new(rows).numbers("n", 0..rows as u64).bytes()).await.unwrap();
    let (database, name) = table.split_once('.').unwrap();
    let parts = format!(
        "SELECT count(), sum(rows) FROM system.parts WHERE active AND database = '{database}' AND table = '{name}'"
    );
    assert_eq!(value(&engine, &parts).await, "1\t900000");
}

#[tokio::test]
async fn a_block_of_many_partitions_is_one_insert() {
    let engine = shared_engine();
    let table = table(&engine, "PARTITION BY n ORDER BY n").await;
    insert(&engine, &table, Block::new(150).numbers("n", 0..150).bytes()).await.unwrap();
    assert_eq!(
        value(&engine, &format!("SELECT count(), uniq(_partition_id) FROM {table}")).await,
        "150\t150"
    );
}

#[tokio::test]
async fn the_same_block_twice_is_stored_twice() {
    let engine = shared_engine();
    let table = table(&engine, "ORDER BY n SETTINGS non_replicated_deduplication_window = 100").await;
    let block = Block::new(10).numbers("n", 0..10).bytes();
    for _ in 0..2 {
        insert(&engine, &table, block.clone()).await.unwrap();
    }
    assert_eq!(value(&engine, &format!("SELECT count() FROM {table}")).await, "20");
}

#[tokio::test]
async fn an_acknowledged_insert_is_visible_to_the_next_query() {
    let engine = shared_engine();
    let table = table(&engine, "ORDER BY n").await;
    for n in 0..50 {
        insert(&engine, &table, Block::new(1).numbers("n", n..=n).bytes()).await.unwrap();
        assert_eq!(value(&engine, &format!("SELECT count() FROM {table}")).await, (n + 1).to_string());
    }
}

#[tokio::test]
async fn a_truncated_block_is_an_error_and_stores_nothing() {
    let engine = shared_engine();
    let table = table(&engine, "ORDER BY n").await;
    let block = Block::new(1000).numbers("n", 0..1000).bytes();
    for length in [1, 10, 1000, block.len() - 1] {
        refused(&engine, &table, block.slice(..length)).await;
    }
    refused(&engine, &table, Bytes::from_static(b"this is not a block of rows")).await;
}

#[tokio::test]
async fn a_column_that_the_table_does_not_have_is_refused() {
    let engine = shared_engine();
    let table = table(&engine, "ORDER BY n").await;
    let (code, message) = refused(&engine, &table, Block::new(1).numbers("m", 0..1).bytes()).await;
    assert_eq!(code, 117, "{message}");
    assert!(message.contains('m'), "{message}");
}

#[tokio::test]
async fn a_text_for_a_number_is_refused() {
    let engine = shared_engine();
    let table = table(&engine, "ORDER BY n").await;
    refused(&engine, &table, Block::new(1).texts("n", ["many"]).bytes()).await;
}

#[tokio::test]
async fn a_table_that_does_not_exist_is_named() {
    let engine = shared_engine();
    let block = Block::new(1).numbers("n", 0..1).bytes();
    let error = insert(&engine, "no_such_database.t", block).await.unwrap_err();
    assert!(matches!(&error, EngineError::Exception { code: 81 | 60, .. }), "{error:?}");
    assert!(error.to_string().contains("no_such_database"), "{error}");
}

#[tokio::test]
async fn an_insert_works_on_after_one_that_was_refused() {
    let engine = shared_engine();
    let table = table(&engine, "ORDER BY n").await;
    refused(&engine, &table, Bytes::from_static(b"\x01\x01")).await;
    insert(&engine, &table, Block::new(1).numbers("n", 0..1).bytes()).await.unwrap();
    assert_eq!(value(&engine, &format!("SELECT count() FROM {table}")).await, "1");
}

/// The defaults that moved in ClickHouse 26.x, with the values that the client pins.
const PINNED: [(&str, &str); 5] = [
    ("async_insert", "false"),
    ("insert_deduplicate", "false"),
    ("max_insert_threads", "1"),
    ("max_partitions_per_insert_block", "0"),
    ("input_format_skip_unknown_fields", "false"),
];

/// Takes one request and says that all is well; its head, and its body with the chunks undone.
async fn one_request(listener: TcpListener) -> (String, Vec<u8>) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut received = Vec::new();
    while !received.ends_with(b"0\r\n\r\n") {
        assert!(stream.read_buf(&mut received).await.unwrap() > 0);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    let head = received.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    let (head, mut rest) = received.split_at(head);
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|bytes| bytes == b"\r\n").unwrap();
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        if length == 0 {
            return (String::from_utf8(head.to_vec()).unwrap().to_lowercase(), body);
        }
        body.extend_from_slice(&rest[line + 2..][..length]);
        rest = &rest[line + 2 + length + 2..];
    }
}

#[tokio::test]
async fn a_block_for_a_server_elsewhere_is_packed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let client = EngineClient::server(url, "default".to_owned(), String::new().into());
    let block = Block::new(100_000).numbers("n", 0..100_000).bytes();
    let (inserted, (head, body)) = tokio::join!(insert(&client, "t", block.clone()), one_request(listener));
    inserted.unwrap();
    assert!(head.contains("\r\ncontent-encoding: zstd\r\n"), "{head}");
    assert!(body.len() < block.len() / 2, "{} of {}", body.len(), block.len());
    assert_eq!(zstd::decode_all(body.as_slice()).unwrap(), block);
}

#[tokio::test]
async fn an_insert_runs_with_the_pinned_settings() {
    let engine = shared_engine();
    let table = format!("{}.t", engine.database().await);
    // A default is computed inside the insert, so it sees what the insert sees.
    let defaults = PINNED.map(|(name, _)| format!("{name} String DEFAULT toString(getSetting('{name}'))"));
    let columns = defaults.join(", ");
    engine.execute(&format!("CREATE TABLE {table} (n UInt64, {columns}) ORDER BY n")).await.unwrap();
    insert(&engine, &table, Block::new(1).numbers("n", 0..1).bytes()).await.unwrap();
    let rows: Vec<serde_json::Value> = engine.rows(format!("SELECT * FROM {table}")).await.unwrap();
    for (name, value) in PINNED {
        assert_eq!(rows[0][name], value, "{name}");
    }
}
