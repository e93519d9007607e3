//! What an event becomes, beside what ClickHouse's own `JSONEachRow` makes of the same line.
//!
//! Every value of `tests/fixtures/ingest/cells` goes both ways into tables of its type. The two may
//! differ where `tests/fixtures/ingest/unlike_json_each_row.txt` says so, and nowhere else.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::string::string_regex;
use proptest::test_runner::TestRunner;
use roost::ingest::{Block, BodyFormat, Limits, RowPlan};
use roost::schema::{Column, ColumnName, DataType, JsonPath};

use crate::harness::{SharedEngine, shared_engine};

const PATIENCE: Duration = Duration::from_secs(20);

/// As near as `JSONEachRow` comes to the rules for events: dates in any form, no value where there is
/// none, and lines that do not fit passed over.
const THEIR_SETTINGS: &str = "date_time_input_format = 'best_effort', input_format_null_as_default = 0, \
                              input_format_defaults_for_omitted_fields = 0, \
                              input_format_allow_errors_num = 1000000";

/// A value that went both ways.
#[derive(serde::Deserialize)]
struct Stored {
    id: usize,
    ours: Option<String>,
    theirs: Option<String>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ingest")
}

/// The types of the fixtures, each with the JSON texts that stand under it.
fn values() -> Vec<(String, Vec<String>)> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(fixtures().join("cells")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for text in files.iter().map(|file| std::fs::read_to_string(file).unwrap()) {
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let Some(data_type) = line.strip_prefix("type: ") {
                found.push((data_type.to_owned(), Vec::new()));
            } else if let Some((json, _)) = line.split_once(" => ") {
                found.last_mut().unwrap().1.push(json.trim().to_owned());
            }
        }
    }
    found
}

fn column(name: &str, data_type: &str) -> Column {
    Column {
        name: ColumnName::new(name),
        data_type: Some(DataType::parse(data_type).unwrap()),
        json_path: Some(JsonPath::parse(&format!("$.{name}")).unwrap()),
        default: None,
        codec: None,
    }
}

fn line(id: usize, json: &str) -> String {
    format!("{{\"id\":{id},\"x\":{json}}}")
}

fn body(values: &[String]) -> String {
    let lines = values.iter().enumerate().map(|(id, json)| line(id, json));
    lines.collect::<Vec<_>>().join("\n")
}

fn decode(data_type: &str, values: &[String]) -> Option<Block> {
    let plan = RowPlan::new(&[column("id", "UInt32"), column("x", data_type)]).unwrap();
    plan.decode(body(values).as_bytes(), BodyFormat::Ndjson, &Limits::default()).unwrap().blocks.pop()
}

/// Sends the values both ways; how each was stored, where it was.
async fn store(engine: &SharedEngine, data_type: &str, values: &[String]) -> Vec<Stored> {
    let database = engine.database().await;
    for table in ["ours", "theirs"] {
        let columns = format!("(id UInt32, x {data_type})");
        engine.execute(&format!("CREATE TABLE {database}.{table} {columns} ENGINE = Memory")).await.unwrap();
    }
    if let Some(block) = decode(data_type, values) {
        let statement = format!("INSERT INTO {database}.ours (id, x) FORMAT Native");
        engine.insert(&statement, block.encode_native().into(), PATIENCE).await.unwrap();
    }
    let statement = format!("INSERT INTO {database}.theirs SETTINGS {THEIR_SETTINGS} FORMAT JSONEachRow");
    if engine.insert(&statement, Bytes::from(body(values)), PATIENCE).await.is_err() {
        // Not every refusal counts as an error of a line: what it refuses alone is passed over here.
        for (id, json) in values.iter().enumerate() {
            let _ = engine.insert(&statement, Bytes::from(line(id, json)), PATIENCE).await;
        }
    }
    let stored = |table: &str| {
        format!(
            "(SELECT id, toNullable(formatRowNoNewline('JSONCompactEachRow', x)) AS text FROM {database}.{table})"
        )
    };
    let sql = format!(
        "SELECT id, o.text AS ours, t.text AS theirs FROM {} AS o FULL OUTER JOIN {} AS t USING id ORDER BY id",
        stored("ours"),
        stored("theirs")
    );
    engine.rows(sql).await.unwrap()
}

/// The lines of the list of differences.
fn known_differences() -> BTreeSet<String> {
    let text = std::fs::read_to_string(fixtures().join("unlike_json_each_row.txt")).unwrap();
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(str::to_owned).collect()
}

fn describe(data_type: &str, json: &str, stored: Stored) -> String {
    let show = |text: Option<String>| text.unwrap_or_else(|| "refused".to_owned());
    let theirs = match json {
        "\"10:30:00\"" if stored.theirs.is_some() => "(depends on the year)".to_owned(),
        _ => show(stored.theirs),
    };
    format!("{data_type} | {json} | {} | {theirs}", show(stored.ours))
}

#[tokio::test]
async fn events_are_stored_as_json_each_row_stores_them() {
    let engine = shared_engine();
    let (mut differences, mut same) = (BTreeSet::new(), 0);
    for (data_type, values) in values() {
        for stored in store(&engine, &data_type, &values).await {
            if stored.ours == stored.theirs {
                same += 1;
            } else {
                differences.insert(describe(&data_type, &values[stored.id], stored));
            }
        }
    }
    let known = known_differences();
    let new: Vec<_> = differences.difference(&known).collect();
    let gone: Vec<_> = known.difference(&differences).collect();
    assert!(new.is_empty() && gone.is_empty(), "not in the list: {new:#?}\nonly in the list: {gone:#?}");
    assert!(same > 200, "only {same} values were stored alike");
}

/// Types, each with a pattern of the JSON texts that are tried on it beside those of [`any_json`].
const RANDOM: [(&str, &str); 34] = [
    ("UInt8", "-?[0-9]{1,3}"),
    ("Int8", "\"?-?[0-9]{1,3}\"?"),
    ("UInt16", "\"[0-9]{1,5}\""),
    ("Int16", "-?[0-9]{1,5}"),
    ("UInt32", "[0-9]{1,10}"),
    ("Int32", "-?[0-9]{1,10}(e[0-9])?"),
    ("UInt64", "\"?[0-9]{1,20}\"?"),
    ("Int64", "-?[0-9]{1,19}(\\.0)?"),
    ("UInt128", "[0-9]{1,39}"),
    ("Int256", "\"-?[0-9]{1,77}\""),
    ("Float32", "-?[0-9]{1,9}(\\.[0-9]{1,9})?(e[+-]?[0-9]{1,2})?"),
    ("Float64", "\"?-?[0-9]{1,20}(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?\"?"),
    ("Decimal(9, 3)", "-?[0-9]{1,7}(\\.[0-9]{1,5})?"),
    ("Decimal(18, 0)", "\"?-?[0-9]{1,19}\"?"),
    ("Decimal(38, 10)", "\"-?[0-9]{1,28}(\\.[0-9]{1,12})?\""),
    ("Bool", "true|false|[01]"),
    ("String", "\"([a-zé\\u{1f413}' ]|\\\\n|\\\\u00e9|\\\\\"){0,12}\""),
    ("LowCardinality(String)", "\"[ab]{0,2}\""),
    ("FixedString(4)", "\"[a-zé]{0,5}\""),
    ("UUID", "\"[0-9a-fA-F]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\""),
    ("Date", "\"(19[7-9]|20[0-9])[0-9]-[01][0-9]-[0-3][0-9]\""),
    ("Date32", "\"(19|2[0-2])[0-9]{2}-[01][0-9]-[0-3][0-9]\""),
    (
        "DateTime",
        "\"20[0-9]{2}-[01]?[0-9]-[0-3]?[0-9][T ][0-2][0-9]:[0-5][0-9](:[0-5][0-9])?(Z|[+-]0[0-9]:?[03]0)?\"",
    ),
    ("DateTime('Europe/Berlin')", "\"20[0-9]{2}-(03|10)-[23][0-9] 0[0-9]:[0-5][0-9]:[0-5][0-9]\""),
    (
        "DateTime64(3)",
        "\"(19|20)[0-9]{2}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-][01][0-9]:[03]0)?\"",
    ),
    (
        "DateTime64(6, 'America/New_York')",
        "\"20[0-9]{2}-(03|11)-[01][0-9]T0[0-9]:[0-5][0-9]:[0-5][0-9]\\.[0-9]{3,6}\"",
    ),
    ("IPv4", "\"[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}\""),
    ("IPv6", "\"([0-9a-f]{1,4}:){1,7}(:[0-9a-f]{1,4}){1,2}\""),
    ("Enum8('a' = 1, 'b' = -2)", "\"[abc]\"|-?[0-3]"),
    ("Nullable(Int32)", "null|-?[0-9]{1,10}"),
    ("Array(Nullable(UInt16))", "\\[([0-9]{1,5},|null,){0,3}1\\]"),
    ("Array(Array(String))", "\\[(\\[(\"[a-c]{0,2}\",)?\"x\"\\],){0,2}\\[\\]\\]"),
    ("Map(String, Int32)", "\\{(\"[a-c]\":-?[0-9]{1,10},){0,2}\"d\":0\\}"),
    (
        "JSON",
        "\\{(\"[a-c]\":(-?[1-9][0-9]{0,9}|\"[a-z]{0,3}\"|null|true|\\[1,2\\]|\\{\"k\":1\\}),)?\"z\":1\\}",
    ),
];

/// JSON of every kind; numbers are left out, because a time takes them by their size.
const ANY_JSON: &str =
    "null|true|false|\"\"|\"[a-z0-9:. +-]{1,12}\"|\\[\\]|\\[\"a\",null\\]|\\{\\}|\\{\"a\":\"1\"\\}";

/// Values for a type, the same in each run.
fn random_values(runner: &mut TestRunner, pattern: &str) -> Vec<String> {
    let matching = string_regex(pattern).unwrap();
    let any = string_regex(ANY_JSON).unwrap();
    let values = vec(prop_oneof![4 => matching, 1 => any], 500);
    values.new_tree(runner).unwrap().current()
}

#[tokio::test]
async fn random_values_that_both_take_are_stored_alike() {
    let engine = shared_engine();
    let mut runner = TestRunner::deterministic();
    let mut differences = Vec::new();
    for (data_type, pattern) in RANDOM {
        let values = random_values(&mut runner, pattern);
        let (mut same, mut one_sided) = (0, 0);
        for stored in store(&engine, data_type, &values).await {
            match (&stored.ours, &stored.theirs) {
                (Some(ours), Some(theirs)) if ours == theirs => same += 1,
                (Some(_), Some(_)) => differences.push(describe(data_type, &values[stored.id], stored)),
                _ => one_sided += 1,
            }
        }
        println!("{data_type}: {same} alike, {one_sided} taken by one of the two");
        assert!(same > 50, "{data_type}: only {same} values of {} were taken by both", values.len());
    }
    assert!(differences.is_empty(), "{differences:#?}");
}
