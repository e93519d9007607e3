//! What endpoints say about themselves: the OpenAPI document, and the pages for people.

use serde_json::{Value, json};

use super::{app, shop};
use crate::harness::{Project, TestApp, send};

/// The document of the repository's own project. It was read by `openapi-spec-validator`.
const CLICKSTREAM: &str = include_str!("../../../fixtures/openapi/clickstream.json");

const HOSTILE: &str = "DESCRIPTION >\n    A <b>bold</b> \"claim\" & <script>alert(1)</script>\n\n\
    TOKEN \"dashboard\" READ\n\nNODE endpoint\nSQL >\n    %\n    SELECT {{ String(word, 'a\"><img src=x>', \
    description=\"</td><script>alert(2)</script>\", enum=['a', '<i>']) }} AS `<u>`, {{ Int32(n, required=True, example=7) }} AS n\n\n\
    TYPE endpoint\n";

async fn hostile() -> TestApp {
    TestApp::start(&shop().with("pipes/hostile.pipe", HOSTILE)).await
}

#[tokio::test]
async fn the_document_describes_the_endpoints_of_a_project() {
    let app = TestApp::start(&Project::clickstream()).await;
    let mut document = app.admin().get("/v0/pipes/openapi.json").await.json();
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    document["info"]["version"] = "".into();
    let expected: Value = serde_json::from_str(CLICKSTREAM).unwrap();
    assert_eq!(document, expected, "{document:#}");
}

#[tokio::test]
async fn the_document_holds_what_the_token_may_read() {
    let app = app().await;
    let paths = async |name: &str| {
        let document = app.token(name).get("/v0/pipes/openapi.json/").await.json();
        document["paths"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(paths("dashboard").await, ["/v0/pipes/by_tenant.json", "/v0/pipes/guarded.json"]);
    assert_eq!(paths("browser").await, Vec::<String>::new());
    let all = app.admin().get("/v0/pipes/openapi.json").await.json();
    assert_eq!(all["paths"].as_object().unwrap().len(), 4);
    app.anonymous().get("/v0/pipes/openapi.json").await.error(403);
    let token = app.token("dashboard").token().to_owned();
    assert_eq!(app.anonymous().get(&format!("/v0/pipes/openapi.json?token={token}")).await.status, 200);
}

#[tokio::test]
async fn a_parameter_is_described_with_all_that_its_author_says() {
    let app = hostile().await;
    let document = app.admin().get("/v0/pipes/openapi.json").await.json();
    let parameters = &document["paths"]["/v0/pipes/hostile.json"]["get"]["parameters"];
    assert_eq!(
        parameters[1],
        json!({
            "name": "n", "in": "query", "required": true,
            "schema": { "type": "integer", "format": "int32", "example": 7, "x-type": "Int32" },
        })
    );
    assert_eq!(parameters[0]["schema"]["enum"], json!(["a", "<i>"]));
    assert_eq!(parameters[0]["schema"].get("default"), None, "it is none of the choices");
}

#[tokio::test]
async fn a_page_shows_an_endpoint_and_loads_nothing() {
    let app = TestApp::start(&Project::clickstream()).await;
    let reply = app.token("dashboard").get("/v0/pipes/get_popular_pages.html").await;
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = reply.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert_eq!(reply.header("referrer-policy"), "no-referrer");
    assert_eq!(reply.header("cache-control"), "no-store");
    let address = format!("http://{}/v0/pipes/get_popular_pages.json", app.address());
    for shown in [
        address.as_str(),
        "The pages that were viewed most",
        "<code>device_type</code>",
        "Views from this moment on",
        "<code>10</code>",
        "<code>sessions</code></td><td><code>UInt64</code>",
        "Authorization: Bearer $TOKEN",
    ] {
        assert!(reply.text.contains(shown), "{shown}: {}", reply.text);
    }
    assert!(
        !reply.text.contains("<script") && !reply.text.contains("src=") && !reply.text.contains("@import")
    );
    assert!(!reply.text.contains(app.token("dashboard").token()), "the token is not on the page");
}

#[tokio::test]
async fn what_authors_write_is_text_on_the_page() {
    let app = hostile().await;
    let page = app.admin().get("/v0/pipes/hostile.html").await.text;
    for raw in ["<script", "<img", "<b>", "<u>", "<i>"] {
        assert!(!page.contains(raw), "{raw}: {page}");
    }
    assert!(page.contains("&lt;script&gt;alert(1)") && page.contains("&lt;u&gt;") && page.contains("?n=7"));
    let request = app.admin().request(reqwest::Method::GET, "/v0/pipes/hostile.html");
    let page = send(request.header("host", "<script>")).await;
    assert!(!page.text.contains("<script"), "{}", page.text);
}

#[tokio::test]
async fn a_page_needs_the_right_to_read_the_endpoint() {
    let app = app().await;
    app.anonymous().get("/v0/pipes/by_tenant.html").await.error(403);
    app.token("dashboard").get("/v0/pipes/private.html").await.error(403);
    app.token("dashboard").get("/v0/pipes/nope.html").await.error(403);
    assert_eq!(app.admin().get("/v0/pipes/nope.html").await.error(404), "The pipe 'nope' does not exist");
    let page = app.token("dashboard").get("/v0/pipes/by_tenant.html").await.text;
    assert!(page.contains("<code>total</code>") && !page.contains("sales") && !page.contains("SELECT"));
    app.admin().post("/v0/pipes/by_tenant.html", "").await.error(404);
}

#[tokio::test]
async fn an_address_to_paste_holds_what_a_call_needs() {
    let app = hostile().await;
    let reply = app.admin().get("/examples/query.http?format=csv&pipe=hostile&q=&token=abc%26d").await;
    assert_eq!(reply.header("content-type"), "text/plain");
    assert_eq!(reply.text, "http://localhost:8001/v0/pipes/hostile.csv?n=7&token=abc%26d");
    app.token("dashboard").get("/examples/query.http?pipe=private").await.error(403);
    app.admin().get("/examples/query.http?pipe=nope").await.error(404);
    app.admin().get("/examples/query.http?pipe=hostile&format=%0Ax").await.error(404);
}
