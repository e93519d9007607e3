//! Blocks in the log on their way into a batch: read without a copy, merged with one.
//!
//! In: the bytes of records.  Out: blocks that hold the rows of many.  Nearly all requests for a data
//! source fill the same columns, so that these are read once for a batch.

use std::sync::Arc;

use bytes::Bytes;

use super::log::{self, Unreadable};
use super::{Block, Layout, append_stream};

/// The bytes of columns that were read last, with what they say.
#[derive(Debug, Default)]
pub(in crate::ingest) struct Layouts {
    known: Vec<(Bytes, Arc<Layout>)>,
}

/// More are read again: a request fills each set of columns that its events have.
const MAX_LAYOUTS: usize = 16;

impl Layouts {
    /// The columns that these bytes stand for.
    fn of(&mut self, head: &Bytes) -> Result<Arc<Layout>, Unreadable> {
        if let Some((_, layout)) = self.known.iter().find(|(known, _)| known == head) {
            return Ok(Arc::clone(layout));
        }
        let layout = Arc::new(log::layout(&mut &head[..])?);
        if self.known.len() == MAX_LAYOUTS {
            self.known.remove(0);
        }
        self.known.push((head.clone(), Arc::clone(&layout)));
        Ok(layout)
    }
}

/// A block that lies where the log was read.
#[derive(Debug, Clone)]
pub(in crate::ingest) struct LoggedBlock {
    layout: Arc<Layout>,
    rows: usize,
    /// The streams, each with its length in front: as many as the columns have.
    streams: Bytes,
}

impl LoggedBlock {
    /// Reads a block from the front of `bytes`, which then begin behind it.
    pub(in crate::ingest) fn read(bytes: &mut Bytes, layouts: &mut Layouts) -> Result<Self, Unreadable> {
        let whole = bytes.clone();
        let mut rest = &whole[..];
        let rows = log::number(&mut rest)?;
        let columns = rest;
        log::skip_layout(&mut rest)?;
        let layout = layouts.of(&whole.slice_ref(&columns[..columns.len() - rest.len()]))?;
        let streams = rest;
        for _ in 0..layout.streams.len() {
            let length = log::number(&mut rest)?;
            log::take(&mut rest, length)?;
        }
        let streams = whole.slice_ref(&streams[..streams.len() - rest.len()]);
        *bytes = whole.slice_ref(rest);
        Ok(Self { layout, rows, streams })
    }

    /// The number of rows.
    pub(in crate::ingest) fn rows(&self) -> usize {
        self.rows
    }

    /// The columns.
    pub(in crate::ingest) fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// The streams, which were there when the block was read.
    fn streams(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.streams[..];
        std::iter::from_fn(move || {
            let length = log::number(&mut rest).ok()?;
            log::take(&mut rest, length).ok()
        })
    }

    /// The same rows as a block that others can be added to.
    pub(in crate::ingest) fn to_block(&self) -> Block {
        let streams = self.streams().map(<[u8]>::to_vec).collect();
        Block { layout: Arc::clone(&self.layout), omitted: Box::default(), streams, rows: self.rows }
    }
}

impl Block {
    /// Adds the rows of a block with the same columns behind its own; where this one has another column
    /// behind those, each of the new rows has `constant` there.
    pub(in crate::ingest) fn append(&mut self, more: &LoggedBlock, constant: Option<&[u8]>) {
        let kinds = &self.layout.streams;
        let constant = constant.map(|value| value.repeat(more.rows));
        let streams = more.streams().chain(constant.as_deref());
        for ((stream, kind), more) in self.streams.iter_mut().zip(kinds).zip(streams) {
            append_stream(*kind, stream, more);
        }
        self.rows += more.rows;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::fixtures::{column, print_rows};
    use crate::ingest::{BodyFormat, Limits, RowPlan};

    fn blocks(columns: &[&str], body: &str) -> Vec<Block> {
        let columns: Vec<_> = columns.iter().map(|text| column(text)).collect();
        let plan = RowPlan::new(&columns).unwrap();
        plan.decode(body.as_bytes(), BodyFormat::Ndjson, &Limits::default()).unwrap().blocks
    }

    fn encoded(block: &Block) -> Bytes {
        let mut bytes = Vec::new();
        block.encode_for_log(&mut bytes);
        bytes.into()
    }

    fn logged(block: &Block) -> LoggedBlock {
        LoggedBlock::read(&mut encoded(block), &mut Layouts::default()).unwrap()
    }

    const COLUMNS: [&str; 3] =
        ["a | Array(Nullable(String)) | $.a", "n | UInt8 | $.n | length(a)", "d | Date | $.d"];

    #[test]
    fn a_block_reads_back_as_it_was_and_fits_together_with_its_like() {
        let body = "{\"a\":[\"x\",null],\"n\":7,\"d\":\"2026-01-02\"}\n{\"a\":[],\"d\":\"2026-01-03\"}";
        let mut layouts = Layouts::default();
        for block in blocks(&COLUMNS, body) {
            let mut bytes: Bytes = [&encoded(&block)[..], b"rest"].concat().into();
            let read = LoggedBlock::read(&mut bytes, &mut layouts).unwrap();
            assert_eq!(bytes, b"rest"[..]);
            let mut twice = read.to_block();
            assert_eq!(twice.encode_native(), block.encode_native());
            twice.append(&read, None);
            assert_eq!(print_rows(&twice), print_rows(&block).repeat(2));
        }
        assert_eq!(layouts.known.len(), 2, "one with `n` and one without");
    }

    #[test]
    fn appending_moves_the_offsets_at_every_level() {
        let one = |body: &str| blocks(&["x | Array(Map(String, Array(UInt8))) | $.x"], body).remove(0);
        let mut first = one("{\"x\":[{\"a\":[1,2]},{}]}\n{\"x\":[]}");
        first.append(&logged(&one(r#"{"x":[{"b":[],"c":[3]}]}"#)), None);
        let expected = "x=[{'a':[1,2]},{}]\nx=[]\nx=[{'b':[],'c':[3]}]\n";
        assert_eq!(print_rows(&first), expected);
    }

    #[test]
    fn a_constant_stands_in_every_row_that_is_added() {
        let one = logged(&blocks(&["x | UInt8 | $.x"], "{\"x\":1}\n{\"x\":2}")[0]);
        let mut dated = one.to_block().with_constant("at", "UInt8", &[7]);
        dated.append(&one, Some(&[9]));
        assert_eq!(print_rows(&dated), "x=1 at=7\nx=2 at=7\nx=1 at=9\nx=2 at=9\n");
    }

    #[test]
    fn equal_columns_are_read_once_and_no_more_are_known_than_may() {
        let mut layouts = Layouts::default();
        let read = |number: usize, layouts: &mut Layouts| {
            let block = blocks(&[&format!("x{number} | UInt8 | $.x")], "{\"x\":1}").remove(0);
            LoggedBlock::read(&mut encoded(&block), layouts).unwrap()
        };
        let (one, other) = (read(0, &mut layouts), read(0, &mut layouts));
        assert!(Arc::ptr_eq(one.layout(), other.layout()));
        (1..=MAX_LAYOUTS).for_each(|number| drop(read(number, &mut layouts)));
        assert_eq!(layouts.known.len(), MAX_LAYOUTS);
        let again = read(0, &mut layouts);
        assert!(!Arc::ptr_eq(one.layout(), again.layout()) && one.layout() == again.layout());
    }

    #[test]
    fn cut_bytes_are_no_block() {
        let bytes = encoded(&blocks(&COLUMNS, r#"{"a":["x"],"d":"2026-01-02"}"#)[0]);
        for length in 0..bytes.len() {
            let cut = LoggedBlock::read(&mut bytes.slice(..length), &mut Layouts::default());
            assert_eq!(cut.map(drop), Err(Unreadable), "{length}");
        }
    }
}
