//! The table that the benchmarks of the way in fill, and the events that they send.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::process::Server;

/// Its columns.
pub(crate) const COLUMNS: &str =
    "id UInt64, at DateTime, user UInt32, page String, n Int32, m Int64, kind String, share Float64";

/// A data source with these columns; events fill those of a plain table.
pub(crate) fn data_source(columns: &str, engine: &str, key: &str) -> String {
    let columns: Vec<String> = split(columns)
        .iter()
        .map(|column| {
            let (name, data_type) = column.split_once(' ').unwrap();
            let path = if engine == "MergeTree" { format!(" `json:$.{name}`") } else { String::new() };
            format!("    `{name}` {data_type}{path}")
        })
        .collect();
    format!("SCHEMA >\n{}\n\nENGINE \"{engine}\"\nENGINE_SORTING_KEY \"{key}\"\n", columns.join(",\n"))
}

/// Columns at the commas that stand between them.
fn split(columns: &str) -> Vec<String> {
    let mut depth = 0;
    let mut found = vec![String::new()];
    for character in columns.chars() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        match found.last_mut() {
            Some(_) if character == ',' && depth == 0 => found.push(String::new()),
            Some(last) => last.push(character),
            None => {}
        }
    }
    found.iter().map(|column| column.trim().to_owned()).collect()
}

/// Lines of JSON, one event each.
pub(crate) fn lines(rows: usize) -> String {
    let mut text = String::new();
    for row in 0..rows {
        writeln!(
            text,
            r#"{{"id":{row},"at":"2026-11-27 10:00:{:02}","user":{},"page":"/page/{}","n":{},"m":{},"kind":"view","share":{}.25}}"#,
            row % 60,
            row * 7919 % 100_000,
            row % 1_000,
            row % 17,
            row * 3,
            row % 9
        )
        .unwrap();
    }
    text
}

/// Waits until merges have come to rest, at most half a minute.
pub(crate) fn settle(cpu: impl Fn() -> f64) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        let before = cpu();
        std::thread::sleep(Duration::from_millis(500));
        if cpu() - before < 0.03 {
            return;
        }
    }
    println!("merges have not come to rest: the next figure holds a part of them only");
}

/// The rows in a table.
pub(crate) fn count(server: &Server, table: &str) -> u64 {
    server.run(&format!("SELECT count() FROM {table}")).parse().unwrap()
}

pub(crate) fn wait_for(server: &Server, table: &str, rows: u64) {
    while count(server, table) < rows {
        std::thread::sleep(Duration::from_millis(50));
    }
}
