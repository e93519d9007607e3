//! A killed server takes its engine along, and the next server finds the data free.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use roost::engine::{EngineClient, Supervisor};

use super::value;
use crate::harness::{Folder, TestEngine, engine_of, options, within};

/// Names the folder to whoever plays the server.
const FOLDER: &str = "ROOST_TEST_SERVER_IN";

/// Plays the server when started by [`start_server`]; a test run passes it by.
#[tokio::test]
async fn a_server_with_an_engine_and_nothing_else() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let supervisor = Supervisor::start(options(Path::new(&folder))).unwrap();
    let client = EngineClient::following(supervisor.location());
    client.execute("CREATE DATABASE IF NOT EXISTS d ENGINE = Atomic").await.unwrap();
    client.execute("CREATE TABLE IF NOT EXISTS d.t (n UInt64) ORDER BY n").await.unwrap();
    client.execute("INSERT INTO d.t SELECT number FROM numbers(1000)").await.unwrap();
    println!("\nserving");
    // Until somebody kills this process.
    std::future::pending::<()>().await;
}

/// Starts this very program as a server with an engine in `folder`.
fn start_server(folder: &Folder) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "engine::parent::a_server_with_an_engine_and_nothing_else", "--nocapture"]);
    let mut server = command.env(FOLDER, folder.path()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == "serving"), "the server did not start");
    server
}

#[tokio::test]
async fn an_engine_ends_within_a_second_of_its_killed_server_and_the_data_are_free() {
    let folder = Folder::new();
    let mut server = start_server(&folder);
    let process = engine_of(&folder.data()).expect("the server's engine runs");
    server.kill().unwrap();
    server.wait().unwrap();
    let gone = async || (!process.is_alive()).then_some(());
    within(Duration::from_secs(1), "the engine is gone", gone).await;

    let engine = TestEngine::start_in(folder, |_| {});
    assert_eq!(value(&engine.client(), "SELECT count() FROM d.t").await, "1000");
}

#[tokio::test]
async fn a_new_server_starts_at_once_on_the_data_of_a_killed_one() {
    let folder = Folder::new();
    let mut server = start_server(&folder);
    server.kill().unwrap();
    // No wait for the old engine: the new one has to.
    let engine = TestEngine::start_in(folder, |_| {});
    server.wait().unwrap();
    assert_eq!(value(&engine.client(), "SELECT count() FROM d.t").await, "1000");
}
