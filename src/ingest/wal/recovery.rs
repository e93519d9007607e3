//! What a log holds when it is opened, whatever happened to it before.
//!
//! Nothing here is an error but a disk that cannot be read: a torn end is cut, a damaged record is
//! skipped, a segment without a readable header is set aside, and each is counted and told.

use std::collections::BTreeMap;
use std::io;

use super::disk::{Disk, LogFile};
use super::format::{HEADER_BYTES, Header, LogId, Record, Sequence};
use super::scan::Scanner;
use super::segments::{Place, Segment, corrupt_name, file_name, number_of};

/// What was not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Damage {
    /// Records that are missing from the middle of the log.
    pub lost_records: u64,
    /// Segments set aside because nothing says what they are.
    pub lost_segments: u64,
    /// Bytes of a record that was being written when the machine stopped.
    pub torn_bytes: u64,
    /// The files that were kept for people to look at.
    pub kept: Vec<String>,
}

/// An opened log.
pub(super) struct Recovered {
    pub(super) log: LogId,
    pub(super) segments: BTreeMap<u64, Segment>,
    pub(super) next: Sequence,
    pub(super) damage: Damage,
}

/// Reads a log and mends it.
pub(super) fn recover(disk: &dyn Disk, visit: impl FnMut(Record, Place)) -> io::Result<Recovered> {
    let mut opening = Opening { disk, may_write: MayWrite::Yes, damage: Damage::default() };
    let segments = opening.segments()?;
    let (segments, next) = opening.read_all(segments, visit)?;
    let log = match segments.values().next_back() {
        Some(segment) => segment.log,
        None => LogId(random_id()?),
    };
    let damage = opening.damage;
    if damage.lost_records + damage.lost_segments > 0 {
        tracing::error!(
            records = damage.lost_records,
            segments = damage.lost_segments,
            kept = damage.kept.join(", "),
            "the log is damaged: what could be read is used, the rest is lost"
        );
    }
    if damage.torn_bytes > 0 {
        tracing::warn!(
            bytes = damage.torn_bytes,
            "a record was being written when the log was last closed: it is cut off"
        );
    }
    Ok(Recovered { log, segments, next, damage })
}

/// Reads a log without touching it.
pub fn inspect(disk: &dyn Disk, visit: impl FnMut(Record, Place)) -> io::Result<Damage> {
    let mut opening = Opening { disk, may_write: MayWrite::No, damage: Damage::default() };
    let segments = opening.segments()?;
    opening.read_all(segments, visit)?;
    Ok(opening.damage)
}

fn random_id() -> io::Result<[u8; 16]> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(io::Error::other)?;
    Ok(id)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MayWrite {
    Yes,
    No,
}

struct Opening<'a> {
    disk: &'a dyn Disk,
    may_write: MayWrite,
    damage: Damage,
}

impl Opening<'_> {
    /// The segments whose header can be read, all of one log.
    fn segments(&mut self) -> io::Result<BTreeMap<u64, Segment>> {
        let names = self.disk.list()?;
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| number_of(name, ".wal")).collect();
        numbers.sort_unstable();
        let mut found = BTreeMap::new();
        // From the newest on: should there be two logs, the one that was written last is ours.
        let mut ours = None;
        for number in numbers.into_iter().rev() {
            let file = self.disk.open(&file_name(number))?;
            match read_header(&*file)? {
                Some(header) if header.number == number && *ours.get_or_insert(header.log) == header.log => {
                    let segment = Segment { file, log: header.log, first: header.first, end: 0 };
                    found.insert(number, segment);
                }
                None if is_unborn(&*file)? => self.remove(number)?,
                _ => self.set_aside(number)?,
            }
        }
        Ok(found)
    }

    /// Visits every valid record; learns where each segment ends and which number comes next.
    fn read_all(
        &mut self,
        mut segments: BTreeMap<u64, Segment>,
        mut visit: impl FnMut(Record, Place),
    ) -> io::Result<(BTreeMap<u64, Segment>, Sequence)> {
        let firsts: Vec<Sequence> = segments.values().map(|segment| segment.first).collect();
        let mut expected = firsts.first().copied().unwrap_or(Sequence::FIRST);
        let count = segments.len();
        for (place, (&number, segment)) in segments.iter_mut().enumerate() {
            // The records from here on are void: a later segment holds them again.
            let limit = firsts[place + 1..].iter().min().copied();
            let before = self.damage.lost_records;
            let mut scanner = Scanner::new(&*segment.file, segment.log)?;
            while let Some((record, offset, bytes)) = scanner.next()? {
                if record.sequence < expected || limit.is_some_and(|limit| record.sequence >= limit) {
                    continue;
                }
                self.damage.lost_records += record.sequence.get() - expected.get();
                expected = record.sequence.next();
                let length = u32::try_from(bytes).unwrap_or(u32::MAX);
                visit(record, Place { segment: number, offset, length });
            }
            segment.end = scanner.end();
            if let Some(limit) = limit.filter(|limit| *limit > expected) {
                self.damage.lost_records += limit.get() - expected.get();
                expected = limit;
            }
            if self.damage.lost_records > before {
                self.keep_copy(number, &*segment.file)?;
            }
            if place + 1 == count {
                self.cut_torn_end(segment)?;
                self.write_again(segment)?;
            }
        }
        Ok((segments, expected))
    }

    /// Cuts the newest segment behind its last record, so that what was half written there can
    /// never be taken for damage, or for a record.
    fn cut_torn_end(&mut self, segment: &Segment) -> io::Result<()> {
        let length = segment.file.length()?;
        if length <= segment.end {
            return Ok(());
        }
        self.damage.torn_bytes += torn_bytes(&*segment.file, segment.end, length)?;
        if self.may_write == MayWrite::Yes {
            segment.file.set_length(segment.end)?;
            segment.file.sync()?;
        }
        Ok(())
    }

    /// Puts the newest segment on the disk once more, as it was read.
    ///
    /// Behind a sync that failed the system shows what was written and takes it for clean, although
    /// the disk does not have it. A process that was killed at that moment leaves such records; from
    /// now on they count, so they must be there after a loss of power, too. A file system that writes
    /// nothing in place may have no room for it: that is no reason not to start.
    fn write_again(&self, segment: &Segment) -> io::Result<()> {
        if self.may_write == MayWrite::No {
            return Ok(());
        }
        match transfer(&*segment.file, &*segment.file, segment.end) {
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                tracing::warn!(%error, "the disk is full: the newest segment of the log stays as it was found");
                Ok(())
            }
            outcome => outcome.and_then(|()| self.disk.sync()),
        }
    }

    fn remove(&self, number: u64) -> io::Result<()> {
        match self.may_write {
            MayWrite::Yes => self.disk.remove(&file_name(number)),
            MayWrite::No => Ok(()),
        }
    }

    /// Puts a file that nothing can be read from out of the way.
    fn set_aside(&mut self, number: u64) -> io::Result<()> {
        self.damage.lost_segments += 1;
        if self.may_write == MayWrite::Yes {
            self.disk.rename(&file_name(number), &corrupt_name(number))?;
            self.damage.kept.push(corrupt_name(number));
        }
        Ok(())
    }

    /// Copies a damaged segment, because the segment itself will be cut away one day. A disk
    /// without room for it is no reason not to start.
    fn keep_copy(&mut self, number: u64, file: &dyn LogFile) -> io::Result<()> {
        let name = corrupt_name(number);
        if self.may_write == MayWrite::No || self.disk.list()?.contains(&name) {
            return Ok(());
        }
        let copy = |length| transfer(file, &*self.disk.create(&name)?, length);
        match file.length().and_then(copy) {
            Ok(()) => self.damage.kept.push(name),
            Err(error) => tracing::warn!(%error, name, "the damaged segment could not be kept aside"),
        }
        Ok(())
    }
}

/// Writes the first `length` bytes of one file into another, or once more into the same, and syncs that.
fn transfer(from: &dyn LogFile, to: &dyn LogFile, length: u64) -> io::Result<()> {
    let mut offset = 0;
    while offset < length {
        let mut piece = vec![0; usize::try_from((length - offset).min(1 << 20)).map_err(io::Error::other)?];
        from.read_at(&mut piece, offset)?;
        to.write_at(&piece, offset)?;
        offset += piece.len() as u64;
    }
    to.sync()
}

fn read_header(file: &dyn LogFile) -> io::Result<Option<Header>> {
    if file.length()? < HEADER_BYTES as u64 {
        return Ok(None);
    }
    let mut bytes = [0; HEADER_BYTES];
    file.read_at(&mut bytes, 0)?;
    Ok(Header::decode(&bytes))
}

/// True for a segment that was made and never written: its header is not there at all, and a record
/// is acknowledged only behind a header that is.
fn is_unborn(file: &dyn LogFile) -> io::Result<bool> {
    let length = file.length()?;
    Ok(length <= HEADER_BYTES as u64 || torn_bytes(file, 0, length)? == 0)
}

/// The bytes up to the last one that is not zero.
fn torn_bytes(file: &dyn LogFile, from: u64, to: u64) -> io::Result<u64> {
    let (mut offset, mut torn) = (from, 0);
    while offset < to {
        let mut piece = vec![0; usize::try_from((to - offset).min(1 << 20)).map_err(io::Error::other)?];
        file.read_at(&mut piece, offset)?;
        if let Some(last) = last_written(&piece) {
            torn = offset + last as u64 + 1 - from;
        }
        offset += piece.len() as u64;
    }
    Ok(torn)
}

/// The last byte that is not zero. Whole runs of zeros are compared at once: most of a segment that
/// was made in advance is nothing else.
fn last_written(piece: &[u8]) -> Option<usize> {
    const RUN: usize = 4096;
    let run = piece.chunks(RUN).rposition(|run| *run != [0; RUN][..run.len()])?;
    let last = piece[run * RUN..].iter().take(RUN).rposition(|byte| *byte != 0)?;
    Some(run * RUN + last)
}
