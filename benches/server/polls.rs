//! What a repeated call costs: beside a handler that does nothing but hand out the same bytes, beside the
//! same server without kept answers, and in memory.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::bare::Bare;
use super::client::{Client, Place};
use super::process::{Project, Server};
use super::{in_turn, median, verdict};

const CONNECTIONS: usize = 8;
const TURN: Duration = Duration::from_millis(1_500);
/// Calls of one side in one turn, where single calls are timed.
const CALLS: u32 = 300;
/// Different calls that are made to fill what is kept, and its bound.
const DISTINCT: u32 = 1_000_000;
const CACHE_BYTES: u64 = 64_000_000;
const LISTENERS: usize = 1_000;
const CHANGES: u32 = 20;

const PATH: &str = "/v0/pipes/poll.json?first=1";

/// Calls per second on several connections.
fn throughput(place: &Place) -> f64 {
    let calls = || {
        let mut client = Client::connect(place);
        let began = Instant::now();
        let mut calls = 0_u32;
        while began.elapsed() < TURN {
            let (status, _) = client.exchange();
            assert!(status < 400, "{status}");
            calls += 1;
        }
        f64::from(calls) / began.elapsed().as_secs_f64()
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(calls)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

fn compare_hits(server: &Server) {
    let hit = server.endpoint(PATH);
    let bytes = Client::connect(&hit).call();
    let (bare, kept) = (Bare::start(), server.get(PATH, &format!("If-None-Match: {}\r\n", tag(server))));
    let nothing = bare.place(&server.endpoint(&format!("/v0/pipes/poll.json?size={bytes}")));
    let (ours, theirs) = in_turn(|| throughput(&hit), || throughput(&nothing));
    let share = ours / theirs;
    println!(
        "kept answer of {bytes} bytes: {ours:.0} calls/s on {CONNECTIONS} connections, a bare handler {theirs:.0}: {share:.2} of it, at least 0.8 aimed at: {}",
        verdict(share >= 0.8)
    );
    let (empty, whole) = in_turn(|| throughput(&kept), || throughput(&hit));
    let share = empty / whole;
    println!(
        "304: {empty:.0} calls/s, the whole {whole:.0}: {share:.2} of it, at least 1 aimed at: {}",
        verdict(share >= 1.0)
    );
}

fn tag(server: &Server) -> String {
    let answer = Client::ask_text(&server.get(PATH, "Connection: close\r\n"));
    let tag = answer.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    tag.trim().to_owned()
}

/// Call by call in turn: what else the machine does, it does to both.
fn compare_misses(on: &Server, off: &Server) {
    let call = |server: &Server, client: &mut Client, number: u32| {
        client.ask_for(&server.endpoint(&format!("/v0/pipes/poll.json?first={number}")));
        let began = Instant::now();
        client.call();
        began.elapsed().as_secs_f64() * 1_000.0
    };
    let (mut ours, mut theirs) = (Client::connect(&on.endpoint(PATH)), Client::connect(&off.endpoint(PATH)));
    let mut pair = |number| (call(on, &mut ours, number), call(off, &mut theirs, number));
    let calls = CALLS * u32::try_from(super::rounds()).unwrap();
    // The first few find nothing prepared.
    let pairs = (2..CALLS + calls).map(&mut pair).skip(CALLS as usize);
    let (ours, theirs): (Vec<f64>, Vec<f64>) = pairs.unzip();
    let (ours, theirs) = (median(ours), median(theirs));
    let ratio = ours / theirs;
    println!(
        "a call that is not kept: p50 {ours:.3} ms, with the cache off {theirs:.3} ms: {ratio:.3} times as long, at most 1.03 aimed at: {}",
        verdict(ratio <= 1.03)
    );
}

fn fill(server: &Server) {
    let before = server.memory();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                let mut client = Client::connect(&server.endpoint(PATH));
                for number in (thread..DISTINCT).step_by(4) {
                    client.ask_for(&server.endpoint(&format!("{PATH}&unused={number}")));
                    client.call();
                }
            });
        }
    });
    let (kept, memory) = (server.metric("roost_query_cache_bytes"), server.memory());
    println!(
        "{DISTINCT} different calls: {} kB kept, at most {} aimed at: {}; the server grew from {before} to {memory} MB",
        kept / 1_000,
        CACHE_BYTES / 1_000,
        verdict(kept <= CACHE_BYTES)
    );
}

fn listen(server: &Server) {
    let place = server.get(PATH, "Accept: text/event-stream\r\n");
    let Place::Tcp { port, request } = &place else { unreachable!() };
    let (memory, cpu) = (server.memory(), server.cpu());
    let mut streams: Vec<TcpStream> = (0..LISTENERS)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", *port)).unwrap();
            stream.write_all(request).unwrap();
            stream
        })
        .collect();
    let mut hear = || {
        for stream in &mut streams {
            let mut piece = [0; 16 * 1024];
            let mut heard = 0;
            // An event ends with an empty line, and its chunk with another.
            while !piece[..heard].ends_with(b"\n\n\r\n") {
                let more = stream.read(&mut piece[heard..]).unwrap();
                assert!(more > 0, "the listener was let go");
                heard += more;
            }
        }
    };
    hear();
    let asked = |server: &Server| server.metric("roost_query_answers_total{origin=\"miss\"}");
    let (grown, opened, misses) = (server.memory() - memory, server.cpu() - cpu, asked(server));
    let mut writer =
        Client::connect(&server.events("name=rows&wait=true", "{\"id\":1,\"n\":1,\"word\":\"x\"}"));
    let cpu = server.cpu();
    for _ in 0..CHANGES {
        writer.call();
        hear();
    }
    let per_change = (server.cpu() - cpu) / f64::from(CHANGES);
    println!(
        "{LISTENERS} listeners: {grown} MB more, {:.0} us of CPU to begin, {:.0} us for each and change; {CHANGES} changes cost {} queries",
        opened * 1_000.0,
        per_change * 1_000.0,
        asked(server) - misses
    );
}

/// Compares everything.
pub(super) fn run() {
    let bytes = CACHE_BYTES.to_string();
    let interval = ("ROOST__QUERY__LIVE_INTERVAL_MILLISECONDS", "10");
    let on = Server::start_with(&project(), &[("ROOST__QUERY__CACHE_BYTES", &bytes), interval]);
    let off = Server::start_with(&project(), &[("ROOST__QUERY__CACHE", "off")]);
    compare_hits(&on);
    compare_misses(&on, &off);
    listen(&on);
    fill(&on);
}

const ROWS: &str = "SCHEMA >\n    id UInt64 `json:$.id`,\n    n UInt32 `json:$.n`,\n    word String `json:$.word`\n\nENGINE \"MergeTree\"\nENGINE_SORTING_KEY \"id\"\n";

fn project() -> Project {
    let poll = "NODE answer\nSQL >\n    %\n    SELECT number, toString(number) AS text, (SELECT count() FROM rows) AS n FROM numbers({{ UInt64(first) }}, 10)\nTYPE endpoint\n";
    [("rows.datasource", ROWS), ("poll.pipe", poll)]
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .into()
}
