//! What a caller is told when the engine fails: enough to mend the call, nothing of the inside.

use super::{encoded, fill, shop};
use crate::harness::{Home, TestApp};

/// Pipes that fail in the engine, each over a table and a column that readers know nothing of.
const BROKEN: [(&str, &str, u16, &str); 12] = [
    ("column", "SELECT hidden_column FROM secrets", 400, "47"),
    ("types", "SELECT id + word AS x FROM secrets", 400, "43"),
    ("number", "SELECT toInt32(word) AS x FROM secrets", 400, "6"),
    ("date", "SELECT toDate(word) AS x FROM secrets", 400, "38"),
    ("moment", "SELECT parseDateTimeBestEffort(word) AS x FROM secrets", 400, "41"),
    ("division", "SELECT intDiv(1, id - id) AS x FROM secrets", 400, "153"),
    ("function", "SELECT toUInt8(word, id, word) AS x FROM secrets", 400, "42"),
    ("aggregate", "SELECT id FROM secrets GROUP BY word", 400, "215"),
    ("join", "SELECT a.id FROM secrets AS a JOIN secrets AS b USING (hidden_column)", 400, "47"),
    ("final", "SELECT * FROM secrets FINAL", 400, "181"),
    ("union", "SELECT id FROM secrets UNION ALL SELECT id, word FROM secrets", 400, "258"),
    ("raised", "SELECT throwIf(id = 1, 'too many days') AS x FROM secrets", 400, "395"),
];

/// Texts of the inside that no reader may see.
const INSIDE: [&str; 7] = ["secrets", "word", "s3cret", "hidden_", "SELECT", "/proc", "__table"];

async fn app() -> TestApp {
    let project = BROKEN.iter().fold(shop(), |project, (name, sql, ..)| {
        let pipe = format!("TOKEN \"reader\" READ\n\nNODE endpoint\nSQL >\n    {sql}\n\nTYPE endpoint\n");
        project.with(&format!("pipes/broken_{name}.pipe"), &pipe)
    });
    let app = TestApp::start(&project).await;
    fill(&app.admin()).await;
    app
}

#[tokio::test]
async fn a_reader_learns_the_kind_of_a_failure_and_nothing_of_the_inside() {
    let app = app().await;
    for (name, _, status, code) in BROKEN {
        for path in [
            format!("/v0/pipes/broken_{name}.json"),
            format!("/v0/pipes/broken_{name}.csv?q={}", encoded("SELECT * FROM _")),
            format!("/v0/sql?q={}", encoded(&format!("SELECT * FROM broken_{name}"))),
        ] {
            let reply = app.token("reader").get(&path).await;
            let error = reply.error(status);
            // Around another query, the engine may find the same mistake at another step.
            let found = reply.header("x-db-exception-code");
            assert!(found == code || (path.contains("q=") && found == "53"), "{path}: {error}");
            let leaked = INSIDE.iter().find(|inside| error.contains(**inside));
            assert_eq!(leaked, None, "{path}: {error}");
            assert!(!error.contains(app.database()), "{path}: {error}");
            assert!(error.ends_with(')'), "the name of the error is told: {error}");
        }
    }
}

#[tokio::test]
async fn an_admin_is_told_the_reason_without_the_statement() {
    let app = app().await;
    let told = [
        ("column", "Unknown expression identifier `hidden_column` (UNKNOWN_IDENTIFIER)"),
        ("types", "Illegal types UInt64 and String of arguments of function plus (ILLEGAL_TYPE_OF_ARGUMENT)"),
        ("division", "Division by zero (ILLEGAL_DIVISION)"),
        ("raised", "too many days (FUNCTION_THROW_IF_VALUE_IS_NON_ZERO)"),
    ];
    for (name, text) in told {
        assert_eq!(app.admin().get(&format!("/v0/pipes/broken_{name}.json")).await.error(400), text);
    }
    let value = app.admin().get("/v0/pipes/broken_number.json").await.error(400);
    assert!(value.contains("'s3cret' as Int32"), "{value}");
    for (name, ..) in BROKEN {
        let error = app.admin().get(&format!("/v0/pipes/broken_{name}.json")).await.error(400);
        assert!(!error.contains(app.database()) && !error.contains("SELECT"), "{error}");
    }
}

#[tokio::test]
async fn mistakes_in_the_callers_own_text_are_told() {
    let app = app().await;
    let reader = app.token("dashboard");
    let ask = async |sql: &str| reader.get(&format!("/v0/sql?q={}", encoded(sql))).await.error(400);
    let error = ask("SELECT totl FROM by_tenant").await;
    assert_eq!(error, "Unknown expression identifier `totl` (UNKNOWN_IDENTIFIER)");
    let error = ask("SELECT summ(total) FROM by_tenant").await;
    assert_eq!(error, "Function with name `summ` does not exist (UNKNOWN_FUNCTION)");
    let error = ask("SELECT tenant + 1 FROM by_tenant").await;
    assert!(error.starts_with("Illegal types String and UInt8 of arguments of function plus"), "{error}");
    assert!(ask("SELECT (1").await.starts_with("expected "));
}

#[tokio::test]
async fn limits_are_told_to_everybody() {
    let settings = "query.max_memory_bytes = 50000000\nquery.max_execution_seconds = 1";
    let app = Home::with_settings(settings).start(&shop()).await;
    let ask = |sql: &str| format!("/v0/sql?q={}", encoded(sql));
    for caller in [app.admin(), app.token("dashboard")] {
        let reply = caller.get(&ask("SELECT length(groupArray(number)) FROM numbers(30000000)")).await;
        let error = reply.error(400);
        assert!(
            error.to_lowercase().contains("memory") && error.ends_with("(MEMORY_LIMIT_EXCEEDED)"),
            "{error}"
        );
        assert_eq!(reply.header("x-db-exception-code"), "241");
        let reply =
            caller.get(&ask("SELECT count() FROM numbers(100000000000) WHERE NOT ignore(number)")).await;
        assert!(reply.error(408).contains("TIMEOUT_EXCEEDED"), "{}", reply.text);
    }
}

#[tokio::test]
async fn a_table_that_is_gone_is_the_servers_fault() {
    let app = app().await;
    app.query_engine("DROP TABLE secrets SYNC").await;
    for caller in [app.admin(), app.token("reader")] {
        let reply = caller.get("/v0/pipes/broken_column.json").await;
        let error = reply.error(500);
        assert!(!error.contains(app.database()), "{error}");
    }
}

#[tokio::test]
async fn a_pipe_that_cannot_be_composed_is_explained_to_an_admin_only() {
    let pipe = "TOKEN \"reader\" READ\n\nNODE endpoint\nSQL >\n    %\n    SELECT count() AS n FROM {{ table(which) }}\n\nTYPE endpoint\n";
    let app = TestApp::start(&shop().with("pipes/chosen.pipe", pipe)).await;
    assert_eq!(app.token("reader").get("/v0/pipes/chosen.ndjson?which=sales").await.text, "{\"n\":0}\n");
    let admin = app.admin();
    assert_eq!(admin.get("/v0/pipes/chosen.json?which=nope").await.error(400), "Resource 'nope' not found");
    for path in ["/v0/pipes/chosen.json?which=nope", "/v0/sql?which=nope&q=SELECT+*+FROM+chosen"] {
        let error = app.token("reader").get(path).await.error(400);
        assert_eq!(
            error,
            "a pipe that is read cannot run: a token that may read everything is told the reason"
        );
    }
}
