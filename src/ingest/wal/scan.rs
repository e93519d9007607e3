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
    /// Where the last record ended.
    end: u64,
}

/// A run of zeros is passed over in steps of this size.
const ZEROS: [u8; 4096] = [0; 4096];

impl<'a> Scanner<'a> {
    /// Stands before the first record.
    pub(super) fn new(file: &'a dyn LogFile, log: LogId) -> io::Result<Self> {
        let start = HEADER_BYTES as u64;
        Ok(Self { file, log, length: file.length()?, buffer: Vec::new(), start, used: 0, end: start })
    }

    /// Where the last record ended.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    fn position(&self) -> u64 {
        self.start + self.used as u64
    }

    /// The next record with its offset and length, past whatever is no record; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<(Record, u64, usize)>> {
        while self.fill(FRAME_BYTES)? {
            if let Some((record, bytes)) = self.at_position()? {
                let offset = self.position();
                self.used += bytes;
                self.end = self.position();
                return Ok(Some((record, offset, bytes)));
            }
            self.skip()?;
        }
        Ok(None)
    }

    /// Passes over bytes at which no record begins.
    fn skip(&mut self) -> io::Result<()> {
        self.used += 1;
        loop {
            if !self.fill(FRAME_BYTES)? {
                return Ok(());
            }
            let rest = &self.buffer[self.used..];
            // In zeros no record begins: a length and its complement are not both zero.
            if rest.len() > ZEROS.len() && rest.starts_with(&ZEROS) {
                self.used += ZEROS.len() - FRAME_BYTES;
            } else if format::looks_like_a_record(rest) {
                return Ok(());
            } else {
                self.used += 1;
            }
        }
    }

    /// The record that begins here.
    fn at_position(&mut self) -> io::Result<Option<(Record, usize)>> {
        loop {
            match format::decode(self.log, &self.buffer[self.used..]) {
                Found::Record(record, bytes) => return Ok(Some((record, bytes))),
                Found::Nothing => return Ok(None),
                Found::Partial(needed) => {
                    if !self.fill(needed)? {
                        // The other of the two lengths may still fit what is there.
                        let rest = format::decode(self.log, &self.buffer[self.used..]);
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
