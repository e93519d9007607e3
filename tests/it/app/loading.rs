//! Loading a project: what a start makes, leaves alone, and refuses.

use serde_json::{Value, json};

use crate::harness::{Home, Project, ServerFolder, ServerProcess, TestApp};

const HITS: &str = "datasources/hits.datasource";

fn project() -> Project {
    Project::default()
        .data_source("hits", &["id UInt64", "page String DEFAULT '/'"])
        .endpoint("all_hits", "SELECT id, page FROM hits ORDER BY id")
}

/// Everything that the engine knows about the workspace's tables and the server's own.
async fn state(home: &Home, app: &TestApp) -> Vec<Value> {
    let metadata = home.metadata_database();
    let tables = format!(
        "SELECT database, name, toString(uuid) AS id, create_table_query, toString(metadata_modification_time) AS modified \
         FROM system.tables WHERE database IN ('{}', '{metadata}') ORDER BY database, name",
        app.database()
    );
    let migrations = format!(
        "SELECT version, name, toString(applied_at) AS at FROM {metadata}.migrations ORDER BY version"
    );
    let resources = format!(
        "SELECT *, toString(loaded_at) AS at FROM {metadata}.resources ORDER BY kind, name, loaded_at"
    );
    let mut state = app.query_engine(&tables).await;
    state.extend(app.query_engine(&migrations).await);
    state.extend(app.query_engine(&resources).await);
    state
}

#[tokio::test]
async fn tables_have_the_engine_and_the_keys_that_the_file_declares() {
    let app = TestApp::start(&Project::clickstream()).await;
    let sql = "SELECT name, engine, partition_key, sorting_key FROM system.tables WHERE database = currentDatabase() ORDER BY name";
    let keys = |name: &str, engine: &str, partition: &str, sorting: &str| json!({"name": name, "engine": engine, "partition_key": partition, "sorting_key": sorting});
    let expected = [
        keys("clickstream_events", "MergeTree", "toYYYYMM(timestamp)", "timestamp, user_id, session_id"),
        keys("clickstream_events_quarantine", "MergeTree", "toYYYYMM(insertion_date)", "insertion_date"),
        keys("daily_pages", "AggregatingMergeTree", "toYYYYMM(day)", "day, page_url"),
        keys("daily_pages_quarantine", "MergeTree", "toYYYYMM(insertion_date)", "insertion_date"),
    ];
    assert_eq!(app.query_engine(sql).await, expected);
    let sql = "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = 'clickstream_events' ORDER BY position";
    let columns = app.query_engine(sql).await;
    let columns: Vec<String> = columns
        .iter()
        .map(|column| format!("{} {}", column["name"], column["type"]).replace('"', ""))
        .collect();
    let expected = "event_id String, user_id String, session_id String, event_type String, page_url String, \
                    page_title String, referrer String, timestamp DateTime, device_type String, browser String, \
                    properties String";
    assert_eq!(columns.join(", "), expected);
}

#[tokio::test]
async fn an_unchanged_restart_changes_nothing() {
    let home = Home::new();
    let app = home.start(&Project::clickstream()).await;
    app.admin().append("clickstream_events", "{}\n{}").await;
    let before = state(&home, &app).await;
    let tokens =
        [app.admin(), app.token("browser"), app.token("dashboard")].map(|caller| caller.token().to_owned());
    drop(app);
    let app = home.start(&Project::clickstream()).await;
    assert_eq!(state(&home, &app).await, before);
    let again =
        [app.admin(), app.token("browser"), app.token("dashboard")].map(|caller| caller.token().to_owned());
    assert_eq!(again, tokens);
    assert_eq!(app.rows("clickstream_events_quarantine").await, 2);
}

#[tokio::test]
async fn a_changed_schema_over_data_is_shown_and_refused() {
    let home = Home::new();
    let app = home.start(&project()).await;
    app.admin().append("hits", r#"{"id":1}"#).await;
    let before = state(&home, &app).await;
    drop(app);
    let sorted_by_page = project().edited(HITS, "ENGINE_SORTING_KEY \"id\"", "ENGINE_SORTING_KEY \"page\"");
    let variants = [
        (project().edited(HITS, "`page` String", "`page` UInt32"), "page"),
        (project().edited(HITS, "DEFAULT '/'", "DEFAULT '/', `more` UInt8 `json:$.more`"), "more"),
        (sorted_by_page.clone(), "page"),
        (sorted_by_page.edited(HITS, "`id` UInt64 `json:$.id`,\n", ""), "id"),
    ];
    for (variant, named) in variants {
        let refusal = home.refusal(&variant.without("pipes/all_hits.pipe")).await;
        assert!(refusal.contains("`hits`") && refusal.contains("holds data"), "{refusal}");
        assert!(refusal.contains(named) && refusal.contains(HITS), "{refusal}");
    }
    let app = home.start(&project()).await;
    assert_eq!(state(&home, &app).await, before);
    assert_eq!(app.admin().rows("all_hits").await, [json!({"id": 1, "page": "/"})]);
}

#[tokio::test]
async fn rows_in_quarantine_are_data_too() {
    let home = Home::new();
    let app = home.start(&project()).await;
    app.admin().append("hits", "{}").await;
    drop(app);
    let refusal = home.refusal(&project().edited(HITS, "`id` UInt64", "`id` String")).await;
    assert!(refusal.contains("UInt64") && refusal.contains("String"), "{refusal}");
    assert_eq!(home.start(&project()).await.rows("hits_quarantine").await, 1);
}

#[tokio::test]
async fn a_changed_schema_of_an_empty_table_makes_the_table_anew() {
    let home = Home::new();
    drop(home.start(&project()).await);
    let changed = project().edited(HITS, "`id` UInt64", "`id` String");
    let app = home.start(&changed).await;
    assert_eq!(app.admin().append("hits", r#"{"id":"a"}"#).await, (1, 0));
    assert_eq!(app.admin().rows("all_hits").await, [json!({"id": "a", "page": "/"})]);
    drop(app);
    assert_eq!(home.start(&changed).await.rows("hits").await, 1);
}

#[tokio::test]
async fn a_json_path_may_change_under_data() {
    let home = Home::new();
    let app = home.start(&project()).await;
    app.admin().append("hits", r#"{"id":1}"#).await;
    drop(app);
    let changed = project().edited(HITS, "json:$.page", "json:$.location.path");
    let app = home.start(&changed).await;
    app.admin().append("hits", r#"{"id":2,"location":{"path":"/x"}}"#).await;
    assert_eq!(app.admin().rows("all_hits").await[1], json!({"id": 2, "page": "/x"}));
}

#[tokio::test]
async fn a_file_that_is_gone_takes_its_endpoint_and_leaves_its_table() {
    let home = Home::new();
    let app = home.start(&project()).await;
    app.admin().append("hits", r#"{"id":1}"#).await;
    drop(app);
    let app = home.start(&project().without("pipes/all_hits.pipe").without(HITS)).await;
    app.admin().get("/v0/pipes/all_hits.json").await.error(404);
    app.admin().post("/v0/events?name=hits", r#"{"id":2}"#).await.error(404);
    assert_eq!(app.rows("hits").await, 1, "the table is kept");
    drop(app);
    let app = home.start(&project()).await;
    app.admin().append("hits", r#"{"id":3}"#).await;
    assert_eq!(app.admin().rows("all_hits").await.len(), 2, "the file is back, and so are its rows");
}

#[tokio::test]
async fn a_table_that_came_back_with_another_schema_is_compared_with_its_old_one() {
    let home = Home::new();
    let app = home.start(&project()).await;
    app.admin().append("hits", r#"{"id":1}"#).await;
    drop(app);
    let without = project().without("pipes/all_hits.pipe").without(HITS);
    drop(home.start(&without).await);
    let refusal = home.refusal(&project().edited(HITS, "`id` UInt64", "`id` String")).await;
    assert!(refusal.contains("`hits`") && refusal.contains("holds data"), "{refusal}");
}

#[tokio::test]
async fn the_log_warns_of_files_that_are_gone() {
    let mut server = ServerProcess::start(&project()).await;
    server.kill();
    server.folder().write(&project().without("pipes/all_hits.pipe").without(HITS));
    server.start_again().await;
    for name in ["`hits`", "`all_hits`"] {
        let output = server.output_with(&format!("{name} is gone")).await;
        let line = output.lines().find(|line| line.contains(name)).unwrap();
        assert!(line.contains("WARN"), "{line}");
    }
}

#[tokio::test]
async fn a_table_that_is_half_made_is_completed() {
    for table in ["hits", "hits_quarantine"] {
        let home = Home::new();
        let app = home.start(&project()).await;
        home.engine().execute(&format!("DROP TABLE {}.{table} SYNC", app.database())).await.unwrap();
        drop(app);
        let app = home.start(&project()).await;
        assert_eq!(app.admin().append("hits", "{\"id\":1}\n{}").await, (1, 1), "{table}");
    }
}

#[tokio::test]
async fn a_broken_file_is_shown_with_its_line_and_a_caret() {
    let folder = ServerFolder::new(&project().edited(HITS, "`page` String", "`page` Strin"));
    let refusal = folder.refusal().await;
    assert!(refusal.contains("datasources/hits.datasource:3:"), "{refusal}");
    assert!(refusal.contains("`page` Strin") && refusal.contains('^'), "{refusal}");
    assert!(
        !folder.data().join("engine").try_exists().unwrap() || !refusal.contains("panicked"),
        "{refusal}"
    );
}

#[tokio::test]
async fn all_problems_of_all_files_are_shown_at_once() {
    let project = project()
        .edited(HITS, "`page` String", "`page` Strin")
        .with("pipes/broken.pipe", "NODE n\nSQL >\n    %\n    SELECT {% if %} 1\n\nTYPE endpoint\n")
        .endpoint("lost", "SELECT * FROM nowhere_at_all");
    let refusal = Home::new().refusal(&project).await;
    assert!(refusal.contains("hits.datasource:3:") && refusal.contains("broken.pipe:4:"), "{refusal}");
}

#[tokio::test]
async fn a_name_that_no_resource_has_is_refused_with_its_place() {
    let lost = "NODE endpoint\nSQL >\n    SELECT 1 AS one,\n        2 AS two\n    FROM nowhere_at_all\n\nTYPE endpoint\n";
    let project = project().with("pipes/lost.pipe", lost);
    let refusal = Home::new().refusal(&project).await;
    assert!(refusal.contains("pipes/lost.pipe:5:10") && refusal.contains("nowhere_at_all"), "{refusal}");
}

#[tokio::test]
async fn a_datafile_on_one_line_is_told_to_take_lines() {
    let text = "SCHEMA > `id` UInt64 `json:$.id`, `page` String `json:$.page` ENGINE MergeTree ENGINE_SORTING_KEY id";
    let refusal = Home::new().refusal(&Project::default().with(HITS, text)).await;
    assert!(refusal.contains("each directive starts a line"), "{refusal}");
    assert!(refusal.contains("datasources/hits.datasource:1:"), "{refusal}");
    let text = "NODE n SQL > SELECT 1 TYPE endpoint";
    let refusal = Home::new().refusal(&Project::default().with("pipes/p.pipe", text)).await;
    assert!(refusal.contains("each directive starts a line"), "{refusal}");
}

#[tokio::test]
async fn a_refused_project_changes_nothing() {
    let home = Home::new();
    let app = home.start(&project()).await;
    let before = state(&home, &app).await;
    drop(app);
    let broken = project()
        .data_source("new_one", &["id UInt64"])
        .with("pipes/broken.pipe", "NODE n\nSQL >\n    %\n    SELECT {% if %} 1\n\nTYPE endpoint\n");
    home.refusal(&broken).await;
    let app = home.start(&project()).await;
    assert_eq!(state(&home, &app).await, before);
}

#[tokio::test]
async fn a_database_that_a_newer_build_has_migrated_is_refused() {
    let home = Home::new();
    drop(home.start(&project()).await);
    let stamp =
        format!("INSERT INTO {}.migrations (version, name) VALUES (999, 'future')", home.metadata_database());
    home.engine().execute(&stamp).await.unwrap();
    let refusal = home.refusal(&project()).await;
    assert!(refusal.contains("migration 999") && refusal.contains("newer roost"), "{refusal}");
}

#[tokio::test]
async fn an_empty_project_serves() {
    let app = TestApp::start(&Project::default()).await;
    assert_eq!(app.anonymous().get("/v0/health").await.status, 200);
    app.admin().get("/v0/pipes/x.json").await.error(404);
}

#[tokio::test]
async fn a_new_file_is_loaded_beside_the_old_ones() {
    let home = Home::new();
    let app = home.start(&project()).await;
    app.admin().append("hits", r#"{"id":1}"#).await;
    drop(app);
    let more = project()
        .data_source("visits", &["id UInt64"])
        .endpoint("both", "SELECT id FROM (SELECT id FROM hits UNION ALL SELECT id FROM visits) ORDER BY id");
    let app = home.start(&more).await;
    app.admin().append("visits", r#"{"id":2}"#).await;
    assert_eq!(app.admin().rows("both").await, [json!({"id": 1}), json!({"id": 2})]);
}
