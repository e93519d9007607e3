//! A disk that fills up, and is made larger while the server runs.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::load::{self, Load};
use crate::gate::{effort, tell};
use crate::harness::{ServerFolder, within};

/// Rounds in `make torture`; `make test` makes two.
const MOST_ROUNDS: u64 = 20;
const SMALL: &str = "size=200m";
const LARGE: &str = "size=400m";
/// Bytes that rows leave free.
const FLOOR: &str = "20000000";
const SOON: Duration = Duration::from_secs(1);
const BACK: Duration = Duration::from_secs(5);

/// A file system in memory, over a directory.
struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// `None` where this user may not mount one.
    fn mount(path: &Path) -> Option<Self> {
        std::fs::create_dir_all(path).unwrap();
        let disk = Self { path: path.to_owned() };
        run("mount", &["-t", "tmpfs", "-o", SMALL, "tmpfs"], path).then_some(disk)
    }

    fn resize(&self, size: &str) {
        assert!(run("mount", &["-o", &format!("remount,{size}")], &self.path), "{size}");
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }

    /// Writes until not a byte is left.
    fn fill(&self) {
        let mut file = File::create(self.ballast()).unwrap();
        let piece = vec![1_u8; 64 * 1024];
        while file.write_all(&piece).is_ok() {}
        while file.write_all(b"1").is_ok() {}
    }

    fn empty(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run("umount", &["-l"], &self.path);
    }
}

fn run(program: &str, arguments: &[&str], path: &Path) -> bool {
    let ran = Command::new(program).args(arguments).arg(path).output().unwrap();
    if !ran.status.success() {
        tell(format_args!("{program}: {}", String::from_utf8_lossy(&ran.stderr)));
    }
    ran.status.success()
}

#[tokio::test]
async fn a_full_disk_refuses_events_and_goes_on_when_it_is_made_larger() {
    let folder = ServerFolder::new(&load::project())
        .with_variable("ROOST__WAL__MIN_FREE_BYTES", FLOOR)
        .with_variable("ROOST__WAL__SEGMENT_BYTES", "4000000");
    let Some(disk) = SmallDisk::mount(&folder.data()) else {
        // Without root there is no small disk to be had; the limits themselves are tested in `wal`.
        return tell(format_args!("NOT RUN: only root may mount a small disk"));
    };
    let server = folder.start().await;
    let admin = server.admin();
    let load = Load::start(&admin);
    let mut slowest = (Duration::ZERO, Duration::ZERO);
    for round in 0..MOST_ROUNDS.min(effort() + 1) {
        load.progress(20, BACK * 4).await;
        disk.fill();
        let refused = within(SOON, "events are refused", async || {
            let reply = admin.post("/v0/events?name=load", "{\"id\":18446744073709551614}").await;
            assert_ne!(reply.status, 202, "round {round}: taken without a byte of room");
            (reply.status == 503).then_some(reply)
        });
        let (refused, took) = refused.await;
        assert!(refused.error(503).contains("nothing was taken"), "{}", refused.text);
        assert!(refused.header("retry-after").parse::<u64>().is_ok());
        let reply = admin.get("/v0/sql?q=SELECT count() FROM load FORMAT CSV").await;
        assert_eq!(reply.status, 200, "queries go on: {}", reply.text);
        disk.resize(LARGE);
        let back = load.progress(1, BACK).await;
        slowest = (slowest.0.max(took), slowest.1.max(back));
        disk.empty();
        load.progress(20, BACK * 4).await;
        disk.resize(SMALL);
    }
    tell(format_args!("refused after {:?}, back after {:?} at the slowest", slowest.0, slowest.1));
    load.finish().await.check(&admin).await;
    drop(server);
}
