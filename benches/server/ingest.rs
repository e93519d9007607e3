//! What the way in costs: events per second and CPU per event beside the engine's own JSON insert, the
//! same with bad rows and over many tables, single events beside a server that does nothing, waits, and
//! memory. Both sides take turns on the same file system, with merges on and at rest before each turn.

use std::time::{Duration, Instant};

use super::acknowledgement;
use super::bare::Bare;
use super::client::{Client, Place};
use super::process::{Project, Server};
use super::script::Script;
use super::straight::{Inserts, Straight};
use super::table::{COLUMNS, count, data_source, lines, settle, wait_for};
use super::{in_turn, median, median_of, verdict};

/// Rows of one request, requests of one turn, and connections.
const ROWS: usize = 1_000;
const REQUESTS: usize = 2_000;
const CONNECTIONS: usize = 16;
/// Tables that share a load.
const TABLES: usize = 100;

fn project() -> Project {
    let table = |name: String| (format!("{name}.datasource"), data_source(COLUMNS, "MergeTree", "id"));
    let many = (0..TABLES).map(|number| table(format!("t{number}")));
    ["events", "spoiled"].map(|name| table(name.to_owned())).into_iter().chain(many).collect()
}

/// What one turn came to.
#[derive(Debug, Clone, Copy)]
struct Turn {
    events_per_second: f64,
    /// Microseconds, merges included.
    cpu_per_event: f64,
}

impl Turn {
    fn of(rows: usize, seconds: f64, cpu: f64) -> Self {
        let rows = f64::from(u32::try_from(rows).unwrap());
        Self { events_per_second: rows / seconds, cpu_per_event: cpu * 1e6 / rows }
    }
}

/// Sends requests over some connections, each as fast as answers come; seconds until the last answer.
fn send(places: &[Place], connections: usize, requests: usize) -> f64 {
    let began = Instant::now();
    std::thread::scope(|scope| {
        for connection in 0..connections {
            scope.spawn(move || {
                let mut clients: Vec<Option<Client>> = places.iter().map(|_| None).collect();
                for request in (connection..requests).step_by(connections) {
                    let place = request % places.len();
                    clients[place].get_or_insert_with(|| Client::connect(&places[place])).call();
                }
            });
        }
    });
    began.elapsed().as_secs_f64()
}

/// The server with its database, and places that events are sent to.
struct Ours {
    server: Server,
    database: String,
}

impl Ours {
    fn start(variables: &[(&str, &str)]) -> Self {
        let server = Server::start_with(&project(), variables);
        let database = server.database();
        Self { server, database }
    }

    fn table(&self, name: &str) -> String {
        format!("{}.{name}", self.database)
    }

    /// Events from the first request until the last row is in the table, and merges until they rest.
    fn turn(&self, name: &str, body: &str) -> Turn {
        let table = self.table(name);
        let place = self.server.events(&format!("name={name}"), body);
        settle(|| self.server.cpu());
        let (before, cpu) = (count(&self.server, &table), self.server.cpu());
        let began = Instant::now();
        send(&[place], CONNECTIONS, REQUESTS);
        wait_for(&self.server, &table, before + rows_of_a_turn(body));
        let seconds = began.elapsed().as_secs_f64();
        settle(|| self.server.cpu());
        Turn::of(REQUESTS * ROWS, seconds, self.server.cpu() - cpu)
    }
}

/// The good rows of a turn.
fn rows_of_a_turn(body: &str) -> u64 {
    (body.lines().filter(|line| !line.contains("bad")).count() * REQUESTS) as u64
}

/// Inserts through the C ABI, and merges until they rest.
fn straight_turn(straight: &mut Straight, inserts: Inserts<'_>) -> Turn {
    settle(|| straight.cpu());
    let cpu = straight.cpu();
    let seconds = straight.run(inserts);
    settle(|| straight.cpu());
    let rows = inserts.times * inserts.text.lines().count();
    Turn::of(rows, seconds, straight.cpu() - cpu)
}

/// Turns of several sides; the medians of each.
fn medians(sides: &mut [&mut dyn FnMut() -> Turn]) -> Vec<Turn> {
    let mut turns: Vec<Vec<Turn>> = sides
        .iter_mut()
        .map(|side| {
            side();
            Vec::new()
        })
        .collect();
    for _ in 0..super::rounds() {
        for (side, turns) in sides.iter_mut().zip(&mut turns) {
            turns.push(side());
        }
    }
    let middle = |turns: Vec<Turn>| Turn {
        events_per_second: median(turns.iter().map(|turn| turn.events_per_second).collect()),
        cpu_per_event: median(turns.iter().map(|turn| turn.cpu_per_event).collect()),
    };
    turns.into_iter().map(middle).collect()
}

fn show(name: &str, turn: Turn) {
    println!("{name}: {:.0} events/s, {:.2} µs of CPU per event", turn.events_per_second, turn.cpu_per_event);
}

/// The same with one row in a hundred that fits no column.
fn with_bad_rows(body: &str) -> String {
    let spoil = |(number, line): (usize, &str)| match number % 100 {
        50 => format!("{{\"id\":\"bad\"{}\n", &line[line.find(',').unwrap()..]),
        _ => format!("{line}\n"),
    };
    body.lines().enumerate().map(spoil).collect()
}

/// Each load has a table of its own, so that no merge of one side is counted with the other.
fn compare_with_the_engine(ours: &Ours) {
    let (body, large) = (lines(ROWS), lines(100_000));
    let spoiled = with_bad_rows(&body);
    let mut straight = Straight::start(COLUMNS, "id");
    let mut best = Straight::start(COLUMNS, "id");
    let requests = Inserts { threads: CONNECTIONS, times: REQUESTS, text: &body };
    let blocks = Inserts { threads: 2, times: REQUESTS * ROWS / 100_000, text: &large };
    let medians = medians(&mut [
        &mut || ours.turn("events", &body),
        &mut || straight_turn(&mut straight, requests),
        &mut || straight_turn(&mut best, blocks),
        &mut || ours.turn("spoiled", &spoiled),
    ]);
    let [here, same, best, bad] = medians[..] else { return };
    show("requests of 1,000 rows on 16 connections, until they are in the table", here);
    show("the same as JSONEachRow through the engine's C ABI", same);
    show("the engine's best case, 100,000 rows at once from two inserters", best);
    show("requests with 1 % bad rows", bad);
    let ratio = here.events_per_second / same.events_per_second;
    println!(
        "(a) {ratio:.2} times the events/s of the same requests, at least 2 aimed at: {}",
        verdict(ratio >= 2.0)
    );
    let ratio = here.events_per_second / best.events_per_second;
    println!(
        "(a) {ratio:.2} of the events/s of the best case, at least 0.55 aimed at: {}",
        verdict(ratio >= 0.55)
    );
    let ratio = here.cpu_per_event / best.cpu_per_event;
    println!(
        "(b) {ratio:.2} of the best case's CPU per event, at most 1.15 aimed at: {}",
        verdict(ratio <= 1.15)
    );
    let cost = 1.0 - bad.events_per_second / here.events_per_second;
    println!(
        "(e) 1 % bad rows cost {:.1} % of the events/s, at most 5 aimed at: {}",
        cost * 100.0,
        verdict(cost <= 0.05)
    );
}

/// Single events on 64 connections.
fn compare_single_events(ours: &Ours) {
    let event = lines(1);
    let place = ours.server.events("name=events", &event);
    let bare = Bare::start();
    let bare_place = bare.place(&place);
    let per_second = |place: &Place| 32_000.0 / send(std::slice::from_ref(place), 64, 32_000);
    let (here, nothing) = in_turn(|| per_second(&place), || per_second(&bare_place));
    let disk = syncs_per_second(ours, &event) * 64.0;
    let wanted = (0.5 * nothing).min(0.6 * disk);
    println!(
        "(c) single events on 64 connections: {here:.0}/s; a bare handler {nothing:.0}/s ({:.2} of it), 64 to a bare fdatasync {disk:.0}/s; at least {wanted:.0} aimed at: {}",
        here / nothing,
        verdict(here >= wanted)
    );
}

fn syncs_per_second(ours: &Ours, event: &str) -> f64 {
    1_000.0 / acknowledgement::bare_sync(&ours.server, event)
}

fn compare_waits(ours: &Ours) {
    let event = lines(1);
    let table = ours.table("events");
    let block = ours.server.block(&format!("SELECT * FROM {table} LIMIT 1"));
    let mut waiting = Client::connect(&ours.server.events("name=events&wait=true", &event));
    let mut inserting = Client::connect(&ours.server.insert(&table, &block));
    let (waited, inserted) = in_turn(
        || median_of(50, || assert!(waiting.call() > 0)),
        || {
            median_of(50, || {
                inserting.call();
            })
        },
    );
    let added = waited - inserted;
    println!(
        "(d) wait=true: p50 {waited:.1} ms, one insert of the engine {inserted:.1}: {added:.1} ms added, at most 30 aimed at: {}",
        verdict(added <= 30.0)
    );
}

/// The same load into one table and over many.
fn compare_tables(ours: &Ours) {
    let body = lines(ROWS);
    let place = |name: &str| ours.server.events(&format!("name={name}"), &body);
    let one = [place("events")];
    let many: Vec<Place> = (0..TABLES).map(|number| place(&format!("t{number}"))).collect();
    let total = || -> u64 {
        let sql = format!("SELECT sum(total_rows) FROM system.tables WHERE database = '{}'", ours.database);
        ours.server.run(&sql).parse().unwrap()
    };
    let turn = |places: &[Place]| {
        settle(|| ours.server.cpu());
        let wanted = total() + (REQUESTS * ROWS) as u64;
        let began = Instant::now();
        send(places, CONNECTIONS, REQUESTS);
        while total() < wanted {
            std::thread::sleep(Duration::from_millis(50));
        }
        2_000_000.0 / began.elapsed().as_secs_f64()
    };
    let (many, one) = in_turn(|| turn(&many), || turn(&one));
    let ratio = many / one;
    println!(
        "(f) the same load over {TABLES} tables: {many:.0} events/s, into one {one:.0}: {ratio:.2}, at least 0.7 aimed at: {}",
        verdict(ratio >= 0.7)
    );
}

/// The same requests at a script of `FastAPI` and chdb, which keeps nothing before it answers but what the
/// engine keeps.
fn compare_with_a_script(ours: &Ours) {
    let Some(script) = Script::start(COLUMNS, "id") else {
        println!("(h) not compared with a script: it wants `pip install fastapi uvicorn chdb`");
        return;
    };
    let body = lines(ROWS);
    let place = script.place(&ours.server.events("name=events", &body));
    let requests = REQUESTS / 10;
    let turn = || {
        settle(|| script.cpu());
        let cpu = script.cpu();
        let seconds = send(std::slice::from_ref(&place), CONNECTIONS, requests);
        settle(|| script.cpu());
        Turn::of(requests * ROWS, seconds, script.cpu() - cpu)
    };
    let medians = medians(&mut [&mut || ours.turn("events", &body), &mut || turn()]);
    let [here, there] = medians[..] else { return };
    show("(h) the same at a script of FastAPI and chdb", there);
    println!("(h) {:.1} times the script's events/s", here.events_per_second / there.events_per_second);
}

fn show_memory(ours: &Ours, when: &str) {
    println!(
        "(g) memory {when}: server {} MB (at most {} so far), engine {} MB",
        ours.server.memory(),
        ours.server.peak_memory(),
        ours.server.engine_memory()
    );
}

/// Compares single events only.
pub(super) fn run_singles() {
    compare_single_events(&Ours::start(&[]));
}

/// Compares everything.
pub(super) fn run() {
    let ours = Ours::start(&[]);
    show_memory(&ours, "before any event");
    compare_with_the_engine(&ours);
    show_memory(&ours, "after some millions");
    compare_single_events(&ours);
    acknowledgement::compare(&ours.server, "events");
    compare_waits(&ours);
    compare_tables(&ours);
    compare_with_a_script(&ours);
    settle(|| ours.server.cpu());
    show_memory(&ours, "after all, at rest");
}
