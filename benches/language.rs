//! What the language costs, side by side with work that everybody knows.
//!
//! * A call of a typical endpoint becomes SQL: against `serde_json` reading the same six parameters.
//! * A project of 1,000 pipes is checked: against reading and hashing its files.
//!
//! Criterion reports each side; the ratios of the medians follow at the end, with what they should
//! stay below.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark is run by hand")]

use std::cell::RefCell;
use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{BenchmarkGroup, Criterion, measurement::WallTime};
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

/// The median time of one side.
struct Measured {
    name: &'static str,
    median: Duration,
}

/// Lets criterion measure `work`, and keeps its samples for a median.
fn measure<T>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &'static str,
    mut work: impl FnMut() -> T,
) -> Measured {
    let samples = RefCell::new(Vec::new());
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| {
            let start = Instant::now();
            for _ in 0..iterations {
                black_box(work());
            }
            let taken = start.elapsed();
            samples.borrow_mut().push(taken / u32::try_from(iterations).unwrap());
            taken
        });
    });
    let mut samples = samples.into_inner();
    samples.sort_unstable();
    Measured { name, median: samples.get(samples.len() / 2).copied().unwrap_or_default() }
}

fn in_memory(files: &[(&str, &str)]) -> Workspace {
    let file =
        |&(path, text): &(&str, &str)| ProjectFile { path: path.to_owned(), text: Ok(text.to_owned()) };
    let files: Vec<ProjectFile> = files.iter().map(file).collect();
    Candidate::build(&files, &Options::default(), Workspace::default()).unwrap().workspace
}

fn render(criterion: &mut Criterion) -> [Measured; 3] {
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
    let mut group = criterion.benchmark_group("a call becomes SQL");
    [
        measure(&mut group, "render and compose two nodes", || workspace.compose(pipe, caller).unwrap()),
        measure(&mut group, "render two nodes", || {
            pipe.nodes
                .iter()
                .map(|node| node.template.render(&arguments, &environment).unwrap().sql.len())
                .sum::<usize>()
        }),
        measure(&mut group, "serde_json reads six parameters", || {
            serde_json::from_str::<serde_json::Value>(&json).unwrap()
        }),
    ]
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

fn check(criterion: &mut Criterion) -> [Measured; 2] {
    let folder = tempfile::tempdir().unwrap();
    write_project(folder.path());
    let problems = deploy::check(folder.path(), &Options::default()).unwrap();
    assert!(problems.diagnostics().is_empty(), "{problems}");
    let mut group = criterion.benchmark_group("a project of 1,000 pipes");
    group.sample_size(20);
    [
        measure(&mut group, "check", || deploy::check(folder.path(), &Options::default()).unwrap()),
        measure(&mut group, "read and hash the files", || hash_all(folder.path())),
    ]
}

/// Prints how much longer our side takes than the other one, and whether that is an aim kept.
fn compare(ours: &Measured, theirs: &Measured, aim: f64) {
    let ratio = ours.median.as_secs_f64() / theirs.median.as_secs_f64();
    let verdict = if ratio <= aim { "kept" } else { "MISSED" };
    println!(
        "{} {:.2?}, {} {:.2?}: {ratio:.1} times as long, at most {aim} aimed at: {verdict}",
        ours.name, ours.median, theirs.name, theirs.median
    );
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let [composed, rendered, json] = render(&mut criterion);
    let [checked, hashed] = check(&mut criterion);
    criterion.final_summary();
    println!();
    compare(&rendered, &json, 8.0);
    compare(&composed, &json, 8.0);
    compare(&checked, &hashed, 20.0);
}
