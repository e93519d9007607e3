//! Materialized views at a start: each is held against its target on the real engine before
//! anything is changed.

use serde_json::json;

use crate::harness::{Home, Project, TestApp};

fn project() -> Project {
    Project::default().data_source("hits", &["id UInt64", "page String DEFAULT '/'", "size Nullable(UInt32)"])
}

fn target(columns: &str, engine: &str) -> String {
    format!("SCHEMA >\n    {columns}\n\nENGINE \"{engine}\"\nENGINE_SORTING_KEY \"page\"\n")
}

fn view(sql: &str) -> String {
    format!("NODE rows\nSQL >\n    {sql}\n\nTYPE materialized\nDATASOURCE sums\n")
}

fn with_view(columns: &str, engine: &str, sql: &str) -> Project {
    project()
        .with("datasources/sums.datasource", &target(columns, engine))
        .with("pipes/to_sums.pipe", &view(sql))
}

/// Why a fresh server does not start with such a view.
async fn refusal(columns: &str, sql: &str) -> String {
    Home::new().refusal(&with_view(columns, "AggregatingMergeTree", sql)).await
}

/// Tables of the workspace, and databases of the kind that views are tried in; not its stages.
async fn tables(app: &TestApp) -> Vec<String> {
    let database = app.database();
    let sql = format!(
        "SELECT database, name FROM system.tables WHERE startsWith(database, '{database}') \
         AND NOT endsWith(database, '_stage') ORDER BY database, name"
    );
    let rows = app.query_engine(&sql).await;
    rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_view_whose_rows_fit_loads_and_leaves_nothing_behind() {
    let columns = "page LowCardinality(String), views AggregateFunction(count, UInt64), \
                   most SimpleAggregateFunction(max, UInt64), seen DateTime DEFAULT now()";
    let sql = "SELECT page, countState() AS views, max(id) AS most FROM hits GROUP BY page";
    let app = TestApp::start(&with_view(columns, "AggregatingMergeTree", sql)).await;
    assert_eq!(tables(&app).await, ["hits", "hits_quarantine", "sums", "sums_quarantine"]);
    let views = "SELECT count() AS n FROM system.tables WHERE database = currentDatabase() AND engine = 'MaterializedView'";
    assert_eq!(app.query_engine(views).await, [json!({"n": 0})], "Roost evaluates views itself");
}

#[tokio::test]
async fn columns_that_only_one_side_has_are_named() {
    let refusal = refusal("page String, n UInt64", "SELECT page, 1 AS m FROM hits").await;
    assert!(refusal.contains("the query has the column `m`, and the target does not (`sums`)"), "{refusal}");
    assert!(
        refusal.contains("the target has the column `n` without a DEFAULT, and the query does not"),
        "{refusal}"
    );
    assert!(refusal.contains("pipes/to_sums.pipe:1:6"), "{refusal}");
}

#[tokio::test]
async fn states_that_do_not_meet_are_refused() {
    let refusal = refusal(
        "page String, n AggregateFunction(sum, UInt32)",
        "SELECT page, sumState(id) AS n FROM hits GROUP BY page",
    )
    .await;
    let expected = "the column `n` is AggregateFunction(sum, UInt64) in the query and \
                    AggregateFunction(sum, UInt32) in the target";
    assert!(refusal.contains(expected), "{refusal}");
}

#[tokio::test]
async fn what_only_the_engine_sees_is_shown_at_the_view() {
    let unknown = refusal("page String", "SELECT page, nothing FROM hits").await;
    assert!(unknown.contains("ClickHouse refuses the query") && unknown.contains("nothing"), "{unknown}");
    let array = refusal("page String, n UInt64", "SELECT page, [id] AS n FROM hits").await;
    assert!(
        array.contains("ClickHouse refuses the query") && array.contains("pipes/to_sums.pipe"),
        "{array}"
    );
}

#[tokio::test]
async fn a_refused_view_changes_nothing() {
    let home = Home::new();
    let app = home.start(&project()).await;
    let before = tables(&app).await;
    drop(app);
    home.refusal(&with_view("page String", "MergeTree", "SELECT page, 1 AS m FROM hits")).await;
    let app = home.start(&project()).await;
    assert_eq!(tables(&app).await, before);
}

#[tokio::test]
async fn engine_lines_of_a_classic_pipe_make_the_target() {
    let classic = |sql: &str, engine: &str| {
        project()
            .with("pipes/to_sums.pipe", &format!("{}{engine}", view(sql)))
            .endpoint("read_sums", "SELECT page, countMerge(n) AS n FROM sums GROUP BY page")
    };
    let sql = "SELECT page, countState() AS n, max(size) AS most FROM hits GROUP BY page";
    let engine = "ENGINE AggregatingMergeTree\nENGINE_SORTING_KEY page\n";
    let home = Home::new();
    for _ in 0..2 {
        let app = home.start(&classic(sql, engine)).await;
        let columns =
            "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = 'sums'";
        let expected = [
            json!({"name": "page", "type": "String"}),
            json!({"name": "n", "type": "AggregateFunction(count)"}),
            json!({"name": "most", "type": "Nullable(UInt32)"}),
        ];
        assert_eq!(app.query_engine(columns).await, expected);
        assert!(app.admin().rows("read_sums").await.is_empty());
    }
    let broken =
        Home::new().refusal(&classic(sql, "ENGINE ReplacingMergeTree\nENGINE_SORTING_KEY most\n")).await;
    assert!(broken.contains("Sorting key contains nullable column 'most'"), "{broken}");
}

#[tokio::test]
async fn a_chain_of_classic_views_is_tried_in_its_own_order() {
    let engine = "ENGINE MergeTree\nENGINE_SORTING_KEY page\n";
    let first = format!(
        "NODE n\nSQL >\n    SELECT page, id FROM hits\nTYPE materialized\nDATASOURCE z_first\n{engine}"
    );
    let second = format!(
        "NODE n\nSQL >\n    SELECT page, max(id) AS id FROM z_first GROUP BY page\nTYPE materialized\nDATASOURCE a_second\n{engine}"
    );
    let project = project().with("pipes/a_second_view.pipe", &second).with("pipes/z_first_view.pipe", &first);
    let app = TestApp::start(&project).await;
    assert!(tables(&app).await.contains(&"a_second".to_owned()));
}
