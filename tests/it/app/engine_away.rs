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
async fn while_the_engine_is_away_events_and_queries_are_told_to_come_back() {
    let server = folder("3000").start().await;
    let admin = server.admin();
    server.engine().await.kill();
    let mut attempt = 0;
    let refused = eventually("events are refused", async || {
        attempt += 1;
        let reply = admin.post("/v0/events?name=load", format!("{{\"id\":{attempt}}}")).await;
        assert_ne!(reply.status, 202, "nobody has the row");
        (reply.status == 503).then_some(reply)
    });
    let refused = refused.await;
    assert!(refused.error(503).contains("nothing was taken"), "{}", refused.text);
    assert!(refused.header("retry-after").parse::<u64>().is_ok());
    let reply = admin.get("/v0/pipes/stored.json").await;
    assert!(reply.error(503).contains("engine is not available"), "{}", reply.text);
    assert!(reply.header("retry-after").parse::<u64>().is_ok());
    let reply = admin.post("/v0/tokens?name=made&scope=TOKENS", "").await;
    assert!(reply.error(503).contains("was not changed"), "{}", reply.text);
    assert!(reply.header("retry-after").parse::<u64>().is_ok());
    assert_eq!(admin.get("/v0/tokens").await.status, 200, "tokens are known without the engine");
    assert_eq!(server.anonymous().get("/v0/health").await.status, 200, "the server itself lives");

    let back = async || (admin.get("/v0/pipes/stored.json").await.status == 200).then_some(());
    within(BACK, "the engine is back", back).await;
    admin.get("/v0/tokens/made").await.error(403);
    let stored = admin.rows("stored").await;
    assert!(!stored.iter().any(|row| row["id"] == attempt), "a refused row is there: {stored:?}");
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
    assert!(!ledger.unknown.is_empty(), "rows were on their way to the frozen engine");
    ledger.check(&server.admin()).await;
}
