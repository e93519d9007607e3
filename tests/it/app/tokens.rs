//! Who may do what: the right token, another one, a broken one, none.

use crate::harness::{Project, TestApp, send};
use reqwest::Method;

const EVENTS: &str = "/v0/events?name=clickstream_events";
const PIPE: &str = "/v0/pipes/get_popular_pages.json";

async fn app() -> TestApp {
    TestApp::start(&Project::clickstream()).await
}

#[tokio::test]
async fn no_token_and_a_wrong_token_are_refused_with_the_way_out() {
    let app = app().await;
    let missing = app.anonymous().get(PIPE).await.error(403);
    assert!(missing.contains("Authorization: Bearer"), "{missing}");
    let wrong = app.anonymous().with_token("p.eyJ1Ijoi.wrong");
    for reply in [wrong.get(PIPE).await, wrong.post(EVENTS, "{}").await] {
        let error = reply.error(403);
        assert!(error.contains("roost token ls"), "{error}");
        assert!(!reply.text.contains("p.eyJ1Ijoi"), "the answer repeats the token: {error}");
    }
    assert_eq!(app.rows("clickstream_events").await, 0);
}

#[tokio::test]
async fn a_token_is_good_for_what_its_lines_say_and_nothing_else() {
    let app = app().await;
    let error = app.token("dashboard").post(EVENTS, "{}").await.error(403);
    assert!(
        error.contains("dashboard") && error.contains("DATASOURCES:APPEND:clickstream_events"),
        "{error}"
    );
    let error = app.token("browser").get(PIPE).await.error(403);
    assert!(error.contains("browser") && error.contains("PIPES:READ:get_popular_pages"), "{error}");
    assert_eq!(app.token("dashboard").get(PIPE).await.status, 200);
    assert_eq!(app.admin().get(PIPE).await.status, 200);
}

#[tokio::test]
async fn a_token_without_the_right_does_not_learn_what_exists() {
    let app = app().await;
    let there = app.token("browser").get(PIPE).await.error(403);
    let nowhere = app.token("browser").get("/v0/pipes/nope.json").await.error(403);
    assert_eq!(there.replace("get_popular_pages", "nope"), nowhere);
}

#[tokio::test]
async fn a_variable_that_the_shell_did_not_expand_is_recognised() {
    let app = app().await;
    for token in ["$TB_ADMIN_TOKEN", "${TB_ADMIN_TOKEN}", "$TOKEN"] {
        let error = app.anonymous().with_token(token).get(PIPE).await.error(403);
        assert!(error.contains("the shell variable was not expanded"), "{error}");
        let encoded: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
        let error = app.anonymous().get(&format!("{PIPE}?token={encoded}")).await.error(403);
        assert!(error.contains("the shell variable was not expanded"), "{error}");
    }
}

#[tokio::test]
async fn a_token_in_the_address_is_as_good_as_one_in_the_header() {
    let app = app().await;
    let token = app.token("dashboard").token().to_owned();
    assert_eq!(app.anonymous().get(&format!("{PIPE}?token={token}")).await.status, 200);
    let browser = app.token("browser").token().to_owned();
    let reply = app.anonymous().post(&format!("{EVENTS}&token={browser}"), "{}").await;
    assert_eq!(reply.counts(), (0, 1));
}

#[tokio::test]
async fn of_two_tokens_the_one_in_the_header_counts() {
    let app = app().await;
    let (good, bad) = (app.token("dashboard"), app.token("browser"));
    assert_eq!(good.get(&format!("{PIPE}?token={}", good.token())).await.status, 200);
    assert_eq!(good.get(&format!("{PIPE}?token={}", bad.token())).await.status, 200);
    bad.get(&format!("{PIPE}?token={}", good.token())).await.error(403);
}

#[tokio::test]
async fn a_header_of_another_scheme_leaves_the_word_to_the_address() {
    let app = app().await;
    let path = format!("{PIPE}?token={}", app.token("dashboard").token());
    let request = app.anonymous().request(Method::GET, &path).header("authorization", "Basic dTpw");
    assert_eq!(send(request).await.status, 200);
    let lower_case = format!("bearer {}", app.token("dashboard").token());
    let request = app.anonymous().request(Method::GET, PIPE).header("authorization", lower_case);
    assert_eq!(send(request).await.status, 200);
}
