//! The commands that need no engine: `roost check` and `roost render`.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::harness::program;

const EVENTS: (&str, &str) = (
    "datasources/events.datasource",
    "SCHEMA >\n    `id` UInt64 `json:$.id`,\n    `kind` String `json:$.kind`\n\nENGINE \"MergeTree\"\nENGINE_SORTING_KEY \"id\"\n",
);
const TOP: (&str, &str) = (
    "pipes/top.pipe",
    "NODE kinds\nSQL >\n    %\n    SELECT kind FROM events WHERE kind IN {{ Array(kinds, 'String', 'a') }}\n\n\
     NODE counted\nSQL >\n    %\n    SELECT kind, count() AS n FROM kinds GROUP BY kind LIMIT {{ Int32(top, 10) }}\n\nTYPE endpoint\n",
);

/// A folder with these files.
fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

/// Runs the program in a folder, with nothing of the environment.
fn roost(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(program()).args(arguments).current_dir(folder).env_clear().output().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

#[test]
fn a_good_project_passes_the_check_without_an_engine() {
    let folder = project(&[EVENTS, TOP]);
    let output = roost(folder.path(), &["check"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!((stdout(&output), stderr(&output)), ("", "2 files: 0 errors, 0 warnings\n"));
    let output = roost(folder.path(), &["check", "--format", "json"]);
    assert_eq!(stdout(&output), "[]\n");
    let names: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "the check leaves nothing behind: {names:?}");
}

#[test]
fn this_repository_is_itself_a_project_of_six_good_files() {
    let output = roost(Path::new(env!("CARGO_MANIFEST_DIR")), &["check"]);
    assert_eq!(stderr(&output), "6 files: 0 errors, 0 warnings\n", "{}", stdout(&output));
}

/// A project with an error of every room, and a warning.
fn broken() -> tempfile::TempDir {
    project(&[
        EVENTS,
        ("datasources/broken.datasource", "SCHEMA >\n    `id` Strin\n"),
        ("pipes/template.pipe", "NODE n\nSQL >\n    %\n    SELECT {% if x %} 1\n\nTYPE endpoint\n"),
        ("pipes/lost.pipe", "NODE n\nSQL >\n    SELECT *\n    FROM nowhere\n\nTYPE endpoint\n"),
        (
            "pipes/reads_broken.pipe",
            "NODE n\nSQL >\n    SELECT * FROM broken JOIN template ON 1\n\nTYPE endpoint\n",
        ),
        ("includes/old.incl", ""),
    ])
}

#[test]
fn all_problems_come_at_once_with_their_places() {
    let folder = broken();
    let output = roost(Path::new("/"), &["check", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output), "6 files: 3 errors, 1 warning\n");
    insta::assert_snapshot!(stdout(&output), @r"
    error[schema]: Unknown data type family: Strin. Maybe you meant: ['String'].
     --> datasources/broken.datasource:2:10
      |
    2 |     `id` Strin
      |          ^^^^^

    warning[classic]: files of this kind belong to Classic and are ignored
     --> includes/old.incl:1:1
      |
    1 |
      | ^

    error[sql]: node n: Resource 'nowhere' not found
     --> pipes/lost.pipe:4:10
      |
    4 |     FROM nowhere
      |          ^^^^^^^

    error[template]: Missing {% end %} block for if at line 2
     --> pipes/template.pipe:4:15
      |
    4 |     SELECT {% if x %} 1
      |               ^^^^
    ");
}

#[test]
fn the_same_problems_come_as_one_json_array() {
    let folder = broken();
    let output = roost(folder.path(), &["check", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let found: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let places: Vec<Value> = found
        .iter()
        .map(|problem| {
            json!([problem["severity"], problem["code"], problem["file"], problem["line"], problem["column"]])
        })
        .collect();
    assert_eq!(
        places,
        [
            json!(["error", "schema", "datasources/broken.datasource", 2, 10]),
            json!(["warning", "classic", "includes/old.incl", 1, 1]),
            json!(["error", "sql", "pipes/lost.pipe", 4, 10]),
            json!(["error", "template", "pipes/template.pipe", 4, 15]),
        ]
    );
}

#[test]
fn a_warning_alone_passes() {
    let folder = project(&[EVENTS, ("pipes/top.pipe", &format!("VERSION 2\n{}", TOP.1))]);
    let output = roost(folder.path(), &["check"]);
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), "2 files: 0 errors, 1 warning\n"));
    assert!(stdout(&output).contains("pipes/top.pipe:1:1"), "{}", stdout(&output));
}

#[test]
fn strict_refuses_what_tinybird_refuses() {
    let folder = project(&[EVENTS, ("pipes/top.pipe", &format!("\u{feff}{}", TOP.1))]);
    assert_eq!(roost(folder.path(), &["check"]).status.code(), Some(0));
    let strict = roost(folder.path(), &["check", "--strict"]);
    assert_eq!(strict.status.code(), Some(1), "{strict:?}");
    assert!(stdout(&strict).contains("pipes/top.pipe:1:1"), "{}", stdout(&strict));
}

#[test]
fn the_folder_of_the_config_file_is_checked() {
    let folder = project(&[
        ("tinybird.config.json", r#"{"folder": "tinybird"}"#),
        ("tinybird/events.datasource", EVENTS.1),
        ("other/broken.pipe", "NODE n\n"),
    ]);
    let output = roost(folder.path(), &["check"]);
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), "1 file: 0 errors, 0 warnings\n"));
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let output = roost(Path::new("/"), &["check", "not/here"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot read not/here"), "{output:?}");
}

#[test]
fn a_pipe_is_rendered_with_the_parameters_of_a_call() {
    let folder = project(&[EVENTS, TOP]);
    let output = roost(
        folder.path(),
        &["render", "top", "--param", "kinds=x", "--param", "kinds=it's", "--param", "top=3"],
    );
    assert!(output.status.success(), "{output:?}");
    insta::assert_snapshot!(
        stdout(&output),
        @r"SELECT kind, count() AS n FROM (SELECT kind FROM `project`.`events` AS `events` WHERE kind IN ['x','it\'s']) AS `kinds` GROUP BY kind LIMIT toInt32('3')"
    );
    let elsewhere = ["render", "top", "--node", "kinds", "--project", folder.path().to_str().unwrap()];
    insta::assert_snapshot!(stdout(&roost(Path::new("/"), &elsewhere)), @"SELECT kind FROM `project`.`events` AS `events` WHERE kind IN ['a']");
}

#[test]
fn what_cannot_be_rendered_is_explained() {
    let folder = project(&[EVENTS, TOP]);
    for (arguments, code, complaint) in [
        (&["render", "tpo"][..], 1, "there is no pipe `tpo`; the nearest one is `top`"),
        (
            &["render", "top", "--node", "count"],
            1,
            "the pipe `top` has no node `count`; the nearest one is `counted`",
        ),
        (&["render", "top", "--param", "top=many"], 1, "cannot render top: "),
        (&["render", "top", "--param", "top"], 2, "expected NAME=VALUE"),
        (&["render"], 2, "PIPE"),
        (&["render", "top", "--batch"], 2, "--batch"),
    ] {
        let output = roost(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
        assert!(stderr(&output).contains(complaint) && output.stdout.is_empty(), "{arguments:?}: {output:?}");
    }
    let broken = roost(broken().path(), &["render", "lost"]);
    assert!(stderr(&broken).contains("pipes/lost.pipe:4:10"), "{broken:?}");
}

#[test]
fn a_batch_answers_line_by_line() {
    let mut command = Command::new(program());
    command.args(["render", "--batch"]).stdin(Stdio::piped()).stdout(Stdio::piped()).env_clear();
    let mut child = command.spawn().unwrap();
    let lines = concat!(
        r#"{"id": "good", "template": "%SELECT {{Int8(x)}}", "params": {"x": "1"}, "topic": "ignored"}"#,
        "\n\nno JSON\n",
        r#"{"id": "bad", "template": "%{{Int8(x)}}", "params": {}}"#,
    );
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let answers: Vec<Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary: Vec<Value> = answers.iter().map(|answer| json!([answer["id"], answer["ok"]])).collect();
    assert_eq!(summary, [json!(["good", true]), json!([null, false]), json!(["bad", false])]);
    assert_eq!(answers[0]["sql"], "SELECT toInt8('1')");
    assert!(
        answers[2]["error_message"].as_str().unwrap().contains("Check the parameters x"),
        "{}",
        answers[2]
    );
}
