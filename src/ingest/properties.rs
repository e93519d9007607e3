//! What holds for every body, whatever it says.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::block::{Layouts, LoggedBlock};
use super::fixtures::column;
use super::{Block, BodyFormat, DecodedBody, Limits, RowPlan};

fn plan() -> RowPlan {
    let columns = [
        "id | UInt32 | $.id",
        "name | LowCardinality(Nullable(String)) | $.name",
        "tags | Array(Array(String)) | $.deep.tags[:] | [['none']]",
        "map | Map(String, Nullable(Int8)) | $.deep.map | map()",
        "pair | Tuple(a Float32, b String) | $.pair",
        "at | DateTime64(3, 'Europe/Berlin') | $.at | now64(3)",
        "price | Decimal(10, 2) | $.price | 0",
        "whole | JSON | $",
    ];
    RowPlan::new(&columns.map(column)).unwrap()
}

fn decode(body: &str) -> DecodedBody {
    plan().decode(body.as_bytes(), BodyFormat::Ndjson, &Limits::default()).unwrap()
}

/// A member of an event: some values fit, some do not.
fn member(key: &'static str, values: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(values).prop_map(move |value| format!("\"{key}\":{value}")),
        1 => Just(format!("\"{key}_\":[]")),
    ]
}

/// One line: an event with good and bad values, or no event at all.
fn line() -> impl Strategy<Value = String> {
    let deep = (
        member("tags", &["[]", "[[]]", r#"[["a","b"],[],["c"]]"#, r#"[["a"],1]"#]),
        member("map", &["{}", r#"{"a":1,"b":null}"#, r#"{"a":1000}"#, r#"{"a":"-5"}"#]),
    )
        .prop_map(|(tags, map)| format!("\"deep\":{{{tags},{map}}}"));
    let event = (
        member("id", &["1", "\"2\"", "4294967295", "4294967295", "-1", "null"]),
        member("name", &["\"a\"", "null", "{}", r#""\n\u00e9""#]),
        deep,
        member("pair", &[r#"{"a":1,"b":"x"}"#, r#"[1e3,"y"]"#, r#"{"a":1,"b":"x"}"#, "[]"]),
        member("at", &["\"2024-03-31T02:30:00\"", "1700000000123", "null", "\"later\""]),
        member("price", &["1", "\"-12.345\"", "null", "1e30"]),
    )
        .prop_map(|(a, b, c, d, e, f)| format!("{{{}}}", [a, b, c, d, e, f].join(",")));
    prop_oneof![12 => event, 1 => select(&["{}", "[1]", "{\"id\":", "\"text\"", "\u{feff}"][..]).prop_map(str::to_owned)]
}

/// Blocks as bytes, in an order that does not depend on which row came first.
fn encoded(blocks: &[Block]) -> Vec<Vec<u8>> {
    let mut blocks: Vec<_> = blocks.iter().map(Block::encode_native).collect();
    blocks.sort();
    blocks
}

/// Blocks by way of the log, those that fill the same columns as one.
fn merged(blocks: impl IntoIterator<Item = Block>) -> Vec<Block> {
    let mut merged: Vec<(LoggedBlock, Block)> = Vec::new();
    let mut layouts = Layouts::default();
    for block in blocks {
        let mut bytes = Vec::new();
        block.encode_for_log(&mut bytes);
        let logged = LoggedBlock::read(&mut bytes.into(), &mut layouts).unwrap();
        match merged.iter_mut().find(|(known, _)| known.layout() == logged.layout()) {
            Some((_, block)) => block.append(&logged, None),
            None => merged.push((logged.clone(), logged.to_block())),
        }
    }
    merged.into_iter().map(|(_, block)| block).collect()
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in vec(any::<u8>(), 0..200), json in any::<bool>()) {
        let format = if json { BodyFormat::Json } else { BodyFormat::Ndjson };
        let _ = plan().decode(&body, format, &Limits::default());
    }

    #[test]
    fn no_value_makes_it_panic(value in r#"[-+0-9a-zA-Z:. "\\\[\]{},/TZ]{0,30}"#) {
        let quoted = serde_json::to_string(&value).unwrap();
        for value in [value, quoted] {
            let body = format!(r#"{{"id":{value},"name":{value},"pair":[{value},""],"at":{value},"price":{value}}}"#);
            let _ = plan().decode(body.as_bytes(), BodyFormat::Json, &Limits::default());
        }
    }

    #[test]
    fn every_line_is_stored_or_quarantined(lines in vec(line(), 1..20)) {
        let body = format!("{{}}\n{}", lines.join("\n"));
        let decoded = decode(&body);
        prop_assert_eq!(decoded.successful_rows + decoded.quarantined_rows, lines.len() + 1);
        prop_assert_eq!(decoded.blocks.iter().map(Block::rows).sum::<usize>(), decoded.successful_rows);
        prop_assert_eq!(decoded.quarantine.map_or(0, |block| block.rows()), decoded.quarantined_rows);
    }

    #[test]
    fn refused_rows_leave_no_trace_in_the_blocks(lines in vec(line(), 1..20)) {
        let stored = |line: &String| {
            let decoded = plan().decode(line.as_bytes(), BodyFormat::Ndjson, &Limits::default());
            decoded.is_ok_and(|decoded| decoded.successful_rows == 1)
        };
        let good: Vec<String> = lines.iter().filter(|line| stored(line)).cloned().collect();
        let all = decode(&format!("{{}}\n{}", lines.join("\n")));
        let only_good = decode(&format!("{{}}\n{}", good.join("\n")));
        prop_assert_eq!(encoded(&all.blocks), encoded(&only_good.blocks));
    }

    #[test]
    fn merging_is_decoding_both_bodies_at_once(first in vec(line(), 1..10), second in vec(line(), 1..10)) {
        let (first, second) = (format!("{{}}\n{}", first.join("\n")), format!("{{}}\n{}", second.join("\n")));
        let together = decode(&format!("{first}\n{second}"));
        let (parts, more) = (decode(&first), decode(&second));
        let stored = merged(parts.blocks.into_iter().chain(more.blocks));
        prop_assert_eq!(encoded(&stored), encoded(&together.blocks));
        let refused = merged(parts.quarantine.into_iter().chain(more.quarantine));
        prop_assert_eq!(encoded(&refused), encoded(together.quarantine.as_slice()));
    }
}
