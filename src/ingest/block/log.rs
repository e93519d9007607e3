//! Blocks as they lie in the log: self-contained, so that they outlive the plan that made them.
//!
//! ```text
//! block   rows  columns  { name  declared type  streams  { kind u8 } }  { length  bytes } for each stream
//! ```
//!
//! Numbers are variable-length, texts have their length in front.

use std::sync::Arc;

use super::{Block, BlockColumn, Layout};
use crate::ingest::cell::{StreamKind, push_text, write_varint};
use crate::schema::ColumnName;

/// Bytes that are no block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes of a block cannot be read")]
pub struct Unreadable;

impl Block {
    /// Appends the block with the columns that it fills.
    pub(in crate::ingest) fn encode_for_log(&self, out: &mut Vec<u8>) {
        write_varint(self.rows as u64, out);
        write_varint(self.filled().count() as u64, out);
        for column in self.filled() {
            push_text(column.name.as_str(), out);
            push_text(&column.declared, out);
            write_varint(column.streams.len() as u64, out);
            out.extend(self.layout.streams[column.streams.clone()].iter().map(|kind| code(*kind)));
        }
        for stream in self.filled().flat_map(|column| &self.streams[column.streams.clone()]) {
            write_varint(stream.len() as u64, out);
            out.extend_from_slice(stream);
        }
    }

    /// The same rows with one more column, of a type of one stream, that has the same value in each.
    pub(in crate::ingest) fn with_constant(self, name: &str, declared: &str, value: &[u8]) -> Self {
        let Self { layout, omitted, mut streams, rows } = self;
        let mut columns = layout.columns.clone();
        let mut kinds = layout.streams.clone();
        columns.push(BlockColumn {
            name: ColumnName::new(name),
            declared: declared.into(),
            streams: kinds.len()..kinds.len() + 1,
        });
        kinds.push(StreamKind::Values);
        streams.push(value.repeat(rows));
        Self { layout: Arc::new(Layout { columns, streams: kinds }), omitted, streams, rows }
    }
}

/// Reads the columns of a block from the front.
pub(super) fn layout(bytes: &mut &[u8]) -> Result<Layout, Unreadable> {
    let mut layout = Layout::default();
    for _ in 0..number(bytes)? {
        let name = ColumnName::new(text(bytes)?);
        let declared = text(bytes)?.into();
        let first = layout.streams.len();
        let count = number(bytes)?;
        for &kind in take(bytes, count)? {
            layout.streams.push(kind_of(kind).ok_or(Unreadable)?);
        }
        layout.columns.push(BlockColumn { name, declared, streams: first..layout.streams.len() });
    }
    Ok(layout)
}

/// Passes over the columns of a block; those that [`layout`] cannot read may be passed over, too.
pub(super) fn skip_layout(bytes: &mut &[u8]) -> Result<(), Unreadable> {
    for _ in 0..number(bytes)? {
        for _ in ["name", "type", "streams"] {
            let length = number(bytes)?;
            take(bytes, length)?;
        }
    }
    Ok(())
}

fn code(kind: StreamKind) -> u8 {
    match kind {
        StreamKind::Values => 0,
        StreamKind::Offsets => 1,
    }
}

fn kind_of(code: u8) -> Option<StreamKind> {
    [StreamKind::Values, StreamKind::Offsets].into_iter().find(|kind| self::code(*kind) == code)
}

/// Reads a variable-length number from the front.
pub(in crate::ingest) fn number(bytes: &mut &[u8]) -> Result<usize, Unreadable> {
    let mut number = 0_u64;
    for place in 0..9 {
        let (&byte, rest) = bytes.split_first().ok_or(Unreadable)?;
        *bytes = rest;
        number |= u64::from(byte & 127) << (7 * place);
        if byte < 128 {
            return number.try_into().map_err(|_| Unreadable);
        }
    }
    Err(Unreadable)
}

/// Takes so many bytes from the front.
pub(in crate::ingest) fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], Unreadable> {
    let (taken, rest) = bytes.split_at_checked(count).ok_or(Unreadable)?;
    *bytes = rest;
    Ok(taken)
}

fn text<'a>(bytes: &mut &'a [u8]) -> Result<&'a str, Unreadable> {
    let length = number(bytes)?;
    std::str::from_utf8(take(bytes, length)?).map_err(|_| Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::fixtures::{column, print_rows};
    use crate::ingest::{BodyFormat, Limits, RowPlan};

    fn blocks(body: &str) -> Vec<Block> {
        let columns = ["a | Array(Nullable(String)) | $.a", "n | UInt8 | $.n | length(a)", "d | Date | $.d"];
        let plan = RowPlan::new(&columns.map(column)).unwrap();
        plan.decode(body.as_bytes(), BodyFormat::Ndjson, &Limits::default()).unwrap().blocks
    }

    #[test]
    fn a_constant_stands_in_every_row() {
        let block =
            blocks("{\"a\":[],\"n\":1,\"d\":\"2026-01-02\"}\n{\"a\":[],\"n\":2,\"d\":\"2026-01-02\"}")
                .remove(0);
        let block = block.with_constant("at", "DateTime", &86_400_u32.to_le_bytes());
        assert!(print_rows(&block).lines().all(|line| line.ends_with("at=1970-01-02 00:00:00")));
    }
}
