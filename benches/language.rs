//! What the language costs, side by side with work that everybody knows.
//!
//! * A call of a typical endpoint becomes SQL: against `serde_json` reading the same six parameters.
//! * A project of 1,000 pipes is checked: against reading and hashing its files.
//!
//! The sides of a comparison take turns; the ratio of their medians is printed with what it should
//! stay below, and a missed aim is an error of the run.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark is run by hand")]

use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use roost::catalog::{Access, Caller, Workspace};
use roost::datafile::Options;
use roost::deploy::files::ProjectFile;
use roost::deploy::{self, Candidate};
use roost::template::{Arguments, Environment};
use sha2::{Digest, Sha256};

const PIPES: usize = 1_000;

/// Six typed parameters, four ifs, two nodes.
const ENDPOINT: &str = "\
NODE matching
SQL >
    %
    SELECT timestamp, user_id, page, duration
    FROM events
    WHERE timestamp >= {{ DateTime(since, '2026-01-01 00:00:00') }}
    {% if defined(until) %} AND timestamp < {{ DateTime(until) }} {% end %}
    {% if defined(user) %} AND user_id = {{ String(user) }} {% end %}
    {% if defined(pages) %} AND page IN {{ Array(pages, 'String') }} {% end %}

NODE answer
SQL >
    %
    SELECT page, count() AS views, avg(duration) AS mean
    FROM matching
    GROUP BY page
    {% if defined(least) %} HAVING views >= {{ Int32(least) }} {% end %}
    ORDER BY views DESC
    LIMIT {{ Int32(top, 10) }}

TYPE endpoint
";

const EVENTS: &str = "\
SCHEMA >
    `timestamp` DateTime `json:$.timestamp`,
    `user_id` String `json:$.user_id`,
    `page` String `json:$.page`,
    `duration` Float64 `json:$.duration`

ENGINE \"MergeTree\"
ENGINE_PARTITION_KEY \"toYYYYMM(timestamp)\"
ENGINE_SORTING_KEY \"timestamp, user_id\"
";

const PARAMETERS: [(&str, &str); 6] = [
    ("since", "2026-11-01 00:00:00"),
    ("until", "2026-11-23 00:00:00"),
    ("user", "user_742"),
    ("pages", "/,/pricing,/docs"),
    ("least", "5"),
    ("top", "20"),
];

/// One side of a comparison: how long its rounds took.
struct Side<'a> {
    name: &'static str,
    /// Calls of `work` in one round.
    calls: u32,
    work: Box<dyn FnMut() + 'a>,
    rounds: Vec<Duration>,
}

impl<'a> Side<'a> {
    fn new<T>(name: &'static str, calls: u32, mut work: impl FnMut() -> T + 'a) -> Self {
        Self { name, calls, work: Box::new(move || drop(black_box(work()))), rounds: Vec::new() }
    }

    fn round(&mut self) {
        let began = Instant::now();
        for _ in 0..self.calls {
            (self.work)();
        }
        self.rounds.push(began.elapsed() / self.calls);
    }

    fn median(&mut self) -> Duration {
        self.rounds.sort_unstable();
        self.rounds[self.rounds.len() / 2]
    }
}

/// Lets all sides take turns, so that what disturbs the machine disturbs them alike.
fn take_turns(sides: &mut [Side<'_>], rounds: usize) {
    for _ in 0..rounds {
        sides.iter_mut().for_each(Side::round);
    }
    // The first rounds fill caches.
    for side in sides {
        side.rounds.drain(..rounds / 10);
    }
}

fn in_memory(files: &[(&str, &str)]) -> Workspace {
    let file =
        |&(path, text): &(&str, &str)| ProjectFile { path: path.to_owned(), text: Ok(text.to_owned()) };
    let files: Vec<ProjectFile> = files.iter().map(file).collect();
    Candidate::build(&files, &Options::default(), Workspace::default()).unwrap().workspace
}

/// True where the aim is kept.
fn render() -> bool {
    let workspace = in_memory(&[("events.datasource", EVENTS), ("endpoint.pipe", ENDPOINT)]);
    let pipe = workspace.pipes.values().next().unwrap();
    let arguments = Arguments::from_pairs(PARAMETERS);
    let environment = Environment::default();
    let access = Access::everything();
    let caller = Caller { arguments: &arguments, environment: &environment, access: &access };
    let json = serde_json::to_string(&serde_json::Map::from_iter(
        PARAMETERS.map(|(name, value)| (name.to_owned(), value.into())),
    ))
    .unwrap();
    let render = || {
        let nodes = pipe.nodes.iter();
        nodes.map(|node| node.template.render(&arguments, &environment).unwrap().sql.len()).sum::<usize>()
    };
    let mut sides = [
        Side::new("render two nodes", 500, render),
        Side::new("serde_json reads six parameters", 500, || {
            serde_json::from_str::<serde_json::Value>(&json).unwrap()
        }),
        Side::new("render and compose two nodes", 500, || workspace.compose(pipe, caller).unwrap()),
    ];
    take_turns(&mut sides, 400);
    let [rendered, json, composed] = &mut sides;
    let median = composed.median();
    println!("{} {median:.2?}, no aim", composed.name);
    is_kept(rendered, json, 8.0)
}

/// A project in which every tenth pipe reads the one before it.
fn write_project(folder: &Path) {
    std::fs::write(folder.join("events.datasource"), EVENTS).unwrap();
    for number in 0..PIPES {
        let mut text = String::new();
        writeln!(text, "DESCRIPTION >\n    Page views by page, number {number}\n").unwrap();
        text.push_str(&match number % 10 {
            0 if number > 0 => ENDPOINT.replacen("FROM events", &format!("FROM endpoint_{}", number - 1), 1),
            _ => ENDPOINT.to_owned(),
        });
        std::fs::write(folder.join(format!("endpoint_{number}.pipe")), text).unwrap();
    }
}

fn hash_all(folder: &Path) -> usize {
    let mut hashed = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        black_box(Sha256::digest(text.as_bytes()));
        hashed += 1;
    }
    hashed
}

/// True where the aim is kept.
fn check() -> bool {
    let folder = tempfile::tempdir().unwrap();
    write_project(folder.path());
    let problems = deploy::check(folder.path(), &Options::default()).unwrap();
    assert!(problems.diagnostics().is_empty(), "{problems}");
    let mut sides = [
        Side::new("check", 1, || deploy::check(folder.path(), &Options::default()).unwrap()),
        Side::new("read and hash the files", 1, || hash_all(folder.path())),
    ];
    take_turns(&mut sides, 40);
    let [checked, hashed] = &mut sides;
    is_kept(checked, hashed, 20.0)
}

/// Prints how much longer our side takes than the other one; true where that is at most the aim.
fn is_kept(ours: &mut Side<'_>, theirs: &mut Side<'_>, aim: f64) -> bool {
    let (own, other) = (ours.median(), theirs.median());
    let ratio = own.as_secs_f64() / other.as_secs_f64();
    let verdict = if ratio <= aim { "kept" } else { "MISSED" };
    let (ours, theirs) = (ours.name, theirs.name);
    println!(
        "{ours} {own:.2?}, {theirs} {other:.2?}: {ratio:.1} times as long, at most {aim} aimed at: {verdict}"
    );
    ratio <= aim
}

fn main() -> ExitCode {
    let kept = [render(), check()];
    if kept.contains(&false) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
