//! The tutorial from end to end: the repository's project, the article's event, its three
//! endpoints.

use serde_json::{Value, json};

use crate::harness::{Project, TestApp};

/// The event of the tutorial, as its tracker sends it.
fn event(event_type: &str) -> Value {
    json!({
        "event_id": "evt_1", "user_id": "user_742", "session_id": "sess_9f2", "event_type": event_type,
        "page_url": "/pricing", "page_title": "Pricing", "referrer": "https://www.example.com/",
        "timestamp": "2026-11-23T10:30:00Z", "device_type": "desktop", "browser": "Firefox",
        "properties": {"plan": "pro", "seats": 3},
    })
}

const EVENTS: &str = "/v0/events?name=clickstream_events";

#[tokio::test]
async fn the_journey_of_a_user_has_the_posted_event_in_the_envelope_of_tinybird() {
    let app = TestApp::start(&Project::clickstream()).await;
    let reply = app.token("browser").post(EVENTS, event("page_view").to_string()).await;
    assert_eq!((reply.status.as_u16(), reply.counts()), (202, (1, 0)));
    let other = json!({"user_id": "user_1", "timestamp": "2026-11-23 10:30:00"});
    let mut elsewhere = event("page_view");
    elsewhere.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    app.admin().append("clickstream_events", elsewhere.to_string()).await;

    let call = "/v0/pipes/get_user_journey.json?user_id=user_742\
                &start_date=2026-11-23%2000:00:00&end_date=2026-11-24%2000:00:00";
    let reply = app.token("dashboard").get(call).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.header("content-type"), "application/json");
    let answer = reply.json();
    let keys: Vec<&String> = answer.as_object().unwrap().keys().collect();
    assert!(
        ["meta", "data", "rows", "statistics"].iter().all(|key| keys.iter().any(|known| known == key)),
        "{keys:?}"
    );
    assert!(!keys.iter().any(|key| *key == "error"), "clients take its presence for a failure");
    assert_eq!(answer["meta"][0], json!({"name": "event_id", "type": "String"}));
    assert_eq!(answer["meta"][6], json!({"name": "timestamp", "type": "DateTime"}));
    let expected = json!({
        "event_id": "evt_1", "session_id": "sess_9f2", "event_type": "page_view", "page_url": "/pricing",
        "page_title": "Pricing", "referrer": "https://www.example.com/", "timestamp": "2026-11-23 10:30:00",
        "device_type": "desktop", "browser": "Firefox", "properties": r#"{"plan":"pro","seats":3}"#,
    });
    assert_eq!(answer["data"], json!([expected]));
    assert_eq!(answer["rows"], 1);
    let statistics = &answer["statistics"];
    assert!(statistics["elapsed"].is_f64() && statistics["rows_read"].is_u64(), "{statistics}");
    assert!(statistics["bytes_read"].is_u64(), "{statistics}");
}

#[tokio::test]
async fn the_materialized_view_counts_pages_by_day_while_events_come_in() {
    let app = TestApp::start(&Project::clickstream()).await;
    for _ in 0..3 {
        app.admin().append("clickstream_events", event("page_view").to_string()).await;
    }
    let sql = "SELECT day, page_url, countMerge(events) AS events, uniqMerge(users) AS users FROM daily_pages \
               GROUP BY day, page_url";
    let counted = json!({"day": "2026-11-23", "page_url": "/pricing", "events": 3, "users": 1});
    assert_eq!(app.query_engine(sql).await, [counted]);
}

#[tokio::test]
async fn dates_around_and_beside_the_event_decide_whether_the_journey_has_it() {
    let app = TestApp::start(&Project::clickstream()).await;
    app.admin().append("clickstream_events", event("page_view").to_string()).await;
    let steps = async |dates: &str| {
        app.admin().rows(&format!("get_user_journey?user_id=user_742{dates}")).await.len()
    };
    assert_eq!(steps("").await, 1);
    assert_eq!(steps("&start_date=2026-11-23%2010:30:00").await, 1);
    assert_eq!(steps("&start_date=2026-11-23%2010:30:01").await, 0);
    assert_eq!(steps("&end_date=2026-11-23%2010:29:59").await, 0);
    assert_eq!(steps("&end_date=2026-11-23%2010:30:00").await, 1);
}

#[tokio::test]
async fn a_session_shows_its_events_in_order() {
    let app = TestApp::start(&Project::clickstream()).await;
    let mut events = String::new();
    for (id, minute) in [("evt_b", 31), ("evt_a", 30), ("evt_c", 32)] {
        let mut one = event("page_view");
        one["event_id"] = id.into();
        one["timestamp"] = format!("2026-11-23 10:{minute}:00").into();
        events.push_str(&one.to_string());
        events.push('\n');
    }
    assert_eq!(app.token("browser").append("clickstream_events", events).await, (3, 0));
    let rows = app.token("dashboard").rows("get_session_events?session_id=sess_9f2&limit=2").await;
    let ids: Vec<&Value> = rows.iter().map(|row| &row["event_id"]).collect();
    assert_eq!(ids, ["evt_a", "evt_b"]);
}

#[tokio::test]
async fn popular_pages_count_the_event_type_of_the_tutorials_endpoint_only() {
    let app = TestApp::start(&Project::clickstream()).await;
    app.admin().append("clickstream_events", event("page_view").to_string()).await;
    let reply = app.token("dashboard").get("/v0/pipes/get_popular_pages.json").await;
    assert_eq!((reply.status.as_u16(), &reply.json()["data"]), (200, &json!([])));
    app.admin().append("clickstream_events", event("pageview").to_string()).await;
    let rows = app.token("dashboard").rows("get_popular_pages?device_type=desktop&limit=5").await;
    let page = json!({"page_url": "/pricing", "title": "Pricing", "views": 1, "users": 1, "sessions": 1});
    assert_eq!(rows, [page]);
    assert!(app.token("dashboard").rows("get_popular_pages?device_type=mobile").await.is_empty());
}

#[tokio::test]
async fn a_limit_that_is_no_number_is_refused_with_the_value_and_the_type() {
    let app = TestApp::start(&Project::clickstream()).await;
    for pipe in [
        "get_user_journey.json?user_id=u",
        "get_session_events.csv?session_id=s",
        "get_popular_pages.ndjson?",
    ] {
        let reply = app.token("dashboard").get(&format!("/v0/pipes/{pipe}&limit=abc")).await;
        let error = reply.error(400);
        assert!(error.contains("abc") && error.contains("Int32"), "{error}");
    }
}

#[tokio::test]
async fn a_required_parameter_that_is_missing_is_named() {
    let app = TestApp::start(&Project::clickstream()).await;
    let error = app.token("dashboard").get("/v0/pipes/get_user_journey.json").await.error(400);
    assert!(error.contains("Required parameter is not defined") && error.contains("user_id"), "{error}");
}

#[tokio::test]
async fn what_is_not_there_is_named_in_the_words_of_tinybird() {
    let app = TestApp::start(&Project::clickstream()).await;
    let error = app.admin().get("/v0/pipes/nope.json").await.error(404);
    assert_eq!(error, "The pipe 'nope' does not exist");
    let error = app.admin().get("/v0/pipes/nope").await.error(404);
    assert_eq!(error, "Pipe 'nope' not found");
    let error = app.admin().post("/v0/events?name=nope", "{}").await.error(404);
    assert_eq!(error, r#"Data Source "nope" does not exist"#);
    let error = app.admin().get("/v0/pipes/get_popular_pages.xlsx").await.error(404);
    assert!(error.contains("xlsx") && error.contains(".csv"), "{error}");
}
