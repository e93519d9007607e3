//! Deaths while new views are filled from history.

use super::strikes::{Striker, kill, start_and_die, tables};
use super::{Dice, effort, seed, tell, world};
use crate::harness::{Project, ServerProcess};

/// Rounds of a run, times `ROOST_TORTURE`: each fills two views anew.
const ROUNDS: u64 = 2;
/// Rounds until a death hits a filling.
const MOST_ROUNDS: u64 = 20;
const REQUESTS: u64 = 5;
const ROWS: u64 = 2_000;

/// Views over `plain`: a copy that tells of every row, and a sum of them over three partitions.
fn with_views(project: Project) -> Project {
    let target = |columns: &str, engine: &str, keys: &str| {
        format!("SCHEMA >\n    {columns}\n\nENGINE \"{engine}\"\n{keys}")
    };
    let view = |target: &str, sql: &str| {
        format!("NODE rows\nSQL >\n    {sql}\n\nTYPE materialized\nDATASOURCE {target}\n")
    };
    let copy = target("id UInt64, p UInt8", "MergeTree", "ENGINE_SORTING_KEY \"id\"\n");
    let sums = target(
        "k UInt16, n Int64, times UInt64",
        "SummingMergeTree",
        "ENGINE_PARTITION_KEY \"k % 3\"\nENGINE_SORTING_KEY \"k\"\n",
    );
    project
        .with("datasources/filled_copy.datasource", &copy)
        .with("pipes/fill_copy.pipe", &view("filled_copy", "SELECT id, p FROM plain"))
        .with("datasources/filled_sums.datasource", &sums)
        .with(
            "pipes/fill_sums.pipe",
            &view("filled_sums", "SELECT k, sum(n) AS n, count() AS times FROM plain GROUP BY k"),
        )
}

async fn append(server: &ServerProcess, request: u64) {
    let line = |row: u64| {
        let id = request * ROWS + row;
        format!("{{\"id\":{id},\"request\":{request},\"p\":{},\"k\":{},\"n\":{}}}", id % 5, id % 101, id % 13)
    };
    let lines: Vec<String> = (0..ROWS).map(line).collect();
    let counts = server.admin().append("plain", lines.join("\n")).await;
    assert_eq!(counts, (ROWS, 0));
}

/// Everything that is wrong with the views.
async fn wrong(server: &ServerProcess) -> Vec<serde_json::Value> {
    let sql = "SELECT * FROM (SELECT id, countIf(t = 0) AS there, countIf(t = 1) AS copied FROM \
        (SELECT id, 0 AS t FROM plain UNION ALL SELECT id, 1 AS t FROM filled_copy) GROUP BY id) WHERE there != 1 OR copied != 1 LIMIT 10";
    let mut wrong = tables(server).await.ask(sql).await;
    let sums = "SELECT * FROM (SELECT k, sum(n) AS n, sum(times) AS times FROM filled_sums GROUP BY k) AS a \
        FULL JOIN (SELECT k, sum(n) AS n, count() AS times FROM plain GROUP BY k) AS b USING k WHERE a.n != b.n OR a.times != b.times LIMIT 10";
    wrong.extend(tables(server).await.ask(sums).await);
    wrong
}

/// How many views a dead server has begun to fill and not ended.
fn open_fillings(server: &ServerProcess) -> usize {
    let output = server.folder().command(&["wal", "ls"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = || text.lines().filter(|line| line.contains("  populate "));
    let ended = lines().filter(|line| line.ends_with(" is done")).count();
    let begun = lines().filter(|line| !line.ends_with(" is done") && !line.ends_with(" chunks")).count();
    begun.saturating_sub(ended)
}

/// One server; how many of its deaths found a view half filled.
async fn round(striker: &Striker, dice: &mut Dice) -> usize {
    let mut inside = 0;
    let mut server = striker.server_folder(&world::project()).start().await;
    for request in 0..REQUESTS {
        append(&server, request).await;
    }
    kill(&mut server).await;
    server.folder().write(&with_views(world::project()));
    for _ in 0..=dice.roll(3) {
        let when = ["before", "after"][dice.roll(2)];
        let (call, at_engine) = (20 + dice.roll(60), dice.roll(2) == 0);
        if at_engine {
            striker.aim_at_engine(call as u64, when);
        }
        start_and_die(&mut server, if at_engine { 0 } else { call }, when).await;
        kill(&mut server).await;
        striker.aim_at_engine(0, when);
        inside += usize::from(open_fillings(&server) > 0);
    }
    server.start_again().await;
    // Behind the history.
    append(&server, REQUESTS).await;
    let wrong = wrong(&server).await;
    assert!(wrong.is_empty(), "{wrong:#?}: {}", server.output_with("").await);
    inside
}

#[tokio::test]
async fn views_that_are_being_filled_lose_and_double_nothing() {
    let mut dice = Dice::new(seed());
    let striker = Striker::new();
    let (mut rounds, mut inside) = (0, 0);
    // A death that hits no filling proves nothing.
    while rounds < ROUNDS * effort() || (inside == 0 && rounds < MOST_ROUNDS) {
        inside += round(&striker, &mut dice).await;
        rounds += 1;
    }
    tell(format_args!("{rounds} rounds, {inside} deaths with a view half filled"));
    assert!(inside > 0);
}
