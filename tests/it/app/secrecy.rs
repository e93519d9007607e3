//! No line of the log holds a token.

use reqwest::Method;
use rustix::process::Signal;

use crate::harness::{Project, ServerFolder, send};

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
