//! The project that is struck: sources and targets of every kind that behaves in its own way.

use std::fmt::Write as _;

use crate::harness::Project;

/// The sources that writers write to.
pub(super) const SOURCES: [&str; 3] = ["plain", "second", "nothing"];

const COLUMNS: [(&str, &str); 5] =
    [("id", "UInt64"), ("request", "UInt64"), ("p", "UInt8"), ("k", "UInt16"), ("n", "Int64")];

fn source(engine: &str, keys: &str) -> String {
    let mut text = "SCHEMA >\n".to_owned();
    for (number, (name, data_type)) in COLUMNS.iter().enumerate() {
        let separator = if number == 0 { "" } else { ",\n" };
        write!(text, "{separator}    `{name}` {data_type} `json:$.{name}`").unwrap();
    }
    format!("{text}\n\nENGINE \"{engine}\"\n{keys}")
}

fn target(columns: &str, engine: &str, partition: &str, key: &str, more: &str) -> String {
    format!(
        "SCHEMA >\n    {columns}\n\nENGINE \"{engine}\"\nENGINE_PARTITION_KEY \"{partition}\"\nENGINE_SORTING_KEY \"{key}\"\n{more}"
    )
}

fn view(target: &str, sql: &str) -> String {
    format!("NODE rows\nSQL >\n    {sql}\n\nTYPE materialized\nDATASOURCE {target}\n")
}

/// Targets with the view that fills each.
fn targets() -> [(&'static str, String, &'static str); 8] {
    let all = "id UInt64, request UInt64, p UInt8, k UInt16, n Int64";
    [
        // Whole copies: what was delivered of the two sources whose own table does not say.
        ("second_copy", target(all, "MergeTree", "p", "id", ""), "SELECT id, request, p, k, n FROM second"),
        ("nothing_copy", target(all, "MergeTree", "p", "id", ""), "SELECT id, request, p, k, n FROM nothing"),
        (
            "states",
            target(
                "k UInt16, ids AggregateFunction(uniqExact, UInt64), times AggregateFunction(count)",
                "AggregatingMergeTree",
                "k % 3",
                "k",
                "",
            ),
            "SELECT k, uniqExactState(id) AS ids, countState() AS times FROM plain GROUP BY k",
        ),
        (
            "latest",
            target("k UInt16, id UInt64, n Int64", "ReplacingMergeTree", "k % 2", "k", "ENGINE_VER \"id\"\n"),
            "SELECT k, id, n FROM plain",
        ),
        // Odd ids come and go: a block of them leaves an empty part, or none.
        (
            "pairs",
            target(
                "id UInt64, k UInt16, sign Int8",
                "CollapsingMergeTree",
                "k % 4",
                "id",
                "ENGINE_SIGN \"sign\"\n",
            ),
            "SELECT id, k, arrayJoin(if(id % 2 = 0, [1], [1, -1])) AS sign FROM plain",
        ),
        (
            "expired",
            target(
                "id UInt64, p UInt8, day DateTime",
                "MergeTree",
                "p",
                "id",
                "ENGINE_TTL \"day + toIntervalDay(1)\"\n",
            ),
            "SELECT id, p, toDateTime(86400) AS day FROM plain",
        ),
        (
            "chained",
            target("k UInt16, n Int64, times UInt64", "SummingMergeTree", "k % 2", "k", ""),
            "SELECT k, sum(n) AS n, count() AS times FROM nothing_copy GROUP BY k",
        ),
        // Fed by two sources: see below.
        (
            "sums",
            target("k UInt16, n Int64, times UInt64", "SummingMergeTree", "k % 5", "k", ""),
            "SELECT k, sum(n) AS n, count() AS times FROM plain GROUP BY k",
        ),
    ]
}

/// The project.
pub(super) fn project() -> Project {
    let keys = "ENGINE_PARTITION_KEY \"p\"\nENGINE_SORTING_KEY \"id\"\n";
    let project = Project::default()
        .with("datasources/plain.datasource", &source("MergeTree", keys))
        .with("datasources/second.datasource", &source("MergeTree", keys))
        .with("datasources/nothing.datasource", &source("Null", ""));
    targets()
        .into_iter()
        .fold(project, |project, (name, target, sql)| {
            project
                .with(&format!("datasources/{name}.datasource"), &target)
                .with(&format!("pipes/to_{name}.pipe"), &view(name, sql))
        })
        .with(
            "pipes/second_to_sums.pipe",
            &view("sums", "SELECT k, sum(n) AS n, count() AS times FROM second GROUP BY k"),
        )
}

/// Statements that merge and rewrite parts while rows come in, as an operator would send them.
pub(super) const DISTURBANCES: [&str; 6] = [
    "OPTIMIZE TABLE plain FINAL",
    "OPTIMIZE TABLE sums FINAL",
    "OPTIMIZE TABLE pairs FINAL",
    "OPTIMIZE TABLE expired FINAL",
    "ALTER TABLE plain UPDATE n = n WHERE k % 7 = 3",
    "ALTER TABLE latest DELETE WHERE k = 65535",
];
