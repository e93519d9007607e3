//! Events that do not fit: kept beside the table, with the reasons.

use serde_json::{Value, json};

use crate::harness::{Project, TestApp};

fn project() -> Project {
    Project::default()
        .data_source(
            "hits",
            &["id UInt32", "level Float32", "seen DateTime", "tags Array(String) DEFAULT []"],
        )
        .endpoint("refused", "SELECT c__error_column, c__error, id, level FROM hits_quarantine ORDER BY id")
}

#[tokio::test]
async fn bad_rows_go_to_quarantine_with_every_reason_and_the_good_ones_go_in() {
    let app = TestApp::start(&project()).await;
    let body = r#"{"id":1,"level":1.5,"seen":"2026-11-23 10:30:00"}
                  {"id":-1,"level":"","seen":"yesterday","tags":["a"]}
                  {"level":2,"seen":1795429800}
                  {"id":3,"level":2,"seen":1795429800}"#;
    assert_eq!(app.admin().append("hits", body).await, (2, 2));
    assert_eq!(app.rows("hits").await, 2);
    let sql = "SELECT * EXCEPT insertion_date, dateDiff('second', insertion_date, now()) < 60 AS fresh
               FROM hits_quarantine ORDER BY id NULLS LAST";
    let expected = [
        json!({
            "c__error_column": ["id", "level", "seen"],
            "c__error": [
                "value '-1' on column 'id' is not UInt32",
                "value '' on column 'level' is not Float32",
                "value 'yesterday' on column 'seen' is not DateTime",
            ],
            "c__import_id": null, "id": "-1", "level": "", "seen": "yesterday", "tags": "[\"a\"]", "fresh": 1,
        }),
        json!({
            "c__error_column": ["id"],
            "c__error": ["column 'id' has no value, is not Nullable and has no DEFAULT"],
            "c__import_id": null, "id": null, "level": "2", "seen": "1795429800", "tags": null, "fresh": 1,
        }),
    ];
    assert_eq!(app.query_engine(sql).await, expected);
}

#[tokio::test]
async fn the_quarantine_has_the_columns_of_tinybird_in_order() {
    let app = TestApp::start(&project()).await;
    let sql = "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = 'hits_quarantine' ORDER BY position";
    let columns = app.query_engine(sql).await;
    let columns: Vec<(&str, &str)> = columns
        .iter()
        .map(|column| (column["name"].as_str().unwrap(), column["type"].as_str().unwrap()))
        .collect();
    let expected = [
        ("c__error_column", "Array(String)"),
        ("c__error", "Array(String)"),
        ("c__import_id", "Nullable(String)"),
        ("id", "Nullable(String)"),
        ("level", "Nullable(String)"),
        ("seen", "Nullable(String)"),
        ("tags", "Nullable(String)"),
        ("insertion_date", "DateTime"),
    ];
    assert_eq!(columns, expected);
}

#[tokio::test]
async fn a_line_that_is_not_json_is_kept_beside_lines_that_are() {
    let app = TestApp::start(&project()).await;
    let body = "{\"id\":1,\"level\":1,\"seen\":0}\n{\"id\":2,\"lev\nnonsense\n[1]\n{\"id\":3,\"level\":1,\"seen\":0}";
    assert_eq!(app.admin().append("hits", body).await, (2, 3));
    let rows = app
        .query_engine("SELECT c__error_column AS c, c__error[1] AS e, id FROM hits_quarantine ORDER BY e")
        .await;
    assert!(rows.iter().all(|row| row["c"] == json!(["$"]) && row["id"] == Value::Null), "{rows:?}");
    let texts: Vec<&str> = rows.iter().map(|row| row["e"].as_str().unwrap()).collect();
    assert_eq!(texts[0], "event is JSON but not an object: [1]");
    assert!(
        texts[1].starts_with("event is not valid JSON") && texts[1].ends_with(": nonsense")
            || texts[2].ends_with(": nonsense"),
        "{texts:?}"
    );
}

#[tokio::test]
async fn a_pipe_reads_the_quarantine() {
    let app = TestApp::start(&project()).await;
    app.admin().append("hits", r#"{"id":"x","level":1,"seen":0}"#).await;
    let rows = app.admin().rows("refused").await;
    let reason = "value 'x' on column 'id' is not UInt32";
    assert_eq!(rows, [json!({"c__error_column": ["id"], "c__error": [reason], "id": "x", "level": "1"})]);
}

#[tokio::test]
async fn a_body_of_bad_rows_only_is_no_error() {
    let app = TestApp::start(&project()).await;
    let reply = app.admin().post("/v0/events?name=hits&wait=true", "{}\n{\"id\":1}").await;
    assert_eq!((reply.status.as_u16(), reply.counts()), (200, (0, 2)));
    assert_eq!((app.rows("hits").await, app.rows("hits_quarantine").await), (0, 2));
}

#[tokio::test]
async fn an_event_over_the_limits_of_an_event_is_quarantined_alone() {
    let app = TestApp::start(&project()).await;
    let long = format!(r#"{{"id":1,"level":1,"seen":0,"x":"{}"}}"#, "x".repeat(1_000_000));
    let deep = format!(r#"{{"id":2,"level":1,"seen":0,"x":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    let wide: Vec<String> = (0..2001).map(|key| format!("\"k{key}\":1")).collect();
    let body = format!("{long}\n{deep}\n{{{}}}\n{{\"id\":4,\"level\":1,\"seen\":0}}", wide.join(","));
    assert_eq!(app.admin().append("hits", body).await, (1, 3));
    let rows = app.query_engine("SELECT substring(c__error[1], 1, 80) AS e FROM hits_quarantine").await;
    let texts = rows.iter().map(|row| row["e"].as_str().unwrap()).collect::<Vec<_>>().join("\n");
    assert!(texts.contains("more than the 1000000 allowed"), "{texts}");
    assert!(texts.contains("nested more than 128 levels"), "{texts}");
    assert!(texts.contains("event has 2001 keys"), "{texts}");
}
