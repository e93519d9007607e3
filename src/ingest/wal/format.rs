//! The bytes of a segment. Pure.
//!
//! All numbers are little-endian. A segment begins with its header, 64 bytes, twice: one copy may
//! be damaged.
//!
//! ```text
//! header   "ROOSTWAL"  version u32  zero u32  log id 16 bytes  segment u64  first sequence u64
//!          zeros to 60  CRC-32C u32
//! record   length u32  !length u32  CRC-32C u32 | sequence u64  kind u8  topic length u8  topic  payload
//! ```
//!
//! `length` counts what stands behind the bar, which is also what the checksum covers, behind the
//! log's id: bytes that a client sends cannot be a valid record, because nobody outside knows the id.
//! The length stands there twice, so that a flipped bit in it costs nothing.

use bytes::Bytes;

use super::{Entry, MAX_PAYLOAD};

/// Bytes in front of the first record.
pub(super) const HEADER_BYTES: usize = 2 * COPY_BYTES;
const COPY_BYTES: usize = 64;
const MAGIC: [u8; 8] = *b"ROOSTWAL";
const VERSION: u32 = 1;

/// Bytes of a record in front of what its length counts.
pub(super) const FRAME_BYTES: usize = 12;
/// Bytes that the length counts at least.
const LEAST_BODY: usize = 10;
/// Bytes that the length counts at most.
pub(super) const MOST_BODY: usize = MAX_PAYLOAD + LEAST_BODY + 255;

/// Made at random for a log that begins: equal only in segments of one log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogId(pub [u8; 16]);

/// The number of a record, from 1 on without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Sequence(u64);

impl Sequence {
    /// The number of the first record of a log.
    pub const FIRST: Self = Self(1);

    /// A number as it was read.
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    /// The plain number.
    pub fn get(self) -> u64 {
        self.0
    }

    /// The next one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Who a record is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Rows on their way to tables.
    Rows,
    /// What happened to them.
    Control,
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Self::Rows => 1,
            Self::Control => 2,
        }
    }

    fn of_code(code: u8) -> Option<Self> {
        [Self::Rows, Self::Control].into_iter().find(|kind| kind.code() == code)
    }
}

/// An entry as it lies in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its number.
    pub sequence: Sequence,
    /// Who it is for.
    pub kind: Kind,
    /// What it is about.
    pub topic: Box<str>,
    /// The bytes.
    pub payload: Bytes,
}

/// The beginning of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) log: LogId,
    /// The segment's number.
    pub(super) number: u64,
    /// The number of its first record, there or to come.
    pub(super) first: Sequence,
}

impl Header {
    /// Both copies.
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut copy = Vec::with_capacity(COPY_BYTES);
        copy.extend(MAGIC);
        copy.extend(VERSION.to_le_bytes());
        copy.extend([0; 4]);
        copy.extend(self.log.0);
        copy.extend(self.number.to_le_bytes());
        copy.extend(self.first.0.to_le_bytes());
        copy.resize(COPY_BYTES - 4, 0);
        copy.extend(crc32c::crc32c(&copy).to_le_bytes());
        let mut header = [0; HEADER_BYTES];
        header[..COPY_BYTES].copy_from_slice(&copy);
        header[COPY_BYTES..].copy_from_slice(&copy);
        header
    }

    /// Reads whichever copy is whole.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        bytes.get(..HEADER_BYTES)?.chunks_exact(COPY_BYTES).find_map(Self::decode_copy)
    }

    fn decode_copy(copy: &[u8]) -> Option<Self> {
        let (rest, sum) = copy.split_last_chunk::<4>()?;
        let (magic, rest_of) = rest.split_first_chunk::<8>()?;
        let (version, rest_of) = rest_of.split_first_chunk::<4>()?;
        let (_, rest_of) = rest_of.split_first_chunk::<4>()?;
        let (log, rest_of) = rest_of.split_first_chunk::<16>()?;
        let (number, rest_of) = rest_of.split_first_chunk::<8>()?;
        let (first, _) = rest_of.split_first_chunk::<8>()?;
        let whole = *magic == MAGIC
            && u32::from_le_bytes(*version) == VERSION
            && crc32c::crc32c(rest) == u32::from_le_bytes(*sum);
        whole.then(|| Self {
            log: LogId(*log),
            number: u64::from_le_bytes(*number),
            first: Sequence(u64::from_le_bytes(*first)),
        })
    }
}

/// Appends a record and returns its length; the caller has checked the sizes.
pub(super) fn encode(log: LogId, sequence: Sequence, entry: &Entry, out: &mut Vec<u8>) -> u32 {
    let (kind, payload) = (entry.kind, &*entry.payload);
    let topic = &entry.topic.as_bytes()[..entry.topic.len().min(255)];
    let body = LEAST_BODY + topic.len() + payload.len();
    let length = u32::try_from(body).unwrap_or(u32::MAX);
    let start = out.len();
    out.reserve(FRAME_BYTES + body);
    out.extend(length.to_le_bytes());
    out.extend((!length).to_le_bytes());
    out.extend([0; 4]);
    out.extend(sequence.0.to_le_bytes());
    out.push(kind.code());
    // At most 255, as cut above.
    out.push(u8::try_from(topic.len()).unwrap_or(u8::MAX));
    out.extend(topic);
    out.extend(payload);
    let sum = checksum(log, &out[start + FRAME_BYTES..]);
    out[start + 8..start + FRAME_BYTES].copy_from_slice(&sum.to_le_bytes());
    u32::try_from(out.len() - start).unwrap_or(u32::MAX)
}

fn checksum(log: LogId, body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&log.0), body)
}

/// What stands at a place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A record of so many bytes.
    Record(Record, usize),
    /// Perhaps a record: so many bytes are needed to tell.
    Partial(usize),
    /// No record.
    Nothing,
}

/// Reads what stands at the beginning of `bytes`.
pub(super) fn decode(log: LogId, bytes: &[u8]) -> Found {
    let Some(lengths) = lengths(bytes) else { return Found::Partial(FRAME_BYTES) };
    let mut needed = None;
    for length in lengths.into_iter().flatten() {
        match bytes.get(..FRAME_BYTES + length) {
            Some(whole) => {
                if let Some(record) = decode_whole(log, whole) {
                    return Found::Record(record, FRAME_BYTES + length);
                }
            }
            None => needed = needed.max(Some(FRAME_BYTES + length)),
        }
    }
    needed.map_or(Found::Nothing, Found::Partial)
}

/// True where both lengths agree, as they do at the start of nearly every record: a cheap look.
pub(super) fn looks_like_a_record(bytes: &[u8]) -> bool {
    matches!(lengths(bytes), Some([Some(_), None]))
}

/// The lengths that a frame names, those that can be: one where both copies agree, else both.
/// `None` where the frame is cut.
fn lengths(bytes: &[u8]) -> Option<[Option<usize>; 2]> {
    let (first, rest) = bytes.get(..FRAME_BYTES)?.split_first_chunk::<4>()?;
    let (second, _) = rest.split_first_chunk::<4>()?;
    let (first, second) = (u32::from_le_bytes(*first), !u32::from_le_bytes(*second));
    let possible = |length: u32| {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        (LEAST_BODY..=MOST_BODY).contains(&length).then_some(length)
    };
    Some(if first == second { [possible(first), None] } else { [possible(first), possible(second)] })
}

fn decode_whole(log: LogId, bytes: &[u8]) -> Option<Record> {
    let (frame, body) = bytes.split_at_checked(FRAME_BYTES)?;
    let sum = u32::from_le_bytes(*frame.last_chunk()?);
    if checksum(log, body) != sum {
        return None;
    }
    let (sequence, rest) = body.split_first_chunk::<8>()?;
    let (&kind, rest) = rest.split_first()?;
    let (&topic_length, rest) = rest.split_first()?;
    let (topic, payload) = rest.split_at_checked(topic_length.into())?;
    Some(Record {
        sequence: Sequence(u64::from_le_bytes(*sequence)),
        kind: Kind::of_code(kind)?,
        topic: std::str::from_utf8(topic).ok()?.into(),
        payload: Bytes::copy_from_slice(payload),
    })
}
