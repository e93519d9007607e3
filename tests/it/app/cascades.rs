//! Batches whose views refuse nothing: one insert puts them into every table.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::metrics;
use crate::harness::{ApiClient, Project, ServerProcess, eventually, within};

const DOUBTS: &str = "roost_ingest_batches_in_doubt_total";
const CASCADES: &str = "roost_ingest_cascades_total";

fn target(columns: &str, engine: &str, key: &str) -> String {
    format!("SCHEMA >\n    {columns}\n\nENGINE \"{engine}\"\n{key}")
}

fn view(target: &str, sql: &str) -> String {
    format!("NODE rows\nSQL >\n    {sql}\n\nTYPE materialized\nDATASOURCE {target}\n")
}

fn hits() -> Project {
    Project::default()
        .data_source("hits", &["id UInt64", "page String DEFAULT '/'", "at DateTime64(3)", "n Int32"])
}

fn with_view(project: Project, name: &str, target: &str, sql: &str) -> Project {
    project
        .with(&format!("datasources/{name}.datasource"), target)
        .with(&format!("pipes/to_{name}.pipe"), &view(name, sql))
}

/// Views that refuse nothing, a chain among them, and a target of which a batch fills several partitions.
fn project() -> Project {
    let states = target(
        "page LowCardinality(String), ids AggregateFunction(uniq, UInt64), most SimpleAggregateFunction(max, Int64)",
        "AggregatingMergeTree",
        "ENGINE_SORTING_KEY \"page\"\n",
    );
    let copies = target(
        "id UInt64, day Date, n Nullable(Int32)",
        "MergeTree",
        "ENGINE_PARTITION_KEY \"toYYYYMM(day)\"\nENGINE_SORTING_KEY \"id\"\n",
    );
    let days = target("day Date, times UInt64", "SummingMergeTree", "ENGINE_SORTING_KEY \"day\"\n");
    let project = with_view(
        hits(),
        "states",
        &states,
        "SELECT page, uniqState(id) AS ids, max(toInt64(n)) AS most FROM hits WHERE page != '/none' GROUP BY page",
    );
    let project = with_view(project, "copies", &copies, "SELECT id, toDate(at) AS day, n FROM hits");
    with_view(project, "days", &days, "SELECT day, count() AS times FROM copies GROUP BY day")
}

/// A batch of a thousand rows from the `from`th on, spread over three months.
fn batch(from: u64) -> String {
    let mut lines = String::new();
    for id in from..from + 1_000 {
        let page = ["/a", "/b", "/none"][usize::try_from(id % 3).unwrap()];
        let at = format!("2026-0{}-11T10:00:00.5Z", id % 3 + 1);
        let mut event = json!({"id": id, "page": page, "at": at, "n": i64::try_from(id).unwrap() - 500});
        if id % 5 == 0 {
            event.as_object_mut().unwrap().remove("page");
        }
        writeln!(lines, "{event}").unwrap();
    }
    lines
}

async fn ask(admin: &ApiClient, sql: &str) -> Vec<Value> {
    let reply = admin.post("/v0/sql", format!("{sql} FORMAT JSON")).await;
    reply.json()["data"].as_array().unwrap_or_else(|| panic!("{}", reply.text)).clone()
}

/// Every target is what its view gives over all rows.
async fn check(admin: &ApiClient) {
    for (kept, computed) in [
        (
            "SELECT page, uniqMerge(ids) AS ids, max(most) AS most FROM states GROUP BY page ORDER BY page",
            "SELECT page, uniq(id) AS ids, max(toInt64(n)) AS most FROM hits WHERE page != '/none' GROUP BY page ORDER BY page",
        ),
        ("SELECT * FROM copies ORDER BY id", "SELECT id, toDate(at) AS day, n FROM hits ORDER BY id"),
        (
            "SELECT day, sum(times) AS times FROM days GROUP BY day ORDER BY day",
            "SELECT toDate(at) AS day, count() AS times FROM hits GROUP BY day ORDER BY day",
        ),
    ] {
        let kept = ask(admin, kept).await;
        assert!(!kept.is_empty(), "{computed}");
        assert_eq!(kept, ask(admin, computed).await, "{computed}");
    }
}

async fn number(admin: &ApiClient, series: &str) -> u64 {
    metrics::value(admin, series).await.unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_batch_whose_views_refuse_nothing_takes_one_insert_and_one_block_in_each_table() {
    let server = ServerProcess::start(&project()).await;
    let admin = server.admin();
    let (engine, database) = server.side_door().open().await.unwrap();
    for table in ["hits", "states", "copies", "days"] {
        engine.execute(&format!("SYSTEM STOP MERGES `{database}`.{table}")).await.unwrap();
    }
    for number in 0..3 {
        let bad = "{\"id\":\"bad\"}\n";
        assert_eq!(admin.append("hits", format!("{}{bad}", batch(number * 1_000))).await, (1_000, 1));
    }
    check(&admin).await;
    assert_eq!((number(&admin, CASCADES).await, number(&admin, DOUBTS).await), (3, 0));
    let sql = format!(
        "SELECT table, toUInt32(count()) AS parts, toUInt32(uniqExact(partition_id)) AS partitions FROM system.parts \
         WHERE active AND database = '{database}' GROUP BY table ORDER BY table"
    );
    let parts: Vec<Value> = engine.rows(sql).await.unwrap();
    let parts_of = |table: &str, parts: u32, partitions: u32| json!({"table": table, "parts": parts, "partitions": partitions});
    let expected = [
        parts_of("copies", 9, 3),
        parts_of("days", 3, 1),
        parts_of("hits", 3, 1),
        parts_of("hits_quarantine", 3, 1),
        parts_of("states", 3, 1),
    ];
    assert_eq!(parts, expected);
}

#[tokio::test]
async fn more_groups_than_a_block_of_the_engine_holds_are_one_part() {
    let target = target("id UInt64, times UInt64", "SummingMergeTree", "ENGINE_SORTING_KEY \"id\"\n");
    let sql = "SELECT id, count() AS times FROM hits GROUP BY id";
    let server = ServerProcess::start(&with_view(
        Project::default().data_source("hits", &["id UInt64"]),
        "groups",
        &target,
        sql,
    ))
    .await;
    let (engine, database) = server.side_door().open().await.unwrap();
    let lines: Vec<String> = (0..90_000).map(|id| format!("{{\"id\":{id}}}")).collect();
    assert_eq!(server.admin().append("hits", lines.join("\n")).await, (90_000, 0));
    assert_eq!(number(&server.admin(), CASCADES).await, 1);
    let sql = format!(
        "SELECT toUInt32(count()) AS parts, toUInt32(sum(rows)) AS groups FROM system.parts WHERE active AND (database, table) = ('{database}', 'groups')"
    );
    assert_eq!(engine.rows::<Value>(sql).await.unwrap(), [json!({"parts": 1, "groups": 90_000})]);
}

#[tokio::test]
async fn a_batch_with_a_view_that_may_refuse_is_evaluated_before_it_is_put() {
    let numbers = target("id UInt64, page_number UInt8", "MergeTree", "ENGINE_SORTING_KEY \"id\"\n");
    let project =
        with_view(project(), "numbers", &numbers, "SELECT id, toUInt8(page) AS page_number FROM hits");
    let server = ServerProcess::start(&project).await;
    let admin = server.admin();
    let event = |id: u32, page: &str| json!({"id": id, "page": page, "at": "2026-11-30", "n": 1}).to_string();
    let reply = admin.post("/v0/events?name=hits&wait=true", [event(1, "7"), event(2, "x")].join("\n")).await;
    assert_eq!((reply.status.as_u16(), reply.counts()), (422, (1, 1)));
    check(&admin).await;
    assert_eq!(ask(&admin, "SELECT id FROM hits").await, [json!({"id": 1})]);
    assert_eq!((number(&admin, CASCADES).await, number(&admin, DOUBTS).await), (0, 0));
}

#[tokio::test]
async fn an_engine_that_was_started_anew_has_no_cascade_and_gets_another() {
    let server = ServerProcess::start(&project()).await;
    let admin = server.admin();
    admin.append("hits", batch(0)).await;
    let engine = server.engine().await;
    engine.kill();
    within(Duration::from_secs(5), "the engine is gone", async || (!engine.is_alive()).then_some(())).await;
    // The first one finds no cascade, and goes by stages.
    for number in 1..4 {
        admin.post("/v0/events?name=hits", batch(number * 1_000)).await;
        let delivered = json!((number + 1) * 1_000);
        let same = async || {
            let reply = admin.post("/v0/sql", "SELECT count() AS n FROM hits FORMAT JSON").await;
            (reply.status.is_success() && reply.json()["data"][0]["n"] == delivered).then_some(())
        };
        eventually("the rows are there", same).await;
    }
    check(&admin).await;
    assert!(number(&admin, DOUBTS).await >= 1);
    let known = number(&admin, CASCADES).await;
    admin.append("hits", batch(4_000)).await;
    assert_eq!(number(&admin, CASCADES).await, known + 1);
    check(&admin).await;
}
