//! The engine away: nothing is promised that is not kept, and callers learn when to come back.

use std::time::Duration;

use super::load::{self, Load};
use crate::harness::{ServerFolder, eventually, within};

const BACK: Duration = Duration::from_secs(8);

/// A server whose engine stays away for a while when it dies, and is looked after closely.
fn folder(pause_milliseconds: &str) -> ServerFolder {
    ServerFolder::new(&load::project())
        .with_variable("ROOST__ENGINE__RESTART_BACKOFF_INITIAL_MILLISECONDS", pause_milliseconds)
        .with_variable("ROOST__ENGINE__WATCHDOG_TIMEOUT_SECONDS", "1")
        .with_variable("ROOST__ENGINE__WATCHDOG_MISSES", "1")
}

#[tokio::test]
async fn while_the_engine_is_away_events_are_kept_and_queries_are_told_to_come_back() {
    let server = folder("3000").start().await;
    let admin = server.admin();
    let engine = server.engine().await;
    engine.kill();
    within(BACK, "the engine is gone", async || (!engine.is_alive()).then_some(())).await;
    for id in 1..=3 {
        let reply = admin
            .post("/v0/events?name=load", format!("{{\"id\":{id}}}\n{{\"id\":{},\"level\":-1}}", id + 10))
            .await;
        assert_eq!((reply.status.as_u16(), reply.counts()), (202, (1, 1)), "the log has the rows");
    }
    // A query may have been on its way to the engine that died.
    let reply = eventually("queries are refused", async || {
        let reply = admin.get("/v0/pipes/stored.json").await;
        (reply.status == 503).then_some(reply)
    })
    .await;
    assert!(reply.error(503).contains("engine is not available"), "{}", reply.text);
    assert!(reply.header("retry-after").parse::<u64>().is_ok());
    let reply = admin.post("/v0/tokens?name=made&scope=TOKENS", "").await;
    assert!(reply.error(503).contains("was not changed"), "{}", reply.text);
    assert!(reply.header("retry-after").parse::<u64>().is_ok());
    assert_eq!(admin.get("/v0/tokens").await.status, 200, "tokens are known without the engine");
    assert_eq!(server.anonymous().get("/v0/health").await.status, 200, "the server itself lives");

    // Whoever waits gets the answer when the engine is back.
    assert_eq!(admin.append("load", "{\"id\":4}").await, (1, 0));
    admin.get("/v0/tokens/made").await.error(403);
    let mut stored: Vec<_> =
        admin.rows("stored").await.iter().map(|row| row["id"].as_u64().unwrap()).collect();
    stored.sort_unstable();
    assert_eq!(stored, [1, 2, 3, 4, 11, 12, 13], "each once, and the bad ones in the quarantine");
}

#[tokio::test]
async fn a_wait_that_runs_out_says_that_the_rows_are_safe() {
    let server = folder("3000").with_variable("ROOST__INGEST__WAIT_TIMEOUT_SECONDS", "1").start().await;
    let admin = server.admin();
    server.engine().await.kill();
    let reply = admin.post("/v0/events?name=load&wait=true", "{\"id\":1}").await;
    assert_eq!((reply.status.as_u16(), reply.counts()), (202, (1, 0)), "{}", reply.text);
    assert!(
        reply.text.contains("safe on disk") && reply.text.contains("do not send them again"),
        "{}",
        reply.text
    );
    let stored = async || {
        let reply = admin.get("/v0/pipes/stored.json").await;
        (reply.status == 200 && reply.json()["rows"] == 1).then_some(())
    };
    within(BACK, "the row is in the table", stored).await;
}

#[tokio::test]
async fn rows_that_wait_too_long_keep_further_ones_out() {
    let server = folder("4000").with_variable("ROOST__WAL__MAX_AGE_SECONDS", "1").start().await;
    let admin = server.admin();
    let engine = server.engine().await;
    engine.kill();
    within(BACK, "the engine is gone", async || (!engine.is_alive()).then_some(())).await;
    assert_eq!(admin.post("/v0/events?name=load", "{\"id\":1}").await.status, 202);
    let refused = eventually("the first row is too old", async || {
        let reply = admin.post("/v0/events?name=load", "{\"id\":2}").await;
        (reply.status != 202).then_some(reply)
    })
    .await;
    let error = refused.error(503);
    assert!(error.contains("wal.max_age_seconds") && error.contains("nothing was taken"), "{error}");
    let again = async || {
        let reply = admin.post("/v0/events?name=load&wait=true", "{\"id\":3}").await;
        (reply.status == 200).then_some(())
    };
    within(BACK, "events are taken again", again).await;
}

#[tokio::test]
async fn a_full_log_refuses_events_and_takes_them_again_when_the_engine_is_back() {
    let server = folder("3000")
        .with_variable("ROOST__WAL__MAX_BYTES", "200000")
        .with_variable("ROOST__WAL__SEGMENT_BYTES", "50000")
        .start()
        .await;
    let admin = server.admin();
    let engine = server.engine().await;
    engine.kill();
    within(BACK, "the engine is gone", async || (!engine.is_alive()).then_some(())).await;
    let mut taken = 0;
    let refused = eventually("the log is full", async || {
        let lines: Vec<String> = (0..500).map(|row| format!("{{\"id\":{}}}", taken * 500 + row)).collect();
        let reply = admin.post("/v0/events?name=load", lines.join("\n")).await;
        taken += u64::from(reply.status == 202);
        (reply.status != 202).then_some(reply)
    });
    let refused = refused.await;
    assert!(taken > 2, "{taken} requests fit");
    assert!(refused.error(503).contains("nothing was taken"), "{}", refused.text);
    assert!(refused.header("retry-after").parse::<u64>().is_ok());
    let again = async || {
        let reply = admin.post("/v0/events?name=load&wait=true", format!("{{\"id\":{}}}", u64::MAX)).await;
        (reply.status == 200).then_some(())
    };
    within(BACK, "events are taken again", again).await;
    let rows = admin.get("/v0/sql?q=SELECT count() AS n, uniq(id) AS ids FROM load FORMAT JSON").await;
    let expected = taken * 500 + 1;
    assert_eq!(rows.json()["data"][0]["n"], expected.to_string().parse::<u64>().unwrap(), "{}", rows.text);
}

#[tokio::test]
async fn an_engine_that_dies_again_and_again_makes_no_false_promise() {
    let server = folder("100").start().await;
    let load = Load::start(&server.admin());
    for _ in 0..3 {
        load.progress(10, BACK).await;
        server.engine().await.kill();
    }
    load.progress(10, BACK).await;
    load.finish().await.check(&server.admin()).await;
}

#[tokio::test]
async fn a_frozen_engine_makes_no_false_promise() {
    let server = folder("100").start().await;
    let load = Load::start(&server.admin());
    load.progress(10, BACK).await;
    let frozen = server.engine().await;
    frozen.freeze();
    within(BACK, "the frozen engine is gone", async || (!frozen.is_alive()).then_some(())).await;
    load.progress(10, BACK).await;
    let ledger = load.finish().await;
    assert_eq!(ledger.unknown, [0; 0], "the log knows every row");
    ledger.check(&server.admin()).await;
}

/// A view that needs as many bytes as eight times a column says.
fn hungry_project() -> crate::harness::Project {
    crate::harness::Project::default()
        .data_source("meals", &["id UInt64", "bytes UInt64"])
        .with(
            "datasources/eaten.datasource",
            "SCHEMA >\n    id UInt64, bytes UInt64\n\nENGINE \"MergeTree\"\nENGINE_SORTING_KEY \"id\"\n",
        )
        .with(
            "pipes/eat.pipe",
            "NODE rows\nSQL >\n    SELECT id, arraySum(range(bytes)) AS bytes FROM meals\n\nTYPE materialized\nDATASOURCE eaten\n",
        )
        .endpoint("eaten_ids", "SELECT id FROM eaten ORDER BY id")
        .endpoint("refused_ids", "SELECT toUInt64(assumeNotNull(id)) AS id, c__error AS error FROM meals_quarantine ORDER BY id")
}

#[tokio::test]
async fn rows_that_the_engine_has_no_memory_for_end_in_the_quarantine_and_hold_nobody_up() {
    let server = ServerFolder::new(&hungry_project())
        .with_variable("ROOST__ENGINE__MEMORY_BYTES", "900000000")
        .with_variable("ROOST__INGEST__TOO_MUCH_SECONDS", "1")
        .start()
        .await;
    let admin = server.admin();
    let hungry = admin.post("/v0/events?name=meals", "{\"id\":1,\"bytes\":400000000}");
    assert_eq!(hungry.await.status, 202);
    let reply = admin.post("/v0/events?name=meals&wait=true", "{\"id\":2,\"bytes\":4}").await;
    assert_eq!(reply.status, 200, "a batch of both is halved: {}", reply.text);
    let reply = admin.post("/v0/events?name=meals&wait=true", "{\"id\":3,\"bytes\":400000000}").await;
    let error = reply.error(422);
    assert!(error.to_lowercase().contains("memory"), "{error}");
    assert_eq!(admin.rows("eaten_ids").await, [serde_json::json!({ "id": 2 })]);
    let refused = admin.rows("refused_ids").await;
    assert_eq!(refused.iter().map(|row| row["id"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 3]);
    assert!(refused[0]["error"][0].as_str().unwrap().to_lowercase().contains("memory"), "{refused:?}");
}
