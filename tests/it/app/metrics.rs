//! Numbers for Prometheus.

use std::io::{Seek, SeekFrom, Write};

use crate::harness::{ApiClient, Project, ServerFolder, eventually};

fn project() -> Project {
    Project::default().data_source("hits", &["id UInt64"])
}

/// The value of a series, as it is written.
pub(super) async fn value(admin: &ApiClient, series: &str) -> Option<String> {
    let text = admin.get("/metrics").await.text;
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map(str::to_owned)
}

async fn becomes(admin: &ApiClient, series: &str, wanted: &str) {
    let same = async || (value(admin, series).await.as_deref() == Some(wanted)).then_some(());
    eventually(&format!("{series} {wanted}"), same).await;
}

#[tokio::test]
async fn what_came_in_and_what_was_refused_is_counted() {
    let server = ServerFolder::new(&project()).start().await;
    let admin = server.admin();
    assert_eq!(admin.append("hits", "{\"id\":1}\n{\"id\":2}\n{\"id\":\"x\"}").await, (2, 1));
    admin.post("/v0/events?name=nobody", "{}").await.error(404);
    server.anonymous().post("/v0/events?name=hits", "{}").await.error(403);
    let reply = admin.get("/metrics").await;
    assert_eq!(reply.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(reply.text.ends_with("# EOF\n"), "{}", reply.text);
    becomes(&admin, "roost_ingest_rows_total{data_source=\"hits\"}", "2").await;
    becomes(&admin, "roost_ingest_quarantined_rows_total{data_source=\"hits\"}", "1").await;
    becomes(&admin, "roost_ingest_batches_total{data_source=\"hits\"}", "1").await;
    becomes(&admin, "roost_ingest_refused_requests_total{reason=\"data_source\"}", "1").await;
    becomes(&admin, "roost_ingest_flush_seconds_count", "1").await;
    becomes(&admin, "roost_log_oldest_seconds", "0").await;
    for series in ["roost_log_sync_seconds_count", "roost_log_size_bytes", "roost_log_segments"] {
        assert!(value(&admin, series).await.unwrap().parse::<f64>().unwrap() > 0.0, "{series}");
    }
}

#[tokio::test]
async fn damage_of_the_log_is_counted() {
    let mut server = ServerFolder::new(&project()).start().await;
    for id in 1..=3 {
        server.admin().append("hits", format!("{{\"id\":{id}}}")).await;
    }
    let engine = server.find_engine().unwrap();
    server.kill();
    engine.kill_if_alive();
    let segments = std::fs::read_dir(server.folder().data().join("wal")).unwrap().flatten();
    let newest = segments
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|it| it == "wal"))
        .max();
    // Behind the header: some record in the middle is no longer one.
    let mut segment = std::fs::File::options().write(true).open(newest.unwrap()).unwrap();
    segment.seek(SeekFrom::Start(300)).unwrap();
    segment.write_all(&[0xff; 40]).unwrap();
    drop(segment);
    server.start_again().await;
    let lost = value(&server.admin(), "roost_log_lost_records_total").await.unwrap();
    assert!(lost.parse::<u64>().unwrap() > 0, "{lost}");
    server.output_with("the log is damaged").await;
}

#[tokio::test]
async fn data_sources_take_turns_where_one_batch_is_on_its_way_at_once() {
    let names: Vec<String> = (0..8).map(|number| format!("hits_{number}")).collect();
    let project = |project: Project, name: &String| project.data_source(name, &["id UInt64"]);
    let project = names.iter().fold(Project::default(), project);
    let server = ServerFolder::new(&project)
        .with_variable("ROOST__INGEST__CONCURRENT_BATCHES", "1")
        .with_variable("ROOST__INGEST__DECODING_THREADS", "1")
        .start()
        .await;
    let admin = server.admin();
    let long = "{\"id\":1234567}\n".repeat(10_000);
    let appends = names.iter().map(async |name| admin.append(name, long.clone()).await);
    assert_eq!(futures_util::future::join_all(appends).await, vec![(10_000, 0); names.len()]);
    // The busiest of them waited for seven others.
    becomes(&admin, "roost_ingest_turn_wait_seconds_count", "8").await;
    let waited = value(&admin, "roost_ingest_turn_wait_seconds_sum").await.unwrap();
    assert!(waited.parse::<f64>().unwrap() > 0.0);
    becomes(&admin, "roost_ingest_decoding_threads", "0").await;
}
