//! `kill -9` under load: nothing that was acknowledged is lost or doubled.

use std::time::Duration;

use super::load::{self, Load};
use crate::harness::{ServerProcess, TestEngine, within};

/// Within this time, a server answers again.
const BACK: Duration = Duration::from_secs(5);
/// A load on a busy machine moves within this time.
const PATIENCE: Duration = Duration::from_secs(10);
const ROUNDS: usize = 2;

#[tokio::test]
async fn a_killed_engine_loses_and_doubles_nothing() {
    let server = ServerProcess::start(&load::project()).await;
    let load = Load::start(&server.admin());
    for _ in 0..ROUNDS {
        load.progress(30, PATIENCE).await;
        let engine = server.engine().await;
        engine.kill();
        within(BACK, "the engine is gone", async || (!engine.is_alive()).then_some(())).await;
        load.progress(1, BACK).await;
    }
    load.progress(30, PATIENCE).await;
    load.finish().await.check(&server.admin()).await;
}

#[tokio::test]
async fn a_killed_server_loses_and_doubles_nothing() {
    let mut server = ServerProcess::start(&load::project()).await;
    let tokens = server.folder().tokens();
    let load = Load::start(&server.admin());
    for _ in 0..ROUNDS {
        load.progress(30, PATIENCE).await;
        server.kill();
        let began = std::time::Instant::now();
        server.start_again().await;
        load.progress(1, BACK).await;
        let away = began.elapsed();
        assert!(away < BACK, "the server was away for {away:?}: {}", server.output_with("").await);
    }
    load.progress(30, PATIENCE).await;
    load.finish().await.check(&server.admin()).await;
    assert_eq!(server.folder().tokens(), tokens);
}

#[tokio::test]
async fn a_killed_server_and_engine_lose_and_double_nothing() {
    let mut server = ServerProcess::start(&load::project()).await;
    let load = Load::start(&server.admin());
    for _ in 0..ROUNDS {
        load.progress(30, PATIENCE).await;
        server.engine().await.kill();
        server.kill();
        let began = std::time::Instant::now();
        server.start_again().await;
        load.progress(1, BACK).await;
        let away = began.elapsed();
        assert!(away < BACK, "the server was away for {away:?}: {}", server.output_with("").await);
    }
    load.progress(30, PATIENCE).await;
    load.finish().await.check(&server.admin()).await;
}

/// How the engine describes the tables in a data directory that no server holds.
async fn tables(folder: &crate::harness::ServerFolder) -> Vec<serde_json::Value> {
    let data = folder.data().join("engine");
    let engine = TestEngine::start_with(|options| options.data = data);
    let sql = "SELECT database, name, toString(uuid) AS id, engine, partition_key, sorting_key, create_table_query, \
               total_rows FROM system.tables WHERE database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema') \
               AND NOT endsWith(database, '_stage') \
               ORDER BY database, name";
    engine.client().rows(sql).await.unwrap()
}

#[tokio::test]
async fn the_tables_are_the_same_after_a_killed_server() {
    let mut server = ServerProcess::start(&crate::harness::Project::clickstream()).await;
    server.admin().append("clickstream_events", "{}\n{}").await;
    server.kill();
    let folder = server.into_folder();
    let before = tables(&folder).await;
    assert!(before.iter().any(|table| table["name"] == "clickstream_events"), "{before:?}");
    let mut server = folder.start().await;
    server.kill();
    assert_eq!(tables(&server.into_folder()).await, before);
}
