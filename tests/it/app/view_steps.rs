//! Materialized views as steps of a batch: what they hold is what ClickHouse's own views would hold.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::harness::{Home, Project, TestApp, eventually};

/// A view of one node.
fn view(target: &str, sql: &str) -> String {
    format!("NODE rows\nSQL >\n    {sql}\n\nTYPE materialized\nDATASOURCE {target}\n")
}

fn target(columns: &str, engine: &str, key: &str) -> String {
    format!("SCHEMA >\n    {columns}\n\nENGINE \"{engine}\"\nENGINE_SORTING_KEY \"{key}\"\n")
}

fn hits() -> Project {
    Project::default().data_source("hits", &["id UInt64", "page String DEFAULT '/'", "n Int64 DEFAULT 1"])
}

/// Targets and views of many kinds: name, columns, engine, key, source, SQL with the source's name.
const VIEWS: [(&str, &str, &str, &str, &str); 9] = [
    (
        "states",
        "page String, visits AggregateFunction(uniq, UInt64), most SimpleAggregateFunction(max, Int64)",
        "AggregatingMergeTree",
        "page",
        "SELECT page, uniqState(id) AS visits, max(n) AS most FROM hits GROUP BY page",
    ),
    (
        "sums",
        "page String, n Int64",
        "SummingMergeTree",
        "page",
        "SELECT page, sum(n) AS n FROM hits GROUP BY page",
    ),
    // A second view into the same target.
    ("sums", "", "", "", "SELECT 'all' AS page, sum(n) AS n FROM hits"),
    ("latest", "page String, id UInt64", "ReplacingMergeTree", "page", "SELECT page, id FROM hits"),
    // The target's columns in another order, one with a DEFAULT that the query does not give.
    (
        "copies",
        "kind String DEFAULT 'copied', id UInt64, twice Int64",
        "MergeTree",
        "id",
        "SELECT n * 2 AS twice, id FROM hits WHERE n > 0",
    ),
    // A chain, over what reached the target of another view.
    (
        "chained",
        "kind String, n UInt64",
        "SummingMergeTree",
        "kind",
        "SELECT kind, count() AS n FROM copies GROUP BY kind",
    ),
    // Every mention of the source sees only the new rows; another table is read as it is.
    (
        "selfjoined",
        "id UInt64, page String, pairs UInt64",
        "MergeTree",
        "id",
        "SELECT h.id AS id, h.page AS page, count() AS pairs FROM hits h JOIN hits g ON h.page = g.page GROUP BY id, page",
    ),
    (
        "named",
        "id UInt64, name String",
        "MergeTree",
        "id",
        "SELECT h.id AS id, p.name AS name FROM hits h JOIN names p ON h.page = p.page",
    ),
    (
        "shares",
        "id UInt64, share Float64",
        "MergeTree",
        "id",
        "WITH (SELECT sum(n) FROM hits) AS total SELECT id, n / total AS share FROM hits WHERE id IN (SELECT id FROM hits)",
    ),
];

fn project() -> Project {
    let mut project = hits().data_source("names", &["page String", "name String"]);
    for (number, (name, columns, engine, key, sql)) in VIEWS.iter().enumerate() {
        if !columns.is_empty() {
            project = project.with(&format!("datasources/{name}.datasource"), &target(columns, engine, key));
        }
        project = project.with(&format!("pipes/view_{number}.pipe"), &view(name, sql));
    }
    project
}

/// The same tables with ClickHouse's own views, in a database of their own.
async fn make_native(app: &TestApp, home: &Home) -> String {
    let native = format!("{}_native", app.database());
    let engine = home.engine();
    engine.execute(&format!("CREATE DATABASE `{native}`")).await.unwrap();
    for table in
        ["hits", "names", "states", "sums", "latest", "copies", "chained", "selfjoined", "named", "shares"]
    {
        let statement = format!("CREATE TABLE `{native}`.`{table}` AS `{}`.`{table}`", app.database());
        engine.execute(&statement).await.unwrap();
    }
    for (number, (name, .., sql)) in VIEWS.iter().enumerate() {
        let sql = ["hits", "copies", "names"].iter().fold((*sql).to_owned(), |sql, table| {
            sql.replace(&format!("FROM {table}"), &format!("FROM `{native}`.`{table}`"))
                .replace(&format!("JOIN {table}"), &format!("JOIN `{native}`.`{table}`"))
        });
        let statement =
            format!("CREATE MATERIALIZED VIEW `{native}`.view_{number} TO `{native}`.`{name}` AS {sql}");
        engine.execute(&statement).await.unwrap();
    }
    native
}

/// What a table holds, merged and in order, states finished.
async fn content(app: &TestApp, database: &str, table: &str) -> Vec<Value> {
    let columns =
        if table == "states" { "page, uniqMerge(visits) AS visits, max(most) AS most" } else { "*" };
    let tail = if table == "states" { "GROUP BY page" } else { "" };
    let last = if matches!(table, "states" | "sums" | "latest" | "chained") { "FINAL" } else { "" };
    app.query_engine(&format!("SELECT {columns} FROM `{database}`.`{table}` {last} {tail} ORDER BY ALL"))
        .await
}

#[tokio::test]
async fn views_hold_what_the_engine_s_own_views_hold_on_the_same_blocks() {
    let home = Home::new();
    let app = home.start(&project()).await;
    let native = make_native(&app, &home).await;
    app.admin().append("names", "{\"page\":\"/a\",\"name\":\"A\"}\n{\"page\":\"/b\",\"name\":\"B\"}").await;
    home.engine()
        .execute(&format!("INSERT INTO `{native}`.names VALUES ('/a', 'A'), ('/b', 'B')"))
        .await
        .unwrap();
    for batch in 0..6_u64 {
        let (mut lines, mut values) = (String::new(), Vec::new());
        for row in 0..=batch * 3 {
            let (id, page, n) =
                (batch * 100 + row, ["/a", "/b", "/c"][usize::try_from(row % 3).unwrap()], row % 4);
            writeln!(lines, "{}", json!({"id": id, "page": page, "n": n})).unwrap();
            values.push(format!("({id}, '{page}', {n})"));
        }
        app.admin().append("hits", lines).await;
        let insert = format!("INSERT INTO `{native}`.hits (id, page, n) VALUES {}", values.join(", "));
        home.engine().execute(&insert).await.unwrap();
    }
    for table in ["hits", "states", "sums", "latest", "copies", "chained", "selfjoined", "named", "shares"] {
        let ours = content(&app, app.database(), table).await;
        assert!(!ours.is_empty(), "{table}");
        assert_eq!(ours, content(&app, &native, table).await, "{table}");
    }
    let views = "SELECT count() AS n FROM system.tables WHERE database = currentDatabase() AND engine = 'MaterializedView'";
    assert_eq!(app.query_engine(views).await, [json!({"n": 0})]);
}

#[tokio::test]
async fn a_null_source_keeps_nothing_and_feeds_its_views() {
    let null = "SCHEMA >\n    `id` UInt64 `json:$.id`\n\nENGINE \"Null\"\n";
    let project = Project::default()
        .with("datasources/gone.datasource", null)
        .with("datasources/kept.datasource", &target("id UInt64", "MergeTree", "id"))
        .with("pipes/keep.pipe", &view("kept", "SELECT id FROM gone"));
    let app = TestApp::start(&project).await;
    assert_eq!(app.admin().append("gone", "{\"id\":1}\n{\"id\":2}\n{}").await, (2, 1));
    assert_eq!(
        (app.rows("gone").await, app.rows("kept").await, app.rows("gone_quarantine").await),
        (0, 2, 1)
    );
}

#[tokio::test]
async fn two_sources_feed_one_target_and_a_quarantine_feeds_another() {
    let project = hits()
        .data_source("other", &["id UInt64", "page String"])
        .with("datasources/sums.datasource", &target("page String, n UInt64", "SummingMergeTree", "page"))
        .with(
            "datasources/faults.datasource",
            &target("column String, n UInt64", "SummingMergeTree", "column"),
        )
        .with("pipes/one.pipe", &view("sums", "SELECT page, count() AS n FROM hits GROUP BY page"))
        .with("pipes/two.pipe", &view("sums", "SELECT page, count() AS n FROM other GROUP BY page"))
        .with(
            "pipes/three.pipe",
            &view(
                "faults",
                "SELECT c__error_column[1] AS column, count() AS n FROM hits_quarantine GROUP BY column",
            ),
        );
    let app = TestApp::start(&project).await;
    let (admin, other) = (app.admin(), app.admin());
    let first = async { admin.append("hits", "{\"id\":1,\"page\":\"/a\"}\n{\"id\":\"x\"}").await };
    let second =
        async { other.append("other", "{\"id\":1,\"page\":\"/a\"}\n{\"id\":2,\"page\":\"/b\"}").await };
    tokio::join!(first, second);
    let sums = app.query_engine("SELECT page, n FROM sums FINAL ORDER BY page").await;
    assert_eq!(sums, [json!({"page": "/a", "n": 2}), json!({"page": "/b", "n": 1})]);
    assert_eq!(
        app.query_engine("SELECT column, n FROM faults FINAL").await,
        [json!({"column": "id", "n": 1})]
    );
}

#[tokio::test]
async fn a_row_that_a_view_fails_on_goes_to_the_quarantine_and_nothing_is_half_there() {
    let project = hits()
        .with("datasources/checked.datasource", &target("id UInt64", "MergeTree", "id"))
        .with("datasources/sums.datasource", &target("page String, n Int64", "SummingMergeTree", "page"))
        .with(
            "pipes/check.pipe",
            &view("checked", "SELECT id + throwIf(page = '/bad', 'a bad page') AS id FROM hits"),
        )
        .with("pipes/sum.pipe", &view("sums", "SELECT page, sum(n) AS n FROM hits GROUP BY page"));
    let app = TestApp::start(&project).await;
    let line = |id: u64| json!({"id": id, "page": if id % 50 == 7 { "/bad" } else { "/good" }}).to_string();
    let lines: Vec<String> = (0..100).map(line).collect();
    let reply = app.admin().post("/v0/events?name=hits&wait=true", lines.join("\n")).await;
    assert!(reply.error(422).contains("a bad page"), "{}", reply.text);
    assert_eq!(reply.counts(), (98, 2));
    assert_eq!((app.rows("hits").await, app.rows("checked").await), (98, 98));
    assert_eq!(app.query_engine("SELECT page, n FROM sums FINAL").await, [json!({"page": "/good", "n": 98})]);
    let kept = "SELECT id, page, c__error_column AS column, position(c__error[1], 'a bad page') > 0 AS told \
                FROM hits_quarantine ORDER BY id";
    let row = |id: &str| json!({"id": id, "page": "/bad", "column": ["$"], "told": 1});
    assert_eq!(app.query_engine(kept).await, [row("57"), row("7")]);
    // Nobody waits: the same without an answer, and what follows is not held up.
    app.admin().post("/v0/events?name=hits", r#"{"id":207,"page":"/bad"}"#).await;
    assert_eq!(app.admin().append("hits", r#"{"id":300}"#).await, (1, 0));
    assert_eq!((app.rows("hits").await, app.rows("hits_quarantine").await), (99, 3));
}

#[tokio::test]
async fn what_only_the_engine_refuses_is_quarantined_row_by_row() {
    let columns = ["id UInt64", "data JSON(size UInt8)", "half UInt8 DEFAULT intDiv(100, id)"];
    let app = TestApp::start(&Project::default().data_source("deep", &columns)).await;
    let lines = [
        r#"{"id":1,"data":{"size":1}}"#,
        r#"{"id":2,"data":{"size":"large"}}"#,
        r#"{"id":0,"data":{"size":2}}"#,
        r#"{"id":4,"data":{"size":3},"half":9}"#,
    ];
    let reply = app.admin().post("/v0/events?name=deep&wait=true", lines.join("\n")).await;
    reply.error(422);
    assert_eq!(reply.counts(), (2, 2), "{}", reply.text);
    let rows = app.query_engine("SELECT id, half, data.size AS size FROM deep ORDER BY id").await;
    assert_eq!(rows, [json!({"id": 1, "half": 100, "size": 1}), json!({"id": 4, "half": 9, "size": 3})]);
    let kept = "SELECT id, data FROM deep_quarantine ORDER BY id";
    let expected =
        [json!({"id": "0", "data": "{\"size\":2}"}), json!({"id": "2", "data": "{\"size\":\"large\"}"})];
    assert_eq!(app.query_engine(kept).await, expected);
}

#[tokio::test]
async fn a_row_that_an_index_refuses_goes_to_the_quarantine_with_a_view_and_without() {
    let indexed = "SCHEMA >\n    `id` UInt64 `json:$.id`\n\nENGINE \"MergeTree\"\nENGINE_SORTING_KEY \"id\"\n\
                   INDEXES >\n    shares intDiv(100, id) TYPE minmax GRANULARITY 1\n";
    let project = Project::default()
        .with("datasources/alone.datasource", indexed)
        .with("datasources/viewed.datasource", indexed)
        .with("datasources/copies.datasource", &target("id UInt64", "MergeTree", "id"))
        .with("pipes/to_copies.pipe", &view("copies", "SELECT id FROM viewed"));
    let app = TestApp::start(&project).await;
    for source in ["alone", "viewed"] {
        let place = format!("/v0/events?name={source}&wait=true");
        let reply = app.admin().post(&place, "{\"id\":1}\n{\"id\":0}\n{\"id\":2}").await;
        assert!(reply.error(422).contains("Division by zero"), "{}", reply.text);
        assert_eq!(reply.counts(), (2, 1), "{}", reply.text);
        let quarantine = format!("{source}_quarantine");
        assert_eq!((app.rows(source).await, app.rows(&quarantine).await), (2, 1));
    }
    assert_eq!(app.rows("copies").await, 2);
}

#[tokio::test]
async fn a_view_that_refuses_everything_stops_nothing() {
    let project = hits()
        .with("datasources/never.datasource", &target("id UInt64", "MergeTree", "id"))
        .with("pipes/to_never.pipe", &view("never", "SELECT id + throwIf(id >= 0, 'never') AS id FROM hits"));
    let app = TestApp::start(&project).await;
    let lines: Vec<String> = (0..3000).map(|id| json!({"id": id}).to_string()).collect();
    let reply = app.admin().post("/v0/events?name=hits&wait=true", lines.join("\n")).await;
    assert!(reply.error(422).contains("never"), "{}", reply.text);
    assert_eq!((app.rows("hits").await, app.rows("hits_quarantine").await), (0, 3000));
}

#[tokio::test]
async fn a_new_view_is_filled_from_history_without_gap_or_overlap() {
    let home = Home::new();
    let source = hits().with(
        "datasources/hits.datasource",
        "SCHEMA >\n    `id` UInt64 `json:$.id`,\n    `page` String `json:$.page`\n\nENGINE \"MergeTree\"\n\
         ENGINE_PARTITION_KEY \"id % 3\"\nENGINE_SORTING_KEY \"id\"\n",
    );
    let app = home.start(&source).await;
    for batch in 0..10 {
        let lines: Vec<String> =
            (0..50).map(|row| json!({"id": batch * 50 + row, "page": "/a"}).to_string()).collect();
        app.admin().append("hits", lines.join("\n")).await;
    }
    drop(app);
    // Rows of a direct post were in the target already; a chain over it is new, too.
    let viewed = source
        .with("datasources/sums.datasource", &target("page String, n UInt64", "SummingMergeTree", "page"))
        .with("datasources/total.datasource", &target("all String, n UInt64", "SummingMergeTree", "all"))
        .with("pipes/z_sum.pipe", &view("sums", "SELECT page, count() AS n FROM hits GROUP BY page"))
        .with(
            "pipes/a_total.pipe",
            &view("total", "SELECT 'all' AS all, sum(n) AS n FROM sums GROUP BY all"),
        );
    for round in 0..2 {
        let app = home.start(&viewed).await;
        for row in 0..20 {
            app.admin()
                .append("hits", json!({"id": 1000 + round * 20 + row, "page": "/a"}).to_string())
                .await;
        }
        let expected = 500 + (round + 1) * 20;
        let filled = async || {
            let sums = app.query_engine("SELECT sum(n) AS n FROM sums").await;
            (sums[0]["n"] == expected).then_some(())
        };
        eventually("the view is filled", filled).await;
        assert_eq!(app.query_engine("SELECT sum(n) AS n FROM total").await, [json!({"n": expected})]);
    }
}
