//! Writers that never rest, and what they were told about each request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use super::Dice;
use super::world::SOURCES;
use crate::harness::{ApiClient, try_send};

/// What was said about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// 200 or 202.
    Acknowledged,
    /// Nothing was taken.
    Refused,
    /// Nothing was said.
    Open,
}

/// A request of a writer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) rows: u64,
    pub(super) began: Instant,
    pub(super) ended: Instant,
    pub(super) outcome: Outcome,
}

/// All requests, by source and number.
pub(super) type Ledger = BTreeMap<(&'static str, u64), Sent>;

/// Rows of `second` that are removed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// All: TRUNCATE.
    All,
    /// A partition: it is dropped.
    Partition,
    /// Some of every partition: they are rewritten.
    Seventh,
}

/// What tells whether a row is removed with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Class {
    pub(super) partition: u64,
    pub(super) seventh: u64,
}

impl Which {
    pub(super) fn covers(self, class: Class) -> bool {
        match self {
            Self::All => true,
            Self::Partition => class.partition == 3,
            Self::Seventh => class.seventh == 1,
        }
    }

    /// The request that removes them, and the answer where it has.
    fn request(self) -> (&'static str, u16) {
        match self {
            Self::All => ("/v0/datasources/second/truncate", 205),
            Self::Partition => ("/v1/datasources/second/delete?delete_condition=p%20%3D%203", 200),
            Self::Seventh => ("/v1/datasources/second/delete?delete_condition=k%20%25%207%20%3D%200", 200),
        }
    }
}

/// When rows of `second` were removed: from the start of a request to its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Removed {
    pub(super) which: Which,
    pub(super) began: Instant,
    pub(super) ended: Instant,
    pub(super) outcome: Outcome,
}

/// The writers.
pub(super) struct Writers {
    tasks: JoinSet<(Ledger, Vec<Removed>)>,
    acknowledged: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Writers {
    pub(super) fn start(caller: &ApiClient, seed: u64) -> Self {
        let (acknowledged, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let mut tasks = JoinSet::new();
        let next = Arc::new(AtomicU64::new(1));
        for number in 0..SOURCES.len() * 2 {
            let writer = Writer {
                caller: caller.clone(),
                source: SOURCES[number % SOURCES.len()],
                dice: Dice::new(seed + number as u64),
                next: Arc::clone(&next),
                acknowledged: Arc::clone(&acknowledged),
            };
            let stop = Arc::clone(&stop);
            tasks.spawn(async move { (writer.write(&stop).await, Vec::new()) });
        }
        let (caller, stopped) = (caller.clone(), Arc::clone(&stop));
        tasks.spawn(async move { (Ledger::new(), remove(&caller, &stopped, Dice::new(seed)).await) });
        Self { tasks, acknowledged, stop }
    }

    /// Requests that were acknowledged so far.
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Lets every writer end its request; what all were told.
    pub(super) async fn finish(self) -> (Ledger, Vec<Removed>) {
        self.stop.store(true, Ordering::Relaxed);
        let (mut ledger, mut removed) = (Ledger::new(), Vec::new());
        for (sent, times) in self.tasks.join_all().await {
            ledger.extend(sent);
            removed.extend(times);
        }
        removed.sort_by_key(|times| times.began);
        (ledger, removed)
    }
}

struct Writer {
    caller: ApiClient,
    source: &'static str,
    dice: Dice,
    next: Arc<AtomicU64>,
    acknowledged: Arc<AtomicU64>,
}

impl Writer {
    async fn write(mut self, stop: &AtomicBool) -> Ledger {
        let mut ledger = Ledger::new();
        while !stop.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let rows = 1 + self.dice.roll(800) as u64;
            let began = Instant::now();
            let outcome = self.send(number, rows).await;
            ledger.insert((self.source, number), Sent { rows, began, ended: Instant::now(), outcome });
            match outcome {
                Outcome::Acknowledged => drop(self.acknowledged.fetch_add(1, Ordering::Relaxed)),
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
            tokio::time::sleep(Duration::from_millis(self.dice.roll(20) as u64)).await;
        }
        ledger
    }

    /// Sends a request over one to five partitions, with one bad row.
    async fn send(&mut self, number: u64, rows: u64) -> Outcome {
        let partitions = 1 + self.dice.roll(5) as u64;
        let mut lines: Vec<String> = (0..rows)
            .map(|row| {
                let id = (number << 16) + row;
                json!({"id": id, "request": number, "p": id % partitions, "k": id % 101, "n": id % 13})
                    .to_string()
            })
            .collect();
        lines.push(json!({"id": "bad", "request": number}).to_string());
        let wait = self.dice.roll(2) == 0;
        let path = format!("/v0/events?name={}&wait={wait}", self.source);
        let request = self.caller.request(Method::POST, &path).body(lines.join("\n"));
        outcome(try_send(request).await, &[200, 202])
    }
}

/// Removes rows of `second` now and then.
async fn remove(caller: &ApiClient, stop: &AtomicBool, mut dice: Dice) -> Vec<Removed> {
    let mut times = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(20 + dice.roll(300) as u64)).await;
        let which = [Which::All, Which::Partition, Which::Partition, Which::Seventh][dice.roll(4)];
        let (path, done) = which.request();
        let began = Instant::now();
        let outcome = outcome(try_send(caller.request(Method::POST, path)).await, &[done]);
        times.push(Removed { which, began, ended: Instant::now(), outcome });
    }
    times
}

fn outcome(answer: Result<crate::harness::Reply, reqwest::Error>, done: &[u16]) -> Outcome {
    match answer {
        Ok(reply) if done.contains(&reply.status.as_u16()) => Outcome::Acknowledged,
        Ok(reply) if reply.status == 503 => {
            assert!(reply.text.contains("nothing was taken"), "{}", reply.text);
            Outcome::Refused
        }
        Ok(reply) => {
            assert!(matches!(reply.status.as_u16(), 408 | 500), "{}: {}", reply.status, reply.text);
            Outcome::Open
        }
        Err(error) if error.is_connect() => Outcome::Refused,
        Err(_) => Outcome::Open,
    }
}
