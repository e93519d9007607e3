//! `kill -9` under load: nothing that was acknowledged is lost or doubled.

use std::time::Duration;

use super::load::{self, Load};
use crate::harness::{Project, ServerFolder, ServerProcess, TestEngine, within};

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

#[tokio::test]
async fn an_engine_that_dies_while_refused_rows_are_looked_for_loses_none() {
    let target = "SCHEMA >\n    id UInt64\n\nENGINE \"MergeTree\"\nENGINE_SORTING_KEY \"id\"\n";
    let view = "NODE rows\nSQL >\n    SELECT id + throwIf(id % 397 = 13, 'a bad id') AS id FROM hits\n\n\
                TYPE materialized\nDATASOURCE checked\n";
    let project = Project::default()
        .data_source("hits", &["id UInt64"])
        .with("datasources/checked.datasource", target)
        .with("pipes/check.pipe", view);
    let server = ServerFolder::new(&project)
        .with_variable("ROOST__INGEST__LINGER_MILLISECONDS", "10")
        .with_variable("ROOST__ENGINE__RESTART_BACKOFF_INITIAL_MILLISECONDS", "10")
        // A wait that runs out would store the row that waits, and another with the next.
        .with_variable("ROOST__INGEST__WAIT_TIMEOUT_SECONDS", "55")
        .start()
        .await;
    let admin = server.admin();
    let rounds = 6_u64;
    for round in 0..rounds {
        let lines: Vec<String> = (0..1000).map(|row| format!("{{\"id\":{}}}", round * 1000 + row)).collect();
        assert_eq!(admin.post("/v0/events?name=hits", lines.join("\n")).await.status, 202);
        server.output_with("they are looked for").await;
        tokio::time::sleep(Duration::from_millis(100 + 60 * round)).await;
        server.engine().await.kill();
    }
    let settled = async || {
        let reply = admin.post("/v0/events?name=hits&wait=true", "{\"id\":97}").await;
        (reply.status == 200).then_some(())
    };
    within(Duration::from_mins(1), "every row is in its tables", settled).await;
    let counts = "SELECT count() AS n, uniqExact(id) AS ids FROM";
    let (engine, database) = server.side_door().open().await.unwrap();
    let count = async |table: &str| {
        let sql = format!("{counts} `{database}`.`{table}`");
        engine.rows::<serde_json::Value>(sql).await.unwrap().remove(0)
    };
    let bad = (0..rounds * 1000).filter(|id| id % 397 == 13).count() as u64;
    let good = rounds * 1000 - bad;
    let expected = |n: u64, ids: u64| serde_json::json!({"n": n, "ids": ids});
    assert_eq!(count("hits_quarantine").await, expected(bad, bad));
    assert_eq!(count("hits").await, expected(good + 1, good), "97 came twice");
    assert_eq!(count("checked").await, expected(good + 1, good));
}
