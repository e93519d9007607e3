//! What an endpoint costs beside the engine alone: the same SQL over HTTP, and to the same child over
//! its socket, with the same minimal client, in turn.
//!
//! * latency: the median of single calls on one connection each;
//! * throughput: calls per second on eight connections;
//! * an export of a million rows: bytes per second, and what the server's memory grows by;
//! * ten thousand endpoints beside one.

use std::time::{Duration, Instant};

use super::client::{Client, Place};
use super::process::{Project, Server};
use super::{in_turn, median, verdict};

/// Calls of one side in one round, where single calls are timed.
const CALLS: usize = 150;
/// Exports of one side in one turn.
const EXPORTS: usize = 5;
/// Connections, and how long they call in one turn, where calls per second are counted.
const CONNECTIONS: usize = 8;
const TURN: Duration = Duration::from_millis(1_200);

/// One endpoint, and what is asked of it.
struct Question {
    name: &'static str,
    path: &'static str,
    /// Milliseconds that the endpoint may take longer than the engine alone.
    most_added: f64,
    /// The part of the engine's calls per second that the endpoint has to reach.
    least_share: f64,
}

const QUESTIONS: [Question; 3] = [
    Question { name: "SELECT 1", path: "/v0/pipes/one.json", most_added: 0.15, least_share: 0.85 },
    Question {
        name: "ten rows of 10 M",
        path: "/v0/pipes/few.json?first=5000000",
        most_added: 0.15,
        least_share: 0.95,
    },
    Question {
        name: "GROUP BY over 1 M",
        path: "/v0/pipes/groups.json",
        most_added: 0.15,
        least_share: 0.95,
    },
];

/// The medians of single calls, in milliseconds. The sides are called in turn, one call each, so that what
/// happens to the machine happens to all of them.
fn latencies<const SIDES: usize>(mut clients: [Client; SIDES]) -> [f64; SIDES] {
    let mut times = [const { Vec::new() }; SIDES];
    for turn in 0..CALLS * (super::rounds() + 1) {
        for place in 0..SIDES {
            let side = (turn + place) % SIDES;
            let began = Instant::now();
            clients[side].call();
            // In the first round everybody warms up.
            if turn >= CALLS {
                times[side].push(began.elapsed().as_secs_f64() * 1_000.0);
            }
        }
    }
    times.map(median)
}

/// Calls per second on several connections.
fn throughput(place: &Place) -> f64 {
    let calls = |place: &Place| {
        let mut client = Client::connect(place);
        let began = Instant::now();
        let mut calls = 0_u32;
        while began.elapsed() < TURN {
            client.call();
            calls += 1;
        }
        f64::from(calls) / began.elapsed().as_secs_f64()
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(|| calls(place))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

fn compare_latency(server: &Server, question: &Question) {
    let endpoint = Client::connect(&server.fresh(question.path));
    let engine = Client::connect(&server.engine(question.path, "JSON"));
    let same = Client::connect(&server.engine_as_asked(question.path, "JSON"));
    let [ours, theirs, same] = latencies([endpoint, engine, same]);
    let added = ours - theirs;
    println!(
        "{}: p50 {ours:.3} ms, engine alone {theirs:.3} ms (written by one thread, as for ours: {same:.3}): {added:.3} ms added, at most {} aimed at: {}",
        question.name,
        question.most_added,
        verdict(added <= question.most_added)
    );
}

fn compare_throughput(server: &Server, question: &Question) {
    let (endpoint, engine) = (server.fresh(question.path), server.engine(question.path, "JSON"));
    let (ours, theirs) = in_turn(|| throughput(&endpoint), || throughput(&engine));
    let share = ours / theirs;
    println!(
        "{}: {ours:.0} calls/s on {CONNECTIONS} connections, engine alone {theirs:.0}: {share:.2} of it, at least {} aimed at: {}",
        question.name,
        question.least_share,
        verdict(share >= question.least_share)
    );
}

fn compare_export(server: &Server, extension: &str, format: &str) {
    let path = format!("/v0/pipes/export.{extension}");
    let mut ours = Client::connect(&server.fresh(&path));
    let mut theirs = Client::connect(&server.engine(&path, format));
    let speed = |client: &mut Client| {
        let began = Instant::now();
        let bytes = client.call();
        f64::from(u32::try_from(bytes / 1_000).unwrap()) / 1_000.0 / began.elapsed().as_secs_f64()
    };
    let before = server.memory();
    let some = |client: &mut Client| median((0..EXPORTS).map(|_| speed(client)).collect());
    let (our_speed, their_speed) = in_turn(|| some(&mut ours), || some(&mut theirs));
    let grown = server.peak_memory().saturating_sub(before);
    let share = our_speed / their_speed;
    println!(
        "export of 1 M rows as {extension}: {our_speed:.0} MB/s, engine alone {their_speed:.0}: {share:.2} of it, at least 0.9 aimed at: {}; the server grew by {grown} MB, less than 30 aimed at: {}",
        verdict(share >= 0.9),
        verdict(grown < 30)
    );
}

/// One endpoint among many costs what it costs alone.
fn compare_sizes(one: &Server, many: &Server) {
    let path = QUESTIONS[0].path;
    let [lots, few] = latencies([Client::connect(&many.fresh(path)), Client::connect(&one.fresh(path))]);
    let ratio = lots / few;
    println!(
        "10,000 endpoints: p50 {lots:.3} ms, beside four {few:.3} ms: {ratio:.2} times as long, at most 1.05 aimed at: {}",
        verdict(ratio <= 1.05)
    );
}

/// Compares everything.
pub(super) fn run() {
    let server = Server::start(&project(0));
    server.fill();
    for question in &QUESTIONS {
        compare_latency(&server, question);
    }
    for question in &QUESTIONS {
        compare_throughput(&server, question);
    }
    for (extension, format) in [("ndjson", "JSONEachRow"), ("json", "JSON"), ("csv", "CSVWithNames")] {
        compare_export(&server, extension, format);
    }
    let many = Server::start(&project(10_000));
    compare_sizes(&server, &many);
}

const BIG: &str = "SCHEMA >\n    id UInt64,\n    n UInt32,\n    word String\n\nENGINE \"MergeTree\"\nENGINE_SORTING_KEY \"id\"\n";

fn endpoint(sql: &str) -> String {
    format!("NODE answer\nSQL >\n    %\n    {sql}\nTYPE endpoint\n")
}

/// The project, with so many further endpoints.
fn project(further: usize) -> Project {
    let fixed = [
        ("big.datasource", BIG.to_owned()),
        ("one.pipe", endpoint("SELECT 1 AS one")),
        (
            "few.pipe",
            endpoint(
                "SELECT id, n, word FROM big WHERE id >= {{ UInt64(first) }} AND id < {{ UInt64(first) }} + 10",
            ),
        ),
        (
            "groups.pipe",
            endpoint(
                "SELECT n, count() AS c, uniq(word) AS w FROM big WHERE id < 1000000 GROUP BY n ORDER BY n LIMIT 10",
            ),
        ),
        ("export.pipe", endpoint("SELECT id, n, word FROM big WHERE id < 1000000")),
    ];
    let one_more = |number: usize| {
        let sql = format!("SELECT id, {number} AS number FROM big WHERE id = {{{{ UInt64(id, 1) }}}}");
        (format!("further_{number}.pipe"), endpoint(&sql))
    };
    let fixed = fixed.into_iter().map(|(name, text)| (name.to_owned(), text));
    fixed.chain((0..further).map(one_more)).collect()
}
