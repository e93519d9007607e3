//! Every route against every kind of token: who is let in, and who is not.

use std::collections::BTreeSet;

use reqwest::Method;
use roost::http::routes::{Declared, Right, declared};
use serde_json::json;

use crate::harness::{ApiClient, FAR_FUTURE, Project, TestApp, eventually, jwt, send, sign, workspace_of};

/// One request to a route, its answer to who may, and the callers who may.
struct Row {
    method: Method,
    path: &'static str,
    request: &'static str,
    body: &'static str,
    answer: u16,
    let_in: LetIn,
}

/// Who may make a request.
#[derive(Clone, Copy)]
enum LetIn {
    /// Everybody, with a token or without.
    Everybody,
    /// Whoever holds a token that is valid.
    AnyToken,
    /// The callers of these names.
    These(&'static [&'static str]),
}

use LetIn::{AnyToken, Everybody, These};

impl LetIn {
    fn holds(self, caller: &str) -> bool {
        match self {
            Everybody => true,
            AnyToken => valid_tokens().any(|valid| valid == caller),
            These(callers) => callers.contains(&caller),
        }
    }
}

/// Static tokens are called like their scope.
const SCOPES: [&str; 16] = [
    "TOKENS",
    "WORKSPACE:READ_ALL",
    "WORKSPACE:DEPLOY",
    "ORG_DATASOURCES:READ",
    "DATASOURCES:CREATE",
    "DATASOURCES:APPEND:hits",
    "DATASOURCES:APPEND:other",
    "DATASOURCES:READ:hits",
    "DATASOURCES:READ:hits:id = 1",
    "DATASOURCES:READ:other",
    "DATASOURCES:DROP:hits",
    "PIPES:CREATE",
    "PIPES:DROP:count_hits",
    "PIPES:READ:count_hits",
    "PIPES:READ:other",
    "PIPES:READ:hits",
];

/// JWTs that are valid, whatever they may do.
const JWTS: [&str; 6] = [
    "JWT reads count_hits",
    "JWT of the API",
    "JWT reads another pipe",
    "JWT appends to hits",
    "JWT reads hits",
    "JWT without scopes",
];

fn valid_tokens() -> impl Iterator<Item = &'static str> {
    ["admin"].into_iter().chain(SCOPES).chain(JWTS)
}

const MANAGERS: LetIn = These(&["admin", "TOKENS"]);
const CHANGERS: LetIn = These(&["admin", "DATASOURCES:CREATE"]);

const fn row(
    method: Method,
    path: &'static str,
    (request, body): (&'static str, &'static str),
    answer: u16,
    let_in: LetIn,
) -> Row {
    Row { method, path, request, body, answer, let_in }
}

/// A change must not disturb the rows behind it: what is made or deleted here is nobody else's.
fn rows() -> Vec<Row> {
    [changing_rows(), reading_rows(), managing_rows()].into_iter().flatten().collect()
}

/// Rows in, and out again.
fn changing_rows() -> Vec<Row> {
    vec![
        row(
            Method::POST,
            "/v0/events",
            ("/v0/events?name=hits", r#"{"id":1}"#),
            202,
            These(&["admin", "DATASOURCES:CREATE", "DATASOURCES:APPEND:hits", "JWT appends to hits"]),
        ),
        row(
            Method::POST,
            "/v0/datasources/{name}/truncate",
            ("/v0/datasources/spare/truncate", ""),
            205,
            CHANGERS,
        ),
        row(
            Method::POST,
            "/v0/datasources/{name}/delete",
            ("/v0/datasources/spare/delete", "delete_condition=id%20%3D%201"),
            200,
            CHANGERS,
        ),
        row(
            Method::POST,
            "/v1/datasources/{name}/delete",
            ("/v1/datasources/spare/delete", "delete_condition=id%20%3D%201"),
            200,
            CHANGERS,
        ),
        row(Method::GET, "/v0/jobs", ("/v0/jobs", ""), 200, CHANGERS),
        row(Method::GET, "/v0/jobs/{id}", ("/v0/jobs/{job}", ""), 200, CHANGERS),
        // It has ended.
        row(Method::POST, "/v0/jobs/{id}/cancel", ("/v0/jobs/{job}/cancel", ""), 400, CHANGERS),
    ]
}

/// Answers.
fn reading_rows() -> Vec<Row> {
    let readers = These(&[
        "admin",
        "WORKSPACE:READ_ALL",
        "PIPES:READ:count_hits",
        "JWT reads count_hits",
        "JWT of the API",
    ]);
    vec![
        row(Method::GET, "/v0/pipes/{file}", ("/v0/pipes/count_hits.json", ""), 200, readers),
        row(Method::POST, "/v0/pipes/{file}", ("/v0/pipes/count_hits.csv", "a=1"), 200, readers),
        row(Method::GET, "/v0/pipes/openapi.json", ("/v0/pipes/openapi.json", ""), 200, AnyToken),
        row(
            Method::GET,
            "/v0/pipes/{name}/explain",
            ("/v0/pipes/count_hits/explain", ""),
            200,
            These(&["admin", "WORKSPACE:READ_ALL"]),
        ),
        row(
            Method::GET,
            "/v0/pipes/{name}/nodes/{node}/explain",
            ("/v0/pipes/count_hits/nodes/endpoint/explain", ""),
            200,
            These(&["admin", "WORKSPACE:READ_ALL"]),
        ),
        row(Method::GET, "/v0/sql", ("/v0/sql?q=SELECT%20count()%20FROM%20count_hits", ""), 200, readers),
        row(Method::POST, "/v0/sql", ("/v0/sql", "SELECT count() FROM count_hits"), 200, readers),
        row(Method::GET, "/v0/sql_format", ("/v0/sql_format?q=SELECT%201", ""), 200, AnyToken),
        row(Method::POST, "/v0/sql_format", ("/v0/sql_format", "q=SELECT%201"), 200, AnyToken),
        row(Method::GET, "/v0/sql_tables", ("/v0/sql_tables?q=SELECT%201", ""), 200, AnyToken),
        row(Method::POST, "/v0/sql_tables", ("/v0/sql_tables", "q=SELECT%201"), 200, AnyToken),
        row(
            Method::POST,
            "/v0/sql_replace",
            ("/v0/sql_replace", "q=SELECT%201&replacements=%7B%7D"),
            200,
            AnyToken,
        ),
        row(
            Method::GET,
            "/examples/query.http",
            ("/examples/query.http?format=json&pipe=count_hits", ""),
            200,
            readers,
        ),
    ]
}

/// Managing, and what is everybody's.
fn managing_rows() -> Vec<Row> {
    vec![
        row(Method::GET, "/metrics", ("/metrics", ""), 200, These(&["admin", "WORKSPACE:READ_ALL"])),
        row(Method::GET, "/v0/tokens", ("/v0/tokens", ""), 200, MANAGERS),
        row(Method::POST, "/v0/tokens", ("/v0/tokens", "name={fresh}&scope=TOKENS"), 200, MANAGERS),
        row(
            Method::GET,
            "/v0/tokens/{token}",
            ("/v0/tokens/PIPES:READ:count_hits", ""),
            200,
            These(&["admin", "TOKENS", "PIPES:READ:count_hits"]),
        ),
        row(Method::PUT, "/v0/tokens/{token}", ("/v0/tokens/target", "description=x"), 200, MANAGERS),
        row(Method::DELETE, "/v0/tokens/{token}", ("/v0/tokens/{made}", ""), 200, MANAGERS),
        row(Method::POST, "/v0/tokens/{token}/refresh", ("/v0/tokens/target/refresh", ""), 200, MANAGERS),
        row(Method::GET, "/v0/health", ("/v0/health", ""), 200, Everybody),
        row(Method::GET, "/version", ("/version", ""), 200, Everybody),
        row(Method::POST, "/v1/build", ("/v1/build", ""), 501, Everybody),
        row(Method::POST, "/v1/deploy", ("/v1/deploy", ""), 501, Everybody),
    ]
}

fn project() -> Project {
    Project::default()
        .data_source("hits", &["id UInt64"])
        .data_source("other", &["id UInt64"])
        .data_source("spare", &["id UInt64"])
        .endpoint("count_hits", "SELECT count() AS n FROM hits")
}

async fn callers(app: &TestApp) -> Vec<(&'static str, ApiClient)> {
    let admin = app.admin();
    let key = admin.token();
    let mut callers = vec![("admin", admin.clone()), ("nobody", app.anonymous().clone())];
    for scope in SCOPES {
        let query: String = form_urlencoded::Serializer::new(String::new())
            .append_pair("name", &scope.replace(" = ", " is "))
            .append_pair("scope", scope)
            .finish();
        let made = admin.post("/v0/tokens", query).await;
        assert_eq!(made.status, 200, "{}", made.text);
        callers.push((scope, app.anonymous().with_token(made.json()["token"].as_str().unwrap())));
    }
    let scope = |kind: &str, resource: &str| json!([{ "type": kind, "resource": resource }]);
    let reads = scope("PIPES:READ", "count_hits");
    let none = json!({});
    let of_the_api = json!({ "name": "api", "expiration_time": FAR_FUTURE, "scopes": reads }).to_string();
    let of_the_api = admin.post("/v0/tokens", of_the_api).await.json()["token"].as_str().unwrap().to_owned();
    let payload =
        json!({ "workspace_id": workspace_of(key), "name": "x", "exp": FAR_FUTURE, "scopes": reads });
    let jwts = [
        ("JWT reads count_hits", jwt(key, &reads, &none)),
        ("JWT of the API", of_the_api),
        ("JWT reads another pipe", jwt(key, &scope("PIPES:READ", "other"), &none)),
        ("JWT appends to hits", jwt(key, &scope("DATASOURCES:APPEND", "hits"), &none)),
        ("JWT reads hits", jwt(key, &scope("DATASOURCES:READ", "hits"), &none)),
        ("JWT without scopes", jwt(key, &json!([]), &none)),
        ("JWT that wants to be admin", jwt(key, &json!([{ "type": "ADMIN" }]), &none)),
        ("expired JWT", jwt(key, &reads, &json!({ "exp": 1_000_000_000 }))),
        ("JWT of another workspace", jwt(key, &reads, &json!({ "workspace_id": uuid::Uuid::nil() }))),
        ("JWT with textual exp", jwt(key, &reads, &json!({ "exp": "4000000000" }))),
        ("JWT of somebody else's key", sign("another key", r#"{"alg":"HS256"}"#, &payload.to_string())),
        (
            "JWT without a signature",
            jwt(key, &reads, &none).replace("eyJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJub25lIn0"),
        ),
        ("unknown", "p.eyJ1IjoiMSJ9.c2lnbmF0dXJl".to_owned()),
        ("empty", String::new()),
    ];
    callers.extend(jwts.map(|(name, text)| (name, app.anonymous().with_token(&text))));
    callers
}

/// The id of a job that has ended.
async fn ended_job(admin: &ApiClient) -> String {
    let begun = admin.post("/v0/datasources/spare/delete?delete_condition=id%20%3D%202", "").await.json();
    let id = begun["id"].as_str().unwrap().to_owned();
    eventually("the job has ended", async || {
        let status = admin.get(&format!("/v0/jobs/{id}")).await.json()["status"].clone();
        (status == "done").then_some(())
    })
    .await;
    id
}

#[tokio::test]
async fn every_route_lets_in_who_may_and_nobody_else() {
    let app = TestApp::start(&project()).await;
    let callers = callers(&app).await;
    assert!(valid_tokens().all(|valid| callers.iter().any(|(name, _)| *name == valid)));
    app.admin().post("/v0/tokens?name=target&scope=ORG_DATASOURCES:READ", "").await;
    let job = ended_job(&app.admin()).await;
    let mut fresh = 0;
    for row in rows() {
        for (name, caller) in &callers {
            fresh += 1;
            if row.request.contains("{made}") {
                app.admin().post(&format!("/v0/tokens?name=made{fresh}&scope=PIPES:CREATE"), "").await;
            }
            let filled = |text: &str| {
                text.replace("{fresh}", &format!("fresh{fresh}"))
                    .replace("{made}", &format!("made{fresh}"))
                    .replace("{job}", &job)
            };
            let reply =
                send(caller.request(row.method.clone(), &filled(row.request)).body(filled(row.body))).await;
            let expected = if row.let_in.holds(name) { row.answer } else { 403 };
            assert_eq!(reply.status, expected, "{name}: {} {}: {}", row.method, row.request, reply.text);
            if expected >= 400 {
                reply.error(expected);
            }
        }
        if let These(named) = row.let_in {
            let is_known = |name: &&str| callers.iter().any(|(known, _)| known == name);
            assert!(named.iter().all(is_known), "{named:?}");
        }
    }
    eventually("the rows of those who were let in are there", async || {
        (app.rows("hits").await >= 4).then_some(())
    })
    .await;
    assert_eq!(app.rows("hits").await, 4, "who was not let in wrote nothing");
}

#[test]
fn every_route_of_the_router_is_in_the_table() {
    let route = |method: &Method, path: &str| format!("{method} {path}");
    let tested: BTreeSet<String> = rows().iter().map(|row| route(&row.method, row.path)).collect();
    let served: BTreeSet<String> =
        declared().iter().map(|declared| route(&declared.method, declared.path)).collect();
    assert_eq!(served, tested);
}

#[test]
fn only_these_routes_are_public() {
    let is_public = |declared: &Declared| matches!(declared.right, Right::Public(_));
    let public: Vec<&str> = declared().into_iter().filter(is_public).map(|declared| declared.path).collect();
    assert_eq!(public, ["/v0/health", "/version", "/v1/build", "/v1/deploy"]);
    for row in rows() {
        let declared =
            declared().into_iter().find(|known| known.method == row.method && known.path == row.path);
        assert_eq!(
            declared.is_some_and(|known| is_public(&known)),
            matches!(row.let_in, Everybody),
            "{}",
            row.path
        );
    }
}

#[test]
fn no_route_is_made_outside_the_table() {
    let sources = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
    let mut folders = vec![sources];
    let mut makers = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let calls = [".route(", ".nest(", ".merge(", ".route_service(", ".nest_service("];
            makers.extend(
                calls
                    .iter()
                    .flat_map(|call| text.matches(call))
                    .map(|_| path.file_name().unwrap().to_owned()),
            );
        }
    }
    assert_eq!(makers, ["routes.rs"]);
}
