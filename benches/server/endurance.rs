//! What the way in bears: a table that grows, idle and slow clients in great number, bodies that are
//! meant to hurt, and ten times as much as it takes.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::client::{Client, Place};
use super::process::{Project, Server};
use super::table::{COLUMNS, count, data_source, lines, settle, wait_for};
use super::verdict;

/// Clients that go about their business.
const BUSY: usize = 16;
/// Clients that do nothing.
const IDLE: usize = 1_000;
/// Clients that send a byte now and then: what one address may open, less those that are busy.
const SLOW: usize = 4_900;
/// How long the server is asked for more than it takes, where `ROOST_BENCH_OVERLOAD_SECONDS` says nothing else.
const OVERLOAD: Duration = Duration::from_mins(10);
/// Requests a second that it is set to take for a table, and those that are sent.
const TAKEN: u32 = 50;
const SENT: u32 = 500;

fn project() -> Project {
    ["events", "quiet"]
        .map(|name| (format!("{name}.datasource"), data_source(COLUMNS, "MergeTree", "id")))
        .into()
}

/// The value below which 99 of 100 lie, in milliseconds.
fn p99(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() * 99 / 100].as_secs_f64() * 1_000.0
}

/// The times of calls on one connection, with pauses between them.
fn calls(place: &Place, time: Duration, pause: Duration) -> Vec<Duration> {
    let (mut client, until) = (Client::connect(place), Instant::now() + time);
    let mut times = Vec::new();
    while Instant::now() < until {
        let began = Instant::now();
        client.call();
        times.push(began.elapsed());
        std::thread::sleep(pause);
    }
    times
}

/// The times of single events on some connections, one every few milliseconds on each.
fn busy(place: &Place, time: Duration) -> Vec<Duration> {
    std::thread::scope(|scope| {
        let client = || calls(place, time, Duration::from_millis(5));
        let clients: Vec<_> = (0..BUSY).map(|_| scope.spawn(client)).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    })
}

/// CPU per event up to one, ten and fifty million rows, merges included.
fn compare_growth() {
    let server = Server::start(&project());
    let table = format!("{}.events", server.database());
    let body = lines(10_000);
    let place = server.events("name=events", &body);
    let begin = server.cpu();
    let mut figures = Vec::new();
    let mut sent = 0_u32;
    for millions in [1_u32, 10, 50] {
        std::thread::scope(|scope| {
            for lane in 0..4 {
                let place = &place;
                scope.spawn(move || {
                    let mut client = Client::connect(place);
                    (sent..millions * 100)
                        .filter(|number| number % 4 == lane)
                        .for_each(|_| assert!(client.call() > 0));
                });
            }
        });
        sent = millions * 100;
        wait_for(&server, &table, u64::from(millions) * 1_000_000);
        settle(|| server.cpu());
        figures.push((server.cpu() - begin) / f64::from(millions));
    }
    let (least, most) =
        figures.iter().fold((f64::MAX, 0.0_f64), |(low, high), one| (low.min(*one), high.max(*one)));
    println!(
        "growth: {:.2}, {:.2} and {:.2} µs of CPU per event up to 1, 10 and 50 million rows: within {:.0} %, at most 25 aimed at: {}",
        figures[0],
        figures[1],
        figures[2],
        (most / least - 1.0) * 100.0,
        verdict(most <= 1.25 * least)
    );
}

fn compare_idle_connections(server: &Server) {
    let place = server.events("name=events", &lines(1));
    let time = Duration::from_secs(5);
    let turn = |idle: usize| {
        let idle: Vec<Client> = (0..idle)
            .map(|_| {
                let mut client = Client::connect(&place);
                client.call();
                client
            })
            .collect();
        let times = busy(&place, time);
        drop(idle);
        p99(times)
    };
    let (beside, alone) = super::in_turn(|| turn(IDLE), || turn(0));
    let change = (beside / alone - 1.0) * 100.0;
    println!(
        "{IDLE} idle connections: the p99 of {BUSY} busy ones is {beside:.2} ms, {alone:.2} without: {change:+.0} %, at most 10 aimed at: {}",
        verdict(change <= 10.0)
    );
}

/// Half a head, and then a byte now and again; how long the last of them lived, if all are gone.
fn slow_clients(port: u16, stop: &AtomicBool) -> Option<Duration> {
    let connect = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nonblocking(true).unwrap();
        let _ = stream.write(b"POST /v0/events?name=events HTTP/1.1\r\nHost: x\r\nX-Slow: ");
        (stream, Instant::now())
    };
    let mut open: Vec<(TcpStream, Instant)> = (0..SLOW).map(|_| connect()).collect();
    let mut longest = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) && !open.is_empty() {
        open.retain_mut(|(stream, since)| {
            let lives = stream.write(b"x").is_ok() && !is_closed(stream);
            longest = if lives { longest } else { longest.max(since.elapsed()) };
            lives
        });
        std::thread::sleep(Duration::from_millis(250));
    }
    open.is_empty().then_some(longest)
}

fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 512]) {
        Ok(0) => true,
        Ok(_) => false,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

fn compare_slow_clients(server: &Server) {
    let place = server.events("name=events", &lines(1));
    let time = Duration::from_secs(30);
    let alone = p99(busy(&place, time));
    let stop = AtomicBool::new(false);
    let (beside, gone) = std::thread::scope(|scope| {
        let slow = scope.spawn(|| slow_clients(server.port(), &stop));
        let beside = p99(busy(&place, time));
        stop.store(true, Ordering::Relaxed);
        (beside, slow.join().unwrap())
    });
    let change = (beside / alone - 1.0) * 100.0;
    println!(
        "{SLOW} slow clients: gone after {gone:.1?}, 15 s aimed at: {}; the p99 of {BUSY} busy ones meanwhile {beside:.2} ms, {alone:.2} without: {change:+.0} %, at most 25 aimed at: {}",
        verdict(gone.is_some_and(|gone| gone <= Duration::from_secs(15))),
        verdict(change <= 25.0)
    );
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A zstd frame of nothing that asks for a window of 2 GiB, by its head.
const HUGE_WINDOW: [u8; 9] = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00];

/// Bodies that are meant to hurt: what they are, how they are packed, their bytes.
fn bombs() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let event = b"{\"id\":1}\n";
    let skipped =
        [[0x50, 0x2a, 0x4d, 0x18].as_slice(), &8_000_000_u32.to_le_bytes(), &vec![0; 8_000_000]].concat();
    let tiny = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0].repeat(1_000_000);
    let data = zstd::encode_all(event.as_slice(), 1).unwrap();
    let keys: Vec<String> = (0..1_000_000).map(|key| format!("\"{key}\":1,")).collect();
    let keys = keys.concat();
    vec![
        ("200 MB in gzip, a thousand to one", "gzip", gzip(&vec![b' '; 200_000_000])),
        ("a line of 1 GB in gzip", "gzip", gzip(&vec![b'x'; 1_000_000_000])),
        ("a line of 10 MB", "identity", vec![b'x'; 9_999_999]),
        ("a zstd window of 2 GB", "zstd", HUGE_WINDOW.to_vec()),
        ("8 MB of zstd to be skipped", "zstd", [skipped, data.clone()].concat()),
        ("a million empty zstd frames to be skipped", "zstd", [tiny, data].concat()),
        ("a million brackets", "identity", [b"{\"id\":1,\"x\":".as_slice(), &vec![b'['; 1_000_000]].concat()),
        (
            "nearly a million brackets that close",
            "identity",
            [&vec![b'['; 499_000], vec![b']'; 499_000].as_slice()].concat(),
        ),
        ("a million keys", "gzip", gzip(format!("{{{keys}\"id\":1}}").as_bytes())),
    ]
}

fn compare_bombs(server: &Server) {
    let budget = 256_u64;
    for (name, encoding, body) in bombs() {
        let place = server.events_packed("name=events", encoding, &body);
        let began = Instant::now();
        let (status, _) = Client::connect(&place).exchange();
        let took = began.elapsed();
        let taken = (400..500).contains(&status) || status == 202;
        println!(
            "{name} ({} kB): {status} after {took:.2?}, 4xx or quarantine within a second aimed at: {}",
            body.len() / 1_000,
            verdict(taken && took <= Duration::from_secs(1))
        );
    }
    let peak = server.peak_memory();
    println!(
        "after all of them the server has held {peak} MB at most, {} aimed at: {}",
        budget + 80,
        verdict(peak <= budget + 80)
    );
}

/// Requests at a steady pace over some connections, until the time is over: how many were refused, and
/// the times of the refusals.
fn flood(place: &Place, sent: u32, until: Instant) -> (usize, Vec<Duration>) {
    let lanes = 10;
    let pause = Duration::from_secs(1) * lanes / sent;
    let lane = || {
        let mut client = Client::connect(place);
        let (mut taken, mut refused) = (0, Vec::new());
        let mut next = Instant::now();
        while next < until {
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            next += pause;
            if client.is_over() {
                client = Client::connect(place);
            }
            let began = Instant::now();
            match client.exchange().0 {
                202 => taken += 1,
                429 | 503 => refused.push(began.elapsed()),
                other => panic!("{other}"),
            }
        }
        (taken, refused)
    };
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..lanes).map(|_| scope.spawn(lane)).collect();
        lanes.into_iter().map(|lane| lane.join().unwrap()).fold(
            (0, Vec::new()),
            |(taken, mut all), (more, refused)| {
                all.extend(refused);
                (taken + more, all)
            },
        )
    })
}

/// Compares a quiet table beside one that is asked for ten times what it takes.
pub(super) fn compare_overload() {
    let overload = super::given("ROOST_BENCH_OVERLOAD_SECONDS").map_or(OVERLOAD, Duration::from_secs);
    let server =
        Server::start_with(&project(), &[("ROOST__INGEST__REQUESTS_PER_SECOND", &TAKEN.to_string())]);
    let table = format!("{}.events", server.database());
    let (hot, quiet) = (server.events("name=events", &lines(1_000)), server.events("name=quiet", &lines(1)));
    let quietly = |time| p99(calls(&quiet, time, Duration::from_millis(40)));
    // As much as it takes, and then ten times as much: what is more is refused, and what is taken costs the same.
    let beside = |sent: u32, time: Duration| {
        let until = Instant::now() + time;
        std::thread::scope(|scope| {
            let flooding = scope.spawn(|| flood(&hot, sent, until));
            let quiet = quietly(time);
            (quiet, flooding.join().unwrap())
        })
    };
    let (alone, (before, _)) = beside(TAKEN, Duration::from_mins(1));
    let (crowded, (taken, refused)) = beside(SENT, overload);
    let change = (crowded / alone - 1.0) * 100.0;
    let (count_refused, slowest) = (refused.len(), p99(refused));
    println!(
        "{SENT} requests a second where {TAKEN} are taken, for {overload:?}: {taken} taken, {count_refused} refused, p99 {slowest:.1} ms, 10 aimed at: {}",
        verdict(slowest < 10.0)
    );
    println!(
        "the p99 of a quiet table {crowded:.2} ms, {alone:.2} beside as much as is taken: {change:+.0} %, at most 20 aimed at: {}",
        verdict(change <= 20.0)
    );
    let peak = server.peak_memory();
    println!("the server held {peak} MB at most, 320 aimed at: {}", verdict(peak <= 320));
    println!("rows in the table: {} of {}", count(&server, &table), (before + taken) * 1_000);
}

/// Compares everything.
pub(super) fn run() {
    let server = Server::start(&project());
    compare_idle_connections(&server);
    compare_slow_clients(&server);
    compare_bombs(&server);
    drop(server);
    compare_growth();
}
