//! Keys on disk: files `<20 digits>.keys` of records of one length, the newest file the one that grows.
//!
//! ```text
//! record   signed 32   sequence u64   arrival u64   crc32c u32
//! ```
//!
//! A record that was half written is cut off before the next is written; one that is damaged is skipped
//! and told. A file is removed when none of its keys would be remembered.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::{Remembered, Settings, Signed};
use crate::ingest::wal::Sequence;

const RECORD_BYTES: usize = Signed::BYTES + 20;
/// A file holds this share of all keys, so that they leave in eighths.
const FILES: usize = 8;

/// A file that is complete, or the one that grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Held {
    number: u64,
    records: usize,
    /// When the last of its requests came.
    newest: u64,
}

/// See the head of the file.
#[derive(Debug)]
pub(super) struct KeyFiles {
    folder: PathBuf,
    settings: Settings,
    /// The oldest first.
    held: Vec<Held>,
}

impl KeyFiles {
    /// Opens a folder, made where it is not there, and hands what it holds to `visit`, the oldest first.
    pub(super) fn open(
        folder: &Path,
        settings: Settings,
        mut visit: impl FnMut(Remembered) -> bool,
    ) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut files = Self { folder: folder.to_owned(), settings, held: Vec::new() };
        let mut damaged = 0_usize;
        for number in files.numbers()? {
            let mut held = Held { number, ..Held::default() };
            let mut bytes = Vec::new();
            File::open(files.path(number))?.read_to_end(&mut bytes)?;
            for record in bytes.chunks_exact(RECORD_BYTES) {
                held.records += 1;
                match decode(record) {
                    Some(request) => {
                        held.newest = held.newest.max(request.arrival);
                        visit(request);
                    }
                    None => damaged += 1,
                }
            }
            files.held.push(held);
        }
        if damaged > 0 {
            tracing::error!(damaged, "idempotency keys cannot be read: their requests would be taken again");
        }
        Ok(files)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:020}.keys"))
    }

    fn numbers(&self) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".keys"));
            numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Adds requests; when this returns they are on disk.
    pub(super) fn append(&mut self, requests: &[Remembered], now: u64) -> io::Result<()> {
        let per_file = self.settings.most.div_ceil(FILES).max(1);
        for piece in requests.chunks(per_file) {
            let mut held = match self.held.last().copied() {
                Some(last) if last.records + piece.len() <= per_file => last,
                last => Held { number: last.map_or(0, |last| last.number + 1), ..Held::default() },
            };
            self.write(held, piece)?;
            held.records += piece.len();
            held.newest = piece.iter().map(|request| request.arrival).fold(held.newest, u64::max);
            self.held.retain(|known| known.number != held.number);
            self.held.push(held);
        }
        self.remove_forgotten(now)
    }

    fn write(&self, held: Held, requests: &[Remembered]) -> io::Result<()> {
        let path = self.path(held.number);
        let mut file = OpenOptions::new().append(true).create(true).open(path)?;
        // What a failed or broken write left behind the whole records.
        file.set_len((held.records * RECORD_BYTES) as u64)?;
        let bytes: Vec<u8> = requests.iter().flat_map(encode).collect();
        file.write_all(&bytes)?;
        file.sync_all()?;
        File::open(&self.folder)?.sync_all()
    }

    /// Removes files whose keys are too old, or more than are remembered behind.
    fn remove_forgotten(&mut self, now: u64) -> io::Result<()> {
        let memory = self.settings.memory.as_millis();
        while let [oldest, newer @ ..] = self.held.as_slice() {
            let behind: usize = newer.iter().map(|held| held.records).sum();
            let is_old = u128::from(now.saturating_sub(oldest.newest)) >= memory;
            if behind < self.settings.most && !is_old {
                break;
            }
            std::fs::remove_file(self.path(oldest.number))?;
            self.held.remove(0);
        }
        Ok(())
    }
}

fn encode(request: &Remembered) -> Vec<u8> {
    let mut record = Vec::with_capacity(RECORD_BYTES);
    request.signed.encode(&mut record);
    record.extend(request.sequence.get().to_le_bytes());
    record.extend(request.arrival.to_le_bytes());
    record.extend(crc32c::crc32c(&record).to_le_bytes());
    record
}

fn decode(record: &[u8]) -> Option<Remembered> {
    let (checked, sum) = record.split_last_chunk()?;
    if crc32c::crc32c(checked) != u32::from_le_bytes(*sum) {
        return None;
    }
    let (sequence, rest) = checked.get(Signed::BYTES..)?.split_first_chunk()?;
    let (arrival, _) = rest.split_first_chunk()?;
    Some(Remembered {
        signed: Signed::decode(checked)?,
        sequence: Sequence::new(u64::from_le_bytes(*sequence)),
        arrival: u64::from_le_bytes(*arrival),
    })
}
