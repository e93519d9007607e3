//! Requests that are sent again: one with a key that was used before is answered as the first was, and
//! nothing of it is stored.
//!
//! In: the `Idempotency-Key` of a request.  Out: a `Turn`: the first, or a repeat with the counts of
//! the first.
//! Promise: of all requests for a data source with one key, however many are in flight at once, one is
//! taken; what was acknowledged is remembered over every death for [`Settings::memory`], or until
//! [`Settings::most`] later keys have come. A key stands in the record of its rows in the log, and in a
//! file of its own before the log is cut.
//! May use: `ingest::wal` for numbers and errors of the disk.

mod files;
mod index;

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use super::Counts;
use super::wal::Sequence;
use files::KeyFiles;
use index::Index;

/// The longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 128;

/// How much is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How long.
    pub memory: Duration,
    /// How many keys; the oldest are forgotten.
    pub most: usize,
}

/// The `Idempotency-Key` header of a request: 1 to 128 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(Box<[u8]>);

/// The key has no bytes, or too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an Idempotency-Key has 1 to {MAX_KEY_BYTES} bytes, and this one has {0}")]
pub struct KeyError(usize);

impl IdempotencyKey {
    /// Takes the bytes of the header's value as they are.
    pub fn parse(value: &[u8]) -> Result<Self, KeyError> {
        match value.len() {
            1..=MAX_KEY_BYTES => Ok(Self(value.into())),
            length => Err(KeyError(length)),
        }
    }

    /// The key for the events of a data source, told apart from others by their bytes.
    pub(super) fn sign(&self, data_source: &str, events: &[u8]) -> Signature {
        let mut key = Sha256::new();
        key.update([u8::try_from(data_source.len()).unwrap_or(u8::MAX)]);
        key.update(data_source);
        key.update(&self.0);
        Signature {
            key: KeyId(head(&key.finalize())),
            events: u64::from_le_bytes(head(&Sha256::digest(events))),
        }
    }
}

fn head<const N: usize>(digest: &[u8]) -> [u8; N] {
    digest.first_chunk().copied().unwrap_or([0; N])
}

/// A key and its data source, by their SHA-256: no two that anybody finds are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct KeyId(pub(super) [u8; 16]);

/// What identifies a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signature {
    pub(super) key: KeyId,
    /// A checksum of the events, which tells a repeat from a mistake.
    pub(super) events: u64,
}

/// A request whose rows are in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Remembered {
    pub(super) signature: Signature,
    /// Its record.
    pub(super) sequence: Sequence,
    /// When it came, in milliseconds since 1970.
    pub(super) arrival: u64,
    pub(super) counts: Counts,
}

/// Whose turn it is with a key.
#[derive(Debug)]
pub(super) enum Turn {
    /// Nobody has used the key, and nobody else does as long as the claim is held.
    First(Claim),
    /// A request with the key has been taken.
    Repeat(Remembered),
}

/// The right to use a key. Dropped when what became of the request is known.
#[derive(Debug)]
pub(super) struct Claim {
    keys: Arc<Keys>,
    key: KeyId,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.keys.state().in_flight.remove(&self.key);
        self.keys.released.notify_waiters();
    }
}

/// The keys of one data directory.
#[derive(Debug)]
pub(super) struct Keys {
    state: Mutex<State>,
    files: Mutex<KeyFiles>,
    released: Notify,
}

#[derive(Debug)]
struct State {
    index: Index,
    in_flight: HashSet<KeyId>,
    /// Those that stand in the log only.
    unsaved: Vec<Remembered>,
}

impl Keys {
    /// Reads what a data directory remembers; `now` in milliseconds since 1970.
    pub(super) fn open(data: &Path, settings: Settings, now: u64) -> io::Result<Self> {
        let mut index = Index::new(settings);
        let files = KeyFiles::open(&data.join("keys"), settings, |remembered| index.add(remembered, now))?;
        let state = State { index, in_flight: HashSet::new(), unsaved: Vec::new() };
        Ok(Self { state: Mutex::new(state), files: Mutex::new(files), released: Notify::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for requests in flight with the same key, and says whose turn it is.
    pub(super) async fn turn(self: &Arc<Self>, key: KeyId, now: u64) -> Turn {
        loop {
            let mut released = std::pin::pin!(self.released.notified());
            // From here on no release is missed.
            released.as_mut().enable();
            {
                let mut state = self.state();
                if let Some(known) = state.index.get(key, now) {
                    return Turn::Repeat(known);
                }
                if state.in_flight.insert(key) {
                    return Turn::First(Claim { keys: Arc::clone(self), key });
                }
            }
            released.await;
        }
    }

    /// Remembers a request whose record is in the log.
    pub(super) fn remember(&self, request: Remembered) {
        let mut state = self.state();
        if state.index.add(request, request.arrival) {
            state.unsaved.push(request);
        }
    }

    /// How many keys are remembered.
    pub(super) fn len(&self) -> usize {
        self.state().index.len()
    }

    /// Writes down what stands in the log only: before the log is cut.
    pub(super) fn save(&self, now: u64) -> io::Result<()> {
        let unsaved = std::mem::take(&mut self.state().unsaved);
        let saved = self.files.lock().unwrap_or_else(PoisonError::into_inner).append(&unsaved, now);
        if saved.is_err() {
            let mut state = self.state();
            let since = std::mem::replace(&mut state.unsaved, unsaved);
            state.unsaved.extend(since);
        }
        saved
    }
}

#[cfg(test)]
mod tests;
