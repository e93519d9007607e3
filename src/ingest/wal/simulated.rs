//! A disk in memory that loses power: what was not synced may be there, or not, or half, in any
//! order.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::disk::{Disk, LogFile};

/// A small generator of numbers, so that a run can be repeated from its seed.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound.max(1)
    }

    pub(super) fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }
}

#[derive(Debug, Clone)]
enum Change {
    Write(u64, Vec<u8>),
    Length(u64),
}

#[derive(Debug, Clone, Default)]
struct Content {
    /// What survives.
    durable: Vec<u8>,
    /// What does so perhaps.
    pending: Vec<Change>,
    /// What the running system sees.
    seen: Vec<u8>,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<u64, Content>,
    /// Names as the running system sees them, and as they survive.
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    made: u64,
    faults: Faults,
    syncs: u64,
}

/// What goes wrong on purpose.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faults {
    /// So many of the next syncs of files fail, and what they were to keep is lost.
    pub(super) syncs: u32,
    /// Bytes that may still be written; `None`: any number.
    pub(super) room: Option<u64>,
    /// So many of the next writes reach their file and fail all the same.
    pub(super) writes: u32,
}

/// The disk; a clone is the same disk.
#[derive(Debug, Clone, Default)]
pub(super) struct SimulatedDisk(Arc<Mutex<State>>);

struct SimulatedFile {
    disk: SimulatedDisk,
    number: u64,
}

impl SimulatedDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// How often a file was synced.
    pub(super) fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// The disk as it is found when the power comes back: every change since the last sync of its
    /// file is there, is not, or is there in part; names that were not synced may be gone.
    pub(super) fn after_power_loss(&self, dice: &mut Dice) -> Self {
        let state = self.state();
        let names = if dice.one_in(2) { state.names.clone() } else { state.durable_names.clone() };
        let mut left = State { made: state.made, ..State::default() };
        for (name, number) in names {
            let fate = Fate::thrown(dice);
            let content = survived(&state.files[&number], fate, dice);
            left.files
                .insert(number, Content { durable: content.clone(), pending: Vec::new(), seen: content });
            left.names.insert(name, number);
        }
        left.durable_names.clone_from(&left.names);
        Self(Arc::new(Mutex::new(left)))
    }

    /// The disk as it is found after the process alone was killed: the system has every write.
    pub(super) fn after_kill(&self) -> Self {
        let state = self.state();
        let files = state.files.clone();
        let names = state.names.clone();
        let durable_names = state.durable_names.clone();
        let (made, syncs) = (state.made, state.syncs);
        Self(Arc::new(Mutex::new(State { files, names, durable_names, made, syncs, ..State::default() })))
    }

    /// The bytes of a file.
    pub(super) fn content(&self, name: &str) -> Vec<u8> {
        let state = self.state();
        state.files[&state.names[name]].seen.clone()
    }

    /// Puts a file there, durable.
    pub(super) fn put(&self, name: &str, bytes: &[u8]) {
        let mut state = self.state();
        state.made += 1;
        let number = state.made;
        state
            .files
            .insert(number, Content { durable: bytes.into(), pending: Vec::new(), seen: bytes.into() });
        state.names.insert(name.to_owned(), number);
        state.durable_names.insert(name.to_owned(), number);
    }
}

/// What becomes of the writes that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    AllLost,
    AllKept,
    /// They go to the disk in pages, each whole or not at all, in any order.
    SomePages,
}

impl Fate {
    fn thrown(dice: &mut Dice) -> Self {
        match dice.below(4) {
            0 => Self::AllLost,
            1 => Self::AllKept,
            _ => Self::SomePages,
        }
    }
}

fn survived(content: &Content, fate: Fate, dice: &mut Dice) -> Vec<u8> {
    let mut bytes = content.durable.clone();
    for change in &content.pending {
        match (fate, change) {
            (Fate::AllLost, _) => {}
            (Fate::AllKept, change) => apply(&mut bytes, change),
            (Fate::SomePages, Change::Length(length)) => {
                if dice.one_in(2) {
                    apply(&mut bytes, &Change::Length(*length));
                }
            }
            (Fate::SomePages, Change::Write(offset, written)) => {
                let page = 1 << dice.below(9);
                let mut at = *offset;
                for piece in written.chunks(page) {
                    if dice.one_in(2) {
                        apply(&mut bytes, &Change::Write(at, piece.to_vec()));
                    }
                    at += piece.len() as u64;
                }
            }
        }
    }
    bytes
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    match change {
        Change::Length(length) => bytes.resize(size(*length), 0),
        Change::Write(offset, written) => {
            let end = size(*offset) + written.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[size(*offset)..end].copy_from_slice(written);
        }
    }
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Disk for SimulatedDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn LogFile>> {
        let mut state = self.state();
        if state.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.made += 1;
        let number = state.made;
        state.files.insert(number, Content::default());
        state.names.insert(name.to_owned(), number);
        Ok(Arc::new(SimulatedFile { disk: self.clone(), number }))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn LogFile>> {
        let number = *self.state().names.get(name).ok_or_else(not_found)?;
        Ok(Arc::new(SimulatedFile { disk: self.clone(), number }))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.state().names.remove(name).map(drop).ok_or_else(not_found)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        let number = state.names.remove(from).ok_or_else(not_found)?;
        state.names.insert(to.to_owned(), number);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        state.durable_names = state.names.clone();
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(self.state().faults.room.unwrap_or(u64::MAX))
    }
}

impl SimulatedFile {
    fn change(&self, change: Change) {
        let mut state = self.disk.state();
        let content = state.files.entry(self.number).or_default();
        apply(&mut content.seen, &change);
        content.pending.push(change);
    }
}

impl LogFile for SimulatedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let state = self.disk.state();
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let found = state.files[&self.number].seen.get(start..start + buffer.len());
        buffer.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let room = self.disk.state().faults.room;
        let written = room.map_or(bytes.len(), |room| bytes.len().min(usize::try_from(room).unwrap_or(0)));
        self.change(Change::Write(offset, bytes[..written].to_vec()));
        if let Some(room) = &mut self.disk.state().faults.room {
            *room -= written as u64;
        }
        if written < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut state = self.disk.state();
        if state.faults.writes > 0 {
            state.faults.writes -= 1;
            return Err(io::Error::other("input/output error"));
        }
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.state().files[&self.number].seen.len() as u64)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.change(Change::Length(length));
        Ok(())
    }

    fn reserve(&self, length: u64) -> io::Result<()> {
        self.set_length(length)
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.syncs += 1;
        if state.faults.syncs > 0 {
            state.faults.syncs -= 1;
            // Some pages got there. The others are marked clean all the same: the running system sees
            // them, the disk never will.
            let mut dice = Dice::new(state.syncs);
            if let Some(content) = state.files.get_mut(&self.number) {
                content.durable = survived(content, Fate::SomePages, &mut dice);
                content.pending.clear();
            }
            return Err(io::Error::other("input/output error"));
        }
        if let Some(content) = state.files.get_mut(&self.number) {
            for change in std::mem::take(&mut content.pending) {
                apply(&mut content.durable, &change);
            }
        }
        Ok(())
    }
}
