//! JWTs: signed with the admin token's text or made over the API, good for a while.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{ApiClient, FAR_FUTURE, Project, TestApp, jwt, send, sign, workspace_of};

const COUNT: &str = "/v0/pipes/count_hits.json";

fn project() -> Project {
    Project::default()
        .data_source("hits", &["id UInt64", "tenant String"])
        .endpoint("count_hits", "SELECT count() AS n FROM hits")
        .endpoint(
            "of_tenant",
            "SELECT {{String(tenant, 'none')}} AS tenant, {{Int32(top, 0)}} AS top, \
             {% if defined(flag) and flag %} 1 {% else %} 0 {% end %} AS flag",
        )
}

async fn app() -> TestApp {
    let app = TestApp::start(&project()).await;
    app.admin()
        .append(
            "hits",
            "{\"id\":1,\"tenant\":\"a\"}\n{\"id\":2,\"tenant\":\"b\"}\n{\"id\":3,\"tenant\":\"b\"}",
        )
        .await;
    app
}

fn reads(pipe: &str) -> Value {
    json!([{ "type": "PIPES:READ", "resource": pipe }])
}

/// A caller with a JWT signed by a front end.
fn front_end(app: &TestApp, scopes: &Value, further: &Value) -> ApiClient {
    app.anonymous().with_token(&jwt(app.admin().token(), scopes, further))
}

#[tokio::test]
async fn a_jwt_signed_in_a_browser_counts_in_the_header_and_in_the_address() {
    let app = app().await;
    let client = front_end(&app, &reads("count_hits"), &json!({ "iat": 1_700_000_000, "extra": { "a": 1 } }));
    assert_eq!(client.rows("count_hits").await[0]["n"], 3);
    let in_address = format!("{COUNT}?token={}", client.token());
    assert_eq!(app.anonymous().get(&in_address).await.status, 200);
    let error = client.get("/v0/pipes/of_tenant.json").await.error(403);
    assert_eq!(
        error,
        "the token `frontend_jwt` may not read the pipe `of_tenant`: it needs the scope `PIPES:READ:of_tenant`"
    );
    let nowhere = client.get("/v0/pipes/nope.json").await.error(403);
    assert_eq!(nowhere, error.replace("of_tenant", "nope"), "it does not learn what exists");
}

#[tokio::test]
async fn the_api_makes_jwts_as_the_command_line_and_the_sdks_ask_for_them() {
    let app = app().await;
    let scopes = reads("count_hits");
    let requests = [
        // The command line: name and time in the query, JSON without a content type.
        (format!("/v0/tokens?name=cli&expiration_time={FAR_FUTURE}"), json!({ "scopes": scopes })),
        // The SDKs: a trailing slash, and the name in the body.
        (
            format!("/v0/tokens/?expiration_time={FAR_FUTURE}&from=ts-sdk"),
            json!({ "name": "sdk", "scopes": scopes, "limits": { "rps": 100 } }),
        ),
    ];
    for (path, body) in requests {
        let reply = app.admin().post(&path, body.to_string()).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let token = reply.json()["token"].as_str().unwrap().to_owned();
        assert!(token.starts_with("eyJ") && reply.json().get("error").is_none());
        assert_eq!(app.anonymous().with_token(&token).get(COUNT).await.status, 200);
    }
    let names: Vec<Value> = app.admin().get("/v0/tokens").await.json()["tokens"].as_array().unwrap().clone();
    assert_eq!(names.len(), 1, "JWTs are kept nowhere: {names:?}");
}

#[tokio::test]
async fn a_jwt_that_cannot_be_made_says_why() {
    let app = app().await;
    let good = json!({ "name": "x", "expiration_time": FAR_FUTURE, "scopes": reads("count_hits") });
    for (change, reason) in [
        (json!({ "expiration_time": 1 }), "a moment to come"),
        (json!({ "expiration_time": "soon" }), "a moment to come"),
        (json!({ "name": "" }), "`name` is missing"),
        (json!({ "name": null }), "`name` is missing"),
        (json!({ "scopes": null }), "`scopes` is a list"),
        (
            json!({ "scopes": [{ "type": "ADMIN" }] }),
            "PIPES:READ, DATASOURCES:READ and DATASOURCES:APPEND only",
        ),
        (json!({ "scopes": [{ "type": "PIPES:READ" }] }), "needs a resource"),
        (json!({ "limits": { "rps": 0 } }), "`rps`"),
        (
            json!({ "scopes": [{ "type": "DATASOURCES:READ", "resource": "hits", "filter": "1) OR (1" }] }),
            "filter",
        ),
    ] {
        let mut body = good.clone();
        for (key, value) in change.as_object().unwrap() {
            body[key] = value.clone();
        }
        let error = app.admin().post("/v0/tokens", body.to_string()).await.error(400);
        assert!(error.contains(reason), "{change}: {error}");
    }
    let reader = front_end(&app, &reads("count_hits"), &json!({}));
    reader.post("/v0/tokens", good.to_string()).await.error(403);
}

#[tokio::test]
async fn whatever_is_wrong_with_a_jwt_is_a_403_that_helps() {
    let app = app().await;
    let key = app.admin().token().to_owned();
    let claims = |claims: Value| jwt(&key, &reads("count_hits"), &claims);
    let payload = json!({ "workspace_id": workspace_of(&key), "name": "x", "exp": FAR_FUTURE, "scopes": reads("count_hits") });
    let good = claims(json!({}));
    for (token, reason) in [
        (claims(json!({ "exp": 1_000_000_000 })), "expired"),
        (claims(json!({ "exp": "4000000000" })), "`exp` is a number"),
        (claims(json!({ "nbf": FAR_FUTURE - 1 })), "`nbf` lies in the future"),
        (claims(json!({ "workspace_id": uuid::Uuid::nil() })), "workspace not found"),
        (sign("another key", r#"{"alg":"HS256"}"#, &payload.to_string()), "signature verification failed"),
        (sign(&key, r#"{"alg":"none"}"#, &payload.to_string()), "HS256"),
        (
            sign(&key, r#"{"alg":"HS256"}"#, &payload.to_string().replacen('{', r#"{"name":"y","#, 1)),
            "comes twice",
        ),
        (format!("{good}.x"), "invalid token"),
        (good[..good.len() - 1].to_owned(), "invalid token"),
        (claims(json!({ "pad": "x".repeat(9_000) })), "8192 bytes"),
        (claims(json!({ "scopes": [{ "type": "TOKENS" }] })), "only"),
    ] {
        let error = app.anonymous().with_token(&token).get(COUNT).await.error(403);
        assert!(error.contains(reason), "{reason}: {error}");
        assert!(!error.contains(&token) && !error.contains(&key));
    }
}

#[tokio::test]
async fn a_fixed_parameter_cannot_be_replaced_in_any_way() {
    let app = app().await;
    let fixed = json!([{ "type": "PIPES:READ", "resource": "of_tenant", "fixed_params": { "tenant": "acme", "top": 7, "flag": true } }]);
    let client = front_end(&app, &fixed, &json!({}));
    let expected = json!({ "tenant": "acme", "top": 7, "flag": 1 });
    let path = "/v0/pipes/of_tenant.json";
    for query in [
        "",
        "tenant=evil",
        "tenant=evil&tenant=worse",
        "tenant[]=evil&top[]=1",
        "tenant%5B%5D=evil",
        "Tenant=evil&TENANT=evil&Top=1&FLAG=0",
        "tenant=&top=&flag=",
        "%74enant=evil",
        "tenant%00=evil&+tenant=evil&tenant+=evil",
        "q=SELECT+*+FROM+of_tenant&tenant=evil&top=1",
        "q=%25+SELECT+{{String(tenant)}}+AS+tenant,+top,+flag+FROM+_&tenant=evil",
        "q=SELECT%20*%20FROM%20_&template_parameters=%7B%22tenant%22:%22evil%22%7D&top=1&flag=false",
    ] {
        let reply = client.get(&format!("{path}?{query}")).await;
        assert_eq!(reply.status, 200, "{query}: {}", reply.text);
        assert_eq!(reply.json()["data"][0], expected, "{query}");
        let form =
            client.request(Method::POST, path).header("content-type", "application/x-www-form-urlencoded");
        assert_eq!(send(form.body(query)).await.json()["data"][0], expected, "a form with {query}");
    }
    for body in [
        json!({ "tenant": "evil", "top": 1, "flag": false }),
        json!({ "tenant": ["evil"], "top": [1] }),
        json!({ "tenant": null, "top": null, "flag": null }),
        json!({ "Tenant": "evil", "tenant[]": "evil", "tenant": { "a": 1 } }),
    ] {
        let request = client.request(Method::POST, &format!("{path}?tenant=evil")).json(&body);
        assert_eq!(send(request).await.json()["data"][0], expected, "{body}");
    }
    let twice = client.request(Method::POST, path).header("content-type", "application/json");
    let twice = send(twice.body(r#"{"tenant":"evil","tenant":"worse"}"#)).await;
    assert_eq!(twice.json()["data"][0], expected);
    let free = front_end(&app, &reads("of_tenant"), &json!({}));
    assert_eq!(free.rows("of_tenant?tenant=x&top=2").await[0], json!({ "tenant": "x", "top": 2, "flag": 0 }));
}

#[tokio::test]
async fn a_filter_of_a_jwt_holds_inside_pipes() {
    let app = app().await;
    let scopes = |filter: &str| {
        json!([
            { "type": "PIPES:READ", "resource": "count_hits" },
            { "type": "DATASOURCES:READ", "resource": "hits", "filter": filter },
        ])
    };
    for (filter, rows) in [("tenant = 'b'", 2), ("tenant = 'a'", 1), ("tenant = 'nobody'", 0), ("1", 3)] {
        assert_eq!(
            front_end(&app, &scopes(filter), &json!({})).rows("count_hits").await[0]["n"],
            rows,
            "{filter}"
        );
    }
    for filter in ["1) OR (1", "", "tenant IN (SELECT tenant FROM hits)", "other_column = 1"] {
        front_end(&app, &scopes(filter), &json!({})).get(COUNT).await.error(403);
    }
}

#[tokio::test]
async fn a_jwt_appends_to_its_data_source() {
    let app = app().await;
    let scopes = json!([{ "type": "DATASOURCES:APPEND", "resource": "hits" }]);
    let client = front_end(&app, &scopes, &json!({}));
    assert_eq!(client.append("hits", r#"{"id":4,"tenant":"c"}"#).await, (1, 0));
    client.get(COUNT).await.error(403);
}

#[tokio::test]
async fn requests_beyond_the_limit_of_a_name_are_told_when_to_come_back() {
    let app = app().await;
    let limited =
        |name: &str| front_end(&app, &reads("count_hits"), &json!({ "name": name, "limits": { "rps": 2 } }));
    let (first, same_name, other_name) = (limited("a"), limited("a"), limited("b"));
    let requests = (0..30)
        .map(|number| if number % 2 == 0 { &first } else { &same_name })
        .map(|client| client.get(COUNT));
    let replies = futures_util::future::join_all(requests).await;
    let refused: Vec<_> = replies.iter().filter(|reply| reply.status == 429).collect();
    let passed = replies.iter().filter(|reply| reply.status == 200).count();
    assert!(passed >= 2 && passed + refused.len() == 30 && refused.len() >= 10, "{passed} passed");
    for reply in refused {
        let error = reply.error(429);
        assert!(error.contains("2 times a second"), "{error}");
        let headers = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after"];
        assert_eq!(headers.map(|name| reply.header(name)), ["2", "0", "1", "1"]);
    }
    let other = other_name.get(COUNT).await;
    assert_eq!((other.status.as_u16(), other.header("x-ratelimit-limit")), (200, ""), "all headers or none");
}

#[tokio::test]
async fn a_refresh_of_the_admin_token_ends_all_jwts() {
    let app = app().await;
    let old = app.admin();
    let client = front_end(&app, &reads("count_hits"), &json!({}));
    assert_eq!(client.get(COUNT).await.status, 200);
    let fresh = old.post("/v0/tokens/workspace%20admin%20token/refresh", "").await.json();
    let error = client.get(COUNT).await.error(403);
    assert!(error.contains("signature verification failed"), "{error}");
    let fresh = fresh["token"].as_str().unwrap();
    let again = app.anonymous().with_token(&jwt(fresh, &reads("count_hits"), &json!({})));
    assert_eq!(again.get(COUNT).await.status, 200);
}

#[tokio::test]
async fn an_error_of_the_engine_does_not_tell_the_filter() {
    let app = app().await;
    for filter in [
        "id = 'canary'",
        "throwIf(id > 0, 'canary')",
        "toUInt64(concat('canary', tenant)) = 1",
        "nothing('canary')",
    ] {
        let scopes = json!([
            { "type": "PIPES:READ", "resource": "count_hits" },
            { "type": "DATASOURCES:READ", "resource": "hits", "filter": filter },
        ]);
        let reply = front_end(&app, &scopes, &json!({})).get(COUNT).await;
        assert!(reply.status.as_u16() >= 400 && !reply.text.contains("canary"), "{}", reply.text);
        reply.error(reply.status.as_u16());
    }
}
