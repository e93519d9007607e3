//! Reads the records of one segment one after another, in bounded memory.

use std::io;

use super::disk::LogFile;
use super::format::{self, FRAME_BYTES, Found, HEADER_BYTES, LogId, Record};

/// Bytes that are read at once.
const WINDOW: usize = 1 << 20;

/// A reader of one segment.
pub(super) struct Scanner<'a> {
    file: &'a dyn LogFile,
    log: LogId,
    length: u64,
    /// What has been read and not been used, and where it begins in the file.
    buffer: Vec<u8>,
    start: u64,
    /// How much of the buffer has been used.
    used: usize,
}

impl<'a> Scanner<'a> {
    /// Stands before the first record.
    pub(super) fn new(file: &'a dyn LogFile, log: LogId) -> io::Result<Self> {
        let start = HEADER_BYTES as u64;
        Ok(Self { file, log, length: file.length()?, buffer: Vec::new(), start, used: 0 })
    }

    /// Where the next record would begin.
    pub(super) fn position(&self) -> u64 {
        self.start + self.used as u64
    }

    /// The next record with its offset and length, past whatever is no record; `None` at the end:
    /// then [`Scanner::position`] is where the last record ended.
    pub(super) fn next(&mut self) -> io::Result<Option<(Record, u64, usize)>> {
        match self.at(0)? {
            Some((record, bytes)) => Ok(Some(self.take(record, 0, bytes))),
            None => self.search(),
        }
    }

    fn take(&mut self, record: Record, skipped: usize, bytes: usize) -> (Record, u64, usize) {
        let offset = self.position() + skipped as u64;
        self.used += skipped + bytes;
        (record, offset, bytes)
    }

    /// The record that begins so many bytes behind the position.
    fn at(&mut self, ahead: usize) -> io::Result<Option<(Record, usize)>> {
        self.fill(ahead + FRAME_BYTES)?;
        loop {
            match format::decode(self.log, &self.buffer[self.used + ahead..]) {
                Found::Record(record, bytes) => return Ok(Some((record, bytes))),
                Found::Nothing => return Ok(None),
                Found::Partial(needed) => {
                    if !self.fill(ahead + needed)? {
                        // The other of the two lengths may still fit what is there.
                        let rest = format::decode(self.log, &self.buffer[self.used + ahead..]);
                        return Ok(if let Found::Record(record, bytes) = rest {
                            Some((record, bytes))
                        } else {
                            None
                        });
                    }
                }
            }
        }
    }

    /// Looks for a record behind bytes that are none.
    fn search(&mut self) -> io::Result<Option<(Record, u64, usize)>> {
        let mut ahead = 1;
        while self.fill(ahead + FRAME_BYTES)? {
            let frame = &self.buffer[self.used + ahead..];
            if format::looks_like_a_record(frame)
                && let Some((record, bytes)) = self.at(ahead)?
            {
                return Ok(Some(self.take(record, ahead, bytes)));
            }
            ahead += 1;
        }
        Ok(None)
    }

    /// Reads until the buffer holds so many unused bytes; false where the file ends before.
    fn fill(&mut self, wanted: usize) -> io::Result<bool> {
        if self.buffer.len() - self.used >= wanted {
            return Ok(true);
        }
        self.start += self.used as u64;
        self.buffer.drain(..self.used);
        self.used = 0;
        let held = self.buffer.len();
        let left = usize::try_from(self.length - self.start).unwrap_or(usize::MAX) - held;
        let more = left.min((wanted - held).max(WINDOW));
        self.buffer.resize(held + more, 0);
        self.file.read_at(&mut self.buffer[held..], self.start + held as u64)?;
        Ok(self.buffer.len() >= wanted)
    }
}
