//! A ClickHouse server behind a bad network: what was acknowledged gets there once.

use std::time::{Duration, Instant};

use super::load::{self, Load};
use super::metrics;
use super::proxy::{Proxy, Statements, Weather};
use crate::gate::{effort, tell};
use crate::harness::{Project, RemoteEngine, ServerFolder, ServerProcess, within};

const BACK: Duration = Duration::from_secs(20);
/// How late a statement comes at least; the server waits for half of that.
const LATE: Duration = Duration::from_secs(2);
/// Rounds until a batch is in doubt.
const MOST_ROUNDS: u64 = 20;

/// A server whose statements give up soon, before an engine behind a proxy.
async fn server(proxy: &Proxy, project: &Project) -> ServerProcess {
    ServerFolder::new(project)
        .with_variable("ROOST__ENGINE__URL", proxy.url())
        .with_variable("ROOST__INGEST__INSERT_TIMEOUT_SECONDS", "1")
        .with_variable("ROOST__INGEST__LINGER_MILLISECONDS", "50")
        .with_variable("ROOST__WAL__SEGMENT_BYTES", "1000000")
        .with_variable("ROOST__WAL__MAX_BYTES", "8000000")
        .start()
        .await
}

#[tokio::test]
async fn connections_that_are_cut_frozen_or_half_open_lose_and_double_nothing() {
    let engine = RemoteEngine::start();
    let proxy = Proxy::before(engine.url()).await;
    let server = server(&proxy, &load::project()).await;
    let load = Load::start(&server.admin());
    let (mut rounds, mut doubts) = (0, 0);
    while rounds < effort() || (doubts == 0 && rounds < MOST_ROUNDS) {
        let unanswered = [Statements::Inserts, Statements::Puts].map(Weather::Unanswered);
        for weather in [Weather::HalfOpen, Weather::Cut, Weather::Frozen].into_iter().chain(unanswered) {
            load.progress(20, BACK).await;
            proxy.set(weather);
            // Callers are answered from the log meanwhile, those that do not wait.
            tokio::time::sleep(Duration::from_millis(1_300 + 37 * (rounds % 20))).await;
            proxy.set(Weather::Fair);
        }
        rounds += 1;
        let counted = metrics::value(&server.admin(), "roost_ingest_batches_in_doubt_total").await.unwrap();
        doubts = counted.parse().unwrap();
    }
    load.progress(20, BACK).await;
    tell(format_args!("{rounds} rounds, {doubts} batches in doubt"));
    assert!(doubts > 0, "no batch was ever in doubt: the weather was too fair");
    let ledger = load.finish().await;
    assert_eq!(ledger.unknown, [0; 0], "the log knows every row");
    ledger.check(&server.admin()).await;
}

#[tokio::test]
async fn what_arrives_after_it_was_given_up_on_doubles_nothing() {
    let engine = RemoteEngine::start();
    let proxy = Proxy::before(engine.url()).await;
    let view = "NODE rows\nSQL >\n    SELECT id FROM load\n\nTYPE materialized\nDATASOURCE copies\n";
    let project = load::project().data_source("copies", &["id UInt64"]).with("pipes/copy.pipe", view);
    let server = server(&proxy, &project).await;
    let admin = server.admin();
    let load = Load::start(&admin);
    for round in 0..effort() {
        for statements in [Statements::Inserts, Statements::Puts] {
            load.progress(20, BACK).await;
            // The server gives up after a second and tries again at once.
            proxy.set(Weather::Late(statements, LATE + Duration::from_millis(97 * (round % 20))));
            tokio::time::sleep(Duration::from_millis(900 + 137 * (round % 4))).await;
            proxy.set(Weather::Fair);
        }
    }
    load.progress(20, BACK).await;
    let ledger = load.finish().await;
    assert_eq!(ledger.unknown, [0; 0], "the log knows every row");
    tokio::time::sleep(LATE * 2).await;
    ledger.check(&admin).await;
    let sql = "SELECT count(), uniqExact(id), (SELECT count() FROM load) FROM copies FORMAT TSV";
    let copies = admin.get(&format!("/v0/sql?q={sql}")).await.text;
    let counts: Vec<&str> = copies.split_whitespace().collect();
    assert!(counts.iter().all(|count| *count == counts[0]), "copies, different ones, rows: {counts:?}");
}

#[tokio::test]
async fn an_engine_that_is_away_for_long_costs_nothing_but_room_in_the_log() {
    let engine = RemoteEngine::start();
    let proxy = Proxy::before(engine.url()).await;
    let server = server(&proxy, &load::project()).await;
    let admin = server.admin();
    assert_eq!(admin.append("load", "{\"id\":0}").await, (1, 0));
    proxy.set(Weather::Cut);
    // As many requests as an hour has seconds, if the cap is not met before: it is.
    let (mut taken, began) = (0_u32, Instant::now());
    let refused = loop {
        let first = 1 + u64::from(taken) * 100;
        let lines: Vec<String> = (first..first + 100).map(|id| format!("{{\"id\":{id}}}")).collect();
        let reply = admin.post("/v0/events?name=load", lines.join("\n")).await;
        match reply.status.as_u16() {
            202 => taken += 1,
            _ => break reply,
        }
        assert!(taken < 100_000, "the log has no cap");
    };
    let live = f64::from(taken) / began.elapsed().as_secs_f64();
    assert!(refused.error(503).contains("wal.max_bytes"), "{}", refused.text);
    assert!(taken > 3_600, "{taken} requests fit into the log");
    let began = Instant::now();
    proxy.set(Weather::Fair);
    let delivered = async || {
        let reply =
            admin.get("/v0/sql?q=SELECT count() AS n, uniqExact(id) AS ids FROM load FORMAT JSON").await;
        let row = (reply.status == 200).then(|| reply.json()["data"][0].clone())?;
        (row["n"] == 1 + u64::from(taken) * 100).then_some(row)
    };
    let (row, _) = within(BACK * 3, "everything is delivered", delivered).await;
    assert_eq!(row["ids"], row["n"], "each once");
    let drained = f64::from(taken) / began.elapsed().as_secs_f64();
    tell(format_args!("{taken} requests of 100 rows taken at {live:.0}/s, delivered at {drained:.0}/s"));
    let again = async || (admin.post("/v0/events?name=load", "{\"id\":1}").await.status == 202).then_some(());
    within(BACK, "events are taken again", again).await;
}
