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

use std::collections::{HashSet, VecDeque};
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

/// What a request is known by, and what it was answered with.
///
/// As bytes: `key 16   events u64   rows u32   quarantined rows u32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) signature: Signature,
    pub(super) counts: Counts,
}

impl Signed {
    /// The length of its bytes.
    pub(super) const BYTES: usize = 32;

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let count = |rows: usize| u32::try_from(rows).unwrap_or(u32::MAX).to_le_bytes();
        out.extend(self.signature.key.0);
        out.extend(self.signature.events.to_le_bytes());
        out.extend(count(self.counts.successful_rows));
        out.extend(count(self.counts.quarantined_rows));
    }

    /// Reads it from the begin of some bytes; `None` where they are too few.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (key, rest) = bytes.split_first_chunk()?;
        let (events, rest) = rest.split_first_chunk()?;
        let (rows, rest) = rest.split_first_chunk()?;
        let (quarantined, _) = rest.split_first_chunk()?;
        let count = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes) as usize;
        Some(Self {
            signature: Signature { key: KeyId(*key), events: u64::from_le_bytes(*events) },
            counts: Counts { successful_rows: count(rows), quarantined_rows: count(quarantined) },
        })
    }
}

/// A request whose rows are in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Remembered {
    pub(super) signed: Signed,
    /// Its record.
    pub(super) sequence: Sequence,
    /// When it came, in milliseconds since 1970.
    pub(super) arrival: u64,
}

/// Whose turn it is with a key.
#[derive(Debug)]
pub(super) enum Turn {
    /// Nobody has used the key, and nobody else does as long as the claim is held.
    First(Claim),
    /// The same request has been taken.
    Repeat(Remembered),
    /// A request with the key and other events has been taken.
    Other,
}

/// The right to use a key. Dropped when what became of the request is known.
#[derive(Debug)]
pub(super) struct Claim {
    keys: Arc<Keys>,
    signature: Signature,
}

impl Claim {
    /// What the request is known by.
    pub(super) fn signature(&self) -> Signature {
        self.signature
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.keys.state().in_flight.remove(&self.signature.key);
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
    /// Those that stand in the log only, the newest as many as are remembered.
    unsaved: VecDeque<Remembered>,
}

impl State {
    /// Notes requests that are to be saved. Of more than are remembered the oldest need not be.
    fn save_later(&mut self, requests: impl IntoIterator<Item = Remembered>) {
        self.unsaved.extend(requests);
        let most = self.index.most();
        self.unsaved.drain(..self.unsaved.len().saturating_sub(most));
    }
}

impl Keys {
    /// Reads what a data directory remembers; `now` in milliseconds since 1970.
    pub(super) fn open(data: &Path, settings: Settings, now: u64) -> io::Result<Self> {
        let mut index = Index::new(settings);
        let files = KeyFiles::open(&data.join("keys"), settings, |remembered| index.add(remembered, now))?;
        let state = State { index, in_flight: HashSet::new(), unsaved: VecDeque::new() };
        Ok(Self { state: Mutex::new(state), files: Mutex::new(files), released: Notify::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for requests in flight with the same key, and says whose turn it is.
    pub(super) async fn turn(self: &Arc<Self>, signature: Signature, now: u64) -> Turn {
        loop {
            let mut released = std::pin::pin!(self.released.notified());
            // From here on no release is missed.
            released.as_mut().enable();
            {
                let mut state = self.state();
                match state.index.get(signature.key, now) {
                    Some(known) if known.signed.signature == signature => return Turn::Repeat(known),
                    Some(_) => return Turn::Other,
                    None if state.in_flight.insert(signature.key) => {
                        return Turn::First(Claim { keys: Arc::clone(self), signature });
                    }
                    None => {}
                }
            }
            released.await;
        }
    }

    /// Remembers a request whose record is in the log.
    pub(super) fn remember(&self, request: Remembered) {
        let mut state = self.state();
        if state.index.add(request, request.arrival) {
            state.save_later([request]);
        }
    }

    /// How many keys are remembered.
    pub(super) fn len(&self) -> usize {
        self.state().index.len()
    }

    /// Writes down what stands in the log only: before the log is cut.
    pub(super) fn save(&self, now: u64) -> io::Result<()> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let mut unsaved = std::mem::take(&mut self.state().unsaved);
        let saved = files.append(unsaved.make_contiguous(), now);
        if saved.is_err() {
            let mut state = self.state();
            let since = std::mem::replace(&mut state.unsaved, unsaved);
            state.save_later(since);
        }
        saved
    }
}

#[cfg(test)]
mod tests;
