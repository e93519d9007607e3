//! `roost wal`: a log that no server holds, looked into.

use std::process::Output;

use crate::harness::{Project, ServerFolder, within};

fn run(folder: &ServerFolder, arguments: &[&str]) -> Output {
    folder.command(&[&["wal"], arguments].concat()).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn a_log_is_listed_checked_and_exported() {
    let project = Project::default().data_source("hits", &["id UInt64"]);
    let mut server = ServerFolder::new(&project)
        .with_variable("ROOST__INGEST__LINGER_MILLISECONDS", "60000")
        .start()
        .await;
    let admin = server.admin();
    admin.append("hits", "{\"id\":1}").await;
    admin.post("/v0/events?name=hits", "{\"id\":2}\n{\"id\":3}\n{}").await;
    server.kill();
    let engine = server.folder().data().join("engine");
    let gone = async || crate::harness::engine_of(&engine).is_none().then_some(());
    within(std::time::Duration::from_secs(10), "the engine is gone", gone).await;
    let folder = server.into_folder();

    let listed = run(&folder, &["ls"]);
    assert!(listed.status.success(), "{listed:?}");
    let lines = text(&listed.stdout);
    for part in [
        "synced   up to",
        "rows     hits 1",
        "freeze   hits from",
        "done     hits from",
        "rows     hits 2, hits_quarantine 1",
    ] {
        assert!(lines.contains(part), "{part} in {lines}");
    }
    let checked = run(&folder, &["check"]);
    assert!(checked.status.success() && text(&checked.stderr).contains("records"), "{checked:?}");

    let exported = run(&folder, &["export", "saved"]);
    assert!(exported.status.success(), "{exported:?}");
    let saved = folder.project().join("saved");
    let files = |table: &str| -> Vec<Vec<u8>> {
        let mut paths: Vec<_> =
            std::fs::read_dir(saved.join(table)).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
    };
    let hits = files("hits");
    assert_eq!(hits.iter().map(|block| block[1]).collect::<Vec<_>>(), [1, 2], "rows of each block");
    assert!(hits[1].ends_with(&[2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]));
    assert_eq!(files("hits_quarantine").len(), 1);

    let segment = std::fs::read_dir(folder.data().join("wal")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[150] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let checked = run(&folder, &["check"]);
    assert_eq!(checked.status.code(), Some(1), "{checked:?}");
    assert!(text(&checked.stderr).contains("damaged: 1 records"), "{checked:?}");
    assert_eq!(std::fs::read_dir(folder.data().join("wal")).unwrap().count(), 1, "nothing was changed");
    // The server starts all the same, and says so.
    let server = folder.start().await;
    let output = server.output_with("the log is damaged").await;
    assert!(output.contains(".corrupt"), "{output}");
}

#[test]
fn where_there_is_no_log_that_is_said() {
    let folder = ServerFolder::new(&Project::default());
    let output = run(&folder, &["ls"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("cannot read the log in"), "{output:?}");
}
