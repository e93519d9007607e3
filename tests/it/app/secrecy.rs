//! No line of the log, no error and no argument of a process holds a token or a row filter.

use futures_util::{StreamExt, stream};
use reqwest::{Method, RequestBuilder};
use rustix::process::Signal;
use serde_json::json;

use crate::harness::{Project, ServerFolder, ServerProcess, jwt, send, sign};

#[tokio::test]
async fn no_line_of_the_log_holds_a_token() {
    let folder = ServerFolder::new(&Project::clickstream()).with_variable("ROOST__LOG__LEVEL", "debug");
    let mut server = folder.start().await;
    let tokens = server.folder().tokens();
    let texts: Vec<String> = tokens.iter().map(|line| line.last().unwrap().clone()).collect();
    assert_eq!(texts.len(), 3, "{tokens:?}");
    let invalid = ["p.eyJpbnZhbGlkIjoxfQ.c2lnbmF0dXJl".to_owned(), "wrong_token_0123456789".to_owned()];
    let anybody = server.anonymous();
    let paths =
        ["/v0/pipes/get_popular_pages.json", "/v0/pipes/nope.csv", "/v0/events", "/nowhere", "/v1/deploy"];
    for token in texts.iter().chain(&invalid) {
        for path in paths {
            for method in [Method::GET, Method::POST] {
                let address = format!("{path}?name=clickstream_events&limit=x&token={token}");
                send(anybody.request(method.clone(), &address).body("{}")).await;
                send(anybody.with_token(token).request(method, path).body(format!("token={token}"))).await;
            }
        }
        let odd = anybody.request(Method::GET, paths[0]).header("authorization", format!("Basic {token}"));
        send(odd.header("x-request-id", "a-request-to-be-found")).await;
    }
    let engine = server.engine().await;
    engine.kill();
    let away = format!("/v0/events?name=clickstream_events&token={}", texts[0]);
    server.anonymous().post(&away, "{}").await;
    server.signal(Signal::TERM);
    let (_, output) = server.ended().await;
    assert!(output.contains("a-request-to-be-found"), "requests are logged at this level:\n{output}");
    for token in texts.iter().chain(&invalid) {
        assert!(!output.contains(token.as_str()), "the log holds a token:\n{output}");
        // The last part of a token is the secret one.
        let secret = token.rsplit('.').next().unwrap();
        assert!(!output.contains(secret), "the log holds the secret part of a token:\n{output}");
    }
}

/// A word that stands in row filters and nowhere else.
const IN_FILTERS: &str = "canary_of_filters";
const REQUESTS: usize = 10_000;

fn filtered_project() -> Project {
    Project::default()
        .data_source("hits", &["id UInt64", "tenant String"])
        .endpoint("count_hits", "SELECT count() AS n FROM hits WHERE id < {{ UInt64(below, 9) }}")
}

/// Tokens of every kind, good and bad.
async fn tokens(server: &ServerProcess) -> Vec<String> {
    let admin = server.admin();
    let key = admin.token().to_owned();
    let make = async |name: &str, scopes: &[&str]| {
        let scopes: Vec<_> = scopes.iter().map(|scope| json!(scope)).collect();
        let reply = admin.post("/v0/tokens", json!({ "name": name, "scope": scopes }).to_string()).await;
        reply.json()["token"].as_str().expect(&reply.text).to_owned()
    };
    let filter = |condition: &str| format!("DATASOURCES:READ:hits:{condition}");
    let passes = filter(&format!("tenant != '{IN_FILTERS}'"));
    let (type_error, run_error) =
        (format!("id = '{IN_FILTERS}'"), format!("throwIf(id > 0, '{IN_FILTERS}') = 0"));
    let pipe = "PIPES:READ:count_hits";
    let scopes = json!([
        { "type": "PIPES:READ", "resource": "count_hits" },
        { "type": "DATASOURCES:READ", "resource": "hits", "filter": run_error },
    ]);
    let forged = sign("another key", r#"{"alg":"HS256"}"#, r#"{"exp":4000000000,"name":"forged"}"#);
    vec![
        make("passes", &[pipe, &passes]).await,
        make("fails in its types", &[pipe, &filter(&type_error)]).await,
        make("fails while it runs", &[pipe, &filter(&run_error)]).await,
        make("appends", &["DATASOURCES:APPEND:hits"]).await,
        make("manages", &["TOKENS"]).await,
        jwt(&key, &scopes, &json!({})),
        jwt(&key, &scopes, &json!({ "exp": 1_000_000_000 })),
        jwt(&key, &scopes, &json!({ "limits": { "rps": 1 } })),
        jwt(
            &key,
            &json!([{ "type": "DATASOURCES:READ", "resource": "hits", "filter": format!("'{IN_FILTERS}' (") }]),
            &json!({}),
        ),
        forged,
        "p.eyJpbnZhbGlkIjoxfQ.c2lnbmF0dXJl".to_owned(),
        "wrong_token_0123456789".to_owned(),
        key,
    ]
}

/// One of many requests: the token in the header, the address, the path or the body.
fn request(server: &ServerProcess, tokens: &[String], number: usize) -> RequestBuilder {
    const PATHS: [(Method, &str); 9] = [
        (Method::GET, "/v0/pipes/count_hits.json?"),
        (Method::GET, "/v0/pipes/count_hits.csv?below=x&"),
        (Method::POST, "/v0/pipes/nope.ndjson?"),
        (Method::POST, "/v0/events?name=hits&"),
        (Method::POST, "/v0/events?"),
        (Method::GET, "/v0/tokens/nope?"),
        (Method::PUT, "/v0/tokens/{}?scope=NOPE&"),
        (Method::GET, "/v0/tokens/{}.token?"),
        (Method::GET, "/nowhere/{}?"),
    ];
    let token = &tokens[number % tokens.len()];
    let (method, path) = PATHS[number / tokens.len() % PATHS.len()].clone();
    let path = path.replace("{}", token);
    let anybody = server.anonymous();
    match number % 4 {
        0 => anybody.request(method, &format!("{path}token={token}")).body("{}"),
        1 => anybody.with_token(token).request(method, &path).body(format!("token={token}")),
        2 => anybody.request(method, &path).header("authorization", format!("Basic {token}")),
        _ => anybody.with_token(token).request(method, &format!("{path}token={token}")).body("not json"),
    }
}

#[tokio::test]
async fn ten_thousand_requests_leave_no_secret_behind() {
    let folder = ServerFolder::new(&filtered_project()).with_variable("ROOST__LOG__LEVEL", "debug");
    let mut server = folder.start().await;
    server.admin().append("hits", r#"{"id":1,"tenant":"a"}"#).await;
    let tokens = tokens(&server).await;
    // The last part of a token is the secret one; the word is what the filters hold.
    let mut secrets: Vec<&str> = tokens.iter().map(|token| token.rsplit('.').next().unwrap()).collect();
    secrets.push(IN_FILTERS);
    let found = |text: &str| secrets.iter().find(|secret| text.contains(**secret)).map(ToString::to_string);
    let replies = stream::iter(0..REQUESTS).map(|number| send(request(&server, &tokens, number)));
    let mut failed = 0;
    let mut replies = replies.buffer_unordered(32);
    while let Some(reply) = replies.next().await {
        if reply.status.as_u16() >= 400 {
            failed += 1;
            assert_eq!(found(&reply.text), None, "{}", reply.text);
        }
    }
    drop(replies);
    assert!(failed > REQUESTS / 2, "{failed} failed");
    for process in [server.id(), server.engine().await.id()] {
        let arguments = std::fs::read(format!("/proc/{process}/cmdline")).unwrap();
        assert_eq!(found(&String::from_utf8_lossy(&arguments)), None);
    }
    server.signal(Signal::TERM);
    let (_, output) = server.ended().await;
    assert!(output.contains("/v0/tokens/{token}"), "requests are logged at this level");
    for line in output.lines() {
        assert_eq!(found(line), None, "{line}");
    }
}

#[tokio::test]
async fn the_log_names_requests_that_failed_or_broke_off_and_no_others() {
    let late = "SELECT number, throwIf(number = {{ UInt64(last) }}) AS fails FROM numbers(3000000)";
    let server = ServerProcess::start(&Project::default().endpoint("late", late)).await;
    let get = |id: &'static str, query: &str| {
        let request = server.admin().request(Method::GET, &format!("/v0/pipes/{query}"));
        request.header("x-request-id", id)
    };
    for (id, query, expected) in
        [("answered-1", "late.csv?last=9000000", 200), ("the-callers-2", "late.nope", 404)]
    {
        assert_eq!(send(get(id, query)).await.status, expected, "{id}");
    }
    let failed =
        server.admin().request(Method::POST, "/v1/deploy?token=x").header("x-request-id", "failed-3");
    assert_eq!(send(failed).await.status, 501);
    let broken = get("broken-4", "late.csv?last=2900000").send().await.unwrap();
    assert_eq!(broken.status(), 200);
    assert!(broken.bytes().await.is_err(), "the answer has no end");

    let output = server.output_with("an answer broke off").await;
    let lines_with =
        |id: &str| output.lines().filter(|line| line.contains(id)).collect::<Vec<_>>().join("\n");
    let (failed, broken) = (lines_with("failed-3"), lines_with("broken-4"));
    assert!(failed.contains("request failed") && failed.contains("/v1/deploy"), "{output}");
    assert!(broken.contains("an answer broke off") && broken.contains("code 395"), "{output}");
    for other in ["answered-1", "the-callers-2", "last=", "token="] {
        assert_eq!(lines_with(other), "", "{output}");
    }
}
