//! Many events: counted exactly, quarantined exactly, visible at once.

use std::collections::BTreeMap;

use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::{ApiClient, Project, TestApp, eventually};

const REQUESTS: u64 = 100;
const ROWS: u64 = 1_000;
const SENDERS: u64 = 16;
const USERS: u64 = 37;

fn project() -> Project {
    Project::default()
        .data_source("hits", &["id UInt64", "user String", "amount Int32"])
        .endpoint(
            "sums",
            "SELECT user, count() AS n, sum(amount) AS total FROM hits GROUP BY user ORDER BY user",
        )
        .endpoint("last", "SELECT max(id) AS id FROM hits WHERE user = {{ String(user) }}")
}

/// The user and the amount of an event, scattered.
fn user_and_amount(id: u64) -> (u64, i64) {
    let scattered = id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
    (scattered % USERS, i64::try_from(scattered % 2001).unwrap() - 1000)
}

/// Whether an event is one of the bad ones: one in a hundred, at odd places.
fn is_bad(id: u64) -> bool {
    id % 100 == (id / 100) % 100
}

fn good_line(id: u64) -> String {
    let (user, amount) = user_and_amount(id);
    format!("{{\"id\":{id},\"user\":\"user_{user:02}\",\"amount\":{amount}}}\n")
}

/// A bad event, in one of three ways, and the reason that its quarantine row must give.
fn bad_line(id: u64) -> (String, String) {
    match id % 3 {
        0 => {
            let line = format!("{{\"id\":{id},\"user\":\"u\",\"amount\":\"much {id}\"}}\n");
            (line, format!("value 'much {id}' on column 'amount' is not Int32"))
        }
        1 => {
            let line = format!("{{\"id\":{id},\"amount\":1}}\n");
            (line, "column 'user' has no value, is not Nullable and has no DEFAULT".to_owned())
        }
        _ => {
            let line = format!("{{\"id\":{id},\"user\":\"u\",\"amount\":3000000000}}\n");
            (line, "value '3000000000' on column 'amount' is not Int32".to_owned())
        }
    }
}

/// Posts all requests, sixteen at a time; the sums of the counts in the answers.
async fn post_all(browser: &ApiClient, line: fn(u64) -> String) -> (u64, u64) {
    let mut senders = JoinSet::new();
    for sender in 0..SENDERS {
        let browser = browser.clone();
        senders.spawn(async move {
            let mut sums = (0, 0);
            for request in (sender..REQUESTS).step_by(usize::try_from(SENDERS).unwrap()) {
                let body: String = (request * ROWS..(request + 1) * ROWS).map(line).collect();
                let (good, bad) = browser.post("/v0/events?name=hits", body).await.counts();
                sums = (sums.0 + good, sums.1 + bad);
            }
            sums
        });
    }
    senders.join_all().await.into_iter().fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1))
}

/// Waits until every acknowledged event is in one of its tables.
async fn delivered(app: &TestApp) {
    let all = async || {
        let rows = app.rows("hits").await + app.rows("hits_quarantine").await;
        (rows == REQUESTS * ROWS).then_some(())
    };
    eventually("the acknowledged events are in their tables", all).await;
}

/// What the endpoint `sums` must answer when exactly these events are stored.
fn expected_sums(ids: impl Iterator<Item = u64>) -> Vec<serde_json::Value> {
    let mut sums = BTreeMap::<u64, (u64, i64)>::new();
    for id in ids {
        let (user, amount) = user_and_amount(id);
        let sum = sums.entry(user).or_default();
        *sum = (sum.0 + 1, sum.1 + amount);
    }
    let row = |(user, (n, total))| json!({"user": format!("user_{user:02}"), "n": n, "total": total});
    sums.into_iter().map(row).collect()
}

#[tokio::test]
async fn a_hundred_thousand_events_come_back_exactly() {
    let app = TestApp::start(&project()).await;
    assert_eq!(post_all(&app.admin(), good_line).await, (REQUESTS * ROWS, 0));
    delivered(&app).await;
    assert_eq!(app.admin().rows("sums").await, expected_sums(0..REQUESTS * ROWS));
    assert_eq!(app.rows("hits_quarantine").await, 0);
}

#[tokio::test]
async fn of_a_hundred_thousand_events_exactly_the_bad_ones_are_quarantined() {
    let app = TestApp::start(&project()).await;
    let line = |id| if is_bad(id) { bad_line(id).0 } else { good_line(id) };
    let bad: Vec<u64> = (0..REQUESTS * ROWS).filter(|id| is_bad(*id)).collect();
    let count = bad.len() as u64;
    assert_eq!(post_all(&app.admin(), line).await, (REQUESTS * ROWS - count, count));
    delivered(&app).await;
    let good = (0..REQUESTS * ROWS).filter(|id| !is_bad(*id));
    assert_eq!(app.admin().rows("sums").await, expected_sums(good));
    let rows = app
        .query_engine("SELECT toUInt64(id) AS id, c__error AS why FROM hits_quarantine ORDER BY toUInt64(id)")
        .await;
    let expected: Vec<_> = bad.iter().map(|id| json!({"id": id, "why": [bad_line(*id).1]})).collect();
    assert_eq!(rows.len(), expected.len());
    assert!(
        rows == expected,
        "the first that differs: {:?}",
        rows.iter().zip(&expected).find(|(row, wanted)| row != wanted)
    );
}

/// Posts events one after the other and looks for each before the next.
async fn post_and_look(admin: ApiClient, lane: u64) {
    for id in 1..=100_u64 {
        let event = json!({"id": id, "user": format!("lane_{lane}"), "amount": 1});
        assert_eq!(admin.append("hits", event.to_string()).await, (1, 0));
        assert_eq!(admin.rows(&format!("last?user=lane_{lane}")).await, [json!({"id": id})]);
    }
}

#[tokio::test]
async fn each_of_a_thousand_awaited_events_is_visible_to_the_next_query() {
    let app = TestApp::start(&project()).await;
    let mut lanes = JoinSet::new();
    for lane in 0..10 {
        lanes.spawn(post_and_look(app.admin(), lane));
    }
    lanes.join_all().await;
    assert_eq!(app.rows("hits").await, 1_000);
}
