//! Rules of every route that reads: addresses, origins, slashes, bodies of errors.

use reqwest::Method;

use super::{app, encoded, shop};
use crate::harness::{Home, send};

#[tokio::test]
async fn an_address_is_read_up_to_its_limit() {
    let app = Home::with_settings("server.max_url_bytes = 300").start(&shop()).await;
    let path = |length: usize| {
        let path = "/v0/pipes/rows.json?rows=1&filler=";
        format!("{path}{}", "x".repeat(length - path.len()))
    };
    assert_eq!(app.admin().get(&path(300)).await.status, 200);
    let error = app.admin().get(&path(301)).await.error(414);
    assert!(
        error.contains("301 bytes") && error.contains("POST") && error.contains("server.max_url_bytes"),
        "{error}"
    );
    let reply = app.anonymous().get(&path(301)).await;
    reply.error(414);
    assert_eq!(reply.header("access-control-allow-origin"), "*");
    assert!(!reply.header("x-request-id").is_empty());
    let form = path(5000).split_once('?').unwrap().1.to_owned();
    assert_eq!(app.admin().post("/v0/pipes/rows.json", form).await.status, 200);
}

#[tokio::test]
async fn the_routes_of_reading_follow_the_rules_of_all() {
    let app = app().await;
    for path in [
        "/v0/sql",
        "/v0/sql/",
        "/v0/pipes/by_tenant/explain",
        "/v0/sql_format",
        "/v0/pipes/by_tenant.parquet",
    ] {
        let request = app.anonymous().request(Method::OPTIONS, path).header("origin", "https://a.example");
        let request = request.header("access-control-request-method", "POST");
        let reply =
            send(request.header("access-control-request-headers", "authorization,content-type")).await;
        assert!(matches!(reply.status.as_u16(), 200 | 204), "{path}");
        assert_eq!(reply.header("access-control-allow-origin"), "*", "{path}");
        assert!(reply.header("access-control-allow-headers").contains("authorization"), "{path}");
        app.anonymous().get(path).await.error(403);
        send(app.admin().request(Method::DELETE, path)).await.error(405);
    }
}

#[tokio::test]
async fn tokens_are_taken_from_the_address_or_the_header() {
    let app = app().await;
    let token = app.token("dashboard").token().to_owned();
    let sql = encoded("SELECT sum(n) FROM by_tenant FORMAT CSV");
    assert_eq!(app.anonymous().get(&format!("/v0/sql?q={sql}&token={token}")).await.text, "3\n");
    assert_eq!(app.token("dashboard").get(&format!("/v0/sql?q={sql}&token={token}")).await.text, "3\n");
    app.anonymous().with_token("nonsense").get(&format!("/v0/sql?q={sql}")).await.error(403);
}
