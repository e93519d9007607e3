//! What exactly-once delivery costs.
//!
//! * CPU of server and engine for a batch on its way from the log into its tables, with three views
//!   and with none, beside one insert of the same block into a table with ClickHouse's own views;
//! * the acknowledgement of one event, beside one bare `fdatasync` of the same bytes;
//! * how fast the log drains once the engine is back, beside how fast it was filled;
//! * a start with a gigabyte in the log.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::acknowledgement;
use super::client::Client;
use super::process::{Project, Server};
use super::table::{COLUMNS, count, data_source, lines, settle, wait_for};
use super::{in_turn, verdict};

/// Targets with their engines and queries over `{}`.
const VIEWS: [(&str, &str, &str, &str); 3] = [
    (
        "visits",
        "page String, users AggregateFunction(uniq, UInt32), n SimpleAggregateFunction(sum, Int64)",
        "AggregatingMergeTree",
        "SELECT page, uniqState(user) AS users, sum(toInt64(n)) AS n FROM {} GROUP BY page",
    ),
    ("sums", "page String, m Int64", "SummingMergeTree", "SELECT page, sum(m) AS m FROM {} GROUP BY page"),
    ("latest", "page UInt32, id UInt64", "ReplacingMergeTree", "SELECT user AS page, id FROM {}"),
];

fn project() -> Project {
    let mut files = vec![
        ("bare.datasource".to_owned(), data_source(COLUMNS, "MergeTree", "id")),
        ("viewed.datasource".to_owned(), data_source(COLUMNS, "MergeTree", "id")),
    ];
    for (name, columns, engine, sql) in VIEWS {
        let sql = sql.replace("{}", "viewed");
        files.push((format!("{name}.datasource"), data_source(columns, engine, "page")));
        files.push((
            format!("to_{name}.pipe"),
            format!("NODE rows\nSQL >\n    {sql}\n\nTYPE materialized\nDATASOURCE {name}\n"),
        ));
    }
    files
}

/// The same tables with ClickHouse's own views.
fn make_native(server: &Server, database: &str) {
    server.run("CREATE DATABASE native");
    for table in ["bare", "viewed"] {
        server.run(&format!("CREATE TABLE native.{table} AS {database}.{table}"));
    }
    for (name, _, _, sql) in VIEWS {
        server.run(&format!("CREATE TABLE native.{name} AS {database}.{name}"));
        let sql = sql.replace("{}", "native.viewed");
        server.run(&format!("CREATE MATERIALIZED VIEW native.to_{name} TO native.{name} AS {sql}"));
    }
}

/// Empties the tables of one side, so that the merges of each turn are those of its own parts: what stood
/// there before would be merged in one turn and not in another.
fn empty(server: &Server, database: &str) {
    for table in ["bare", "viewed"].into_iter().chain(VIEWS.map(|(name, ..)| name)) {
        server.run(&format!("TRUNCATE TABLE {database}.{table} SYNC"));
    }
}

/// Milliseconds of CPU per batch, of server and engine together, merges included: of batches that
/// wait in the log for an engine that is held up.
fn cpu_of_batches(server: &Server, table: &str, (client, batches): (&mut Client, u32)) -> f64 {
    empty(server, &server.database());
    let series = format!("roost_ingest_batches_total{{data_source=\"{table}\"}}");
    let wanted = server.metric(&series) + u64::from(batches);
    settle(|| server.cpu());
    server.signal_engine(Signal::STOP);
    for _ in 0..batches {
        client.call();
    }
    let before = server.cpu();
    server.signal_engine(Signal::CONT);
    while server.metric(&series) < wanted {
        std::thread::sleep(Duration::from_millis(100));
    }
    settle(|| server.cpu());
    (server.cpu() - before) * 1_000.0 / f64::from(batches)
}

/// The same for blocks that are inserted as they are.
fn cpu_of_inserts(server: &Server, (client, blocks): (&mut Client, u32)) -> f64 {
    empty(server, "native");
    settle(|| server.cpu());
    let before = server.cpu();
    for _ in 0..blocks {
        client.call();
    }
    settle(|| server.cpu());
    (server.cpu() - before) * 1_000.0 / f64::from(blocks)
}

fn compare_batches() {
    // So that each request is a batch.
    let server = Server::start_with(&project(), &[("ROOST__INGEST__BATCH_BYTES", "1")]);
    let database = server.database();
    make_native(&server, &database);
    for (rows, batches, most) in [(1_000, 100, 1.3), (10_000, 40, 1.0), (100_000, 15, 1.0)] {
        let body = lines(rows);
        for (table, views) in [("bare", "no view"), ("viewed", "three views")] {
            let mut ours = Client::connect(&server.events(&format!("name={table}"), &body));
            ours.call();
            let name = format!("{database}.{table}");
            wait_for(&server, &name, rows as u64);
            let block = server.block(&format!("SELECT * FROM {name} LIMIT {rows}"));
            let mut theirs = Client::connect(&server.insert(&format!("native.{table}"), &block));
            let (ours, theirs) = in_turn(
                || cpu_of_batches(&server, table, (&mut ours, batches)),
                || cpu_of_inserts(&server, (&mut theirs, batches)),
            );
            let ratio = ours / theirs;
            println!(
                "a batch of {rows} rows, {views}: {ours:.1} ms of CPU from the log into its tables, one insert of the same block {theirs:.1}: {ratio:.2} times, at most {most} aimed at: {}",
                verdict(ratio <= most)
            );
        }
    }
}

/// Longer than rows wait for others: then somebody waits for the engine.
const AWAY: Duration = Duration::from_secs(2);

/// What is sent with the engine at work, and what the log gives back of the same when it returns. On
/// neither side do rows wait for others: the last one at work is waited for.
fn compare_drain(server: &Server, database: &str) {
    let (table, requests, rows) = (format!("{database}.bare"), 400_u64, 1_000);
    let mut client = Client::connect(&server.events("name=bare", &lines(rows)));
    let mut last = Client::connect(&server.events("name=bare&wait=true", &lines(1)));
    let mut send = || (0..requests).for_each(|_| assert!(client.call() > 0));
    let before = count(server, &table);
    let began = Instant::now();
    send();
    last.call();
    wait_for(server, &table, before + requests * rows as u64 + 1);
    let live = began.elapsed();
    server.signal_engine(Signal::STOP);
    send();
    std::thread::sleep(AWAY);
    server.signal_engine(Signal::CONT);
    let began = Instant::now();
    wait_for(server, &table, before + 2 * requests * rows as u64 + 1);
    let ratio = live.as_secs_f64() / began.elapsed().as_secs_f64();
    println!(
        "{requests} requests of {rows} rows: live in {live:.2?}, drained {ratio:.1} times as fast, at least 3 aimed at: {}",
        verdict(ratio >= 3.0)
    );
}

fn start_with_a_full_log(server: &mut Server, database: &str) {
    let table = format!("{database}.viewed");
    let (before, rows) = (count(server, &table), 50_000);
    let mut client = Client::connect(&server.events("name=viewed", &lines(rows)));
    server.signal_engine(Signal::STOP);
    let mut requests = 0_u64;
    while log_bytes(server) < 1_000_000_000 {
        client.call();
        requests += 1;
    }
    drop(client);
    let bytes = log_bytes(server) / 1_000_000;
    let took = server.restart();
    let began = Instant::now();
    wait_for(server, &table, before + requests * rows as u64);
    let (drained, peak) = (began.elapsed(), server.peak_memory());
    println!(
        "a start with {bytes} MB in the log: serves after {took:.1?}, at most 10 s aimed at: {}; everything in its tables {drained:.1?} later; the server held {peak} MB at most, less than 300 aimed at: {}",
        verdict(took <= Duration::from_secs(10)),
        verdict(peak < 300)
    );
}

/// The bytes of the log's files but for what they have ahead.
fn log_bytes(server: &Server) -> u64 {
    let files = std::fs::read_dir(server.data().join("wal")).unwrap().flatten();
    files.map(|file| file.metadata().unwrap().len()).sum()
}

/// Compares everything.
pub(super) fn run() {
    compare_batches();
    let mut server = Server::start(&project());
    let database = server.database();
    acknowledgement::compare(&server, "bare");
    compare_drain(&server, &database);
    start_with_a_full_log(&mut server, &database);
}
