//! The segments that are there: their names, their files, and what each holds.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Usage;
use super::disk::{Disk, LogFile};
use super::format::{self, Found, LogId, Record, Sequence};

/// Where a record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// The segment's number.
    pub(super) segment: u64,
    /// The offset in it.
    pub(super) offset: u64,
    /// Its bytes, frame included.
    pub(super) length: u32,
}

/// A segment.
#[derive(Clone)]
pub(super) struct Segment {
    pub(super) file: Arc<dyn LogFile>,
    pub(super) log: LogId,
    pub(super) first: Sequence,
    /// Where its last record ends.
    pub(super) end: u64,
}

/// All segments, for the thread that writes and everybody who reads.
pub(super) struct Segments {
    pub(super) disk: Arc<dyn Disk>,
    known: Mutex<BTreeMap<u64, Segment>>,
}

/// The file of a segment.
pub(super) fn file_name(number: u64) -> String {
    format!("{number:020}.wal")
}

/// Where a segment with damage is kept for people to look at.
pub(super) fn corrupt_name(number: u64) -> String {
    format!("{number:020}.corrupt")
}

/// The number of the segment that a file holds.
pub(super) fn number_of(name: &str, ending: &str) -> Option<u64> {
    let digits = name.strip_suffix(ending)?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

impl Segments {
    pub(super) fn new(disk: Arc<dyn Disk>, known: BTreeMap<u64, Segment>) -> Self {
        Self { disk, known: Mutex::new(known) }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<u64, Segment>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The highest number in use; 0 where there is none.
    pub(super) fn last(&self) -> u64 {
        self.known().keys().next_back().copied().unwrap_or(0)
    }

    pub(super) fn add(&self, number: u64, segment: Segment) {
        self.known().insert(number, segment);
    }

    /// Notes how far a segment is written.
    pub(super) fn set_end(&self, number: u64, end: u64) {
        if let Some(segment) = self.known().get_mut(&number) {
            segment.end = end;
        }
    }

    pub(super) fn usage(&self) -> Usage {
        let known = self.known();
        Usage { bytes: known.values().map(|segment| segment.end).sum(), segments: known.len() }
    }

    pub(super) fn read(&self, place: Place) -> io::Result<Record> {
        let segment = self.known().get(&place.segment).cloned();
        let segment =
            segment.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the segment was cut"))?;
        let mut bytes = vec![0; usize::try_from(place.length).map_err(io::Error::other)?];
        segment.file.read_at(&mut bytes, place.offset)?;
        match format::decode(segment.log, &bytes) {
            Found::Record(record, _) => Ok(record),
            Found::Partial(_) | Found::Nothing => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "the record is damaged"))
            }
        }
    }

    /// Removes every segment but `spared` that ends before `until`, oldest first.
    pub(super) fn remove_before(&self, until: Sequence, spared: Option<u64>) -> io::Result<()> {
        loop {
            let oldest = {
                let known = self.known();
                let mut numbers = known.iter();
                let (Some((&oldest, _)), Some((_, next))) = (numbers.next(), numbers.next()) else { break };
                if next.first > until || Some(oldest) == spared {
                    break;
                }
                oldest
            };
            self.disk.remove(&file_name(oldest))?;
            self.known().remove(&oldest);
        }
        self.disk.sync()
    }
}
