use super::*;
use crate::schema::{Column, DataType};

fn columns() -> Vec<Column> {
    let column = |(name, data_type): (&str, &str)| Column {
        name: ColumnName::new(name),
        data_type: Some(DataType::parse(data_type).unwrap()),
        json_path: None,
        default: None,
        codec: None,
    };
    let all = [
        ("a", "Int32"),
        ("server", "String"),
        ("ver", "UInt64"),
        ("del", "UInt8"),
        ("d", "DateTime"),
        ("maybe", "Nullable(String)"),
        ("some", "Array(Nullable(Int8))"),
        ("states", "AggregateFunction(count)"),
        ("simple", "SimpleAggregateFunction(max, Int32)"),
    ];
    all.into_iter().map(column).collect()
}

/// The engine as text, or its problems, one per line.
fn engine(options: &[(EngineOption, &str)]) -> String {
    let mut given = EngineOptions::default();
    for (option, value) in options {
        given.set(*option, *value);
    }
    match Engine::parse(&given, &columns()) {
        Ok(engine) => engine.to_string(),
        Err(errors) => errors
            .iter()
            .map(|error| format!("{}: {error}", error.option.name()))
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

use EngineOption::{Columns, IsDeleted, PartitionKey, PrimaryKey, Settings, Sign, SortingKey, Ttl, Ver};

#[test]
fn engines_print_as_tinybird_shows_them() {
    let name = EngineOption::Engine;
    assert_eq!(engine(&[]), "MergeTree ORDER BY (tuple())");
    assert_eq!(engine(&[(name, "mergetree"), (SortingKey, "(a, d)")]), "MergeTree ORDER BY (a, d)");
    assert_eq!(
        engine(&[
            (name, "ReplacingMergeTree"),
            (SortingKey, "a"),
            (Ver, "ver"),
            (Ttl, "d + toIntervalDay(1)")
        ]),
        "ReplacingMergeTree(ver) ORDER BY (a) TTL d + toIntervalDay(1)"
    );
    assert_eq!(
        engine(&[(name, "ReplacingMergeTree"), (SortingKey, "a"), (Ver, "`ver`"), (IsDeleted, "del")]),
        "ReplacingMergeTree(ver, del) ORDER BY (a)"
    );
    assert_eq!(
        engine(&[(name, "SummingMergeTree"), (Columns, "a, ver")]),
        "SummingMergeTree((a, ver)) ORDER BY (tuple())"
    );
    assert_eq!(
        engine(&[(name, "CollapsingMergeTree"), (SortingKey, "a"), (Sign, "del")]),
        "CollapsingMergeTree(del) ORDER BY (a)"
    );
    assert_eq!(
        engine(&[(name, "VersionedCollapsingMergeTree"), (Sign, "del"), (EngineOption::Version, "ver")]),
        "VersionedCollapsingMergeTree(del, ver) ORDER BY (tuple())"
    );
    assert_eq!(engine(&[(name, "Null"), (SortingKey, "a")]), "Null");
}

#[test]
fn what_says_nothing_is_left_out() {
    let keys = [(PartitionKey, "tuple()"), (SortingKey, "a"), (PrimaryKey, "(a)"), (Ttl, "")];
    assert_eq!(engine(&keys), "MergeTree ORDER BY (a)");
    assert_eq!(engine(&[(Settings, "index_granularity = 8192")]), "MergeTree ORDER BY (tuple())");
    assert_eq!(
        engine(&[(Settings, "index_granularity=256, x = 'y'")]),
        "MergeTree ORDER BY (tuple()) SETTINGS index_granularity = 256, x = 'y'"
    );
}

#[test]
fn missing_and_wrong_arguments_are_named() {
    let name = EngineOption::Engine;
    assert_eq!(
        engine(&[(name, "Join")]),
        "engine: Engine Join is not supported, supported engines include: MergeTree, ReplacingMergeTree, SummingMergeTree, AggregatingMergeTree, CollapsingMergeTree, VersionedCollapsingMergeTree, Null"
    );
    assert!(engine(&[(name, "MergeTree()")]).starts_with("engine: Engine MergeTree() is not supported"));
    assert_eq!(
        engine(&[(name, "CollapsingMergeTree")]),
        "engine: Missing required parameter 'sign'\nengine: Missing required option 'sorting_key'"
    );
    assert_eq!(
        engine(&[(name, "VersionedCollapsingMergeTree")]),
        "engine: Missing required parameter 'sign'\nengine: Missing required parameter 'version'"
    );
    assert_eq!(
        engine(&[(name, "ReplacingMergeTree"), (SortingKey, "a"), (Ver, "x")]),
        "engine_ver: Invalid value 'x' for parameter 'engine_ver', reason: 'x' column is not present in schema"
    );
    assert_eq!(
        engine(&[(name, "SummingMergeTree"), (Columns, "a, x")]),
        "engine_columns: Invalid value 'x' for parameter 'engine_columns', reason: 'x' column is not present in schema"
    );
    assert_eq!(
        engine(&[(name, "ReplacingMergeTree"), (SortingKey, "a"), (IsDeleted, "del")]),
        "engine_is_deleted: ENGINE_IS_DELETED requires ENGINE_VER"
    );
    assert_eq!(
        "engine_foo".parse::<EngineOption>().unwrap_err().to_string(),
        "engine_foo is not a valid option"
    );
}

#[test]
fn a_replacing_table_needs_a_sorting_key() {
    let replacing = (EngineOption::Engine, "ReplacingMergeTree");
    assert_eq!(engine(&[replacing]), "engine: Missing required option 'sorting_key'");
    assert_eq!(
        engine(&[replacing, (SortingKey, "tuple()")]),
        "engine_sorting_key: Invalid value 'tuple()' for option 'engine_sorting_key', reason: 'tuple()' is not a valid sorting key"
    );
    assert_eq!(
        engine(&[replacing, (SortingKey, "")]),
        "engine_sorting_key: Invalid value '' for option 'engine_sorting_key', reason: Sorting key can not be empty"
    );
}

#[test]
fn a_sorting_key_holds_only_plain_columns() {
    let sorted = |key| engine(&[(SortingKey, key)]);
    assert_eq!(
        sorted("tuple(a, ifNull(maybe, ''))"),
        "engine_sorting_key: Sorting key contains nullable column 'maybe'. Nullable columns cannot be used in sorting keys."
    );
    assert!(sorted("some").contains("nullable column 'some'"), "at any depth");
    assert_eq!(
        sorted("simple, states"),
        "engine_sorting_key: Sorting key contains column 'states' with AggregateFunction type. AggregateFunction columns cannot be used in sorting keys.\n\
         engine_sorting_key: Sorting key contains column 'simple' with AggregateFunction type. AggregateFunction columns cannot be used in sorting keys."
    );
    assert_eq!(
        sorted("SumMerge(a)"),
        "engine_sorting_key: Sorting key contains aggregate function expression 'SumMerge(a)'"
    );
    assert_eq!(
        sorted("nowhere"),
        "MergeTree ORDER BY (nowhere)",
        "ClickHouse knows all names, this room does not"
    );
    assert_eq!(
        sorted("a; DROP"),
        "engine_sorting_key: Invalid value 'a; DROP' for option 'engine_sorting_key', reason: ; is not allowed in an expression"
    );
}

#[test]
fn the_version_is_compared_as_a_name_and_not_as_a_text() {
    let replacing = (EngineOption::Engine, "ReplacingMergeTree");
    assert_eq!(
        engine(&[replacing, (Ver, "ver"), (SortingKey, "a, ver")]),
        "engine_sorting_key: ENGINE_VER column 'ver' cannot be included in the sorting key"
    );
    assert_eq!(
        engine(&[replacing, (Ver, "ver"), (SortingKey, "server")]),
        "ReplacingMergeTree(ver) ORDER BY (server)"
    );
}

#[test]
fn settings_cannot_make_a_table_unsafe() {
    assert_eq!(
        engine(&[(Settings, "old_parts_lifetime = 0")]),
        "engine_settings: setting 'old_parts_lifetime' must be a number and at least 480"
    );
    assert_eq!(
        engine(&[(Settings, "old_parts_lifetime = 900")]),
        "MergeTree ORDER BY (tuple()) SETTINGS old_parts_lifetime = 900"
    );
    assert_eq!(
        engine(&[(Settings, "disk = disk(type = 'local')")]),
        "engine_settings: Invalid value 'disk = disk(type = 'local')' for option 'engine_settings', reason: expected a list of name = value"
    );
}

#[test]
fn every_table_gets_the_settings_that_keep_its_rows() {
    let mut engine = Engine::merge_tree(None);
    engine.family = EngineFamily::Aggregating;
    engine.settings = Setting::parse_all("allow_nullable_key = 0").unwrap();
    let settings: Vec<String> = engine.effective_settings().iter().map(ToString::to_string).collect();
    assert_eq!(
        settings.join(", "),
        "old_parts_lifetime = 480, max_suspicious_broken_parts = 1000000, max_suspicious_broken_parts_bytes = 1000000000000, \
         allow_dimensions_outside_sorting_key = 1, allow_nullable_key = 0"
    );
}

#[test]
fn whole_parts_are_dropped_only_where_partition_and_ttl_agree() {
    let expires = |partition: &str, ttl: &str| {
        let mut engine = Engine::merge_tree(None);
        engine.partition_key = Expression::parse(partition).ok();
        engine.ttl = Expression::parse(ttl).ok();
        engine.expires_by_partition()
    };
    assert!(expires("toYYYYMM(d)", "toDateTime(d) + toIntervalDay(90)"));
    assert!(expires("a, toDate(d)", "d + INTERVAL 1 DAY"));
    assert!(expires("d", "d + INTERVAL 1 DAY"));
    assert!(!expires("a", "d + toIntervalDay(90)"));
    assert!(!expires("toYYYYMM(d)", "d + toIntervalDay(90) DELETE WHERE a = 1"));
    assert!(!expires("toYYYYMM(d)", "d + toIntervalDay(9), d + toIntervalDay(1) RECOMPRESS CODEC(ZSTD)"));
    assert!(!expires("", "d + toIntervalDay(9)"));
}
