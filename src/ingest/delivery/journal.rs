//! The log and the ledger together: what is said is written first, then believed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::directories::part_directories;
use super::ledger::{Ledger, Machine, Waiting};
use super::now;
use super::payload;
use super::record::Control;
use crate::config::Config;
use crate::ingest::idempotency::{self, Keys, Remembered, Signed};
use crate::ingest::metrics::Metrics;
use crate::ingest::wal::{
    self, Appended, Disk, Entry, FolderDisk, Kind, Place, Record, Sequence, Wal, WalError,
};

/// The file in which Linux names the present life of the machine.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The log of a data directory, read whole.
pub struct Journal {
    pub(super) wal: Wal,
    /// The keys of requests whose rows are in the log, or were.
    pub(super) keys: Arc<Keys>,
    metrics: Metrics,
    ledger: Arc<Mutex<Ledger>>,
    boot: String,
    /// What happened to the machine between the last record and this start.
    machine: Machine,
    /// What the next barrier is called.
    next_barrier: AtomicU64,
    /// The embedded engine's data; `None` where the engine is a server elsewhere.
    engine_data: Option<PathBuf>,
}

impl Journal {
    /// Opens the log of a data directory. After a stop of the machine the parts that are there are
    /// noted: call it before the engine is started, which begins to merge at once.
    pub fn open(data: &Path, engine_data: Option<PathBuf>, settings: &Config) -> io::Result<Self> {
        let remembered = idempotency::Settings {
            memory: settings.ingest.idempotency_memory,
            most: settings.ingest.idempotency_keys.get(),
        };
        let keys = Arc::new(Keys::open(data, remembered, now())?);
        let disk = Arc::new(FolderDisk::open(&data.join("wal"))?);
        Self::open_on(disk, engine_data, (settings.wal.clone(), keys), boot_id())
    }

    fn open_on(
        disk: Arc<dyn Disk>,
        engine_data: Option<PathBuf>,
        (settings, keys): (wal::Settings, Arc<Keys>),
        boot: String,
    ) -> io::Result<Self> {
        let mut ledger = Ledger::default();
        let (wal, _) = Wal::open(disk, settings, |record, place| follow(&mut ledger, &keys, &record, place))?;
        let machine = match ledger.boot() {
            Some(known) if known == boot => Machine::RanOn,
            None if ledger.window(Machine::Stopped).is_empty() => Machine::RanOn,
            _ => Machine::Stopped,
        };
        let metrics = Metrics::new(wal.metrics().clone());
        let ledger = Arc::new(Mutex::new(ledger));
        // Each barrier has records of its own, so that earlier lives have given smaller numbers out.
        let next_barrier = AtomicU64::new(wal.next_sequence().get());
        let journal = Self { wal, keys, metrics, ledger, boot, machine, next_barrier, engine_data };
        journal.note_parts()?;
        Ok(journal)
    }

    /// Notes what parts there are, where that will be evidence: before anything can change them.
    fn note_parts(&self) -> io::Result<()> {
        let Some(engine_data) = self.engine_data.as_ref().filter(|_| self.machine == Machine::Stopped) else {
            return Ok(());
        };
        if self.ledger().parts().is_some() {
            return Ok(());
        }
        let directories = part_directories(engine_data)?;
        let entry = control_entry(&Control::Parts { directories: directories.clone() });
        let appended = self.wal.append_blocking(entry).map_err(io::Error::other)?;
        self.ledger().apply(appended.sequence, Control::Parts { directories });
        Ok(())
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn boot(&self) -> &str {
        &self.boot
    }

    pub(super) fn machine(&self) -> Machine {
        self.machine
    }

    /// A number that no other barrier has: several may be open at once.
    pub(super) fn barrier_number(&self) -> u64 {
        self.next_barrier.fetch_add(1, Ordering::Relaxed)
    }

    /// What the way in counts.
    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Keeps the rows of a request. Once they are on disk `hold` runs, then the ledger knows them,
    /// then `then` runs.
    pub(super) fn add_rows(
        &self,
        source: &str,
        rows: Rows,
        hold: impl FnOnce(Sequence) + Send + 'static,
        then: impl FnOnce(Result<Appended, WalError>) + Send + 'static,
    ) {
        let Rows { payload, arrival, signed } = rows;
        let (ledger, topic, bytes) = (Arc::clone(&self.ledger), Box::<str>::from(source), payload.len());
        let keys = Arc::clone(&self.keys);
        let entry = Entry { kind: Kind::Rows, topic: topic.clone(), payload };
        let note = move |outcome: Result<Appended, WalError>| {
            if let Ok(Appended { sequence, place }) = outcome {
                hold(sequence);
                let waiting = Waiting { sequence, place, bytes, arrival };
                ledger.lock().unwrap_or_else(PoisonError::into_inner).add_rows(&topic, waiting);
                if let Some(signed) = signed {
                    keys.remember(Remembered { signed, sequence, arrival });
                }
            }
            then(outcome);
        };
        self.wal.append_then(entry, Box::new(note));
    }

    /// Writes a record; when this returns it is on disk and the ledger follows it.
    pub(super) async fn say(&self, control: Control) -> Result<Sequence, WalError> {
        let ledger = Arc::clone(&self.ledger);
        let (done, outcome) = tokio::sync::oneshot::channel();
        let entry = control_entry(&control);
        let note = move |outcome: Result<Appended, WalError>| {
            if let Ok(appended) = &outcome {
                ledger.lock().unwrap_or_else(PoisonError::into_inner).apply(appended.sequence, control);
            }
            let _ = done.send(outcome);
        };
        self.wal.append_then(entry, Box::new(note));
        outcome.await.unwrap_or(Err(WalError::Closed)).map(|appended| appended.sequence)
    }

    /// Makes everything durable that the engine has written so far, says so, and cuts the log.
    pub(super) async fn sync(&self) -> Result<(), SyncError> {
        // The position is taken before the sync begins: what is done while it runs is not covered.
        let position = self.wal.next_sequence();
        tracing::debug!(position = position.get(), "a sync begins");
        self.sync_engine().await?;
        self.save_keys().await?;
        self.say(Control::Synced { position, boot: self.boot.clone() }).await.map_err(SyncError::Log)?;
        tracing::debug!(position = position.get(), "a sync is noted");
        self.wal.cut(self.ledger().cut());
        Ok(())
    }

    /// Writes the keys down that stand in the log only: what holds them is about to be cut away.
    async fn save_keys(&self) -> Result<(), SyncError> {
        let keys = Arc::clone(&self.keys);
        let saved = tokio::task::spawn_blocking(move || keys.save(now())).await;
        saved.map_err(|_| SyncError::Stopping)?.map_err(SyncError::Keys)
    }

    /// Makes durable what the embedded engine has written; a server elsewhere does so itself.
    pub(super) async fn sync_engine(&self) -> Result<(), SyncError> {
        let Some(data) = self.engine_data.clone() else { return Ok(()) };
        let synced = tokio::task::spawn_blocking(move || sync_file_system(&data)).await;
        synced.map_err(|_| SyncError::Stopping)?.map_err(SyncError::Disk)
    }
}

/// What is kept of a request.
pub(super) struct Rows {
    /// Its rows.
    pub(super) payload: bytes::Bytes,
    /// When it came, in milliseconds since 1970.
    pub(super) arrival: u64,
    /// What it is known by, where it has an idempotency key.
    pub(super) signed: Option<Signed>,
}

/// Why not everything is known to be durable.
#[derive(Debug, thiserror::Error)]
pub(super) enum SyncError {
    #[error("the disk of the engine cannot be synced: {0}")]
    Disk(io::Error),
    #[error("the idempotency keys cannot be written: {0}")]
    Keys(io::Error),
    #[error(transparent)]
    Log(WalError),
    #[error("the server is stopping")]
    Stopping,
}

/// Lets the ledger follow a record of an earlier run.
fn follow(ledger: &mut Ledger, keys: &Keys, record: &Record, place: Place) {
    let sequence = record.sequence;
    let unknown = |error: &dyn std::fmt::Display| {
        tracing::error!(sequence = sequence.get(), %error, "a record of the log is of an unknown kind: it stays there");
    };
    match record.kind {
        Kind::Rows => match payload::arrival(&record.payload) {
            Ok(arrival) => {
                let bytes = record.payload.len();
                if let Some(signed) = payload::signed(&record.payload) {
                    keys.remember(Remembered { signed, sequence, arrival });
                }
                ledger.add_rows(&record.topic, Waiting { sequence, place, bytes, arrival });
            }
            Err(error) => unknown(&error),
        },
        Kind::Control => match serde_json::from_slice(&record.payload) {
            Ok(control) => ledger.apply(sequence, control),
            Err(error) => unknown(&error),
        },
    }
}

fn control_entry(control: &Control) -> Entry {
    // Plain data always serialises.
    let payload = serde_json::to_vec(control).unwrap_or_default();
    Entry { kind: Kind::Control, topic: "".into(), payload: payload.into() }
}

fn boot_id() -> String {
    // Elsewhere than on Linux every start counts as one after a stop of the machine.
    std::fs::read_to_string(BOOT_ID)
        .map_or_else(|_| uuid::Uuid::new_v4().to_string(), |id| id.trim().to_owned())
}

#[cfg(target_os = "linux")]
fn sync_file_system(data: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(std::fs::File::open(data)?)?)
}

#[cfg(not(target_os = "linux"))]
fn sync_file_system(_data: &Path) -> io::Result<()> {
    rustix::fs::sync();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::record::Barrier;
    use super::*;
    use crate::config::Flags;

    fn open(folder: &Path) -> Journal {
        let home = [("HOME".to_owned(), "/home/person".to_owned())];
        let settings = Config::from_parts(None, home, &Flags::default()).unwrap();
        Journal::open(folder, None, &settings).unwrap()
    }

    #[tokio::test]
    async fn no_two_barriers_have_one_number_and_each_is_open_until_it_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let barrier = |journal: &Journal, statement: &str| {
            let (number, statement) = (journal.barrier_number(), statement.to_owned());
            Barrier { number, table: None, statement, job: None }
        };
        let journal = open(folder.path());
        // Both have their numbers before either is written down.
        let (one, two) = (barrier(&journal, "TRUNCATE a"), barrier(&journal, "TRUNCATE b"));
        journal.say(Control::Barrier(one.clone())).await.unwrap();
        journal.say(Control::Barrier(two.clone())).await.unwrap();
        journal.say(Control::BarrierDone { number: one.number }).await.unwrap();
        drop(journal);
        let journal = open(folder.path());
        assert_eq!(journal.ledger().open_barriers(), std::slice::from_ref(&two));
        assert!(journal.barrier_number() > two.number);
    }
}
