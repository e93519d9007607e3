//! Parameters of endpoints: from the address, a form, a JSON body, repeated, in lists.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Project, Reply, TestApp, send};

const ECHO: &str = "SELECT {{ String(name, 'nobody') }} AS name, {{ Int32(limit, 10) }} AS limit,
                    {{ Array(ids, 'Int32', default='0') }} AS ids, {{ Array(tags, 'String', default='none') }} AS tags";

async fn app() -> TestApp {
    TestApp::start(&Project::default().endpoint("echo", ECHO)).await
}

/// The only row of an answer.
fn row(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()["data"][0].clone()
}

async fn post(app: &TestApp, query: &str, content_type: &str, body: &str) -> Reply {
    let request = app.admin().request(Method::POST, &format!("/v0/pipes/echo.json{query}"));
    send(request.header("content-type", content_type).body(body.to_owned())).await
}

#[tokio::test]
async fn values_come_from_the_address_and_defaults_from_the_template() {
    let app = app().await;
    let defaults = json!({"name": "nobody", "limit": 10, "ids": [0], "tags": ["none"]});
    assert_eq!(app.admin().rows("echo").await, [defaults]);
    let given = app.admin().rows("echo?name=Zo%C3%AB%20%27%22%5C%2B&limit=-3").await;
    assert_eq!(given[0]["name"], r#"Zoë '"\+"#);
    assert_eq!(given[0]["limit"], -3);
}

#[tokio::test]
async fn unknown_keys_of_clients_are_passed_over() {
    let app = app().await;
    let keys = "from=cli&cli_version=5.0.2%20(rev%20abc)&__tb__client=mcp&release_replacements=true&debug=blocks\
                &query_id=x&tag=y&explain=false&finalize_aggregations=0&nope=1";
    assert_eq!(app.admin().rows(&format!("echo?{keys}&limit=4")).await[0]["limit"], 4);
}

#[tokio::test]
async fn an_array_takes_a_comma_list_and_a_repeated_key() {
    let app = app().await;
    for query in ["ids=1,2,3&tags=a,b", "ids=1&ids=2&ids=3&tags=a&tags=b", "ids=1%2C2%2C3&tags=a%2Cb"] {
        let row = &app.admin().rows(&format!("echo?{query}")).await[0];
        assert_eq!((&row["ids"], &row["tags"]), (&json!([1, 2, 3]), &json!(["a", "b"])), "{query}");
    }
    let error = app.admin().get("/v0/pipes/echo.json?ids=1,x").await.error(400);
    assert!(error.contains("[1,x][1]") && error.contains("Int32"), "{error}");
}

#[tokio::test]
async fn a_form_body_is_joined_with_the_address_and_wins() {
    let app = app().await;
    let form = "application/x-www-form-urlencoded";
    let reply = post(&app, "?name=address&limit=1", form, "limit=2&ids=5&ids=6").await;
    assert_eq!(row(&reply), json!({"name": "address", "limit": 2, "ids": [5, 6], "tags": ["none"]}));
    let reply = post(&app, "", &format!("{form}; charset=utf-8"), "name=a+b%26c").await;
    assert_eq!(row(&reply)["name"], "a b&c");
    assert_eq!(row(&post(&app, "?limit=7", form, "").await)["limit"], 7);
}

#[tokio::test]
async fn a_json_body_is_joined_with_the_address_and_wins() {
    let app = app().await;
    let body = json!({"limit": 2, "ids": [5, 6], "name": "it's"}).to_string();
    let reply = post(&app, "?name=address&limit=1&tags=x", "application/json", &body).await;
    assert_eq!(row(&reply), json!({"name": "it's", "limit": 2, "ids": [5, 6], "tags": ["x"]}));
    let reply = post(&app, "", "application/json; charset=utf-8", r#"{"limit":"8"}"#).await;
    assert_eq!(row(&reply)["limit"], 8);
}

#[tokio::test]
async fn a_json_body_that_is_no_object_is_refused() {
    let app = app().await;
    for body in ["{", "[1]", "\"x\"", "{\"limit\":1"] {
        let error = post(&app, "", "application/json", body).await.error(400);
        assert!(error.contains("JSON"), "{body}: {error}");
    }
}

#[tokio::test]
async fn a_parameter_of_a_megabyte_fits_into_a_post() {
    let app = app().await;
    let name = "x".repeat(1_000_000);
    let reply = post(&app, "", "application/x-www-form-urlencoded", &format!("name={name}")).await;
    assert_eq!(row(&reply)["name"].as_str().map(str::len), Some(1_000_000));
}

#[tokio::test]
async fn a_text_that_reads_like_sql_stays_a_text() {
    let app = app().await;
    let attacks =
        [r"'; DROP TABLE x; --", r"\'", r"\", "' OR 1=1", "{{ 1 }}", "{x:Int8}", "??", "\u{0}", "`", "/*"];
    for attack in attacks {
        let encoded: String = form_urlencoded::byte_serialize(attack.as_bytes()).collect();
        assert_eq!(app.admin().rows(&format!("echo?name={encoded}")).await[0]["name"], attack);
    }
}
