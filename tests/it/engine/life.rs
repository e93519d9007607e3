//! The life of the child: killed, frozen, shut down by SQL, doubled.

use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use roost::engine::{EngineClient, EngineError};

use super::value;
use crate::harness::{EngineProcess, Folder, TestEngine, engine_of, library, program, within};

/// Within this time, an engine that died answers again.
const BACK: Duration = Duration::from_secs(5);

async fn fill(engine: &EngineClient) {
    engine.execute("CREATE DATABASE d ENGINE = Atomic").await.unwrap();
    engine.execute("CREATE TABLE d.t (n UInt64) ORDER BY n").await.unwrap();
    engine.execute("INSERT INTO d.t SELECT number FROM numbers(1000)").await.unwrap();
}

/// Waits for a new child that answers, and looks whether the old rows are there.
async fn back_with_its_data(engine: &TestEngine, old: EngineProcess) {
    let client = engine.client();
    let answer = async || client.rows::<serde_json::Value>("SELECT sum(n) AS s FROM d.t").await.ok();
    let (rows, _) = within(BACK, "the engine is back", answer).await;
    assert_eq!(rows[0]["s"], 499_500);
    assert_ne!(engine.process(), old);
}

#[tokio::test]
async fn a_killed_engine_is_back_with_its_data() {
    let engine = TestEngine::start();
    fill(&engine.client()).await;
    let old = engine.process();
    old.kill();
    within(BACK, "the old process is gone", async || (!old.is_alive()).then_some(())).await;
    back_with_its_data(&engine, old).await;
}

/// The niceness of a thread or process, as Linux tells it.
fn niceness(stat: &Path) -> i32 {
    let stat = std::fs::read_to_string(stat).unwrap();
    // Behind the name, which is in brackets and may hold anything, it is the seventeenth.
    stat.rsplit_once(')').unwrap().1.split_whitespace().nth(16).unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_threads_of_the_engine_stand_back() {
    let engine = TestEngine::start();
    assert_eq!(value(&engine.client(), "SELECT count() FROM numbers_mt(1000000)").await, "1000000");
    let own = niceness(Path::new("/proc/self/stat"));
    let threads = std::fs::read_dir(format!("/proc/{}/task", engine.process().id())).unwrap();
    let niceness = |thread: std::fs::DirEntry| niceness(&thread.path().join("stat"));
    let of_threads: Vec<i32> = threads.map(|thread| niceness(thread.unwrap())).collect();
    let behind = of_threads.iter().filter(|nice| **nice == (own + 5).min(19)).count();
    assert!(behind > 3, "{of_threads:?}, and {own} here");
    // Where it may, ClickHouse puts a thread that watches its memory in front of all others.
    let others = of_threads.iter().filter(|nice| **nice > -20).count();
    assert_eq!(behind, others, "{of_threads:?}, and {own} here");
}

/// Delivery stands on this: a stage of an engine that died is missing, and never just empty.
#[tokio::test]
async fn tables_of_a_database_in_memory_are_gone_with_their_engine() {
    let engine = TestEngine::start();
    let client = engine.client();
    fill(&client).await;
    client.execute("CREATE DATABASE m ENGINE = Memory").await.unwrap();
    client.execute("CREATE TABLE m.t AS d.t ENGINE = Memory").await.unwrap();
    client.execute("INSERT INTO m.t SELECT * FROM d.t").await.unwrap();
    let old = engine.process();
    old.kill();
    within(BACK, "the old process is gone", async || (!old.is_alive()).then_some(())).await;
    back_with_its_data(&engine, old).await;
    for statement in ["INSERT INTO d.t SELECT * FROM m.t", "INSERT INTO m.t SELECT * FROM d.t"] {
        match client.execute(statement).await {
            Err(EngineError::Exception { code: 60 | 81, .. }) => {}
            other => panic!("{statement}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_engine_that_is_killed_again_and_again_comes_back() {
    let engine = TestEngine::start();
    fill(&engine.client()).await;
    for _ in 0..3 {
        let old = engine.process();
        old.kill();
        within(BACK, "the old process is gone", async || (!old.is_alive()).then_some(())).await;
        back_with_its_data(&engine, old).await;
    }
}

#[tokio::test]
async fn system_shutdown_ends_the_child_only() {
    let engine = TestEngine::start();
    fill(&engine.client()).await;
    let old = engine.process();
    let _ = engine.client().execute("SYSTEM SHUTDOWN").await;
    within(BACK, "the old process is gone", async || (!old.is_alive()).then_some(())).await;
    back_with_its_data(&engine, old).await;
}

#[tokio::test]
async fn a_frozen_engine_is_replaced() {
    let engine = TestEngine::start_with(|options| {
        options.settings.watchdog.interval = Duration::from_millis(100);
        options.settings.watchdog.timeout = Duration::from_millis(400);
        options.settings.watchdog.misses = NonZeroUsize::new(2).unwrap();
    });
    fill(&engine.client()).await;
    let old = engine.process();
    old.freeze();
    within(BACK, "the frozen process is gone", async || (!old.is_alive()).then_some(())).await;
    back_with_its_data(&engine, old).await;
}

#[tokio::test]
async fn a_call_to_an_engine_that_is_away_fails_at_once_and_says_why() {
    let engine = TestEngine::start_with(|options| {
        options.settings.restart_backoff.initial = Duration::from_secs(3);
        options.settings.restart_backoff.max = Duration::from_secs(3);
    });
    let client = engine.client();
    engine.process().kill();
    let refused = async || match client.execute("SELECT 1").await {
        Err(error @ roost::engine::EngineError::Unavailable(_)) => Some(error.to_string()),
        _ => None,
    };
    let (reason, _) = within(BACK, "calls are refused", refused).await;
    assert!(reason.starts_with("the engine is not available: "), "{reason}");
}

const LOOPBACK: &str = "127.0.0.1:0";

/// Runs `roost engine` to its end.
fn run_engine(directory: &Path, listen: &str, data: &Path, library: &Path) -> Output {
    let mut command = Command::new(program());
    command.current_dir(directory).args(["engine", "--listen", listen]);
    command.arg("--path").arg(data).arg("--library").arg(library).output().unwrap()
}

fn complaint(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn a_second_engine_on_the_same_data_is_refused() {
    let engine = TestEngine::start();
    fill(&engine.client()).await;
    let first = engine.process();
    let complaint = complaint(&run_engine(Path::new("/"), LOOPBACK, engine.data(), &library()));
    assert!(complaint.contains("another engine holds"), "{complaint}");
    assert!(complaint.contains(engine.data().to_str().unwrap()), "{complaint}");
    assert_eq!(value(&engine.client(), "SELECT count() FROM d.t").await, "1000");
    assert_eq!(engine.process(), first);
}

#[test]
fn a_relative_data_directory_is_refused() {
    let folder = Folder::new();
    let complaint = complaint(&run_engine(folder.path(), LOOPBACK, Path::new("engine"), &library()));
    assert!(complaint.contains("engine") && complaint.contains("absolute"), "{complaint}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_missing_library_is_named_with_the_way_out() {
    let folder = Folder::new();
    let missing = Path::new("/nowhere/libchdb.so");
    let complaint = complaint(&run_engine(folder.path(), LOOPBACK, &folder.data(), missing));
    assert!(complaint.contains("/nowhere/libchdb.so") && complaint.contains("make engine"), "{complaint}");
}

#[test]
fn an_engine_without_users_listens_on_loopback_only() {
    let folder = Folder::new();
    let complaint = complaint(&run_engine(folder.path(), "0.0.0.0:0", &folder.data(), &library()));
    assert!(complaint.contains("loopback"), "{complaint}");
}

#[tokio::test]
async fn a_data_path_of_two_hundred_bytes_is_no_obstacle() {
    let engine = TestEngine::start_with(|options| {
        options.data = options.data.join("x".repeat(90)).join("y".repeat(90));
        assert!(options.data.as_os_str().len() >= 200);
    });
    fill(&engine.client()).await;
    assert_eq!(value(&engine.client(), "SELECT count() FROM d.t").await, "1000");
}

#[tokio::test]
async fn engines_whose_directories_differ_after_a_dot_do_not_exclude_each_other() {
    let folder = Folder::new();
    let neighbour = folder.path().join("engine.2");
    let _first = TestEngine::start_in(folder, |options| options.data = options.data.with_extension("1"));
    let _second = TestEngine::start_with(|options| options.data = neighbour);
}

#[tokio::test]
async fn a_dropped_engine_ends_its_process() {
    let engine = TestEngine::start();
    let (process, data) = (engine.process(), engine.data().to_owned());
    drop(engine);
    assert!(!process.is_alive());
    assert_eq!(engine_of(&data), None);
}
