//! What `ingest::delivery::total::functions` says, tried: none that it lists refuses a value of the types
//! that it lists it for.

use std::collections::BTreeMap;

use roost::engine::{EngineError, Query};

use crate::harness::{SharedEngine, shared_engine};

const SOURCE: &str = include_str!("../../../src/ingest/delivery/total/functions.rs");

/// Columns by their kind: name, type, and values at the ends of the type.
const COLUMNS: [(&str, &str, &str, [&str; 3]); 29] = [
    ("integer", "u8", "UInt8", ["0", "255", "1"]),
    ("integer", "u64", "UInt64", ["0", "18446744073709551615", "1"]),
    ("integer", "i8", "Int8", ["-128", "127", "0"]),
    ("integer", "i64", "Int64", ["-9223372036854775808", "9223372036854775807", "0"]),
    ("integer", "b", "Bool", ["true", "false", "true"]),
    ("integer", "nu", "Nullable(UInt64)", ["NULL", "0", "18446744073709551615"]),
    ("float", "f32", "Float32", ["nan", "inf", "-3.4e38"]),
    ("float", "f64", "Float64", ["nan", "-inf", "5e-324"]),
    ("float", "nf", "Nullable(Float64)", ["NULL", "nan", "1.7e308"]),
    ("", "u256", "UInt256", ["0", "1", "toUInt256(-1)"]),
    ("text", "s", "String", ["''", "'http://a.b.c/d?e=f#g'", "unhex('fffe80')"]),
    ("text", "s2", "String", ["repeat('\"{[', 5000)", "'{\"a\":1e999}'", "'2020-01-01'"]),
    ("text", "fs", "FixedString(4)", ["''", "'abcd'", "unhex('ff00ff00')"]),
    ("text", "lc", "LowCardinality(String)", ["''", "'a'", "unhex('ff')"]),
    ("text", "ns", "Nullable(String)", ["NULL", "''", "unhex('ff')"]),
    ("date", "d", "Date", ["toDate(0)", "toDate(65535)", "toDate(1)"]),
    ("date", "d32", "Date32", ["toDate32('1900-01-01')", "toDate32('2299-12-31')", "toDate32('2106-02-07')"]),
    ("time", "dt", "DateTime", ["toDateTime(0)", "toDateTime(4294967295)", "toDateTime(1)"]),
    (
        "time",
        "dtz",
        "DateTime('America/New_York')",
        ["toDateTime(0)", "toDateTime(4294967295)", "toDateTime(1)"],
    ),
    ("fine", "d64", "DateTime64(3)", FINE[0]),
    ("fine", "d649", "DateTime64(9)", FINE[1]),
    ("fine", "nd", "Nullable(DateTime64(3))", ["NULL", FINE[0][0], FINE[0][1]]),
    ("", "uu", "UUID", ["toUUIDOrZero('')", "generateUUIDv4()", "toUUIDOrZero('')"]),
    ("", "ip4", "IPv4", ["toIPv4('0.0.0.0')", "toIPv4('255.255.255.255')", "toIPv4('1.2.3.4')"]),
    ("", "ip6", "IPv6", ["toIPv6('::')", "toIPv6('ffff::1')", "toIPv6('::')"]),
    ("", "e", "Enum8('a' = -128, 'b' = 127)", ["'a'", "'b'", "'a'"]),
    ("", "ta", "Array(String)", ["[]", "['']", "['a', 'b']"]),
    ("", "ua", "Array(UInt64)", ["[]", "[0]", "[18446744073709551615]"]),
    ("", "m", "Map(String, String)", ["map()", "map('a', 'b')", "map('', '')"]),
];

/// No date has these moments; an event may bring them as numbers.
const FINE: [[&str; 3]; 2] = [
    [
        "reinterpret(toInt64(9223372036854775807), 'DateTime64(3)')",
        "reinterpret(toInt64(-9223372036854775808), 'DateTime64(3)')",
        "reinterpret(toInt64(-1), 'DateTime64(3)')",
    ],
    [
        "reinterpret(toInt64(9223372036854775807), 'DateTime64(9)')",
        "reinterpret(toInt64(-9223372036854775808), 'DateTime64(9)')",
        "reinterpret(toInt64(0), 'DateTime64(9)')",
    ],
];

/// The lists of functions by their names.
fn lists() -> BTreeMap<&'static str, Vec<&'static str>> {
    let constants = SOURCE.split("\nconst ").skip(1);
    let list = |text: &'static str| {
        let (name, rest) = text.split_once(": [&str;")?;
        let (_, values) = rest.split_once("] =")?;
        let (values, _) = values.split_once("];")?;
        Some((name, values.split('"').skip(1).step_by(2).collect()))
    };
    constants.filter_map(list).collect()
}

fn columns(kinds: &[&str]) -> Vec<&'static str> {
    let fits = |kind: &str| kinds.is_empty() || kinds.contains(&kind);
    COLUMNS.iter().filter(|(kind, ..)| fits(kind)).map(|(_, name, ..)| *name).collect()
}

fn of_one(functions: &[&str], kinds: &[&str]) -> Vec<String> {
    let call =
        |function: &&str| columns(kinds).into_iter().map(|column| format!("{function}({column})")).collect();
    functions.iter().flat_map(|function| -> Vec<String> { call(function) }).collect()
}

fn of_two(functions: &[&str], left: &[&str], right: &[&str]) -> Vec<String> {
    let mut calls = Vec::new();
    for function in functions {
        for one in left {
            calls.extend(right.iter().map(|other| format!("{function}({one}, {other})")));
        }
    }
    calls
}

/// Calls of aggregate functions, with what may stand behind their names.
fn of_many(functions: &[&str]) -> Vec<String> {
    let mut calls = Vec::new();
    for function in functions {
        let parameters = if function.starts_with("quantile") { "(0.5)" } else { "" };
        for column in columns(&[]) {
            calls.push(format!("{function}State{parameters}({column})"));
            calls.push(format!("{function}If{parameters}({column}, u8)"));
            calls.push(format!("{function}{parameters}({column}, {column})"));
        }
    }
    calls
}

/// Calls that are said to refuse nothing, and some that ClickHouse does not know.
fn calls() -> Vec<String> {
    let (lists, mut calls) = (lists(), Vec::new());
    for (name, functions) in &lists {
        match *name {
            "OF_ANYTHING" => {
                calls.extend(of_one(functions, &[]));
                for column in columns(&[]) {
                    calls.extend(of_two(functions, &[column], &[column, "s", "u64", "'a'"]));
                    calls.extend(of_two(functions, &["s"], &[column]));
                    calls.push(format!("if(u8, {column}, {column})"));
                    calls.push(format!("multiIf(u8 = 1, {column}, f64 > 1, {column}, {column})"));
                }
            }
            "OF_THE_SAME" => {
                let (numbers, texts) = (columns(&["integer", "float"]), columns(&["text"]));
                calls.extend(of_two(functions, &numbers, &numbers));
                calls.extend(of_two(functions, &texts, &texts));
                for column in columns(&[]) {
                    calls.extend(of_two(functions, &[column], &[column]));
                }
            }
            "OF_ONE" => calls.extend(of_one(functions, &[])),
            "OF_A_DATE" => calls.extend(of_one(functions, &["date", "time", "fine"])),
            "OF_A_TIME" => calls.extend(of_one(functions, &["time", "fine"])),
            "OF_SECONDS" => calls.extend(of_one(functions, &["time"])),
            "OF_NUMBERS" => {
                let numbers = columns(&["integer", "float"]);
                calls.extend(of_one(functions, &["integer", "float"]));
                calls.extend(of_two(functions, &numbers, &numbers));
            }
            "OF_INTEGERS" => calls.extend(of_one(functions, &["integer"])),
            "AGGREGATES" => calls.extend(of_many(functions)),
            other => panic!("nothing tries the list {other}"),
        }
    }
    calls
}

async fn fill(engine: &SharedEngine, table: &str) {
    let defined: Vec<String> =
        COLUMNS.iter().map(|(_, name, data_type, _)| format!("{name} {data_type}")).collect();
    engine.execute(&format!("CREATE TABLE {table} ({}) ENGINE = Memory", defined.join(", "))).await.unwrap();
    for row in 0..3 {
        let value = |(_, _, data_type, values): &(_, _, &str, [&str; 3])| {
            format!("CAST({}, '{}')", values[row], data_type.replace('\'', "\\'"))
        };
        let values: Vec<String> = COLUMNS.iter().map(value).collect();
        engine.execute(&format!("INSERT INTO {table} SELECT {}", values.join(", "))).await.unwrap();
    }
}

async fn read(engine: &SharedEngine, sql: String) -> Result<(), EngineError> {
    engine.query(Query::new(sql, "Native")).await?.collect().await.map(drop)
}

#[tokio::test]
async fn no_function_that_is_listed_as_total_refuses_a_value() {
    let engine = shared_engine();
    let table = format!("{}.extremes", engine.database().await);
    fill(&engine, &table).await;
    let mut known = 0;
    for call in calls() {
        match read(&engine, format!("SELECT {call} AS x FROM {table}")).await {
            Ok(()) => known += 1,
            // What ClickHouse does not know for these types fails without a row, too: no project loads with it.
            Err(error) => {
                let unknown = read(&engine, format!("SELECT {call} AS x FROM {table} WHERE 0")).await;
                assert!(unknown.is_err(), "{call}: {error}");
            }
        }
    }
    assert!(known > 3_000, "only {known} calls were tried");
}
