//! `/v0/sql_format`, `/v0/sql_tables`, `/v0/sql_replace`: SQL that is looked at and never run.

use serde_json::json;

use super::{app, encoded};

#[tokio::test]
async fn sql_is_laid_out_and_not_run() {
    let app = app().await;
    let format = |sql: &str| format!("/v0/sql_format?with_clickhouse_format=true&q={}", encoded(sql));
    let reply = app.token("browser").get(&format("select a,b from nope where x='it''s \\\\ {p}'")).await;
    assert_eq!(reply.json(), json!({"q": "SELECT\n    a,\n    b\nFROM nope\nWHERE x = 'it\\'s \\\\ {p}'"}));
    let reply = app.admin().get(&format("drop table sales")).await;
    assert_eq!(reply.json(), json!({"q": "DROP TABLE sales"}));
    assert_eq!(app.rows("sales").await, 3);
    let template = "% select {{ Int32(n) }}";
    assert_eq!(app.admin().get(&format(template)).await.json(), json!({"q": template}));
    let error = app.admin().get(&format("select ((")).await.error(400);
    assert_eq!(error, "Syntax error: failed at position 8");
    app.admin().get("/v0/sql_format").await.error(400);
    app.anonymous().get(&format("select 1")).await.error(403);
}

#[tokio::test]
async fn the_tables_of_a_text_are_listed() {
    let app = app().await;
    let sql = "WITH c AS (SELECT 1) SELECT * FROM c, numbers(3), events JOIN tinybird.pipe_stats USING x";
    let post =
        async |form: &str| app.admin().post("/v0/sql_tables", format!("q={}{form}", encoded(sql))).await;
    assert_eq!(post("").await.json(), json!({"tables": [["", "events"], ["tinybird", "pipe_stats"]]}));
    assert_eq!(
        post("&table_functions=true").await.json(),
        json!({"tables": [["", "events"], ["tinybird", "pipe_stats"], ["", "", "numbers"]]})
    );
    let broken = async |form: &str| app.admin().post("/v0/sql_tables", format!("q=SELECT+({form}")).await;
    assert_eq!(broken("").await.json(), json!({"tables": []}));
    broken("&raising=true").await.error(400);
    let copy = async |form: &str| {
        app.admin()
            .post("/v0/sql_tables", format!("q={}&raising=true{form}", encoded("SELECT * FROM s3('x')")))
            .await
    };
    assert_eq!(copy("").await.error(400), "The s3 table function is only allowed in Copy Pipes");
    assert_eq!(copy("&is_copy=true").await.json(), json!({"tables": []}));
}

#[tokio::test]
async fn names_of_tables_are_replaced() {
    let app = app().await;
    let replacements = encoded(r#"{"events": "events__v1"}"#);
    let form = format!("q={}&replacements={replacements}", encoded("SELECT events.a FROM events"));
    let reply = app.admin().post("/v0/sql_replace", form).await;
    assert_eq!(reply.json(), json!({"query": "SELECT events.a FROM events__v1"}));
    app.admin().post("/v0/sql_replace", "q=SELECT+1&replacements=x").await.error(400);
}
