//! What the server costs beside the engine alone and the bare disk. `cargo bench --bench server`
//! runs everything, `-- reading`, `-- polls`, `-- runaway`, `-- delivery`, `-- ingest`, `-- singles` (a part of it), `-- endurance` or `-- overload`
//! a part; the last two take ten minutes each.
//!
//! `ROOST_BENCH_ROUNDS` sets how often two sides take turns (7), `ROOST_BENCH_OVERLOAD_SECONDS` how long a server is asked for too much (600).
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark is run by hand")]

mod acknowledgement;
mod bare;
mod client;
mod delivery;
mod endurance;
mod ingest;
mod polls;
mod process;
mod reading;
mod runaway;
mod script;
mod straight;
mod table;

use std::time::Instant;

/// A number from the environment.
#[expect(clippy::disallowed_methods, reason = "a benchmark is told from outside how long to run")]
fn given<T: std::str::FromStr>(variable: &str) -> Option<T> {
    std::env::var(variable).ok()?.parse().ok()
}

fn rounds() -> usize {
    given("ROOST_BENCH_ROUNDS").unwrap_or(7)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The median of single calls, in milliseconds.
fn median_of(calls: usize, mut call: impl FnMut()) -> f64 {
    let mut time = || {
        let began = Instant::now();
        call();
        began.elapsed().as_secs_f64() * 1_000.0
    };
    median((0..calls).map(|_| time()).collect())
}

fn verdict(is_kept: bool) -> &'static str {
    if is_kept { "kept" } else { "MISSED" }
}

/// Lets both sides take turns; the medians of each.
fn in_turn(mut ours: impl FnMut() -> f64, mut theirs: impl FnMut() -> f64) -> (f64, f64) {
    let (_, _) = (ours(), theirs()); // neither side is the one that warms up
    let pairs: Vec<(f64, f64)> = (0..rounds()).map(|_| (ours(), theirs())).collect();
    let (ours, theirs): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
    (median(ours), median(theirs))
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments == [bare::ARGUMENT] {
        return bare::serve();
    }
    let is_asked = |part: &str| {
        let parts: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
        parts.is_empty() || parts.into_iter().any(|asked| asked == part)
    };
    if is_asked("reading") {
        reading::run();
    }
    if is_asked("polls") {
        polls::run();
    }
    if is_asked("runaway") {
        runaway::run();
    }
    if is_asked("delivery") {
        delivery::run();
    }
    if is_asked("ingest") {
        ingest::run();
    }
    if arguments.iter().any(|argument| argument == "singles") {
        ingest::run_singles();
    }
    if is_asked("endurance") {
        endurance::run();
    }
    if is_asked("overload") {
        endurance::compare_overload();
    }
}
