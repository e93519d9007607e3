//! The thread that writes: takes what waits, writes it at once, syncs it once, tells everybody.
//!
//! The rules of failure: a segment in which a write or a sync failed gets no further byte. What a
//! failed write left is cut off, so that "nothing was taken" stays true after a crash; a group whose
//! sync failed is written anew into a fresh segment, whose first number voids the old copy. A second
//! sync that fails in a row ends all writing.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Instant;

use super::disk::LogFile;
use super::format::{self, HEADER_BYTES, Header, Kind, LogId, Sequence};
use super::segments::{Place, Segment, Segments, file_name};
use super::{Appended, Durability, Entry, LogMetrics, MAX_PAYLOAD, Settings, Then, WalError};

/// Entries that may wait for the thread; rows beyond them are refused.
pub(super) const QUEUE: usize = 16_384;
/// Entries and bytes of one group: more wait for the next sync.
const GROUP_ENTRIES: usize = 4096;
const GROUP_BYTES: usize = 16 << 20;

/// What the thread is asked for.
pub(super) enum Command {
    Append(Entry, Then),
    Cut(Sequence),
}

/// The state of the thread.
pub(super) struct Writer {
    segments: Arc<Segments>,
    log: LogId,
    next: Arc<AtomicU64>,
    metrics: LogMetrics,
    settings: Settings,
    /// The segment that is being written.
    active: Option<Active>,
    health: Health,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Sound,
    ReadOnly,
}

struct Active {
    number: u64,
    file: Arc<dyn LogFile>,
    end: u64,
}

/// Entries that share a write and a sync.
#[derive(Default)]
struct Group {
    bytes: Vec<u8>,
    /// For each entry, its length in `bytes`, and who waits for it.
    entries: Vec<(u32, Then)>,
    /// Bytes that were free on the disk when it was last asked.
    free: Option<u64>,
}

/// Why a group is not on disk.
enum Failure {
    /// Nothing of it is.
    Refused(WalError),
    /// Perhaps it is.
    Unknown(String),
}

impl Writer {
    pub(super) fn new(
        segments: Arc<Segments>,
        log: LogId,
        (next, metrics): (Arc<AtomicU64>, LogMetrics),
        settings: Settings,
    ) -> Self {
        Self { segments, log, next, metrics, settings, active: None, health: Health::Sound }
    }

    /// Works until every sender is gone.
    pub(super) fn run(mut self, queue: &Receiver<Command>) {
        while let Ok(command) = queue.recv() {
            let mut group = Group::default();
            self.take(command, &mut group);
            while group.entries.len() < GROUP_ENTRIES
                && group.bytes.len() < GROUP_BYTES
                && let Ok(command) = queue.try_recv()
            {
                self.take(command, &mut group);
            }
            self.commit(group);
        }
        self.seal();
    }

    fn take(&self, command: Command, group: &mut Group) {
        match command {
            Command::Cut(until) => self.cut(until),
            Command::Append(entry, then) => {
                if let Some(refusal) = self.refusal(&entry, group) {
                    return then(Err(refusal));
                }
                let sequence = self.next() + group.entries.len() as u64;
                let length = format::encode(self.log, Sequence::new(sequence), &entry, &mut group.bytes);
                group.entries.push((length, then));
            }
        }
    }

    fn next(&self) -> u64 {
        self.next.load(Ordering::Acquire)
    }

    /// Why an entry is not taken. The limits are for rows: what says that rows have left must not
    /// wait for the room that it makes.
    fn refusal(&self, entry: &Entry, group: &mut Group) -> Option<WalError> {
        if entry.payload.len() > MAX_PAYLOAD {
            return Some(WalError::TooLarge { bytes: entry.payload.len() });
        }
        if self.health == Health::ReadOnly {
            return Some(WalError::ReadOnly);
        }
        if entry.kind == Kind::Control {
            return None;
        }
        let wanted = (group.bytes.len() + entry.payload.len()) as u64;
        let limit = self.settings.max_bytes.get();
        if self.segments.usage().bytes + wanted > limit {
            return Some(WalError::Full { limit });
        }
        let floor = self.settings.min_free_bytes;
        // Asked once for a group, and again before anything is refused.
        if group.free.is_none_or(|free| free < floor + wanted) {
            group.free = self.segments.disk.free_bytes().ok();
        }
        group.free.is_none_or(|free| free < floor + wanted).then_some(WalError::NoSpace { floor })
    }

    fn commit(&mut self, group: Group) {
        if group.entries.is_empty() {
            return;
        }
        let outcome = self.write(&group.bytes);
        let sequence = self.next();
        if outcome.is_ok() {
            self.next.store(sequence + group.entries.len() as u64, Ordering::Release);
        }
        let (mut sequence, mut offset) = (Sequence::new(sequence), 0);
        for (length, then) in group.entries {
            then(match &outcome {
                Ok(start) => Ok(Appended {
                    sequence,
                    place: Place { segment: start.segment, offset: start.offset + offset, length },
                }),
                Err(Failure::Refused(error)) => Err(error.clone()),
                Err(Failure::Unknown(reason)) => Err(WalError::Unknown(reason.clone())),
            });
            sequence = sequence.next();
            offset += u64::from(length);
        }
    }

    /// Writes and syncs bytes; the place of the first.
    fn write(&mut self, bytes: &[u8]) -> Result<Place, Failure> {
        let (number, file, start) = self.room().map_err(|error| Failure::Refused(self.refused(&error)))?;
        if let Err(error) = file.write_at(bytes, start) {
            self.active = None;
            return Err(match undo(&*file, start) {
                Ok(()) => Failure::Refused(self.refused(&error)),
                Err(second) => self.fail(format!("{error}, then {second}")),
            });
        }
        match self.sync(&*file) {
            Ok(()) => Ok(self.advance(number, start, bytes.len() as u64)),
            Err(error) => {
                tracing::error!(%error, segment = number, "a sync of the log failed: its segment is left, the group is written anew");
                self.active = None;
                self.write_anew(bytes).map_err(|second| self.fail(format!("{error}, then {second}")))
            }
        }
    }

    fn write_anew(&mut self, bytes: &[u8]) -> io::Result<Place> {
        let (number, file, start) = self.room()?;
        file.write_at(bytes, start)?;
        self.sync(&*file)?;
        Ok(self.advance(number, start, bytes.len() as u64))
    }

    /// Ends all writing: what the disk holds is not known any more.
    fn fail(&mut self, reason: String) -> Failure {
        tracing::error!(reason, "the log takes nothing until the server is started again");
        self.active = None;
        self.health = Health::ReadOnly;
        Failure::Unknown(reason)
    }

    fn refused(&self, error: &io::Error) -> WalError {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                WalError::NoSpace { floor: self.settings.min_free_bytes }
            }
            _ => WalError::Disk(error.to_string()),
        }
    }

    fn sync(&self, file: &dyn LogFile) -> io::Result<()> {
        if self.settings.durability == Durability::Os {
            return Ok(());
        }
        let began = Instant::now();
        let outcome = file.sync();
        match &outcome {
            Ok(()) => self.metrics.synced(began.elapsed()),
            Err(_) => self.metrics.sync_failed(),
        }
        outcome
    }

    fn advance(&mut self, number: u64, start: u64, bytes: u64) -> Place {
        let end = start + bytes;
        if let Some(active) = &mut self.active {
            active.end = end;
        }
        self.segments.set_end(number, end);
        Place { segment: number, offset: start, length: 0 }
    }

    /// The segment to write to, made where the present one is full, with its file and its end.
    fn room(&mut self) -> io::Result<(u64, Arc<dyn LogFile>, u64)> {
        if self.active.as_ref().is_some_and(|active| active.end >= self.settings.segment_bytes.get()) {
            self.seal();
        }
        if self.active.is_none() {
            self.active = Some(self.begin_segment()?);
        }
        match &self.active {
            Some(active) => Ok((active.number, Arc::clone(&active.file), active.end)),
            None => Err(io::Error::other("no segment")),
        }
    }

    fn begin_segment(&self) -> io::Result<Active> {
        let number = self.segments.last() + 1;
        let disk = &self.segments.disk;
        // A try that failed before may have left its file.
        let _ = disk.remove(&file_name(number));
        let file = disk.create(&file_name(number))?;
        let first = Sequence::new(self.next());
        let header = Header { log: self.log, number, first };
        let born = file
            .reserve(self.settings.segment_bytes.get())
            .and_then(|()| file.write_at(&header.encode(), 0))
            .and_then(|()| self.sync(&*file))
            .and_then(|()| match self.settings.durability {
                Durability::Fsync => disk.sync(),
                Durability::Os => Ok(()),
            });
        if let Err(error) = born {
            let _ = disk.remove(&file_name(number));
            return Err(error);
        }
        let end = HEADER_BYTES as u64;
        self.segments.add(number, Segment { file: Arc::clone(&file), log: self.log, first, end });
        Ok(Active { number, file, end })
    }

    /// Gives back the space that a finished segment did not use.
    fn seal(&mut self) {
        if let Some(active) = self.active.take()
            && let Err(error) = active.file.set_length(active.end).and_then(|()| self.sync(&*active.file))
        {
            tracing::warn!(%error, segment = active.number, "a full segment of the log was not cut to its length");
        }
    }

    fn cut(&self, until: Sequence) {
        let active = self.active.as_ref().map(|active| active.number);
        if let Err(error) = self.segments.remove_before(until, active) {
            tracing::warn!(%error, "old segments of the log stay");
        }
    }
}

/// Takes back what a failed write may have left, durably.
fn undo(file: &dyn LogFile, end: u64) -> io::Result<()> {
    file.set_length(end)?;
    file.sync()
}
