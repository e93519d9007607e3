//! The rows of one request as they lie in the log. Pure.
//!
//! ```text
//! payload   version u8   arrival u64 (milliseconds since 1970)   [signed 32]   blocks { block }   quarantine blocks { block }
//! ```
//!
//! A [`Signed`] stands only in version 2.

use bytes::Bytes;

use crate::ingest::DecodedBody;
use crate::ingest::block::{Block, Layouts, LoggedBlock, Unreadable, log};
use crate::ingest::cell::write_varint;
use crate::ingest::idempotency::Signed;

/// Rows as they came.
const PLAIN: u8 = 1;
/// Rows of a request with an idempotency key.
const SIGNED: u8 = 2;

/// Version and arrival.
const HEAD_BYTES: usize = 9;

/// Rows on their way, as one request brought them.
#[derive(Debug, Clone)]
pub(super) struct Payload {
    /// For the data source.
    pub(super) rows: Vec<LoggedBlock>,
    /// For its quarantine, but for the time when they came.
    pub(super) quarantine: Vec<LoggedBlock>,
    /// When the request arrived, in seconds since 1970.
    pub(super) arrival: u32,
}

impl Payload {
    /// The number of rows for the data source.
    pub(super) fn row_count(&self) -> usize {
        self.rows.iter().map(LoggedBlock::rows).sum()
    }
}

/// Encodes what was decoded from a request that arrived at this time.
pub(super) fn encode(body: &DecodedBody, arrival_milliseconds: u64, signed: Option<Signed>) -> Bytes {
    let bytes: usize = body.blocks.iter().chain(&body.quarantine).map(Block::bytes).sum();
    let mut out = Vec::with_capacity(bytes + 1024);
    out.push(if signed.is_some() { SIGNED } else { PLAIN });
    out.extend(arrival_milliseconds.to_le_bytes());
    if let Some(signed) = signed {
        signed.encode(&mut out);
    }
    encode_blocks(&body.blocks, &mut out);
    encode_blocks(body.quarantine.as_slice(), &mut out);
    out.into()
}

fn encode_blocks(blocks: &[Block], out: &mut Vec<u8>) {
    write_varint(blocks.len() as u64, out);
    for block in blocks {
        block.encode_for_log(out);
    }
}

/// When the request arrived, in milliseconds since 1970.
pub(super) fn arrival(payload: &[u8]) -> Result<u64, Unreadable> {
    let (version, rest) = payload.split_first().ok_or(Unreadable)?;
    let (arrival, _) = rest.split_first_chunk().ok_or(Unreadable)?;
    if matches!(*version, PLAIN | SIGNED) { Ok(u64::from_le_bytes(*arrival)) } else { Err(Unreadable) }
}

/// What a request with an idempotency key is known by, and what it was answered with.
pub(super) fn signed(payload: &[u8]) -> Option<Signed> {
    let is_signed = payload.first() == Some(&SIGNED);
    is_signed.then(|| Signed::decode(payload.get(HEAD_BYTES..)?)).flatten()
}

/// The rows in the data source and in its quarantine.
pub(super) fn decode(payload: &Bytes, layouts: &mut Layouts) -> Result<Payload, Unreadable> {
    let arrival = arrival(payload)?;
    let signed = if payload.first() == Some(&SIGNED) { Signed::BYTES } else { 0 };
    let head = HEAD_BYTES + signed;
    if payload.len() < head {
        return Err(Unreadable);
    }
    let mut rest = payload.slice(head..);
    let rows = decode_blocks(&mut rest, layouts)?;
    let quarantine = decode_blocks(&mut rest, layouts)?;
    Ok(Payload { rows, quarantine, arrival: u32::try_from(arrival / 1000).unwrap_or(u32::MAX) })
}

fn decode_blocks(bytes: &mut Bytes, layouts: &mut Layouts) -> Result<Vec<LoggedBlock>, Unreadable> {
    let mut rest = &bytes[..];
    let count = log::number(&mut rest)?;
    *bytes = bytes.slice(bytes.len() - rest.len()..);
    (0..count).map(|_| LoggedBlock::read(bytes, layouts)).collect()
}
