//! One caller whose queries never end, beside others who poll: how late the first is stopped, and what
//! the others notice.

use std::time::{Duration, Instant};

use super::client::{Client, Place};
use super::process::{Project, Server};
use super::{in_turn, verdict};

/// The time limit of a query, in seconds.
const LIMIT: u32 = 2;
const TURN: Duration = Duration::from_secs(6);
/// Between two calls of those who poll.
const PAUSE: Duration = Duration::from_millis(10);
const RUNAWAY: &str = "/v0/pipes/runaway.json";

/// The 99th of a hundred calls, in milliseconds.
fn late_calls(place: &Place) -> f64 {
    let mut client = Client::connect(place);
    let (began, mut times) = (Instant::now(), Vec::new());
    while began.elapsed() < TURN {
        let call = Instant::now();
        client.call();
        times.push(call.elapsed().as_secs_f64() * 1_000.0);
        std::thread::sleep(PAUSE);
    }
    times.sort_by(f64::total_cmp);
    times[times.len() * 99 / 100]
}

/// Calls what never ends, again and again; how long each took, in seconds.
fn run_away(place: &Place) -> Vec<f64> {
    let (began, mut times) = (Instant::now(), Vec::new());
    while began.elapsed() < TURN {
        let mut client = Client::connect(place);
        let call = Instant::now();
        let (status, _) = client.exchange();
        assert_eq!(status, 408);
        times.push(call.elapsed().as_secs_f64());
    }
    times
}

/// Compares everything.
pub(super) fn run() {
    let limit = LIMIT.to_string();
    let server = Server::start_with(&project(), &[("ROOST__QUERY__MAX_EXECUTION_SECONDS", &limit)]);
    let (poll, runaway) = (server.fresh("/v0/pipes/quiet.json"), server.endpoint(RUNAWAY));
    let mut stopped = Vec::new();
    let beside = || {
        std::thread::scope(|scope| {
            let away = scope.spawn(|| run_away(&runaway));
            let late = late_calls(&poll);
            stopped.extend(away.join().unwrap());
            late
        })
    };
    let (beside, alone) = in_turn(beside, || late_calls(&poll));
    let more = (beside / alone - 1.0) * 100.0;
    println!(
        "p99 of a quiet caller beside a query that never ends: {beside:.2} ms, alone {alone:.2} ms: {more:+.0} %, at most +30 aimed at: {}",
        verdict(more <= 30.0)
    );
    let latest = stopped.into_iter().fold(0.0, f64::max) / f64::from(LIMIT);
    println!(
        "such a query is stopped after {latest:.2} of its time limit at the latest, at most 1.2 aimed at: {}",
        verdict(latest <= 1.2)
    );
}

fn project() -> Project {
    let pipe = |sql: &str| format!("NODE answer\nSQL >\n    {sql}\nTYPE endpoint\n");
    let quiet = pipe("SELECT number % 7 AS k, count() AS n FROM numbers(100000) GROUP BY k ORDER BY k");
    let runaway = pipe("SELECT count() AS n FROM numbers_mt(1000000000000) WHERE sipHash64(number) = 1");
    [("quiet.pipe", quiet), ("runaway.pipe", runaway)].map(|(name, text)| (name.to_owned(), text)).into()
}
