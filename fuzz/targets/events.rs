//! Any bytes are taken as a body of events: each event becomes a row or a row of the quarantine, or the
//! body is refused whole, and what comes out holds as many rows as it says.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use roost::ingest::{BodyFormat, DecodedBody, Limits, RowPlan};
use roost::schema::{Column, ColumnName, DataType, JsonPath};

/// A column of each kind, some with paths that meet.
const COLUMNS: [(&str, &str, &str, Option<&str>); 22] = [
    ("id", "UInt32", "$.id", None),
    ("big", "Int256", "$.id", Some("0")),
    ("text", "String", "$.text", Some("'none'")),
    ("word", "LowCardinality(Nullable(String))", "$.a.b", None),
    ("fixed", "FixedString(3)", "$.a", Some("'abc'")),
    ("share", "Float64", "$.f", Some("0.5")),
    ("half", "BFloat16", "$.f", Some("0")),
    ("price", "Decimal(18, 4)", "$.f", Some("0")),
    ("flag", "Bool", "$.b", Some("0")),
    ("uuid", "UUID", "$.u", Some("generateUUIDv4()")),
    ("day", "Date", "$.t", Some("today()")),
    ("wide_day", "Date32", "$.t", Some("today()")),
    ("at", "DateTime('Europe/Berlin')", "$.t", Some("now()")),
    ("at_64", "DateTime64(6)", "$.t", Some("now64(6)")),
    ("kind", "Enum8('a' = 1, 'b' = -2)", "$.k", Some("'a'")),
    ("v4", "Nullable(IPv4)", "$.ip", None),
    ("v6", "Nullable(IPv6)", "$.ip", None),
    ("nested.a", "Array(Nullable(Int8))", "$.n.a[:]", Some("[]")),
    ("nested.b", "Array(String)", "$.n.b[:]", Some("[]")),
    ("map", "Map(String, Array(UInt8))", "$.m", Some("map()")),
    ("pair", "Tuple(a Int32, b Nullable(String))", "$.p", Some("(0, '')")),
    ("whole", "JSON", "$", None),
];

static PLAN: LazyLock<RowPlan> = LazyLock::new(|| {
    let columns = COLUMNS.map(|(name, data_type, path, default)| Column {
        name: ColumnName::new(name),
        data_type: Some(DataType::parse(data_type).unwrap()),
        json_path: Some(JsonPath::parse(path).unwrap()),
        default: default.map(Into::into),
        codec: None,
    });
    RowPlan::new(&columns).unwrap()
});

fn check(decoded: DecodedBody) {
    let stored: usize = decoded.blocks.iter().map(|block| block.rows()).sum();
    assert_eq!(stored, decoded.successful_rows);
    assert_eq!(decoded.quarantine.as_ref().map_or(0, |block| block.rows()), decoded.quarantined_rows);
    for block in decoded.blocks.iter().chain(&decoded.quarantine) {
        assert!(block.encode_native().len() > block.bytes());
    }
}

fuzz_target!(|body: &[u8]| {
    let limits = Limits { event_bytes: 4096, depth: 16, keys: 64, rows: 64, decoded_bytes: 1 << 20, shapes: 8 };
    for format in [BodyFormat::Ndjson, BodyFormat::Json] {
        if let Ok(decoded) = PLAN.decode(body, format, &limits) {
            check(decoded);
        }
    }
    let Ok(decoded) = PLAN.decode(body, BodyFormat::Ndjson, &Limits::default()) else { return };
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count();
    assert_eq!(decoded.successful_rows + decoded.quarantined_rows, lines);
    check(decoded);
});
