//! The read side of the API, rule by rule: endpoints, the query API, and who may name what.

mod conventions;
mod descriptions;
mod endpoints;
mod errors;
mod formats;
mod inspect;
mod limits;
mod own_sql;
mod rights;
mod streaming;

use crate::harness::{ApiClient, Project, TestApp};

/// A shop: two data sources, pipes over them and over each other, and tokens for parts of it.
fn shop() -> Project {
    let sales = "SCHEMA >\n    `id` UInt64 `json:$.id`,\n    `tenant` String `json:$.tenant`,\n    \
                 `amount` Int32 `json:$.amount`\n\nENGINE \"MergeTree\"\nENGINE_SORTING_KEY \"id\"\n\n\
                 TOKEN \"accountant\" READ\n";
    let secrets = "SCHEMA >\n    `id` UInt64 `json:$.id`,\n    `word` String `json:$.word`\n\n\
                   ENGINE \"MergeTree\"\nENGINE_SORTING_KEY \"id\"\n\nTOKEN \"browser\" APPEND\n";
    let by_tenant = "TOKEN \"dashboard\" READ\n\nNODE large\nSQL >\n    %\n    SELECT tenant, amount FROM sales \
                  WHERE amount >= {{ Int32(least, 0) }}\n\nNODE endpoint\nSQL >\n    \
                  SELECT tenant, sum(amount) AS total, count() AS n FROM large GROUP BY tenant ORDER BY tenant\n\n\
                  TYPE endpoint\n";
    let guarded = "TOKEN \"dashboard\" READ\n\nNODE endpoint\nSQL >\n    SELECT count() AS n FROM secrets\n\nTYPE endpoint\n";
    Project::default()
        .with("datasources/sales.datasource", sales)
        .with("datasources/secrets.datasource", secrets)
        .with("pipes/by_tenant.pipe", by_tenant)
        .with("pipes/guarded.pipe", guarded)
        .endpoint(
            "rows",
            "SELECT number AS n, concat('é', toString(number)) AS text FROM numbers({{ Int32(rows, 2) }})",
        )
        .endpoint("private", "SELECT word FROM secrets ORDER BY id")
}

/// A server with the shop, its rows and one row in quarantine.
async fn app() -> TestApp {
    let app = TestApp::start(&shop()).await;
    fill(&app.admin()).await;
    app
}

async fn fill(admin: &ApiClient) {
    let sales = "{\"id\":1,\"tenant\":\"a\",\"amount\":10}\n{\"id\":2,\"tenant\":\"a\",\"amount\":5}\n\
                 {\"id\":3,\"tenant\":\"b\",\"amount\":7}\n{\"id\":4,\"tenant\":\"b\",\"amount\":\"much\"}\n";
    assert_eq!(admin.append("sales", sales).await, (3, 1));
    assert_eq!(admin.append("secrets", "{\"id\":1,\"word\":\"s3cret\"}").await, (1, 0));
}

/// A text as it stands in a query string.
fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
