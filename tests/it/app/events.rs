//! Events become rows: content types, missing values, DEFAULTs, timestamps, objects.

use reqwest::Method;
use serde_json::json;

use super::metrics::value;
use crate::harness::{Home, Project, TestApp, eventually, send};

fn project() -> Project {
    Project::default().data_source("hits", &["id UInt64", "page String DEFAULT '/'"])
}

#[tokio::test]
async fn the_status_says_whether_the_caller_waited() {
    let app = TestApp::start(&project()).await;
    let statuses = [("", 202), ("&wait=false", 202), ("&wait=0", 202), ("&wait=true", 200), ("&wait=1", 200)];
    for (number, (query, status)) in statuses.into_iter().enumerate() {
        let reply = app.admin().post(&format!("/v0/events?name=hits{query}"), r#"{"id":1}"#).await;
        assert_eq!((reply.status.as_u16(), reply.counts()), (status, (1, 0)), "{query}");
        assert_eq!(reply.text, r#"{"successful_rows":1,"quarantined_rows":0}"#);
        assert_eq!(reply.header("content-type"), "application/json");
        let rows = app.rows("hits").await;
        match status {
            200 => assert_eq!(rows, number as u64 + 1, "200 means that the engine has the row"),
            _ => assert!(rows <= number as u64 + 1),
        }
    }
}

#[tokio::test]
async fn what_nobody_waits_for_is_in_the_table_after_the_linger() {
    let app = Home::with_settings("ingest.linger_milliseconds = 300").start(&project()).await;
    let began = std::time::Instant::now();
    for _ in 0..3 {
        assert_eq!(app.admin().post("/v0/events?name=hits", r#"{"id":1}"#).await.status, 202);
    }
    eventually("the rows are there", async || (app.rows("hits").await == 3).then_some(())).await;
    assert!(began.elapsed() > std::time::Duration::from_millis(250), "they waited for others");
    let parts = "SELECT count() AS n FROM system.parts WHERE database = currentDatabase() AND table = 'hits'";
    assert_eq!(app.query_engine(parts).await, [json!({"n": 1})], "and shared an insert");
}

#[tokio::test]
async fn a_trickle_is_one_batch_for_each_linger() {
    let app = Home::with_settings("ingest.linger_milliseconds = 500").start(&project()).await;
    let (began, mut sent) = (std::time::Instant::now(), 0);
    while began.elapsed() < std::time::Duration::from_millis(2_400) {
        assert_eq!(app.admin().post("/v0/events?name=hits", r#"{"id":1}"#).await.status, 202);
        sent += 1;
    }
    eventually("the rows are there", async || (app.rows("hits").await == sent).then_some(())).await;
    let batches = value(&app.admin(), "roost_ingest_batches_total{data_source=\"hits\"}").await.unwrap();
    let batches: u64 = batches.parse().unwrap();
    assert!((1..=6).contains(&batches), "{batches} for {sent} events");
}

#[tokio::test]
async fn a_truncated_data_source_is_empty_and_takes_new_rows() {
    let app = TestApp::start(&project()).await;
    for id in 0..20 {
        app.admin().post("/v0/events?name=hits", format!(r#"{{"id":{id}}}"#)).await;
    }
    let reply = app.admin().post("/v0/datasources/hits/truncate", "").await;
    assert_eq!((reply.status.as_u16(), reply.text.as_str()), (205, ""));
    assert_eq!(app.rows("hits").await, 0, "what was acknowledged before is gone, too");
    app.admin().append("hits", r#"{"id":1}"#).await;
    assert_eq!(app.rows("hits").await, 1);
    let error = app.admin().post("/v0/datasources/nothing/truncate", "").await.error(404);
    assert!(error.contains("nothing"), "{error}");
}

#[tokio::test]
async fn the_content_type_of_events_does_not_matter() {
    let app = TestApp::start(&project()).await;
    let types = [
        "application/x-ndjson",
        "application/json",
        "text/plain;charset=UTF-8",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "nonsense",
    ];
    for content_type in types {
        let request = app.admin().request(Method::POST, "/v0/events?name=hits&wait=true");
        let reply = send(request.header("content-type", content_type).body(r#"{"id":1}"#)).await;
        assert_eq!((reply.status.as_u16(), reply.counts()), (200, (1, 0)), "{content_type}");
    }
    // The client of these tests sends no content type of its own.
    assert_eq!(app.admin().append("hits", r#"{"id":1}"#).await, (1, 0));
    assert_eq!(app.rows("hits").await, types.len() as u64 + 1);
}

#[tokio::test]
async fn unknown_keys_of_the_address_are_passed_over() {
    let app = TestApp::start(&project()).await;
    let path = "/v0/events?from=mockingbird&name=hits&cli_version=5&__tb__client=x&nope&wait=true";
    assert_eq!(app.admin().post(path, r#"{"id":1}"#).await.status, 200);
}

#[tokio::test]
async fn a_missing_or_empty_name_is_explained() {
    let app = TestApp::start(&project()).await;
    for path in ["/v0/events", "/v0/events?name=", "/v0/events?Name=hits"] {
        let error = app.admin().post(path, r#"{"id":1}"#).await.error(400);
        assert!(error.contains("`name`") && error.contains("/v0/events?name="), "{error}");
    }
    let error = app.admin().post("/v0/events?name=hits&format=csv", "1").await.error(400);
    assert!(error.contains("`format`") && error.contains("csv") && error.contains("ndjson"), "{error}");
}

#[tokio::test]
async fn blank_lines_carriage_returns_and_a_missing_last_line_break_do_not_matter() {
    let app = TestApp::start(&project()).await;
    let body = "\r\n{\"id\":1}\r\n\n  \n{\"id\":2}\n\t{\"id\":3}";
    assert_eq!(app.admin().append("hits", body).await, (3, 0));
}

#[tokio::test]
async fn a_document_holds_one_event_or_an_array_of_them() {
    let app = TestApp::start(&project()).await;
    let path = "/v0/events?name=hits&wait=true&format=json";
    let pretty = serde_json::to_string_pretty(&json!({"id": 1, "page": "/a"})).unwrap();
    assert_eq!(app.admin().post(path, pretty).await.counts(), (1, 0));
    let pretty = serde_json::to_string_pretty(&json!([{"id": 2}, {"id": "x"}, {"id": 3}])).unwrap();
    assert_eq!(app.admin().post(path, pretty).await.counts(), (2, 1));
    let rows = app.query_engine("SELECT id, page FROM hits ORDER BY id").await;
    assert_eq!(
        rows,
        [json!({"id": 1, "page": "/a"}), json!({"id": 2, "page": "/"}), json!({"id": 3, "page": "/"})]
    );
}

#[tokio::test]
async fn literal_and_computed_defaults_fill_in_row_by_row() {
    let columns = [
        "id UInt64",
        "level UInt8 DEFAULT 3",
        "label String DEFAULT concat('user ', toString(id))",
        "twice UInt64 DEFAULT id * 2",
        "seen DateTime DEFAULT now()",
        "note Nullable(String)",
    ];
    let app = TestApp::start(&Project::default().data_source("hits", &columns)).await;
    let body = r#"{"id":1}
                  {"id":2,"level":9,"label":"own","twice":5,"seen":"2020-01-01 00:00:00","note":"n"}
                  {"id":3,"label":"own"}
                  {"id":4,"twice":null,"level":null,"note":null}
                  {"id":5,"seen":0}"#;
    assert_eq!(app.admin().append("hits", body).await, (5, 0));
    let sql = "SELECT id, level, label, twice, note, dateDiff('second', seen, now()) < 60 AS fresh FROM hits ORDER BY id";
    let expected = [
        json!({"id": 1, "level": 3, "label": "user 1", "twice": 2, "note": null, "fresh": 1}),
        json!({"id": 2, "level": 9, "label": "own", "twice": 5, "note": "n", "fresh": 0}),
        json!({"id": 3, "level": 3, "label": "own", "twice": 6, "note": null, "fresh": 1}),
        json!({"id": 4, "level": 3, "label": "user 4", "twice": 8, "note": null, "fresh": 1}),
        json!({"id": 5, "level": 3, "label": "user 5", "twice": 10, "note": null, "fresh": 0}),
    ];
    assert_eq!(app.query_engine(sql).await, expected);
}

#[tokio::test]
async fn timestamps_are_read_in_iso_and_plain_form() {
    let columns = ["id UInt64", "at DateTime", "exact DateTime64(6)", "day Date"];
    let app = TestApp::start(&Project::default().data_source("hits", &columns)).await;
    let body = r#"{"id":1,"at":"2026-11-23T10:30:00Z","exact":"2024-01-23T10:30:00.123456","day":"2026-11-23"}
                  {"id":2,"at":"2026-11-23 10:30:00","exact":"2024-01-23T10:30:00.123Z","day":"20261123"}
                  {"id":3,"at":"2026-11-23T12:30:00.999+02:00","exact":1706005800.5,"day":"2026-11-23"}
                  {"id":4,"at":1795429800,"exact":"2024-01-23 10:30:00","day":"2026-11-23"}"#;
    assert_eq!(app.admin().append("hits", body).await, (4, 0));
    let rows = app
        .query_engine(
            "SELECT toString(at) AS at, toString(exact) AS exact, toString(day) AS day FROM hits ORDER BY id",
        )
        .await;
    let row = |exact: &str| json!({"at": "2026-11-23 10:30:00", "exact": exact, "day": "2026-11-23"});
    let expected = ["10:30:00.123456", "10:30:00.123000", "10:30:00.500000", "10:30:00.000000"];
    assert_eq!(rows, expected.map(|time| row(&format!("2024-01-23 {time}"))));
}

#[tokio::test]
async fn what_is_no_text_becomes_its_json_text_in_a_string_column() {
    let app = TestApp::start(&project()).await;
    let body = r#"{"id":1,"page":{"a":[1,{"b":"ü"}]}}
                  {"id":2,"page":[1,2]}
                  {"id":3,"page":12.50}
                  {"id":4,"page":true}"#;
    assert_eq!(app.admin().append("hits", body).await, (4, 0));
    let rows = app.query_engine("SELECT page FROM hits ORDER BY id").await;
    let texts = [r#"{"a":[1,{"b":"ü"}]}"#, "[1,2]", "12.50", "true"];
    assert_eq!(rows, texts.map(|text| json!({"page": text})));
}

#[tokio::test]
async fn integers_may_come_as_texts_and_keep_every_digit() {
    let columns = ["id UInt64", "wide Int128"];
    let app = TestApp::start(&Project::default().data_source("hits", &columns)).await;
    let body = r#"{"id":18446744073709551615,"wide":"-170141183460469231731687303715884105728"}
                  {"id":"18446744073709551615","wide":170141183460469231731687303715884105727}"#;
    assert_eq!(app.admin().append("hits", body).await, (2, 0));
    let rows =
        app.query_engine("SELECT toString(id) AS id, toString(wide) AS wide FROM hits ORDER BY wide").await;
    assert_eq!(rows[0]["id"], "18446744073709551615");
    assert_eq!(rows[0]["wide"], "-170141183460469231731687303715884105728");
    assert_eq!(rows[1]["wide"], "170141183460469231731687303715884105727");
}

#[tokio::test]
async fn paths_reach_into_objects_and_arrays() {
    let text = "SCHEMA >\n    `id` UInt64 `json:$.meta.id`,\n    `tags` Array(String) `json:$.tags[:]`,\n    \
                `whole` String `json:$`\n\nENGINE MergeTree\nENGINE_SORTING_KEY id\n";
    let app = TestApp::start(&Project::default().with("datasources/deep.datasource", text)).await;
    let event = r#"{"meta":{"id":7,"x":1},"tags":["a","b"],"unknown":{"y":[]}}"#;
    assert_eq!(app.admin().append("deep", event).await, (1, 0));
    let rows = app.query_engine("SELECT * FROM deep").await;
    assert_eq!(rows, [json!({"id": 7, "tags": ["a", "b"], "whole": event})]);
}

#[tokio::test]
async fn a_row_of_many_partitions_and_types_goes_in_with_one_request() {
    let text = "SCHEMA >\n    `at` DateTime `json:$.at`,\n    `country` LowCardinality(String) `json:$.country`,\n    \
                `price` Decimal(9, 2) `json:$.price`,\n    `flag` Bool `json:$.flag`\n\nENGINE \"MergeTree\"\n\
                ENGINE_PARTITION_KEY \"toYYYYMM(at)\"\nENGINE_SORTING_KEY \"at, country\"\n";
    let app = TestApp::start(&Project::default().with("datasources/sales.datasource", text)).await;
    let line = |month: u32| {
        format!(r#"{{"at":"2000-01-01T00:00:00Z","country":"DE","price":"{month}.25","flag":true}}"#)
            .replace("2000-01", &format!("{}-{:02}", 2000 + month / 12, month % 12 + 1))
    };
    let body: Vec<String> = (0..150).map(line).collect();
    assert_eq!(app.admin().append("sales", body.join("\n")).await, (150, 0));
    let rows = app.query_engine("SELECT count() AS n, uniqExact(_partition_id) AS partitions, toString(sum(price)) AS price FROM sales").await;
    assert_eq!(rows, [json!({"n": 150, "partitions": 150, "price": "11212.5"})]);
}
