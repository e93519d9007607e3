//! The command line: what a person types, and what comes back.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use rustix::process::Signal;

use crate::harness::{Folder, Project, Running, ServerFolder, ServerProcess, program};

fn project() -> Project {
    Project::clickstream()
}

fn roost(arguments: &[&str]) -> Output {
    Command::new(program()).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn the_version_is_one_line() {
    let output = roost(&["--version"]);
    assert!(output.status.success());
    assert_eq!(text(&output.stdout), format!("roost {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn help_shows_the_commands_for_people_only() {
    let help = text(&roost(&["--help"]).stdout);
    let commands: Vec<&str> =
        help.lines().filter_map(|line| line.strip_prefix("  ")?.split("  ").next()).collect();
    assert!(commands.contains(&"serve") && commands.contains(&"token"), "{help}");
    assert!(!commands.contains(&"engine"), "{help}");
    let help = text(&roost(&["serve", "--help"]).stdout);
    for flag in ["--project", "--data-dir", "--port", "--host"] {
        assert!(help.contains(flag), "{help}");
    }
}

#[test]
fn a_command_that_is_missing_or_unknown_is_explained() {
    let output = roost(&[]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("serve"));
    let output = roost(&["sevre"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("serve"), "the nearest command is named");
}

#[tokio::test]
async fn an_unknown_key_stops_the_start_and_names_its_file() {
    let folder = ServerFolder::new(&project());
    std::fs::write(folder.project().join("roost.toml"), "[server]\nprot = 80\n").unwrap();
    let refusal = folder.refusal().await;
    assert!(refusal.contains("server.prot") && refusal.contains("roost.toml"), "{refusal}");
    assert!(refusal.contains("server.port"), "the nearest key is named: {refusal}");
}

#[tokio::test]
async fn an_unknown_variable_stops_the_start_and_is_named() {
    let folder = ServerFolder::new(&project()).with_variable("ROOST__SERVER__PROT", "80");
    let refusal = folder.refusal().await;
    assert!(refusal.contains("ROOST__SERVER__PROT") && refusal.contains("ROOST__SERVER__PORT"), "{refusal}");
}

#[tokio::test]
async fn settings_that_contradict_each_other_stop_the_start() {
    let folder = ServerFolder::new(&project()).with_variable("ROOST__ENGINE__PASSWORD", "x");
    let refusal = folder.refusal().await;
    assert!(refusal.contains("ROOST__ENGINE__PASSWORD") && refusal.contains("contradicts"), "{refusal}");
}

#[tokio::test]
async fn a_log_filter_that_cannot_be_read_stops_the_start() {
    let folder = ServerFolder::new(&project()).with_variable("ROOST__LOG__LEVEL", "roost=loud");
    let refusal = folder.refusal().await;
    assert!(refusal.contains("log.level") && refusal.contains("loud"), "{refusal}");
}

#[tokio::test]
async fn a_missing_library_is_named_with_the_way_out() {
    let folder = ServerFolder::new(&project()).with_variable("ROOST_ENGINE_LIB", "/nowhere/libchdb.so");
    let refusal = folder.refusal().await;
    assert!(refusal.contains("/nowhere/libchdb.so") && refusal.contains("make engine"), "{refusal}");
}

#[tokio::test]
async fn a_missing_project_directory_is_named() {
    let folder = ServerFolder::new(&project());
    let run = Running::start(folder.command(&["serve", "--port", "0", "--project", "not/here"]));
    let (status, output) = run.ended().await;
    assert_eq!(status.code(), Some(1));
    assert!(output.contains("not/here"), "{output}");
}

#[tokio::test]
async fn a_taken_port_is_named_with_the_way_out_before_anything_is_started() {
    let folder = ServerFolder::new(&project());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (status, output) = Running::start(folder.command(&["serve", "--port", &port])).ended().await;
    assert_eq!(status.code(), Some(1));
    assert!(output.contains(&format!("127.0.0.1:{port}")) && output.contains("--port"), "{output}");
    assert!(!folder.data().join("engine").try_exists().unwrap(), "no engine was started");
}

#[tokio::test]
async fn a_second_server_on_the_same_data_is_told_who_holds_them() {
    let server = ServerProcess::start(&project()).await;
    let refusal = server.folder().refusal().await;
    assert!(refusal.contains(".roost") && refusal.contains(&format!("process {}", server.id())), "{refusal}");
    assert!(refusal.contains("--data-dir"), "{refusal}");
    assert_eq!(server.anonymous().get("/v0/health").await.status, 200);
}

#[tokio::test]
async fn an_admin_token_of_ones_own_has_sixteen_characters_or_more() {
    let short = "fifteen_letters";
    let folder = ServerFolder::new(&project()).with_variable("ROOST_ADMIN_TOKEN", short);
    let refusal = folder.refusal().await;
    assert!(refusal.contains("ROOST_ADMIN_TOKEN") && refusal.contains("16"), "{refusal}");
    assert!(!refusal.contains(short), "{refusal}");

    let own = "sixteen_letters!";
    let server = ServerFolder::new(&project()).with_variable("ROOST_ADMIN_TOKEN", own).start().await;
    let admin = server.anonymous().with_token(own);
    assert_eq!(admin.get("/v0/pipes/get_popular_pages.json").await.status, 200);
    let output = server.output_with("ROOST_ADMIN_TOKEN").await;
    assert!(!output.contains(own), "{output}");
    assert!(!server.folder().data().join("admin.token").try_exists().unwrap());
    assert!(server.folder().tokens()[0].contains(&own.to_owned()));
}

#[tokio::test]
async fn tokens_are_listed_while_the_server_runs_and_after() {
    let mut server = ServerProcess::start(&project()).await;
    let tokens = server.folder().tokens();
    let names: Vec<&str> = tokens.iter().map(|line| line[0].as_str()).collect();
    assert_eq!(names, ["workspace admin token", "browser", "dashboard"]);
    assert_eq!(tokens[0][1], "ADMIN");
    assert_eq!(tokens[1][1], "DATASOURCES:APPEND:clickstream_events");
    assert_eq!(tokens[0][2], server.admin().token());
    assert_eq!(server.token("dashboard").get("/v0/pipes/get_popular_pages.json").await.status, 200);
    server.signal(Signal::TERM);
    server.ended().await;
    assert_eq!(server.folder().tokens(), tokens);
}

#[tokio::test]
async fn a_running_server_is_asked_for_what_was_made_over_the_api() {
    let mut server = ServerProcess::start(&project()).await;
    let made = server.admin().post("/v0/tokens?name=made&scope=PIPES:READ:x", "").await.json();
    let refreshed = server.admin().post("/v0/tokens/dashboard/refresh", "").await.json();
    let tokens = server.folder().tokens();
    assert_eq!(tokens.iter().map(|line| line[0].as_str()).collect::<Vec<_>>().len(), 4);
    let line = |name: &str| tokens.iter().find(|line| line[0] == name).unwrap();
    assert_eq!(line("made")[1..], ["PIPES:READ:x".to_owned(), made["token"].as_str().unwrap().to_owned()]);
    assert_eq!(line("dashboard")[2], refreshed["token"].as_str().unwrap());
    server.kill();
    let output = server.folder().command(&["token", "ls"]).output().unwrap();
    assert!(!text(&output.stdout).contains("made"));
    assert!(text(&output.stderr).contains("made or refreshed over the API"), "{}", text(&output.stderr));
}

#[test]
fn tokens_of_a_workspace_that_is_not_there_are_no_riddle() {
    let folder = ServerFolder::new(&project());
    let output = folder.command(&["token", "ls"]).output().unwrap();
    let complaint = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(complaint.contains("roost serve"), "{complaint}");
    assert!(!folder.data().try_exists().unwrap(), "looking makes nothing");
}

#[tokio::test]
async fn the_data_directory_and_its_secrets_are_private() {
    let server = ServerProcess::start(&project()).await;
    let mode =
        |name: &str| server.folder().data().join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(""), 0o700);
    for secret in ["workspace.json", "admin.token", "lock"] {
        assert_eq!(mode(secret), 0o600, "{secret}");
    }
}

#[tokio::test]
async fn a_secret_that_others_can_read_stops_the_start() {
    let mut server = ServerProcess::start(&project()).await;
    server.kill();
    let folder = server.into_folder();
    let secret = folder.data().join("workspace.json");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).unwrap();
    let refusal = folder.refusal().await;
    assert!(refusal.contains("workspace.json") && refusal.contains("chmod 600"), "{refusal}");
}

/// The lines to paste that the server prints: one for an event, one for an endpoint.
async fn lines_to_paste(server: &ServerProcess) -> Vec<String> {
    let output = server.output_with("/v0/pipes/").await;
    output.lines().map(str::trim).filter(|line| line.starts_with("curl ")).map(str::to_owned).collect()
}

/// Pastes a line into a shell in another directory, as a person does; what curl prints.
fn paste(line: &str) -> String {
    let elsewhere = Folder::new();
    let shell = Command::new("sh").args(["-c", line]).current_dir(elsewhere.path()).output().unwrap();
    assert!(shell.status.success(), "{line}\n{}", text(&shell.stderr));
    text(&shell.stdout)
}

#[tokio::test]
async fn the_lines_that_serve_prints_return_rows_when_pasted() {
    let server = ServerProcess::start(&project()).await;
    let lines = lines_to_paste(&server).await;
    assert_eq!(paste(&lines[0]), r#"{"successful_rows":1,"quarantined_rows":0}"#);
    for line in &lines[1..] {
        let answer: serde_json::Value = serde_json::from_str(&paste(line)).unwrap();
        assert!(answer["rows"].as_u64() >= Some(1), "{line}\n{answer}");
    }
}

#[tokio::test]
async fn the_lines_of_a_project_with_other_types_are_good_ones_too() {
    let columns = [
        "id UUID",
        "at DateTime64(3)",
        "day Date",
        "n Int8",
        "price Decimal(9, 2)",
        "flag Bool",
        "address IPv4",
        "kind Enum8('a' = 1, 'b' = 2)",
        "tags Array(String)",
        "labels Map(String, String)",
        "note Nullable(String)",
        "code FixedString(2)",
        "low LowCardinality(String)",
    ];
    let project = Project::default()
        .data_source("visits", &columns)
        .endpoint("by_label", "SELECT * FROM visits WHERE low = {{ String(low, required=True) }}");
    let server = ServerProcess::start(&project).await;
    let lines = lines_to_paste(&server).await;
    assert_eq!(paste(&lines[0]), r#"{"successful_rows":1,"quarantined_rows":0}"#, "{}", lines[0]);
    let answer: serde_json::Value = serde_json::from_str(&paste(&lines[1])).unwrap();
    assert_eq!(answer["rows"], 1, "{answer}");
}

#[tokio::test]
async fn the_welcome_says_where_the_admin_token_is() {
    let server = ServerProcess::start(&project()).await;
    let file = server.folder().data().join("admin.token");
    let output = server.output_with(file.to_str().unwrap()).await;
    assert!(!output.contains(server.admin().token()), "the token itself is not printed: {output}");
}
