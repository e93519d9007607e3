//! Settings: ours hold for the call and no longer, and SQL cannot change them in read-only mode.

use roost::engine::Query;
use roost::query::settings::FILTERS_FIRST;

use super::{exception, value};
use crate::harness::shared_engine;

const EFFECTIVE: &str = "SELECT getSetting('max_block_size')";

#[tokio::test]
async fn a_setting_holds_for_its_call_only() {
    let engine = shared_engine();
    let before = value(&engine, EFFECTIVE).await;
    let query = Query::new(EFFECTIVE, "CSV").with_setting("max_block_size", 4321);
    assert_eq!(engine.query(query).await.unwrap().collect().await.unwrap(), "4321\n");
    assert_eq!(value(&engine, EFFECTIVE).await, before);
}

#[tokio::test]
async fn read_only_sql_changes_no_setting() {
    let engine = shared_engine();
    for sql in [
        "SELECT 1 SETTINGS max_execution_time = 100",
        "SELECT 1 SETTINGS readonly = 0",
        "SET max_execution_time = 100",
        "SET readonly = 0",
    ] {
        let query = Query::new(sql, "CSV").with_setting("readonly", 1).with_setting("max_execution_time", 5);
        let (code, message) = exception(&engine, query).await;
        assert_eq!(code, 164, "{sql}: {message}");
    }
}

#[tokio::test]
async fn read_only_sql_changes_no_data() {
    let engine = shared_engine();
    let database = engine.database().await;
    engine.execute(&format!("CREATE TABLE {database}.t (n UInt64) ORDER BY n")).await.unwrap();
    for sql in [
        format!("INSERT INTO {database}.t SELECT 1"),
        format!("CREATE TABLE {database}.u (n UInt64) ORDER BY n"),
        format!("ALTER TABLE {database}.t DELETE WHERE 1"),
        format!("TRUNCATE TABLE {database}.t"),
        format!("DROP DATABASE {database}"),
    ] {
        let (code, message) = exception(&engine, Query::new(&sql, "CSV").with_setting("readonly", 1)).await;
        assert_eq!(code, 164, "{sql}: {message}");
    }
}

/// Inside a subquery, the engine takes SETTINGS even in read-only mode: they must not lift a limit.
#[tokio::test]
async fn the_limits_of_a_call_hold_whatever_a_subquery_sets() {
    let engine = shared_engine();
    let long = "SELECT count() FROM numbers(200000000000) WHERE sipHash64(number) = 1";
    for (limit, value, sql, code) in [
        ("max_execution_time", "0.3", long, 159),
        ("max_result_rows", "5", "SELECT number FROM numbers(10)", 396),
        ("max_rows_to_read", "50", "SELECT number FROM numbers(10000000)", 158),
        ("max_memory_usage", "50000000", "SELECT number FROM numbers(10000000) GROUP BY number", 241),
    ] {
        for sql in [sql.to_owned(), format!("SELECT * FROM ({sql} SETTINGS {limit} = 0)")] {
            let query = Query::new(&sql, "CSV").with_setting("readonly", 1).with_setting(limit, value);
            let (found, message) = exception(&engine, query).await;
            assert_eq!(found, code, "{sql}: {message}");
        }
    }
}

#[tokio::test]
async fn an_unknown_setting_is_refused() {
    let engine = shared_engine();
    for name in ["no_such_setting", "path", "config-file", "max_server_memory_usage"] {
        let (code, message) = exception(&engine, Query::new("SELECT 1", "CSV").with_setting(name, 1)).await;
        assert_eq!(code, 115, "{message}");
        assert!(message.contains(name), "{message}");
    }
}

#[tokio::test]
async fn a_value_that_a_setting_cannot_have_is_an_error() {
    let engine = shared_engine();
    let query = Query::new("SELECT 1", "CSV").with_setting("max_threads", "many");
    let answered = match engine.query(query).await {
        Ok(rows) => rows.collect().await,
        Err(error) => Err(error),
    };
    assert!(answered.is_err());
    assert_eq!(value(&engine, "SELECT 1").await, "1");
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_named() {
    let engine = shared_engine();
    let query = Query { database: Some("no_such`database".to_owned()), ..Query::new("SELECT 1", "CSV") };
    let (code, message) = exception(&engine, query).await;
    assert_eq!(code, 81);
    assert!(message.contains("no_such"), "{message}");
}

/// Conditions that fail on a value of the rows of `b`.
const PROBES: [&str; 4] = [
    "SELECT count() FROM {rows} WHERE throwIf(secret = 1) = 0",
    "SELECT count() FROM {rows} WHERE toUInt8(word) > 0 AND secret = 1",
    "SELECT count() FROM {rows} JOIN (SELECT toUInt64(1) AS id) AS y ON y.id = t.id WHERE throwIf(secret = 1) = 0",
    "SELECT sum(x) FROM (SELECT toUInt8(word) AS x FROM {rows}) WHERE x > 0",
];

#[tokio::test]
async fn a_condition_around_a_filtered_table_tells_nothing_of_the_other_rows() {
    let engine = shared_engine();
    let database = engine.database().await;
    let table = format!("{database}.t");
    let columns = "id UInt64, tenant String, secret UInt8, word String";
    let create = format!("CREATE TABLE {table} ({columns}) ORDER BY id SETTINGS min_bytes_for_wide_part = 0");
    engine.execute(&create).await.unwrap();
    let rows = "number, repeat(if(number % 2 = 0, 'a', 'b'), 100), number % 2, if(number % 2 = 0, '1', 'zz')";
    engine.execute(&format!("INSERT INTO {table} SELECT {rows} FROM numbers(200000)")).await.unwrap();
    let filtered = format!("(SELECT * FROM {table} WHERE (tenant = repeat('a', 100))) AS t");
    for probe in PROBES {
        let sql = probe.replace("{rows}", &filtered);
        let (code, _) = exception(&engine, Query::new(&sql, "CSV")).await;
        assert!(matches!(code, 6 | 395), "as the engine comes, the probe finds something: {sql}");
        let guard = |query: Query, (name, value)| query.with_setting(name, value);
        let query = FILTERS_FIRST.into_iter().fold(Query::new(&sql, "CSV"), guard);
        let answer = engine.query(query).await;
        assert!(answer.is_ok(), "{sql}: {:?}", answer.err());
    }
}
