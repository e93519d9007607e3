//! Losses of power: a machine that starts again without what it had not synced.
//!
//! Both processes are killed, then every part that came since the last sync began is gone, or damaged,
//! or there, as if the disk had been written in any order; and the machine has another boot id.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use chrono::DateTime;

use super::check::removals;
use super::strikes::{Striker, kill, settle, tables};
use super::writers::Writers;
use super::{Dice, effort, seed, tell, world};
use crate::harness::{Project, ServerProcess};

/// Losses of a run, times `ROOST_TORTURE`.
const LOSSES: u64 = 4;
/// Losses of one server: each leaves more parts to be looked through.
const LOSSES_OF_ONE: u64 = 20;

/// What became of the parts that were not synced.
#[derive(Debug, Default)]
struct Tally {
    gone: u64,
    damaged: u64,
    kept: u64,
    /// Syncs that the log had noted, and the server had not printed when it was killed.
    unprinted: u64,
    /// Losses where the last sync that was noted was not the last that had begun.
    crossed: u64,
}

#[tokio::test]
async fn losses_of_power_lose_and_double_nothing() {
    let seed = seed();
    let (mut left, mut tally) = (LOSSES * effort(), Tally::default());
    while left > 0 {
        let losses = left.min(LOSSES_OF_ONE);
        lose_again_and_again(losses, seed + left, &mut tally).await;
        left -= losses;
        tell(format_args!("{left} losses left, {tally:?} so far"));
    }
    assert!(tally.gone > 0 && tally.damaged > 0 && tally.kept > 0);
}

/// One server, its losses, and what is in its tables behind them.
async fn lose_again_and_again(losses: u64, seed: u64, tally: &mut Tally) {
    let mut dice = Dice::new(seed);
    let striker = Striker::new();
    let boot = striker.boot_file();
    std::fs::write(&boot, "first life").unwrap();
    let folder =
        striker.server_folder(&world::project()).with_variable("STRIKE_BOOT", boot.to_str().unwrap());
    let mut server = folder.start().await;
    let stores = stores(&server).await;
    let writers = Writers::start(&server.admin(), seed);
    let mut told = String::new();
    for number in 0..losses {
        tokio::time::sleep(Duration::from_millis(500 + dice.roll(4000) as u64)).await;
        let engine = server.find_engine();
        server.kill();
        engine.into_iter().for_each(crate::harness::EngineProcess::kill_if_alive);
        kill(&mut server).await;
        let since = last_sync(&mut server, tally, &mut told).await;
        for store in &stores {
            lose(store, since, (&mut dice, &mut told), tally);
        }
        std::fs::write(&boot, format!("life {number} after {seed}")).unwrap();
        server.start_again().await;
    }
    let (ledger, removed) = writers.finish().await;
    settle(&server).await;
    let (wrong, events) = tables(&server).await.check(&ledger, &removed).await;
    tell(format_args!(
        "{} requests, {events} events delivered; removals: {}",
        ledger.len(),
        removals(&removed)
    ));
    if !wrong.is_empty() {
        told.push_str(&server.output_with("").await);
        std::fs::write(std::env::temp_dir().join("roost-losses.log"), told).unwrap();
    }
    assert!(
        wrong.is_empty(),
        "{} wrong of {}: {:#?}",
        wrong.len(),
        ledger.len(),
        &wrong[..wrong.len().min(20)]
    );
    assert!(events > 1000);
}

/// Batches of one row each, merged at once, and a kill before any of it was synced; the directory of the table.
/// `None` where a sync came in between.
async fn kill_behind_a_merge(server: &mut ServerProcess) -> Option<PathBuf> {
    let admin = server.admin();
    for id in 1..=3 {
        admin.append("hits", format!("{{\"id\":{id}}}")).await;
    }
    let (engine, database) = server.side_door().open().await.unwrap();
    engine.execute(&format!("OPTIMIZE TABLE {database}.hits FINAL")).await.unwrap();
    let sql = format!(
        "SELECT arrayJoin(data_paths) AS path FROM system.tables WHERE (database, name) = ('{database}', 'hits')"
    );
    let found: Vec<serde_json::Value> = engine.rows(sql).await.unwrap();
    let engine = server.find_engine();
    server.kill();
    engine.into_iter().for_each(crate::harness::EngineProcess::kill_if_alive);
    kill(server).await;
    let listed = server.folder().command(&["wal", "ls"]).output().unwrap().stdout;
    let listed = String::from_utf8(listed).unwrap();
    let first = listed.lines().position(|line| line.contains("rows     hits")).unwrap();
    let is_synced = listed.lines().skip(first).any(|line| line.contains("synced   up to"));
    (!is_synced).then(|| PathBuf::from(found[0]["path"].as_str().unwrap()))
}

/// Where a merged part is damaged the engine sets it aside and merges its sources anew, under the same name;
/// where one of them is gone, over the gap.
#[tokio::test]
async fn a_part_that_is_merged_again_under_its_old_name_does_not_prove_what_is_gone() {
    let project = Project::default().data_source("hits", &["id UInt64"]);
    for _ in 0..10 {
        let striker = Striker::new();
        let boot = striker.boot_file();
        std::fs::write(&boot, "first life").unwrap();
        let folder = striker.server_folder(&project).with_variable("STRIKE_BOOT", boot.to_str().unwrap());
        let mut server = folder.start().await;
        let (engine, database) = server.side_door().open().await.unwrap();
        let at_once = "MODIFY SETTING min_age_to_force_merge_seconds = 1";
        engine.execute(&format!("ALTER TABLE {database}.hits {at_once}")).await.unwrap();
        let Some(store) = kill_behind_a_merge(&mut server).await else { continue };
        std::fs::write(store.join("all_1_3_1").join("data.bin"), b"").unwrap();
        std::fs::remove_dir_all(store.join("all_2_2_0")).unwrap();
        std::fs::write(&boot, "second life").unwrap();
        // Until the others are old enough to be merged at once.
        tokio::time::sleep(Duration::from_secs(2)).await;
        server.start_again().await;
        let reply = server.admin().post("/v0/sql", "SELECT id FROM hits ORDER BY id FORMAT TSV").await;
        assert_eq!(reply.text, "1\n2\n3\n");
        assert!(store.join("detached/broken-on-start_all_1_3_1").try_exists().unwrap());
        return;
    }
    panic!("a sync came in between every time");
}

/// The directories of the workspace's tables.
async fn stores(server: &ServerProcess) -> Vec<PathBuf> {
    let sql = "SELECT arrayJoin(data_paths) AS path FROM system.tables WHERE database = currentDatabase()";
    let rows = tables(server).await.ask(sql).await;
    rows.iter().map(|row| PathBuf::from(row["path"].as_str().unwrap())).collect()
}

/// When the last sync began that is noted in the log of a server that was killed. What the server has
/// printed may be behind that: a disk that loses more than it may is no disk.
async fn last_sync(server: &mut ServerProcess, tally: &mut Tally, told: &mut String) -> SystemTime {
    let (_, output) = server.ended().await;
    let listed = server.folder().command(&["wal", "ls"]).output().unwrap().stdout;
    let listed = String::from_utf8(listed).unwrap();
    told.extend([output.as_str(), "\nthe log:\n", listed.as_str()]);
    let synced = |line: &str| line.split_once("synced   up to ")?.1.trim().parse().ok();
    let all: Vec<u64> = listed.lines().filter_map(synced).collect();
    // Two that ran at once may be noted in any order.
    let latest = *all.iter().max().expect("a server syncs when it starts");
    tally.crossed += u64::from(all.last() != Some(&latest));
    let noted = latest.to_string();
    let at = |line: &str| line.rsplit_once("position=").map(|(_, position)| position.trim().to_owned());
    let printed = output.lines().rev().find(|line| line.contains("a sync is noted")).and_then(at);
    tally.unprinted += u64::from(printed.as_ref() != Some(&noted));
    let begun = |line: &&str| line.contains("a sync begins") && at(line).as_ref() == Some(&noted);
    let line = output.lines().rev().find(begun).expect("it says when it begins");
    let time = line.split_whitespace().next().unwrap();
    write!(told, "\nlost is what came since {time}, the sync at {noted}:\n").unwrap();
    DateTime::parse_from_rfc3339(time).unwrap().into()
}

/// Loses parts of a table that changed since a moment.
fn lose(store: &Path, since: SystemTime, (dice, told): (&mut Dice, &mut String), tally: &mut Tally) {
    let Ok(entries) = std::fs::read_dir(store) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_part = entry.path().is_dir()
            && !["tmp", "delete", "detached", "moving"].iter().any(|it| name.starts_with(it));
        if !is_part || !changed_since(&entry.path(), since) {
            continue;
        }
        let fate = dice.roll(100);
        writeln!(told, "{fate:2}: {}", entry.path().display()).unwrap();
        match fate {
            0..35 => {
                tally.gone += 1;
                std::fs::remove_dir_all(entry.path()).unwrap();
            }
            35..50 => {
                tally.damaged += 1;
                let files: Vec<_> = std::fs::read_dir(entry.path()).unwrap().flatten().collect();
                std::fs::write(files[dice.roll(files.len())].path(), b"").unwrap();
            }
            _ => tally.kept += 1,
        }
    }
}

/// A rename into its place changes a directory as well as a write into it.
fn changed_since(part: &Path, since: SystemTime) -> bool {
    use std::os::unix::fs::MetadataExt;
    let found = part.metadata().unwrap();
    let changed = SystemTime::UNIX_EPOCH
        + Duration::new(found.ctime().try_into().unwrap(), found.ctime_nsec().try_into().unwrap());
    changed >= since
}
