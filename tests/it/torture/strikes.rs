//! The kill loop.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::check::{Tables, removals};
use super::writers::Writers;
use super::{Dice, effort, seed, tell, world};
use crate::harness::{Folder, Project, ServerFolder, ServerProcess, SideDoor, engine_of, program, within};
use roost::engine::Query;

/// Strikes of a run, times `ROOST_TORTURE`.
const STRIKES: u64 = 20;
/// A server that was struck serves again within this time.
const BACK: Duration = Duration::from_mins(1);

/// Whom a strike hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Server,
    Engine,
    Both,
}

/// The library that ends a process at a counted call, and the script that starts an engine with it.
pub(super) struct Striker {
    folder: Folder,
}

impl Striker {
    pub(super) fn new() -> Self {
        let folder = Folder::new();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/torture/strike.c");
        let library = folder.path().join("strike.so");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&library)
            .arg(source)
            .arg("-ldl")
            .status();
        assert!(built.unwrap().success(), "the C compiler builds strike.c");
        let striker = Self { folder };
        striker.aim_at_engine(0, "before");
        striker
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("strike.so")
    }

    /// The file that can stand in for the machine's boot id.
    pub(super) fn boot_file(&self) -> PathBuf {
        self.folder.path().join("boot_id")
    }

    fn script(&self) -> PathBuf {
        self.folder.path().join("engine.sh")
    }

    /// Lets the next engine die at a call; 0: at none. Replaced whole: an engine may be starting.
    pub(super) fn aim_at_engine(&self, call: u64, when: &str) {
        let (library, program) = (self.library(), program());
        let text = format!(
            "#!/bin/sh\nexport LD_PRELOAD='{}' STRIKE_CALL={call} STRIKE_WHEN={when} STRIKE_UNDER=/store/\nexec '{}' \"$@\"\n",
            library.display(),
            Path::new(&program).display(),
        );
        let draft = self.folder.path().join("draft.sh");
        std::fs::write(&draft, text).unwrap();
        std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::rename(&draft, self.script()).unwrap();
    }

    /// A server's folder whose processes can be struck.
    pub(super) fn server_folder(&self, project: &Project) -> ServerFolder {
        ServerFolder::new(project)
            .with_variable("ROOST__ENGINE__EXECUTABLE", self.script().to_str().unwrap())
            .with_variable("ROOST__ENGINE__RESTART_BACKOFF_INITIAL_MILLISECONDS", "10")
            .with_variable("ROOST__INGEST__LINGER_MILLISECONDS", "50")
            .with_variable("ROOST__WAL__SEGMENT_BYTES", "2000000")
            .with_variable("ROOST__LOG__LEVEL", "warn,roost::ingest=debug")
            .with_variable("LD_PRELOAD", self.library().to_str().unwrap())
    }
}

/// How often each kind of strike was made.
#[derive(Debug, Default)]
struct Tally {
    server: u64,
    engine: u64,
    both: u64,
    at_a_call: u64,
    in_recovery: u64,
}

struct Loop {
    server: ServerProcess,
    striker: Striker,
    dice: Dice,
    tally: Tally,
}

impl Loop {
    /// One strike, and the way back.
    async fn strike(&mut self) {
        let victim = [Victim::Server, Victim::Engine, Victim::Both][self.dice.roll(3)];
        match victim {
            Victim::Server => self.tally.server += 1,
            Victim::Engine => self.tally.engine += 1,
            Victim::Both => self.tally.both += 1,
        }
        let at_a_call = self.dice.roll(5) < 3;
        self.tally.at_a_call += u64::from(at_a_call);
        let when = ["before", "after"][self.dice.roll(2)];
        match (victim, at_a_call) {
            (Victim::Engine, true) => self.strike_engine_at_a_call(when).await,
            (Victim::Engine, false) => {
                self.let_work().await;
                self.kill_engine();
            }
            (_, true) => self.strike_server_at_a_call(victim, when).await,
            (_, false) => {
                self.let_work().await;
                self.kill_server(victim).await;
                // Every third is struck again before it serves.
                if self.dice.roll(3) == 0 {
                    self.tally.in_recovery += 1;
                    self.server.try_start(&[]);
                    self.rest(1200).await;
                    self.kill_server(victim).await;
                }
                self.server.start_again().await;
            }
        }
    }

    /// Time in which the server does its work; now and then enough for a barrier.
    async fn let_work(&mut self) {
        let longest = [600, 600, 600, 2500][self.dice.roll(4)];
        self.rest(longest).await;
    }

    async fn rest(&mut self, milliseconds: usize) {
        tokio::time::sleep(Duration::from_millis(self.dice.roll(milliseconds) as u64)).await;
    }

    fn kill_engine(&self) {
        if let Some(engine) = self.server.find_engine() {
            engine.kill_if_alive();
        }
    }

    async fn kill_server(&mut self, victim: Victim) {
        if victim == Victim::Both {
            self.kill_engine();
        }
        kill(&mut self.server).await;
    }

    /// The next engine dies at one of its first calls: the present one makes room for it.
    async fn strike_engine_at_a_call(&mut self, when: &str) {
        self.striker.aim_at_engine(1 + self.dice.roll(60) as u64, when);
        self.kill_engine();
        self.rest(1500).await;
        self.striker.aim_at_engine(0, when);
        self.rest(300).await;
        // Where the call was never made, or a strike of it was slept through.
        self.kill_engine();
    }

    /// The next server dies at one of its first calls, most of them inside recovery.
    async fn strike_server_at_a_call(&mut self, victim: Victim, when: &str) {
        self.kill_server(victim).await;
        let call = 1 + self.dice.roll(40);
        start_and_die(&mut self.server, call, when).await;
        self.tally.in_recovery += 1;
        self.kill_server(victim).await;
        self.server.start_again().await;
    }
}

/// Kills a server. Its engine ends by itself, soon.
pub(super) async fn kill(server: &mut ServerProcess) {
    server.kill();
    let data = server.folder().data().join("engine");
    within(BACK, "the engine is gone", async || engine_of(&data).is_none().then_some(())).await;
}

/// Starts a server that dies at a counted call; returns when it has, or after a while.
pub(super) async fn start_and_die(server: &mut ServerProcess, call: usize, when: &str) {
    let call = call.to_string();
    server.try_start(&[("STRIKE_CALL", &call), ("STRIKE_WHEN", when), ("STRIKE_UNDER", "/.roost/")]);
    let began = Instant::now();
    while !server.has_ended() && began.elapsed() < Duration::from_secs(4) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn strikes_lose_and_double_nothing() {
    let seed = seed();
    let striker = Striker::new();
    let server = striker.server_folder(&world::project()).start().await;
    let mut world = Loop { server, striker, dice: Dice::new(seed), tally: Tally::default() };
    let writers = Writers::start(&world.server.admin(), seed);
    let mut disturber = tokio::task::JoinSet::new();
    disturber.spawn(disturb(world.server.side_door(), Dice::new(seed)));
    for number in 0..STRIKES * effort() {
        world.strike().await;
        if number % 20 == 19 {
            tell(format_args!("{} strikes, {} requests acknowledged", number + 1, writers.acknowledged()));
        }
    }
    let (ledger, removed) = writers.finish().await;
    disturber.shutdown().await;
    settle(&world.server).await;
    let tables = tables(&world.server).await;
    let (wrong, events) = tables.check(&ledger, &removed).await;
    tell(format_args!(
        "{:?}; {} requests, {events} events delivered; removals: {}",
        world.tally,
        ledger.len(),
        removals(&removed)
    ));
    if !wrong.is_empty() {
        let output = world.server.output_with("").await;
        std::fs::write(std::env::temp_dir().join("roost-torture.log"), output).unwrap();
        panic!("{} wrong of {}: {:#?}", wrong.len(), ledger.len(), &wrong[..wrong.len().min(20)]);
    }
    assert!(events > 1000 && !removed.is_empty());
}

/// Merges and rewrites parts all the time, past the server.
async fn disturb(door: SideDoor, mut dice: Dice) {
    loop {
        tokio::time::sleep(Duration::from_millis(50 + dice.roll(200) as u64)).await;
        if let Some((engine, database)) = door.open().await {
            let mut statement = Query::new(dice.pick(&world::DISTURBANCES), "");
            statement.database = Some(database);
            // It may be broken off.
            let _ = tokio::time::timeout(Duration::from_secs(2), engine.query(statement)).await;
        }
    }
}

/// Waits until every acknowledged row is in its tables.
pub(super) async fn settle(server: &ServerProcess) {
    let admin = server.admin();
    for source in world::SOURCES {
        let last = async || {
            let path = format!("/v0/events?name={source}&wait=true");
            let request =
                admin.request(reqwest::Method::POST, &path).body("{\"id\":\"settled\",\"request\":0}");
            let reply = crate::harness::try_send(request).await.ok()?;
            (reply.status == 200).then_some(())
        };
        within(BACK, "every row is in its tables", last).await;
    }
}

/// The tables behind the server's back.
pub(super) async fn tables(server: &ServerProcess) -> Tables {
    let door = server.side_door();
    let ((engine, database), _) = within(BACK, "the engine can be asked", async || door.open().await).await;
    Tables { engine, database }
}
