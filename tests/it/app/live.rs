//! Live answers: told at once, and again when they are other ones.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::Value;

use super::metrics::value;
use crate::harness::{ApiClient, Home, Project, TestApp, eventually};

const COUNT: &str = "/v0/pipes/count_hits.json";
/// Time in which nothing more would come if nothing more is to come.
const SILENCE: Duration = Duration::from_millis(700);
const SETTINGS: &str = "query.live_interval_milliseconds = 200";

fn project() -> Project {
    Project::default()
        .data_source("hits", &["id UInt64"])
        .data_source("others", &["id UInt64"])
        .endpoint("count_hits", "SELECT count() AS n FROM hits")
        .endpoint("parity", "SELECT count() % 2 AS n FROM hits")
        .endpoint("moment", "SELECT count() AS n, now64(9) AS at FROM hits")
        .endpoint("large", "SELECT number, repeat('x', 100) AS filler FROM numbers(20000)")
}

/// A caller who listens.
struct Listening {
    response: reqwest::Response,
    text: String,
}

/// What a listener is told.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    kind: String,
    id: String,
    data: String,
}

impl Listening {
    async fn to(client: &ApiClient, path: &str) -> Self {
        Self::from(client, path, "").await
    }

    /// Listens as one who has heard an answer before.
    async fn from(client: &ApiClient, path: &str, heard: &str) -> Self {
        let request = client.request(Method::GET, path).header("accept", "text/event-stream");
        let response = request.header("last-event-id", heard).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self { response, text: String::new() }
    }

    /// The next event; `None` at the end.
    async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (told(event), rest.to_owned());
                self.text = rest;
                return Some(event);
            }
            let piece = self.response.chunk().await.unwrap()?;
            self.text.push_str(std::str::from_utf8(&piece).unwrap());
        }
    }

    async fn number(&mut self) -> u64 {
        let told = self.next().await.expect("an answer");
        let answer: Value =
            serde_json::from_str(&told.data).unwrap_or_else(|error| panic!("{error}: {told:?}"));
        answer["data"][0]["n"].as_u64().unwrap()
    }

    async fn hears_nothing(&mut self) {
        if let Ok(told) = tokio::time::timeout(SILENCE, self.next()).await {
            panic!("heard {told:?}");
        }
    }
}

fn told(event: &str) -> Told {
    let all = |field: &str| {
        let lines = event.lines().filter_map(|line| line.strip_prefix(field)?.strip_prefix(": "));
        lines.collect::<Vec<_>>().join("\n")
    };
    Told { kind: all("event"), id: all("id"), data: all("data") }
}

#[tokio::test]
async fn a_listener_is_told_each_answer_once() {
    let app = Home::with_settings(SETTINGS).start(&project()).await;
    let admin = app.admin();
    let mut count = Listening::to(&admin, COUNT).await;
    let mut parity = Listening::to(&admin, "/v0/pipes/parity.json").await;
    assert_eq!((count.number().await, parity.number().await), (0, 0));
    admin.append("others", "{\"id\":1}").await;
    count.hears_nothing().await;
    admin.append("hits", "{\"id\":1}").await;
    assert_eq!((count.number().await, parity.number().await), (1, 1));
    admin.append("hits", "{\"id\":2}\n{\"id\":3}").await;
    assert_eq!(count.number().await, 3);
    parity.hears_nothing().await;
    assert_eq!(value(&admin, "roost_query_listeners").await.as_deref(), Some("2"));
    drop((count, parity));
    let are_gone = async || (value(&admin, "roost_query_listeners").await? == "0").then_some(());
    eventually("the places of listeners are free", are_gone).await;
}

#[tokio::test]
async fn a_listener_that_comes_back_is_told_what_it_missed() {
    let app = Home::with_settings(SETTINGS).start(&project()).await;
    let admin = app.admin();
    let heard = Listening::to(&admin, COUNT).await.next().await.unwrap().id;
    assert_eq!(heard.len(), 32, "{heard}");
    Listening::from(&admin, COUNT, &heard).await.hears_nothing().await;
    admin.append("hits", "{\"id\":1}").await;
    assert_eq!(Listening::from(&admin, COUNT, &heard).await.number().await, 1);
}

#[tokio::test]
async fn answers_come_no_faster_than_the_interval_and_the_last_is_among_them() {
    let app = Home::with_settings("query.live_interval_milliseconds = 500").start(&project()).await;
    let admin = app.admin();
    let mut count = Listening::to(&admin, COUNT).await;
    assert_eq!(count.number().await, 0);
    let began = Instant::now();
    let mut answers = 0_u32;
    let writes = async {
        for id in 0..30 {
            admin.append("hits", format!("{{\"id\":{id}}}")).await;
        }
    };
    let hears = async {
        while count.number().await < 30 {
            answers += 1;
        }
    };
    tokio::join!(writes, hears);
    let intervals = began.elapsed().as_millis() / 500;
    assert!(u128::from(answers) <= intervals + 1, "{answers} answers in {intervals} intervals");
}

#[tokio::test]
async fn many_listeners_cost_one_query_for_each_change() {
    let app = Home::with_settings(SETTINGS).start(&project()).await;
    let admin = app.admin();
    for pipe in ["count_hits", "moment"] {
        let path = format!("/v0/pipes/{pipe}.json");
        let mut listeners =
            futures_util::future::join_all((0..60).map(|_| Listening::to(&admin, &path))).await;
        let all = async |listeners: &mut Vec<Listening>| {
            futures_util::future::join_all(listeners.iter_mut().map(Listening::number)).await
        };
        let first = all(&mut listeners).await[0];
        let misses = async || {
            let misses = value(&admin, "roost_query_answers_total{origin=\"miss\"}").await;
            misses.unwrap().parse::<u64>().unwrap()
        };
        let before = misses().await;
        for more in 1..=3 {
            admin.append("hits", "{\"id\":1}").await;
            assert!(all(&mut listeners).await.into_iter().all(|number| number == first + more));
        }
        assert_eq!(misses().await - before, 3, "{pipe}");
    }
}

#[tokio::test]
async fn what_listeners_share_for_a_moment_is_not_kept_for_others() {
    let app = Home::with_settings("query.live_interval_milliseconds = 60000").start(&project()).await;
    let admin = app.admin();
    let mut moment = Listening::to(&admin, "/v0/pipes/moment.json").await;
    let heard = moment.next().await.unwrap().data;
    let asked = admin.get("/v0/pipes/moment.json").await;
    assert_eq!(asked.header("x-cache"), "miss");
    assert_ne!(asked.text.trim_end(), heard, "the clock went on");
}

#[tokio::test]
async fn a_token_that_is_taken_away_ends_what_it_hears() {
    let app = Home::with_settings(SETTINGS).start(&project()).await;
    let admin = app.admin();
    let made = admin.post("/v0/tokens?name=dashboard&scope=PIPES:READ:count_hits", "").await.json();
    let client = app.anonymous().with_token(made["token"].as_str().unwrap());
    let mut count = Listening::to(&client, COUNT).await;
    assert_eq!(count.number().await, 0);
    assert_eq!(admin.delete("/v0/tokens/dashboard").await.status, 200);
    admin.append("hits", "{\"id\":1}").await;
    let told = count.next().await.unwrap();
    assert_eq!(told.kind, "error");
    assert!(told.data.contains("invalid token") && !told.data.contains("\"n\""), "{told:?}");
    assert_eq!(count.next().await, None);
}

#[tokio::test]
async fn what_is_wrong_with_the_call_is_said_at_once() {
    let app = Home::with_settings("query.max_listeners = 1").start(&project()).await;
    let admin = app.admin();
    let refusal = async |client: &ApiClient, path: &str, status| {
        let request = client.request(Method::GET, path).header("accept", "text/event-stream");
        crate::harness::send(request).await.error(status)
    };
    refusal(app.anonymous(), COUNT, 403).await;
    refusal(&admin, "/v0/pipes/nothing.json", 404).await;
    assert!(refusal(&admin, "/v0/pipes/count_hits.csv", 406).await.contains(".json"));
    assert!(refusal(&admin, "/v0/pipes/large.json", 406).await.contains("a megabyte"));
    let _count = Listening::to(&admin, COUNT).await;
    assert!(refusal(&admin, COUNT, 429).await.contains("query.max_listeners"));
    assert_eq!(admin.get(COUNT).await.status, 200, "others go on");
}

#[tokio::test]
async fn a_server_that_stops_lets_its_listeners_go() {
    let app = TestApp::start(&project()).await;
    let mut count = Listening::to(&app.admin(), COUNT).await;
    assert_eq!(count.number().await, 0);
    let began = Instant::now();
    let stopped = tokio::task::spawn_blocking(move || drop(app));
    assert_eq!(count.next().await, None);
    stopped.await.unwrap();
    // It would have five seconds for requests that go on.
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}
