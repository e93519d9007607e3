//! Hostile values in parameters: they change nothing but the value.
//!
//! Each typed function of the templates is rendered with a thousand values at a time into one query;
//! the engine answers what it understood, and that is what was sent, or the template refused it.

use std::fmt::Write;

use roost::engine::Query;
use roost::template::{Arguments, Environment, Template};

use super::world::{CANARY, World};
use super::{Dice, effort, seed};

/// Values in one query.
const BLOCK: usize = 1_000;

/// Pieces that hostile values are made of.
const PIECES: &[&str] = &[
    "'",
    "\"",
    "`",
    "\\",
    "\\'",
    "''",
    "\0",
    "\n",
    "\r",
    "\t",
    "\u{8}",
    "--",
    "/*",
    "*/",
    "#",
    ";",
    ")",
    "(",
    "$$",
    "$a$",
    "{x:String}",
    "‘",
    "’",
    "“",
    "”",
    "%",
    "{{",
    "}}",
    "{%",
    " OR 1=1 ",
    " UNION ALL SELECT ",
    "file('/etc/passwd')",
    "0x41",
    "X'41'",
    "1e999",
    "-1",
    "NaN",
    "null",
    "true",
    "漢",
    "😀",
    "\u{200b}",
    "\u{a0}",
    "\u{feff}",
    "é",
    ",",
    "[",
    "]",
    "a",
    "b",
    "0",
    "9",
    ".",
    " ",
    "\\x41",
    "\\N",
    "\\\\",
];

fn value(dice: &mut Dice) -> String {
    let count = dice.roll(7);
    (0..count).map(|_| dice.pick(PIECES)).collect()
}

/// `SELECT` over what a template makes of many values: one element of an array for each.
async fn understood(world: &World, expressions: &[String]) -> Vec<String> {
    let mut sql = "SELECT arrayJoin([".to_owned();
    for (place, expression) in expressions.iter().enumerate() {
        let comma = if place == 0 { "" } else { ", " };
        write!(sql, "{comma}{expression}").unwrap();
    }
    sql.push_str("])");
    let query =
        Query::new(&sql, "TSVRaw").with_setting("readonly", 1).with_setting("max_query_size", 1 << 24);
    let query = query
        .with_setting("max_ast_elements", 10_000_000)
        .with_setting("max_expanded_ast_elements", 10_000_000);
    let bytes = world.client().query(query).await.unwrap_or_else(|error| panic!("{error}\n{sql}"));
    let text = String::from_utf8(bytes.collect().await.unwrap().to_vec()).unwrap();
    assert!(!text.contains(CANARY));
    text.lines().map(str::to_owned).collect()
}

/// Renders `template` for each value; what the template refuses is left out.
fn rendered(template: &str, values: &[String]) -> Vec<(String, String)> {
    let template = Template::compile(template).unwrap();
    let render = |value: &String| {
        let arguments = Arguments::from_pairs([("x", value.as_str())]);
        let rendered = template.render(&arguments, &Environment::default()).ok()?;
        Some((value.clone(), rendered.sql))
    };
    values.iter().filter_map(render).collect()
}

/// The bytes of a text in the engine. As in Tinybird, a `%` has a backslash in front of it, which
/// `ClickHouse` keeps.
fn hex(text: &str) -> String {
    plain_hex(&text.replace('%', "\\%"))
}

fn plain_hex(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        write!(out, "{byte:02X}").unwrap();
        out
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_arrives_as_it_was_sent() {
    let world = World::new().await;
    let mut dice = Dice::new(seed());
    for _ in 0..2 * effort() {
        let values: Vec<String> = (0..BLOCK).map(|_| value(&mut dice)).collect();
        for template in ["%{{String(x)}}", "%{{ String(x, 'd') }}", "%{% set y = String(x) %}{{y}}"] {
            let rendered = rendered(template, &values);
            assert!(rendered.len() > BLOCK / 2, "{template}");
            let expressions: Vec<String> = rendered.iter().map(|(_, sql)| format!("hex({sql})")).collect();
            let expected: Vec<String> = rendered.iter().map(|(value, _)| hex(value)).collect();
            assert_eq!(understood(&world, &expressions).await, expected, "{template}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_other_type_takes_a_value_of_its_type_or_none() {
    let world = World::new().await;
    let mut dice = Dice::new(seed());
    for _ in 0..2 * effort() {
        let mut values: Vec<String> = (0..BLOCK).map(|_| value(&mut dice)).collect();
        values.extend(
            ["7", "-7", "1.5", "2026-01-02", "2026-01-02 03:04:05", "2026-01-02 03:04:05.678", "true", "1,2"]
                .map(str::to_owned),
        );
        for kind in [
            "Int8",
            "Int16",
            "Int32",
            "Int64",
            "Int128",
            "Int256",
            "UInt8",
            "UInt16",
            "UInt32",
            "UInt64",
            "UInt128",
            "UInt256",
            "Float32",
            "Float64",
            "Boolean",
            "Date",
            "DateTime",
            "DateTime64",
        ] {
            let template = format!("%{{{{{kind}(x)}}}}");
            let rendered = rendered(&template, &values);
            // Whatever came through is one expression: a row for each, and no row more.
            let expressions: Vec<String> =
                rendered.iter().map(|(_, sql)| format!("toTypeName({sql})")).collect();
            if !expressions.is_empty() {
                let types = understood(&world, &expressions).await;
                assert_eq!(types.len(), expressions.len(), "{kind}: {rendered:?}");
            }
        }
    }
}

/// Backslashes aside: as in Tinybird, items are escaped once more than `ClickHouse` takes off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_items_of_an_array_arrive_as_they_were_sent() {
    let world = World::new().await;
    let mut dice = Dice::new(seed());
    for _ in 0..2 * effort() {
        let values: Vec<String> = (0..BLOCK / 2).map(|_| value(&mut dice)).collect();
        let rendered = rendered("%{{Array(x, 'String')}}", &values);
        let expressions: Vec<String> = rendered
            .iter()
            .map(|(_, sql)| {
                format!("arrayStringConcat(arrayMap(i -> hex(replaceAll(i, '\\\\', '')), {sql}), ',')")
            })
            .collect();
        let items =
            |text: &str| text.replace('\\', "").split(',').map(plain_hex).collect::<Vec<_>>().join(",");
        let expected: Vec<String> = rendered.iter().map(|(value, _)| items(value)).collect();
        assert_eq!(understood(&world, &expressions).await, expected);
    }
}
