//! `/v0/tokens`: tokens that are listed, made, changed, refreshed and deleted while the server runs.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{ApiClient, Home, Project, Reply, ServerProcess, TestApp, send, workspace_of};

const HIDDEN: &str = "Token has not enough permissions to get information about this token";

fn project() -> Project {
    Project::default()
        .data_source("hits", &["id UInt64", "tenant String"])
        .endpoint("count_hits", "SELECT count() AS n FROM hits")
        .edited("pipes/count_hits.pipe", "NODE endpoint", "TOKEN \"reader\" READ\n\nNODE endpoint")
}

async fn app() -> TestApp {
    TestApp::start(&project()).await
}

/// Makes a token with these scopes; the whole answer.
async fn make(app: &TestApp, name: &str, scopes: &[&str]) -> Value {
    let scopes: Vec<(&str, &str)> = scopes.iter().map(|scope| ("scope", *scope)).collect();
    let query: String = form_urlencoded::Serializer::new(String::new())
        .append_pair("name", name)
        .append_pair("origin", "C")
        .extend_pairs(scopes)
        .finish();
    let reply = app.admin().post(&format!("/v0/tokens?{query}"), "").await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()
}

/// A caller with the token of an answer.
fn caller(app: &TestApp, token: &Value) -> ApiClient {
    app.anonymous().with_token(token["token"].as_str().unwrap())
}

async fn status(caller: &ApiClient) -> u16 {
    caller.get("/v0/pipes/count_hits.json").await.status.as_u16()
}

#[tokio::test]
async fn a_list_shows_every_token_in_the_form_that_clients_read() {
    let app = app().await;
    make(&app, "app_read", &["PIPES:READ:count_hits", "DATASOURCES:READ:hits:tenant = 'acme'"]).await;
    let list = app.admin().get("/v0/tokens").await.json();
    let tokens = list["tokens"].as_array().unwrap();
    let names: Vec<&str> = tokens.iter().map(|token| token["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["workspace admin token", "app_read", "reader"]);
    let token = &tokens[1];
    assert_eq!(
        token["scopes"],
        json!([
            { "type": "PIPES:READ", "resource": "count_hits" },
            { "type": "DATASOURCES:READ", "resource": "hits", "filter": "tenant = 'acme'" },
        ])
    );
    assert_eq!((&token["description"], &token["host"]), (&json!(""), &json!("local")));
    assert_eq!((&token["is_internal"], &token["origin"]), (&json!(false), &json!({ "type": "C" })));
    let text = token["token"].as_str().unwrap();
    assert!(text.starts_with("p.ey") && text.split('.').count() == 3, "{text}");
    assert_eq!(workspace_of(text), workspace_of(app.admin().token()));
    assert_eq!(list, app.admin().get("/v0/tokens/?from=cli&cli_version=5.0.2").await.json());
}

#[tokio::test]
async fn a_token_is_addressed_by_id_name_and_text() {
    let app = app().await;
    let made = make(&app, "my token", &["PIPES:READ:count_hits"]).await;
    let text = made["token"].as_str().unwrap();
    for key in [made["id"].as_str().unwrap(), "my%20token", text] {
        let shown = app.admin().get(&format!("/v0/tokens/{key}")).await;
        assert_eq!((shown.status.as_u16(), shown.json()), (200, made.clone()), "{key}");
        let own = caller(&app, &made).get(&format!("/v0/tokens/{key}/")).await;
        assert_eq!(own.json(), made, "any token may read itself");
    }
}

#[tokio::test]
async fn an_unknown_token_and_the_tokens_of_others_are_hidden_alike() {
    let app = app().await;
    assert_eq!(app.admin().get("/v0/tokens/nope").await.error(403), HIDDEN);
    let reader = app.token("reader");
    assert_eq!(reader.get("/v0/tokens/reader").await.status, 200);
    for key in ["nope", "workspace%20admin%20token", app.admin().token()] {
        assert_eq!(reader.get(&format!("/v0/tokens/{key}")).await.error(403), HIDDEN);
    }
    for reply in [reader.get("/v0/tokens").await, reader.post("/v0/tokens?name=x&scope=ADMIN", "").await] {
        assert!(reply.error(403).contains("`TOKENS`"), "{}", reply.text);
    }
    for (method, path) in
        [(Method::PUT, "reader?scope=ADMIN"), (Method::DELETE, "reader"), (Method::POST, "reader/refresh")]
    {
        send(reader.request(method, &format!("/v0/tokens/{path}"))).await.error(403);
    }
    for reply in [
        app.admin().put("/v0/tokens/nope?scope=TOKENS", "").await,
        app.admin().delete("/v0/tokens/nope").await,
        app.admin().post("/v0/tokens/nope/refresh", "").await,
    ] {
        assert_eq!(reply.error(403), HIDDEN);
    }
}

#[tokio::test]
async fn the_text_form_is_plain_text_without_the_secret() {
    let app = app().await;
    let made = make(&app, "app", &["PIPES:READ:count_hits", "DATASOURCES:READ:hits:id > 1"]).await;
    let reply = app.admin().get(&format!("/v0/tokens/{}.token", made["id"].as_str().unwrap())).await;
    assert_eq!(reply.header("content-type"), "text/plain");
    assert_eq!(
        reply.text,
        "TOKEN \"app\"\nSCOPE PIPES:READ:count_hits\nSCOPE DATASOURCES:READ:hits:id > 1\n"
    );
    app.admin().get("/v0/tokens/nope.token").await.error(403);
}

#[tokio::test]
async fn a_token_is_made_from_the_query_a_form_or_json() {
    let app = app().await;
    let scopes = json!([{ "type": "PIPES:READ", "resource": "count_hits" }, { "type": "TOKENS" }]);
    let bodies = [
        ("?name=a&scope=PIPES:READ:count_hits&scope=TOKENS&description=why", String::new()),
        ("", "name=b&scope=PIPES%3AREAD%3Acount_hits&scope=TOKENS&description=why".to_owned()),
        ("?name=c&scope=PIPES:READ:count_hits", "scope=TOKENS&description=why".to_owned()),
        ("/", json!({ "name": "d", "scopes": scopes, "description": "why" }).to_string()),
        (
            "",
            json!({ "name": "e", "scope": ["PIPES:READ:count_hits", "TOKENS"], "description": "why" })
                .to_string(),
        ),
        (
            "?name=f&scope=PIPES:READ:count_hits",
            json!({ "scope": "TOKENS", "description": "why" }).to_string(),
        ),
    ];
    for (query, body) in bodies {
        let reply = app.admin().post(&format!("/v0/tokens{query}"), body).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        assert_eq!((&reply.json()["scopes"], &reply.json()["description"]), (&scopes, &json!("why")));
        assert_eq!(status(&caller(&app, &reply.json())).await, 200);
    }
}

#[tokio::test]
async fn a_token_that_cannot_be_made_says_why() {
    let app = app().await;
    make(&app, "taken", &["TOKENS"]).await;
    let filter = "x".repeat(9_000);
    for (query, reason) in [
        ("scope=TOKENS", "`name` is missing"),
        ("name=&scope=TOKENS", "cannot be called so"),
        ("name=a%0Ab&scope=TOKENS", "cannot be called so"),
        ("name=p.eyJ1.x&scope=TOKENS", "reads like an id or like a token"),
        ("name=taken&scope=TOKENS", "already a token with the name `taken`"),
        ("name=reader&scope=TOKENS", "already a token with the name `reader`"),
        ("name=workspace%20admin%20token&scope=TOKENS", "already a token"),
        ("name=a", "`scope` is missing"),
        ("name=a&scope=", "there is no scope ``"),
        ("name=a&scope=NOPE", "there is no scope `NOPE`"),
        ("name=a&scope=PIPES:READ", "needs a resource"),
        ("name=a&scope=PIPES:READ:count_hits:a%3D1", "takes no filter"),
        ("name=a&scope=DATASOURCES:READ:hits:id%20IN%20(SELECT%201%20FROM%20x)", "cannot read 'x'"),
        (&format!("name=a&scope=DATASOURCES:READ:hits:a='{filter}'"), "up to 500 scopes"),
        (&format!("name=a&scope=TOKENS&description={}", &filter[..1_001]), "longer than 1000 bytes"),
    ] {
        let error = app.admin().post(&format!("/v0/tokens?{query}"), "").await.error(400);
        assert!(error.contains(reason), "{query}: {error}");
    }
    for body in [
        r#"{"name":1}"#,
        r#"{"name":"a","scopes":[1]}"#,
        r#"{"name":"a","scopes":[{"type":"TOKENS","filters":""}]}"#,
        "{",
    ] {
        app.admin().post("/v0/tokens", body).await.error(400);
    }
    let filled = |bytes: usize| format!("name=a&pad={}", "x".repeat(bytes - "name=a&pad=".len()));
    app.admin().post("/v0/tokens", filled(1 << 20)).await.error(400);
    app.admin().post("/v0/tokens", filled((1 << 20) + 1)).await.error(413);
    let names = app.admin().get("/v0/tokens").await.json()["tokens"].as_array().unwrap().len();
    assert_eq!(names, 3, "nothing was made");
}

#[tokio::test]
async fn put_replaces_all_scopes_and_keeps_what_is_not_named() {
    let app = app().await;
    let made = make(&app, "app", &["TOKENS", "DATASOURCES:APPEND:hits"]).await;
    assert_eq!(status(&caller(&app, &made)).await, 403);
    let long = vec!["scope=PIPES:READ:count_hits"; 200].join("&");
    let reply = app.admin().put("/v0/tokens/app", long).await;
    assert_eq!(reply.json()["scopes"], json!([{ "type": "PIPES:READ", "resource": "count_hits" }]));
    assert_eq!(reply.json()["token"], made["token"]);
    assert_eq!(status(&caller(&app, &made)).await, 200);
    caller(&app, &made).get("/v0/tokens").await.error(403);
    let renamed = app.admin().put("/v0/tokens/app?name=other&description=new", "").await.json();
    assert_eq!((&renamed["name"], &renamed["description"]), (&json!("other"), &json!("new")));
    assert_eq!((&renamed["id"], &renamed["scopes"]), (&made["id"], &reply.json()["scopes"]));
    app.admin().get("/v0/tokens/app").await.error(403);
    let taken = app.admin().put("/v0/tokens/other?name=reader", "").await.error(400);
    assert!(taken.contains("already"), "{taken}");
}

#[tokio::test]
async fn a_deleted_token_is_dead_at_once_and_its_name_makes_another_one() {
    let app = app().await;
    let made = make(&app, "app", &["PIPES:READ:count_hits"]).await;
    assert_eq!(status(&caller(&app, &made)).await, 200);
    assert_eq!(app.admin().delete("/v0/tokens/app").await.json(), json!({ "ok": true }));
    assert!(caller(&app, &made).get("/v0/pipes/count_hits.json").await.error(403).contains("invalid token"));
    let again = make(&app, "app", &["PIPES:READ:count_hits"]).await;
    assert!(again["token"] != made["token"] && again["id"] != made["id"]);
    assert_eq!(status(&caller(&app, &made)).await, 403);
}

#[tokio::test]
async fn a_refresh_makes_another_text_and_kills_the_old_one_at_once() {
    let app = app().await;
    let made = make(&app, "app", &["PIPES:READ:count_hits"]).await;
    let mut last = made.clone();
    for _ in 0..3 {
        let next = app.admin().post("/v0/tokens/app/refresh", "").await.json();
        assert!(
            next["token"] != last["token"] && next["id"] == made["id"] && next["scopes"] == made["scopes"]
        );
        assert_eq!((status(&caller(&app, &last)).await, status(&caller(&app, &next)).await), (403, 200));
        last = next;
    }
}

#[tokio::test]
async fn changes_survive_restarts_and_other_projects() {
    let home = Home::new();
    let first = home.start(&project()).await;
    let kept = make(&first, "kept", &["PIPES:READ:count_hits", "DATASOURCES:READ:hits:id > 1"]).await;
    let kept = first.admin().put("/v0/tokens/kept?description=why", "").await.json()["token"].clone()
        == kept["token"];
    assert!(kept);
    let refreshed = first.admin().post("/v0/tokens/kept/refresh", "").await.json();
    make(&first, "gone", &["TOKENS"]).await;
    first.admin().delete("/v0/tokens/gone").await;
    let old_reader = first.token("reader").token().to_owned();
    let reader = first.admin().post("/v0/tokens/reader/refresh", "").await.json();
    let list = first.admin().get("/v0/tokens").await.text;
    drop(first);
    let second = home.start(&project()).await;
    assert_eq!(second.admin().get("/v0/tokens").await.text, list);
    assert_eq!(status(&caller(&second, &refreshed)).await, 200);
    assert_eq!(status(&caller(&second, &reader)).await, 200);
    assert_eq!(status(&second.anonymous().with_token(&old_reader)).await, 403, "the text before the refresh");
    drop(second);
    let without = project().edited("pipes/count_hits.pipe", "TOKEN \"reader\" READ\n\n", "");
    let third = home.start(&without).await;
    assert_eq!(status(&caller(&third, &refreshed)).await, 200, "the API made it");
    assert_eq!(status(&caller(&third, &reader)).await, 403, "its lines are gone");
    drop(third);
    let fourth = home.start(&project()).await;
    assert_eq!(status(&caller(&fourth, &reader)).await, 200, "its lines are back, and so is the refresh");
    assert_eq!(status(&fourth.anonymous().with_token(&old_reader)).await, 403);
}

#[tokio::test]
async fn lines_of_the_project_are_added_to_what_the_api_gave() {
    let home = Home::new();
    let first = home.start(&project()).await;
    let widened = first.admin().put("/v0/tokens/reader?scope=DATASOURCES:APPEND:hits", "").await.json();
    let kinds = |token: &Value| {
        token["scopes"].as_array().unwrap().iter().map(|scope| scope["type"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&widened), ["DATASOURCES:APPEND", "PIPES:READ"]);
    let own = make(&first, "own", &["DATASOURCES:APPEND:hits"]).await;
    drop(first);
    let lines = project().edited("pipes/count_hits.pipe", "TOKEN \"reader\" READ", "TOKEN \"own\" READ");
    let second = home.start(&lines).await;
    let reader = caller(&second, &widened);
    assert_eq!(status(&reader).await, 403);
    assert_eq!(reader.append("hits", r#"{"id":1,"tenant":"a"}"#).await, (1, 0), "what the API gave stays");
    assert_eq!(
        kinds(&second.admin().get("/v0/tokens/own").await.json()),
        ["DATASOURCES:APPEND", "PIPES:READ"]
    );
    assert_eq!(status(&caller(&second, &own)).await, 200);
    for reply in
        [second.admin().delete("/v0/tokens/own").await, second.admin().put("/v0/tokens/own?name=x", "").await]
    {
        assert!(reply.error(400).contains("TOKEN lines of the project"), "{}", reply.text);
    }
}

#[tokio::test]
async fn a_deleted_text_does_not_come_back_with_the_lines() {
    let home = Home::new();
    let first = home.start(&project()).await;
    let original = first.token("reader").token().to_owned();
    let widened = first.admin().put("/v0/tokens/reader?scope=TOKENS", "").await.json();
    assert_eq!(widened["token"], original);
    drop(first);
    let without =
        home.start(&project().edited("pipes/count_hits.pipe", "TOKEN \"reader\" READ\n\n", "")).await;
    let error = without.admin().put("/v0/tokens/reader?name=other", "").await.error(400);
    assert!(error.contains("made by TOKEN lines"), "its id comes from its name: {error}");
    assert_eq!(without.admin().delete("/v0/tokens/reader").await.json(), json!({ "ok": true }));
    without.admin().get("/v0/tokens/reader").await.error(403);
    drop(without);
    let again = home.start(&project()).await;
    assert_eq!(status(&again.anonymous().with_token(&original)).await, 403);
    let reader = again.admin().get("/v0/tokens/reader").await.json();
    assert_eq!(reader["scopes"], json!([{ "type": "PIPES:READ", "resource": "count_hits" }]));
    assert_eq!(status(&caller(&again, &reader)).await, 200);
}

#[tokio::test]
async fn whoever_manages_tokens_does_not_become_admin() {
    let app = app().await;
    let manager = caller(&app, &make(&app, "manager", &["TOKENS"]).await);
    let second_admin = make(&app, "second admin", &["ADMIN"]).await;
    let list = manager.get("/v0/tokens").await;
    assert!(
        !list.text.contains(app.admin().token())
            && !list.text.contains(second_admin["token"].as_str().unwrap())
    );
    let tokens = list.json()["tokens"].clone();
    let has_text = |name: &str| {
        tokens.as_array().unwrap().iter().find(|token| token["name"] == name).unwrap().get("token").is_some()
    };
    assert!(has_text("manager") && has_text("reader") && !has_text("second admin"));
    let path = |key: &str, rest: &str| format!("/v0/tokens/{key}{rest}");
    let admin = "workspace%20admin%20token";
    let refused: Vec<Reply> = vec![
        manager.post("/v0/tokens?name=x&scope=ADMIN", "").await,
        manager.post("/v0/tokens?name=x&scope=ADMIN_USER", "").await,
        manager.put("/v0/tokens/manager?scope=ADMIN", "").await,
        manager.put(&path("second%20admin", "?scope=TOKENS"), "").await,
        manager.delete(&path("second%20admin", "")).await,
        manager.post(&path("second%20admin", "/refresh"), "").await,
        manager.post(&path(admin, "/refresh"), "").await,
    ];
    for reply in refused {
        assert!(reply.error(403).contains("`ADMIN`"), "{}", reply.text);
    }
    assert_eq!(manager.post("/v0/tokens?name=x&scope=PIPES:READ:count_hits", "").await.status, 200);
    assert_eq!(manager.delete("/v0/tokens/x").await.status, 200);
}

#[tokio::test]
async fn the_admin_token_is_refreshed_in_its_file_and_nothing_else_happens_to_it() {
    let mut server = ServerProcess::start(&project()).await;
    let old = server.admin();
    let path = "/v0/tokens/workspace%20admin%20token";
    for reply in [old.delete(path).await, old.put(&format!("{path}?scope=TOKENS"), "").await] {
        assert!(reply.error(400).contains("can be refreshed"), "{}", reply.text);
    }
    let fresh = old.post(&format!("{path}/refresh"), "").await.json();
    assert_eq!((status(&old).await, status(&server.admin()).await), (403, 200));
    assert_eq!(fresh["token"], server.admin().token());
    server.kill();
    server.start_again().await;
    assert_eq!((status(&old).await, status(&server.admin()).await), (403, 200));

    std::fs::create_dir(server.folder().data().join("admin.new")).unwrap();
    let error = server.admin().post(&format!("{path}/refresh"), "").await.error(500);
    assert!(error.contains("the old one stays valid"), "{error}");
    assert_eq!(status(&server.admin()).await, 200);
}

#[tokio::test]
async fn a_change_that_the_engine_refuses_does_not_happen() {
    let home = Home::new();
    let app = home.start(&project()).await;
    let made = make(&app, "app", &["PIPES:READ:count_hits"]).await;
    home.engine().execute(&format!("DROP TABLE {}.tokens", home.metadata_database())).await.unwrap();
    for reply in [
        app.admin().post("/v0/tokens?name=other&scope=TOKENS", "").await,
        app.admin().delete("/v0/tokens/app").await,
        app.admin().post("/v0/tokens/app/refresh", "").await,
    ] {
        let error = reply.error(500);
        assert!(error.contains("unknown whether") && !error.contains("UNKNOWN_TABLE"), "{error}");
    }
    assert_eq!(status(&caller(&app, &made)).await, 200);
    app.admin().get("/v0/tokens/other").await.error(403);
}

#[tokio::test]
async fn an_admin_token_of_the_settings_is_not_refreshed() {
    let home = Home::with_settings("tokens.admin = 'an admin token that the operator chose'");
    let app = home.start(&project()).await;
    let error = app.admin().post("/v0/tokens/workspace%20admin%20token/refresh", "").await.error(400);
    assert!(error.contains("ROOST_ADMIN_TOKEN"), "{error}");
    assert_eq!(status(&app.admin()).await, 200);
}

#[tokio::test]
async fn a_workspace_has_so_many_tokens_and_no_more() {
    let app = Home::with_settings("tokens.max_count = 2").start(&project()).await;
    make(&app, "a", &["TOKENS"]).await;
    make(&app, "b", &["TOKENS"]).await;
    let error = app.admin().post("/v0/tokens?name=c&scope=TOKENS", "").await.error(400);
    assert!(error.contains("has 2 tokens") && error.contains("tokens.max_count"), "{error}");
    assert_eq!(app.admin().put("/v0/tokens/a?name=d", "").await.status, 200);
    app.admin().delete("/v0/tokens/b").await;
    make(&app, "c", &["TOKENS"]).await;
}

#[tokio::test]
async fn changes_at_the_same_time_follow_one_another() {
    let app = app().await;
    let names: Vec<String> =
        (0..8).map(|number| format!("/v0/tokens?name=t{}&scope=TOKENS", number % 4)).collect();
    let admin = app.admin();
    let replies = futures_util::future::join_all(names.iter().map(|path| admin.post(path, ""))).await;
    let made = replies.iter().filter(|reply| reply.status == 200).count();
    assert_eq!(made, 4, "a name is given once");
    assert_eq!(app.admin().get("/v0/tokens").await.json()["tokens"].as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn answers_with_tokens_are_kept_by_no_cache() {
    let app = app().await;
    let admin = app.admin();
    let in_address = format!("/v0/pipes/count_hits.json?token={}", admin.token());
    for reply in [
        admin.get("/v0/tokens").await,
        app.anonymous().get(&in_address).await,
        app.anonymous().get("/v0/pipes/x.json?token=wrong").await,
    ] {
        assert_eq!(reply.header("cache-control"), "no-store");
        assert_eq!(reply.header("referrer-policy"), "no-referrer");
    }
    let plain = admin.get("/v0/pipes/count_hits.json").await;
    let plain = (plain.header("cache-control"), plain.header("referrer-policy"));
    assert_eq!(plain, ("private, no-cache", "no-referrer"), "by its caller, who asks each time");
}

#[tokio::test]
async fn static_tokens_carry_row_filters_into_pipes() {
    let app = app().await;
    app.admin()
        .append(
            "hits",
            "{\"id\":1,\"tenant\":\"a\"}\n{\"id\":2,\"tenant\":\"b\"}\n{\"id\":3,\"tenant\":\"b\"}",
        )
        .await;
    let rows = async |scopes: &[&str]| {
        let name = format!("t{}", uuid::Uuid::new_v4().simple());
        caller(&app, &make(&app, &name, scopes).await).rows("count_hits").await[0]["n"].clone()
    };
    let (pipe, all, b) =
        ("PIPES:READ:count_hits", "DATASOURCES:READ:hits", "DATASOURCES:READ:hits:tenant = 'b'");
    assert_eq!(rows(&[pipe]).await, 3);
    assert_eq!(rows(&[pipe, b]).await, 2);
    assert_eq!(rows(&[pipe, b, all]).await, 2, "the filter holds beside the wider right");
    assert_eq!(rows(&[b, "ADMIN"]).await, 2);
    assert_eq!(rows(&[pipe, b, "DATASOURCES:READ:hits:id > 2"]).await, 1);
    assert_eq!(rows(&["WORKSPACE:READ_ALL"]).await, 3);
}
