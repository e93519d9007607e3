//! What a token's own SQL may name, and that nothing beyond it is told.

use super::{app, encoded};
use serde_json::json;

use crate::harness::{ApiClient, Reply, TestApp, jwt};

async fn ask(caller: &ApiClient, sql: &str) -> Reply {
    caller.get(&format!("/v0/sql?q={}", encoded(sql))).await
}

#[tokio::test]
async fn a_token_reads_what_its_scopes_name_and_what_that_reads() {
    let app = app().await;
    let accountant = app.token("accountant");
    assert_eq!(ask(&accountant, "SELECT count() FROM sales FORMAT CSV").await.text, "3\n");
    assert_eq!(ask(&accountant, "SELECT count() FROM sales_quarantine FORMAT CSV").await.text, "1\n");
    let dashboard = app.token("dashboard");
    assert_eq!(ask(&dashboard, "SELECT sum(n) FROM by_tenant FORMAT CSV").await.text, "3\n");
    assert_eq!(
        ask(&dashboard, "SELECT n FROM guarded FORMAT CSV").await.text,
        "1\n",
        "inside, names are not checked"
    );
    let own = "WITH c AS (SELECT n FROM by_tenant) SELECT sum(n) FROM c, numbers(2) FORMAT CSV";
    assert_eq!(ask(&dashboard, own).await.text, "6\n");
}

#[tokio::test]
async fn a_name_out_of_reach_answers_like_one_that_does_not_exist() {
    let app = app().await;
    let dashboard = app.token("dashboard");
    for (there, template) in [
        ("secrets", "SELECT * FROM {}"),
        ("sales", "SELECT * FROM by_tenant JOIN {} USING tenant"),
        ("private", "SELECT 1 WHERE 1 IN (SELECT 1 FROM {})"),
        ("large", "SELECT * FROM (SELECT * FROM {})"),
        ("secrets", "SELECT 1 WHERE 1 IN {}"),
        ("sales", "DESCRIBE TABLE {}"),
    ] {
        let exists = ask(&dashboard, &template.replace("{}", there)).await.error(403);
        let missing = ask(&dashboard, &template.replace("{}", "nope")).await.error(403);
        assert_eq!(exists.replace(there, "nope"), missing, "{template}");
        assert!(
            exists.contains(&format!("`{there}`")) && exists.contains(&format!("DATASOURCES:READ:{there}"))
        );
    }
    let quarantine = ask(&dashboard, "SELECT * FROM sales_quarantine").await.error(403);
    let nothing = ask(&dashboard, "SELECT * FROM nope_quarantine").await.error(403);
    assert_eq!(quarantine.replace("sales", "nope"), nothing);
    assert!(quarantine.ends_with("needs the scope `DATASOURCES:READ:sales`"), "{quarantine}");
    for name in ["system.tables", "system.users", "x.y", "`a b`"] {
        ask(&dashboard, &format!("SELECT * FROM {name}")).await.error(403);
    }
    ask(&dashboard, &format!("SELECT * FROM {}.sales", app.database())).await.error(403);
}

#[tokio::test]
async fn a_token_that_may_read_everything_is_told_what_is_missing() {
    let app = app().await;
    assert_eq!(ask(&app.admin(), "SELECT * FROM nope").await.error(400), "Resource 'nope' not found");
    assert_eq!(ask(&app.admin(), "SELECT * FROM x.nope").await.error(400), "Resource 'x.nope' not found");
}

#[tokio::test]
async fn a_token_that_may_only_append_runs_no_sql() {
    let app = app().await;
    let error = ask(&app.token("browser"), "SELECT 1").await.error(403);
    assert!(error.contains("browser") && error.contains("run SQL"), "{error}");
    ask(app.anonymous(), "SELECT 1").await.error(403);
}

#[tokio::test]
async fn a_pipeline_needs_its_own_right() {
    let app = app().await;
    let ask = |pipe: &str, sql: &str| format!("/v0/sql?pipeline={pipe}&q={}", encoded(sql));
    let dashboard = app.token("dashboard");
    assert_eq!(dashboard.get(&ask("by_tenant", "SELECT sum(n) FROM _ FORMAT CSV")).await.text, "3\n");
    let hidden = dashboard.get(&ask("private", "SELECT 1")).await.error(403);
    let missing = dashboard.get(&ask("nope", "SELECT 1")).await.error(403);
    assert_eq!(hidden.replace("private", "nope"), missing);
    dashboard.get(&ask("by_tenant", "SELECT * FROM large")).await.error(403);
}

#[tokio::test]
async fn a_plan_is_not_for_tokens_of_a_part() {
    let app = app().await;
    for sql in
        ["EXPLAIN SELECT * FROM by_tenant", "EXPLAIN SYNTAX SELECT * FROM by_tenant", "EXPLAIN AST SELECT 1"]
    {
        let reply = ask(&app.token("dashboard"), sql).await;
        assert!(reply.error(403).contains("ADMIN"), "{sql}");
        assert!(!reply.text.contains("sales"), "{}", reply.text);
    }
    let described = ask(&app.token("dashboard"), "DESCRIBE by_tenant FORMAT CSV").await;
    assert!(described.text.starts_with("\"tenant\",\"String\"") && !described.text.contains("sales"));
}

#[tokio::test]
async fn q_of_an_endpoint_reaches_that_endpoint_alone() {
    let app = app().await;
    let ask = |sql: &str| format!("/v0/pipes/by_tenant.csv?q={}", encoded(sql));
    let dashboard = app.token("dashboard");
    assert_eq!(dashboard.get(&ask("SELECT sum(n) AS n FROM _")).await.text, "\"n\"\n3\n");
    assert_eq!(dashboard.get(&ask("SELECT sum(n) AS n FROM by_tenant")).await.text, "\"n\"\n3\n");
    for name in ["guarded", "sales", "secrets", "large", "nope"] {
        let error = dashboard.get(&ask(&format!("SELECT * FROM {name}"))).await.error(403);
        assert!(error.contains(&format!("`{name}`")), "{error}");
    }
    assert_eq!(app.admin().get(&ask("SELECT count() AS n FROM sales")).await.text, "\"n\"\n3\n");
    dashboard.get(&ask("EXPLAIN SELECT * FROM _")).await.error(403);
}

/// A caller whose token, made over the API, has these scopes.
async fn made(app: &TestApp, name: &str, scopes: &[&str]) -> ApiClient {
    let pairs = scopes.iter().map(|scope| ("scope", *scope)).chain([("name", name)]);
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let reply = app.admin().post("/v0/tokens", form).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    app.anonymous().with_token(reply.json()["token"].as_str().unwrap())
}

#[tokio::test]
async fn a_row_filter_holds_in_every_way_of_reading() {
    let app = app().await;
    let filtered = ["DATASOURCES:READ:sales:tenant = 'a'", "PIPES:READ:by_tenant"];
    let tenant = made(&app, "tenant", &filtered).await;
    let reader = made(&app, "reader", &["WORKSPACE:READ_ALL", filtered[0]]).await;
    for caller in [tenant, reader] {
        assert_eq!(ask(&caller, "SELECT sum(amount) FROM sales FORMAT CSV").await.text, "15\n");
        assert_eq!(ask(&caller, "SELECT sum(total) FROM by_tenant FORMAT CSV").await.text, "15\n");
        assert_eq!(caller.get("/v0/pipes/by_tenant.csv").await.text.lines().count(), 2);
        let over = encoded("SELECT tenant FROM _ GROUP BY tenant");
        assert_eq!(
            caller.get(&format!("/v0/pipes/by_tenant.ndjson?q={over}")).await.text,
            "{\"tenant\":\"a\"}\n"
        );
        let probe = "SELECT count() FROM sales WHERE throwIf(amount = 7, 'seen') = 0 FORMAT CSV";
        assert_eq!(ask(&caller, probe).await.text, "2\n", "a row that is hidden cannot be felt for");
        let reply = ask(&caller, "SELECT toInt32(tenant) FROM sales").await;
        assert!(!reply.error(400).contains('\''), "neither values nor the filter are told: {}", reply.text);
        ask(&caller, "EXPLAIN SELECT * FROM sales").await.error(403);
        caller.get("/v0/pipes/by_tenant/explain").await.error(403);
        assert!(!ask(&caller, "SELECT * FROM sales_quarantine").await.status.is_success());
    }
}

#[tokio::test]
async fn a_pipe_whose_parameters_are_fixed_is_read_as_an_endpoint_only() {
    let app = app().await;
    let scopes = json!([
        { "type": "PIPES:READ", "resource": "by_tenant", "fixed_params": { "least": 7 } },
        { "type": "PIPES:READ", "resource": "guarded" },
    ]);
    let caller = app.anonymous().with_token(&jwt(app.admin().token(), &scopes, &json!({})));
    assert_eq!(ask(&caller, "SELECT n FROM guarded FORMAT CSV").await.text, "1\n");
    ask(&caller, "SELECT * FROM by_tenant").await.error(403);
    caller.get(&format!("/v0/sql?pipeline=by_tenant&q={}", encoded("SELECT * FROM _"))).await.error(403);
    let over = encoded("SELECT sum(n) AS n FROM _");
    for query in ["", "least=0&", "least=100&"] {
        let path = format!("/v0/pipes/by_tenant.csv?{query}q={over}");
        assert_eq!(caller.get(&path).await.text, "\"n\"\n2\n", "{query}");
    }
    let other = encoded("SELECT * FROM guarded");
    caller.get(&format!("/v0/pipes/by_tenant.csv?q={other}")).await.error(403);
}
