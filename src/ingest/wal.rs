//! The write-ahead log: what was accepted lies on disk before anybody is told so.
//!
//! In: [`Entry`]s.  Out: their [`Appended`] once the disk has them; at the next start every record
//! again, in order; single records by their [`Place`].
//! Promise: an entry that was answered with success is there after a crash of the process, and with
//! [`Durability::Fsync`] after a loss of power; an error that says "nothing was taken" is true.
//! Entries that arrive together share one write and one sync, made by a thread of the log's own.
//! What is damaged is counted, told, kept aside and skipped: one bad record costs one record.
//! A file whose sync failed is never written again. Knows nothing of what the payloads mean.
//! May use: `config`.
//!
//! On disk: segments `<20 digits>.wal`, each a header (twice) and records with rising sequence
//! numbers. The first sequence number of a segment voids everything from it on in older segments:
//! that is how a group whose sync failed is written anew without standing there twice.

mod disk;
mod format;
mod metrics;
mod recovery;
mod scan;
mod segments;
#[cfg(test)]
mod simulated;
#[cfg(test)]
mod tests;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;

use bytes::Bytes;
use tokio::sync::oneshot;

pub use disk::{Disk, FolderDisk, LogFile};
pub use format::{Kind, LogId, Record, Sequence};
pub use metrics::LogMetrics;
pub use recovery::{Damage, inspect};
pub use segments::Place;

use crate::config;
use segments::Segments;
use writer::{Command, Writer};

/// The longest payload of one record, in bytes.
pub const MAX_PAYLOAD: usize = 256 << 20;

/// What is to be kept.
#[derive(Debug)]
pub struct Entry {
    /// Who it is for.
    pub kind: Kind,
    /// What it is about; at most 255 bytes.
    pub topic: Box<str>,
    /// The bytes.
    pub payload: Bytes,
}

/// An entry that is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Its number.
    pub sequence: Sequence,
    /// Where it can be read again.
    pub place: Place,
}

/// Told once when an entry is on disk, or is not; runs on the log's thread, in the order of the
/// sequence numbers, and must not wait.
pub type Then = Box<dyn FnOnce(Result<Appended, WalError>) + Send>;

/// When an append counts as done, and what the log may hold.
pub use config::{Durability, Wal as Settings};

/// Why an entry was not kept, or may not have been.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WalError {
    /// The log holds as much as it may.
    #[error(
        "the log is full, {limit} bytes wait for the engine (wal.max_bytes): nothing was taken, send the events again later"
    )]
    Full {
        /// The limit, in bytes.
        limit: u64,
    },
    /// More entries wait for the disk than may.
    #[error("too many requests wait for the disk ({limit}): nothing was taken, send the events again later")]
    Busy {
        /// How many may.
        limit: usize,
    },
    /// The disk is full, or nearly.
    #[error(
        "no space is left for the log (wal.min_free_bytes keeps {floor} bytes free): nothing was taken, send the events again later"
    )]
    NoSpace {
        /// The free bytes that are not touched.
        floor: u64,
    },
    /// The entry exceeds what one record holds.
    #[error(
        "{bytes} bytes are more than one record of the log holds ({MAX_PAYLOAD}): nothing was taken, send the events in several requests"
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Two syncs failed in a row: nothing is trusted to this disk until a restart.
    #[error(
        "the disk under the log has failed: nothing was taken, and nothing is until the server is started again"
    )]
    ReadOnly,
    /// The disk refused, and nothing was kept.
    #[error("the log cannot be written ({0}): nothing was taken, send the events again later")]
    Disk(String),
    /// The disk failed in a way that leaves open whether the entry is kept.
    #[error(
        "outcome unknown: the events may have been taken or not ({0}); count them before sending them again"
    )]
    Unknown(String),
    /// The log has been closed.
    #[error("the server is stopping: nothing was taken, send the events again")]
    Closed,
}

impl WalError {
    /// True where the entry certainly is not in the log.
    pub fn took_nothing(&self) -> bool {
        !matches!(self, Self::Unknown(_))
    }
}

/// What the log holds, at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Bytes in segments.
    pub bytes: u64,
    /// Segments.
    pub segments: usize,
}

/// The log of one data directory.
pub struct Wal {
    segments: Arc<Segments>,
    /// The sequence number that the next entry gets.
    next: Arc<AtomicU64>,
    commands: Option<mpsc::SyncSender<Command>>,
    metrics: LogMetrics,
    thread: Option<JoinHandle<()>>,
}

impl Wal {
    /// Opens the log and hands every record that it holds to `visit`, in order.
    ///
    /// Damage is no error: it is counted in the [`Damage`] and logged. An error means that the disk
    /// cannot be read or written at all.
    pub fn open(
        disk: Arc<dyn Disk>,
        settings: Settings,
        visit: impl FnMut(Record, Place),
    ) -> std::io::Result<(Self, Damage)> {
        let recovered = recovery::recover(&*disk, visit)?;
        let segments = Arc::new(Segments::new(disk, recovered.segments));
        let next = Arc::new(AtomicU64::new(recovered.next.get()));
        let (commands, queue) = mpsc::sync_channel(writer::QUEUE);
        let metrics = LogMetrics::of(&recovered.damage);
        let counts = (Arc::clone(&next), metrics.clone());
        let writer = Writer::new(Arc::clone(&segments), recovered.log, counts, settings);
        let thread = std::thread::Builder::new().name("log".to_owned()).spawn(move || writer.run(&queue))?;
        let wal = Self { segments, next, commands: Some(commands), metrics, thread: Some(thread) };
        Ok((wal, recovered.damage))
    }

    /// Keeps an entry; `then` learns what became of it.
    pub fn append_then(&self, entry: Entry, then: Then) {
        let Some(commands) = &self.commands else { return then(Err(WalError::Closed)) };
        let command = Command::Append(entry, then);
        match commands.try_send(command) {
            Ok(()) => {}
            Err(mpsc::TrySendError::Full(Command::Append(entry, then))) if entry.kind == Kind::Rows => {
                then(Err(WalError::Busy { limit: writer::QUEUE }));
            }
            // What says that rows have left waits for its turn.
            Err(mpsc::TrySendError::Full(command)) => drop(commands.send(command)),
            Err(mpsc::TrySendError::Disconnected(command)) => {
                if let Command::Append(_, then) = command {
                    then(Err(WalError::Closed));
                }
            }
        }
    }

    /// Keeps an entry and waits until it is on disk.
    pub async fn append(&self, entry: Entry) -> Result<Appended, WalError> {
        let (done, outcome) = oneshot::channel();
        self.append_then(entry, Box::new(move |outcome| drop(done.send(outcome))));
        outcome.await.unwrap_or(Err(WalError::Closed))
    }

    /// Keeps an entry and blocks this thread until it is on disk.
    pub fn append_blocking(&self, entry: Entry) -> Result<Appended, WalError> {
        let (done, outcome) = mpsc::sync_channel(1);
        self.append_then(entry, Box::new(move |outcome| drop(done.send(outcome))));
        outcome.recv().unwrap_or(Err(WalError::Closed))
    }

    /// The number that the next entry gets: all entries whose `then` has run have smaller ones.
    pub fn next_sequence(&self) -> Sequence {
        Sequence::new(self.next.load(Ordering::Acquire))
    }

    /// Reads one record again. An error where it was cut away or the disk fails.
    pub fn read(&self, place: Place) -> std::io::Result<Record> {
        self.segments.read(place)
    }

    /// Removes the segments that hold only records before `until`.
    pub fn cut(&self, until: Sequence) {
        if let Some(commands) = &self.commands {
            // A closed log is cut at its next start.
            let _ = commands.send(Command::Cut(until));
        }
    }

    /// What the log counts.
    pub fn metrics(&self) -> &LogMetrics {
        &self.metrics
    }

    /// What the log holds now.
    pub fn usage(&self) -> Usage {
        self.segments.usage()
    }
}

impl Drop for Wal {
    /// Writes what waits, and ends the thread.
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the log broke");
        }
    }
}
