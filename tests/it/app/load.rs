//! A load of events whose every row is accounted for: stored, refused, or unknown.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::harness::{ApiClient, Project, eventually, try_send, within};

/// Rows of one request; the last of them is a bad one, so that each request writes to two tables.
const ROWS: u64 = 10;
const SENDERS: u64 = 4;
/// Within this time, rows that were acknowledged are in their table, if the engine is there.
const SETTLED: Duration = Duration::from_secs(20);

/// A data source for the load, and the endpoint that tells what is stored of it.
pub(super) fn project() -> Project {
    let stored = "SELECT id, count() AS times FROM (
                      SELECT id FROM load UNION ALL SELECT toUInt64(assumeNotNull(id)) AS id FROM load_quarantine
                  ) GROUP BY id";
    Project::default().data_source("load", &["id UInt64", "level UInt8 DEFAULT 1"]).endpoint("stored", stored)
}

/// Senders that post without a pause until they are told to stop.
pub(super) struct Load {
    senders: JoinSet<Ledger>,
    acknowledged: Arc<AtomicU64>,
    stop: CancellationToken,
}

/// What the server said about each row.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Answered 200 or 202.
    pub(super) stored: Vec<u64>,
    /// Answered 503, or never sent.
    pub(super) refused: Vec<u64>,
    /// Answered "outcome unknown", or not at all.
    pub(super) unknown: Vec<u64>,
}

impl Load {
    pub(super) fn start(caller: &ApiClient) -> Self {
        let (acknowledged, stop) = (Arc::new(AtomicU64::new(0)), CancellationToken::new());
        let mut senders = JoinSet::new();
        for number in 0..SENDERS {
            let sender = Sender { caller: caller.clone(), acknowledged: Arc::clone(&acknowledged) };
            let stop = stop.clone();
            senders.spawn(async move {
                let mut ledger = Ledger::default();
                let mut next = number << 32;
                while !stop.is_cancelled() {
                    sender.post(next, &mut ledger).await;
                    next += ROWS;
                }
                ledger
            });
        }
        Self { senders, acknowledged, stop }
    }

    /// Waits until so many more requests have been answered with 200 or 202, and says how long
    /// that took.
    pub(super) async fn progress(&self, requests: u64, limit: Duration) -> Duration {
        let wanted = self.acknowledged.load(Ordering::Relaxed) + requests;
        let reached = async || (self.acknowledged.load(Ordering::Relaxed) >= wanted).then_some(());
        within(limit, "the load makes progress", reached).await.1
    }

    /// Stops the senders after their present request.
    pub(super) async fn finish(self) -> Ledger {
        self.stop.cancel();
        let mut all = Ledger::default();
        for ledger in self.senders.join_all().await {
            all.stored.extend(ledger.stored);
            all.refused.extend(ledger.refused);
            all.unknown.extend(ledger.unknown);
        }
        all
    }
}

struct Sender {
    caller: ApiClient,
    acknowledged: Arc<AtomicU64>,
}

impl Sender {
    /// Posts the rows from `first` on and notes what became of them.
    async fn post(&self, first: u64, ledger: &mut Ledger) {
        let ids = first..first + ROWS;
        let line = |id| {
            if id == first + ROWS - 1 {
                format!("{{\"id\":{id},\"level\":-1}}\n")
            } else {
                format!("{{\"id\":{id}}}\n")
            }
        };
        let body: String = ids.clone().map(line).collect();
        // Callers wait and do not wait in turn; both promise the same.
        let wait = (first / ROWS).is_multiple_of(2);
        let request =
            self.caller.request(reqwest::Method::POST, &format!("/v0/events?name=load&wait={wait}"));
        match try_send(request.body(body)).await {
            Ok(reply) => match reply.status.as_u16() {
                200 | 202 => {
                    assert_eq!(reply.counts(), (ROWS - 1, 1));
                    ledger.stored.extend(ids);
                    self.acknowledged.fetch_add(1, Ordering::Relaxed);
                }
                500 => {
                    let error = reply.error(500);
                    assert!(error.contains("outcome unknown"), "{error}");
                    ledger.unknown.extend(ids);
                }
                503 => {
                    let error = reply.error(503);
                    assert!(error.contains("nothing was taken"), "{error}");
                    assert!(reply.header("retry-after").parse::<u64>().is_ok(), "{:?}", reply.headers);
                    ledger.refused.extend(ids);
                    rest().await;
                }
                status => panic!("{status}: {}", reply.text),
            },
            Err(error) if error.is_connect() => {
                ledger.refused.extend(ids);
                rest().await;
            }
            Err(_) => ledger.unknown.extend(ids),
        }
    }
}

/// Keeps a sender that is turned away from filling the machine.
async fn rest() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}

/// Waits until every row that was acknowledged is in its table: rows reach it in the order of their
/// requests, so that they are in front of one that is sent last and waited for.
async fn settle(caller: &ApiClient) {
    let last = async || {
        let request = caller.request(reqwest::Method::POST, "/v0/events?name=load&wait=true");
        let reply = try_send(request.body(format!("{{\"id\":{}}}", u64::MAX))).await.ok()?;
        (reply.status == 200).then_some(())
    };
    within(SETTLED, "every row is in its table", last).await;
}

impl Ledger {
    /// Compares what the server said with what it holds: every acknowledged row once, no refused
    /// row, and no row of unknown outcome twice.
    pub(super) async fn check(&self, caller: &ApiClient) {
        settle(caller).await;
        let answer = eventually("the stored rows can be read", async || {
            let reply = caller.get("/v0/pipes/stored.json").await;
            (reply.status == 200).then(|| reply.json())
        });
        let mut times: BTreeMap<u64, u64> = BTreeMap::new();
        for row in answer.await["data"].as_array().unwrap() {
            times.insert(row["id"].as_u64().unwrap(), row["times"].as_u64().unwrap());
        }
        let of = |id: &u64| times.get(id).copied().unwrap_or_default();
        let wrong = |ids: &[u64], right: &dyn Fn(u64) -> bool| {
            ids.iter().filter(|id| !right(of(id))).take(20).copied().collect::<Vec<u64>>()
        };
        assert_eq!(
            wrong(&self.stored, &|times| times == 1),
            Vec::<u64>::new(),
            "acknowledged, but not there once"
        );
        assert_eq!(wrong(&self.refused, &|times| times == 0), Vec::<u64>::new(), "refused, but there");
        assert_eq!(wrong(&self.unknown, &|times| times <= 1), Vec::<u64>::new(), "there more than once");
        assert!(!self.stored.is_empty());
    }
}
