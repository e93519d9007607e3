//! Rows deleted by a condition: at once, as jobs, and over deaths of the server.

use serde_json::{Value, json};

use crate::harness::{ApiClient, Home, Project, Reply, ServerProcess, TestApp, eventually};

/// Hits over two months, one partition each.
fn project() -> Project {
    let text = "SCHEMA >\n    `id` UInt64 `json:$.id`,\n    `month` UInt32 `json:$.month`,\n    `country` String `json:$.country`\n\n\
                ENGINE \"MergeTree\"\nENGINE_PARTITION_KEY \"month\"\nENGINE_SORTING_KEY \"id\"\n";
    let target = "SCHEMA >\n    country String, n UInt64\n\nENGINE \"SummingMergeTree\"\nENGINE_SORTING_KEY \"country\"\n";
    let view = "NODE rows\nSQL >\n    SELECT country, count() AS n FROM hits GROUP BY country\n\nTYPE materialized\nDATASOURCE sums\n";
    Project::default()
        .with("datasources/hits.datasource", text)
        .with("datasources/sums.datasource", target)
        .with("pipes/to_sums.pipe", view)
        .endpoint("ids", "SELECT groupArray(id) AS ids FROM (SELECT id FROM hits ORDER BY id)")
        .endpoint("summed", "SELECT sum(n) AS n FROM sums")
        .endpoint("refused", "SELECT count() AS n FROM hits_quarantine")
}

/// Ids 0 to 5: even ones from Spain, the first three in May.
async fn fill(admin: &ApiClient) {
    let line = |id: u64| {
        let (month, country) =
            (if id < 3 { 202_605 } else { 202_606 }, if id.is_multiple_of(2) { "ES" } else { "FR" });
        json!({ "id": id, "month": month, "country": country }).to_string()
    };
    let lines: Vec<String> = (0..6).map(line).collect();
    admin.append("hits", lines.join("\n")).await;
}

async fn ids(admin: &ApiClient) -> Value {
    admin.rows("ids").await[0]["ids"].clone()
}

/// True for what comes from Spain, and slow to say so.
const SLOW: &str = "length(hex(SHA512(repeat(repeat(country, 1000000), 20)))) = 128 AND country = 'ES'";

/// Posts a form.
async fn post(caller: &ApiClient, path: &str, form: &[(&str, &str)]) -> Reply {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    caller.post(path, body).await
}

async fn ended(admin: &ApiClient, id: &str) -> Value {
    eventually("the job has ended", async || {
        let job = admin.get(&format!("/v0/jobs/{id}")).await.json();
        (!["waiting", "working"].contains(&job["status"].as_str().unwrap())).then_some(job)
    })
    .await
}

#[tokio::test]
async fn a_deletion_answers_when_its_rows_are_gone_and_says_how_many() {
    let app = TestApp::start(&project()).await;
    let admin = app.admin();
    fill(&admin).await;
    assert_eq!(ids(&admin).await, json!([0, 1, 2, 3, 4, 5]));
    let reply = post(&admin, "/v1/datasources/hits/delete", &[("delete_condition", "country = 'ES'")]).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let mutation = json!({ "partitions_scanned": 2, "partitions_done": 2, "partitions_in_progress": 0 });
    assert_eq!(reply.json(), json!({ "rows_affected": 3, "mutation": mutation }));
    assert_eq!(ids(&admin).await, json!([1, 3, 5]), "a kept answer would be the old one");
    assert_eq!(admin.rows("summed").await[0]["n"], 6, "targets of views are left alone");
    fill(&admin).await;
    assert_eq!(ids(&admin).await, json!([0, 1, 1, 2, 3, 3, 4, 5, 5]), "later rows stay");
}

#[tokio::test]
async fn a_partition_that_loses_every_row_is_dropped() {
    let app = TestApp::start(&project()).await;
    let admin = app.admin();
    fill(&admin).await;
    let form = [("delete_condition", "month = 202605")];
    let reply = post(&admin, "/v1/datasources/hits/delete", &form).await;
    assert_eq!(reply.json()["rows_affected"], 3, "{}", reply.text);
    assert_eq!(ids(&admin).await, json!([3, 4, 5]));
    let mutations = app
        .query_engine(&format!(
            "SELECT count() AS n FROM system.mutations WHERE database = '{}'",
            app.database()
        ))
        .await;
    assert_eq!(mutations[0]["n"], 0, "nothing was rewritten");
    let form = [("delete_condition", "id >= 0"), ("partition", "202606")];
    let reply = post(&admin, "/v1/datasources/hits/delete", &form).await;
    assert_eq!(reply.json()["rows_affected"], 3, "{}", reply.text);
    let form = [("delete_condition", "id >= 0"), ("partition", "209901")];
    let reply = post(&admin, "/v1/datasources/hits/delete", &form).await;
    assert_eq!(reply.json()["rows_affected"], 0, "such a partition holds nothing");
}

#[tokio::test]
async fn a_deletion_as_a_job_has_tinybirds_form() {
    let app = TestApp::start(&project()).await;
    let admin = app.admin();
    fill(&admin).await;
    let form = [("delete_condition", " country = 'ES' "), ("dry_run", "true")];
    let reply = post(&admin, "/v0/datasources/hits/delete", &form).await;
    assert_eq!(reply.json(), json!({ "rows_to_be_deleted": 3 }));
    assert_eq!(ids(&admin).await, json!([0, 1, 2, 3, 4, 5]));
    let begun = post(&admin, "/v0/datasources/hits/delete", &form[..1]).await.json();
    let id = begun["id"].as_str().unwrap();
    assert_eq!([&begun["job_id"], &begun["delete_id"], &begun["job"]["id"]], [id; 3]);
    assert_eq!((&begun["status"], &begun["job"]["kind"]), (&json!("waiting"), &json!("delete_data")));
    assert_eq!(begun["job"]["delete_condition"], "country = 'ES'");
    let url = begun["job_url"].as_str().unwrap().to_owned();
    assert!(url.starts_with("http://127.0.0.1:") && url.ends_with(&format!("/v0/jobs/{id}")), "{url}");
    let job = ended(&admin, id).await;
    assert_eq!((&job["status"], &job["rows_affected"]), (&json!("done"), &json!(3)), "{job}");
    assert_eq!((&job["is_cancellable"], &job["datasource"]["name"]), (&json!(false), &json!("hits")));
    assert!(job["started_at"].as_str().unwrap() >= job["created_at"].as_str().unwrap(), "{job}");
    assert_eq!(ids(&admin).await, json!([1, 3, 5]));
    let listed = admin.get("/v0/jobs?kind=delete_data&status=done").await.json();
    assert_eq!(listed, json!({ "jobs": [job] }));
    for none in ["status=error", "kind=import", "created_before=2020-01-01%2000:00:00", "pipe_name=x"] {
        assert_eq!(admin.get(&format!("/v0/jobs?{none}")).await.json(), json!({ "jobs": [] }), "{none}");
    }
    let late = admin.post(&format!("/v0/jobs/{id}/cancel"), "").await.error(400);
    assert!(late.contains("its status is `done`"), "{late}");
    let metrics = admin.get("/metrics").await.text;
    assert!(
        metrics.contains("roost_jobs_ended_total{status=\"done\"} 1")
            && metrics.contains("roost_jobs_open 0")
    );
}

#[tokio::test]
async fn the_quarantine_can_be_deleted_from_and_truncated() {
    let app = TestApp::start(&project()).await;
    let admin = app.admin();
    admin.append("hits", "{\"id\":\"a\"}\n{\"id\":\"b\"}").await;
    let form = [("delete_condition", "id = 'a'")];
    let reply = post(&admin, "/v1/datasources/hits_quarantine/delete", &form).await;
    assert_eq!(reply.json()["rows_affected"], 1, "{}", reply.text);
    assert_eq!(admin.rows("refused").await[0]["n"], 1);
    assert_eq!(admin.post("/v0/datasources/hits_quarantine/truncate", "").await.status, 205);
    assert_eq!(admin.rows("refused").await[0]["n"], 0);
}

#[tokio::test]
async fn what_cannot_be_deleted_is_said_and_changes_nothing() {
    let app = TestApp::start(&project()).await;
    let admin = app.admin();
    fill(&admin).await;
    for (condition, expected) in [
        ("1) OR (1", "expected the end of the filter, found ')'"),
        ("id IN (SELECT id FROM hits)", "cannot read 'hits'"),
        ("file('/etc/passwd') = ''", "the function 'file' is not allowed"),
        ("contry = 'ES'", "the data source `hits` has no column `contry`"),
        ("throwIf(id = 3) = 0", "throwIf"),
        ("country", "Invalid type for filter"),
    ] {
        for path in ["/v1/datasources/hits/delete", "/v0/datasources/hits/delete?dry_run=1"] {
            let error = post(&admin, path, &[("delete_condition", condition)]).await.error(400);
            assert!(error.contains(expected), "{condition}: {error}");
        }
    }
    let missing = admin.post("/v1/datasources/hits/delete", "").await.error(400);
    assert!(missing.contains("delete_condition"), "{missing}");
    admin.post("/v1/datasources/nowhere/delete?delete_condition=1", "").await.error(404);
    admin.post("/v1/datasources/nowhere_quarantine/delete?delete_condition=1", "").await.error(404);
    admin.get("/v0/jobs/8a0d6f5e-0000-4000-8000-000000000000").await.error(404);
    admin.get("/v0/jobs/x").await.error(404);
    admin.get("/v0/jobs?created_after=yesterday").await.error(400);
    // It selects these rows, and a DELETE keeps them.
    let odd = [("delete_condition", "length(MD5(country)) = 16 AND country = 'ES'")];
    let error = post(&admin, "/v1/datasources/hits/delete", &odd).await.error(500);
    assert!(error.contains("has kept 3 rows"), "{error}");
    // What only the engine sees is the end of a job.
    let begun = post(&admin, "/v0/datasources/hits/delete", &[("delete_condition", "throwIf(id = 3) = 0")])
        .await
        .json();
    let job = ended(&admin, begun["id"].as_str().unwrap()).await;
    assert_eq!(job["status"], "error");
    assert!(job["error"].as_str().unwrap().contains("throwIf"), "{job}");
    assert_eq!(ids(&admin).await, json!([0, 1, 2, 3, 4, 5]));
}

#[tokio::test]
async fn so_many_jobs_are_open_and_one_that_waits_can_be_cancelled() {
    let home = Home::with_settings("jobs.max_open = 2");
    let app = home.start(&project()).await;
    let admin = app.admin();
    fill(&admin).await;
    let begin = async |condition: &str| {
        post(&admin, "/v0/datasources/hits/delete", &[("delete_condition", condition)]).await
    };
    let first = begin(SLOW).await.json();
    let second = begin("id = 1").await.json();
    let third = begin("id = 3").await;
    assert!(third.error(429).contains("jobs.max_open"), "{}", third.text);
    let id = second["id"].as_str().unwrap();
    let cancelled = admin.post(&format!("/v0/jobs/{id}/cancel"), "").await;
    assert_eq!(cancelled.json()["status"], "cancelled", "{}", cancelled.text);
    assert_eq!(begin("id = 5").await.status, 200, "its place is free");
    ended(&admin, first["id"].as_str().unwrap()).await;
    eventually("the last job has run", async || (ids(&admin).await == json!([1, 3])).then_some(())).await;
    assert_eq!(admin.get(&format!("/v0/jobs/{id}")).await.json()["status"], "cancelled");
}

/// Kills a server in the middle of a job, starts it again, and tells how the job ended.
async fn dies_within(
    server: &mut ServerProcess,
    job: &Value,
    moment: impl AsyncFnMut() -> Option<()>,
) -> Value {
    eventually("the moment has come", moment).await;
    let engine = server.engine().await;
    server.kill();
    eventually("the engine is gone", async || (!engine.is_alive()).then_some(())).await;
    server.start_again().await;
    ended(&server.admin(), job["id"].as_str().unwrap()).await
}

#[tokio::test]
async fn a_job_that_was_accepted_is_done_after_a_death_and_not_twice() {
    let mut server = ServerProcess::start(&project()).await;
    let admin = server.admin();
    fill(&admin).await;
    let begin = async |admin: &ApiClient, condition: &str| {
        post(admin, "/v0/datasources/hits/delete", &[("delete_condition", condition)]).await.json()
    };
    let first = begin(&admin, "id = 1").await;
    ended(&admin, first["id"].as_str().unwrap()).await;
    let slow = begin(&admin, SLOW).await;
    let slow = dies_within(&mut server, &slow, async || Some(())).await;
    assert_eq!((&slow["status"], &slow["rows_affected"]), (&json!("done"), &json!(3)), "{slow}");
    let admin = server.admin();
    fill(&admin).await;
    assert_eq!(ids(&admin).await, json!([0, 1, 2, 3, 3, 4, 5, 5]), "none is done again");
    let first = admin.get(&format!("/v0/jobs/{}", first["id"].as_str().unwrap())).await.json();
    assert_eq!((&first["status"], &first["rows_affected"]), (&json!("done"), &json!(1)), "{first}");
}

#[tokio::test]
async fn a_job_whose_statement_had_begun_is_found_done_and_does_not_begin_again() {
    let mut server = ServerProcess::start(&project()).await;
    let admin = server.admin();
    fill(&admin).await;
    let slow = post(&admin, "/v0/datasources/hits/delete", &[("delete_condition", SLOW)]).await.json();
    let door = server.side_door();
    let rewrites = async || {
        let (engine, database) = door.open().await?;
        let sql =
            format!("SELECT 1 AS n FROM system.mutations WHERE database = '{database}' AND NOT is_done");
        (!engine.rows::<Value>(sql).await.ok()?.is_empty()).then_some(())
    };
    let slow = dies_within(&mut server, &slow, rewrites).await;
    assert_eq!((&slow["status"], &slow["rows_affected"]), (&json!("done"), &json!(3)), "{slow}");
    let admin = server.admin();
    assert_eq!(ids(&admin).await, json!([1, 3, 5]));
    let output = server.output_with("").await;
    assert!(!output.contains("is begun again"), "{output}");
}

#[tokio::test]
async fn a_statement_that_is_refused_at_the_next_start_ends_its_job_and_not_the_server() {
    let mut server = ServerProcess::start(&project()).await;
    let admin = server.admin();
    fill(&admin).await;
    let end = chrono::Utc::now() + chrono::TimeDelta::seconds(6);
    let early = format!("throwIf(now() > toDateTime({}), 'too late') = 0 AND {SLOW}", end.timestamp());
    let job = post(&admin, "/v0/datasources/hits/delete", &[("delete_condition", &early)]).await.json();
    let door = server.side_door();
    eventually("rows are rewritten", async || {
        let (engine, database) = door.open().await?;
        let sql =
            format!("SELECT 1 AS n FROM system.mutations WHERE database = '{database}' AND NOT is_done");
        (!engine.rows::<Value>(sql).await.ok()?.is_empty()).then_some(())
    })
    .await;
    let engine = server.engine().await;
    server.kill();
    eventually("the engine is gone", async || (!engine.is_alive()).then_some(())).await;
    while chrono::Utc::now() <= end + chrono::TimeDelta::seconds(1) {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    server.start_again().await;
    let admin = server.admin();
    let job = ended(&admin, job["id"].as_str().unwrap()).await;
    assert_eq!(job["status"], "error", "{job}");
    assert!(job["error"].as_str().unwrap().contains("too late"), "{job}");
    fill(&admin).await;
    assert!(ids(&admin).await.as_array().unwrap().len() >= 9, "what comes later is taken");
    let output = server.output_with("").await;
    assert!(output.contains("a statement that was begun is refused"), "{output}");
}

#[tokio::test]
async fn old_jobs_are_forgotten_whole_and_those_that_wait_never() {
    let home = Home::new();
    let (waiting, over) = ("a0000000-0000-4000-8000-000000000001", "a0000000-0000-4000-8000-000000000002");
    let table = format!("{}.jobs", home.metadata_database());
    {
        let app = home.start(&project()).await;
        fill(&app.admin()).await;
        let record = |id: &str, status: &str, days: u32| {
            format!(
                "INSERT INTO {table} SELECT workspace_id, '{id}', 'delete_data', '{status}', 'hits', 'id = 1', '', 0, '', at, NULL, at \
                 FROM (SELECT any(workspace_id) AS workspace_id, now64(6) - toIntervalDay({days}) AS at FROM {}.resources)",
                home.metadata_database()
            )
        };
        for statement in [record(waiting, "waiting", 5), record(over, "waiting", 5), record(over, "done", 4)]
        {
            home.engine().execute(&statement).await.unwrap();
        }
    }
    let app = home.start(&project()).await;
    let admin = app.admin();
    assert_eq!(ended(&admin, waiting).await["status"], "done");
    assert_eq!(ids(&admin).await, json!([0, 2, 3, 4, 5]));
    admin.get(&format!("/v0/jobs/{over}")).await.error(404);
    eventually("no record of it is left", async || {
        let left = app.query_engine(&format!("SELECT count() AS n FROM {table} WHERE id = '{over}'")).await;
        (left[0]["n"] == 0).then_some(())
    })
    .await;
}
