//! Blocks: rows of one table in columns, ready to be merged and sent.
//!
//! In: encoded cells from `row` and `quarantine`.  Out: [`Block`], and its bytes
//! in ClickHouse's `Native` format (revision 0: no block info in front).
//! Promise: rows from the log are merged with one copy per stream, without a look at any value.

pub(super) mod log;
pub(super) mod logged;

use std::ops::Range;
use std::sync::Arc;

use super::cell::{Cell, StreamKind, Unfillable, last_offset, push_text, write_varint};
use crate::schema::types::TupleElement;
use crate::schema::{ColumnName, DataType};

pub use log::Unreadable;
pub(super) use logged::{Layouts, LoggedBlock};

/// What the blocks of one table have in common: the columns, and the streams that hold them.
#[derive(Debug, PartialEq, Eq, Default)]
pub(super) struct Layout {
    columns: Vec<BlockColumn>,
    streams: Vec<StreamKind>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct BlockColumn {
    name: ColumnName,
    declared: Box<str>,
    streams: Range<usize>,
}

impl Layout {
    /// Adds a column and returns its encoder.
    pub(super) fn add(&mut self, name: ColumnName, data_type: &DataType) -> Result<Cell, Unfillable> {
        let first = self.streams.len();
        let cell = Cell::compile(data_type, &mut self.streams)?;
        let declared = declared_type(data_type).to_string().into();
        self.columns.push(BlockColumn { name, declared, streams: first..self.streams.len() });
        Ok(cell)
    }

    /// The streams of the column that was added last.
    pub(super) fn last_streams(&self) -> Range<usize> {
        self.columns.last().map_or(0..0, |column| column.streams.clone())
    }

    /// Empty streams for every column.
    pub(super) fn empty_streams(&self) -> Vec<Vec<u8>> {
        vec![Vec::new(); self.streams.len()]
    }
}

/// The type under which values travel: dictionaries are the engine's business, and `JSON` goes as
/// the text that the engine parses.
fn declared_type(data_type: &DataType) -> DataType {
    let boxed = |inner: &DataType| Box::new(declared_type(inner));
    let elements = |elements: &[TupleElement]| {
        let declare = |element: &TupleElement| TupleElement {
            name: element.name.clone(),
            data_type: declared_type(&element.data_type),
        };
        elements.iter().map(declare).collect()
    };
    match data_type {
        DataType::LowCardinality(inner) | DataType::SimpleAggregateFunction(_, inner) => declared_type(inner),
        DataType::Json(_) => DataType::String,
        DataType::Nullable(inner) => DataType::Nullable(boxed(inner)),
        DataType::Array(inner) => DataType::Array(boxed(inner)),
        DataType::Map(key, value) => DataType::Map(boxed(key), boxed(value)),
        DataType::Tuple(parts) => DataType::Tuple(elements(parts)),
        other => other.clone(),
    }
}

/// Rows of one table that fill the same columns.
#[derive(Debug, Clone)]
pub struct Block {
    layout: Arc<Layout>,
    omitted: Box<[usize]>,
    streams: Vec<Vec<u8>>,
    rows: usize,
}

impl Block {
    /// Starts a block that leaves out the columns with these places.
    pub(super) fn new(layout: Arc<Layout>, omitted: &[usize]) -> Self {
        let streams = layout.empty_streams();
        Self { layout, omitted: omitted.into(), streams, rows: 0 }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The bytes of all values, names and types not counted.
    pub fn bytes(&self) -> usize {
        self.streams.iter().map(Vec::len).sum()
    }

    /// The columns that the block fills, with the types in which it declares them: those which an
    /// INSERT has to list, so that the engine computes the DEFAULT of the others.
    pub fn columns(&self) -> impl Iterator<Item = (&ColumnName, &str)> {
        self.filled().map(|column| (&column.name, &*column.declared))
    }

    /// The block in the `Native` format.
    pub fn encode_native(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes() + 64 * self.layout.columns.len());
        write_varint(self.filled().count() as u64, &mut out);
        write_varint(self.rows as u64, &mut out);
        for column in self.filled() {
            push_text(column.name.as_str(), &mut out);
            push_text(&column.declared, &mut out);
            for stream in &self.streams[column.streams.clone()] {
                out.extend_from_slice(stream);
            }
        }
        out
    }

    fn filled(&self) -> impl Iterator<Item = &BlockColumn> {
        let kept = |(place, _): &(usize, _)| !self.omitted.contains(place);
        self.layout.columns.iter().enumerate().filter(kept).map(|(_, column)| column)
    }

    /// True when exactly these columns are left out.
    pub(super) fn omits(&self, omitted: &[usize]) -> bool {
        *self.omitted == *omitted
    }

    /// The streams, for the cells of the next row.
    pub(super) fn streams(&mut self) -> &mut [Vec<u8>] {
        &mut self.streams
    }

    /// Adds a value that was encoded apart, one fragment per stream of the column.
    pub(super) fn append_value(&mut self, column: usize, fragments: &[Vec<u8>]) {
        let range = self.layout.columns[column].streams.clone();
        let kinds = &self.layout.streams[range.clone()];
        for ((stream, kind), fragment) in self.streams[range].iter_mut().zip(kinds).zip(fragments) {
            append_stream(*kind, stream, fragment);
        }
    }

    /// The number of elements in the array written last; `None` where the column is left out.
    pub(super) fn last_array_length(&self, column: usize) -> Option<u64> {
        if self.omitted.contains(&column) {
            return None;
        }
        let offsets = &self.streams[self.layout.columns[column].streams.start];
        let (before, _) = offsets.split_last_chunk::<8>()?;
        Some(last_offset(offsets) - last_offset(before))
    }

    /// Remembers where the next row begins and returns the bytes so far.
    pub(super) fn mark(&self, marks: &mut Vec<usize>) -> usize {
        marks.clear();
        marks.extend(self.streams.iter().map(Vec::len));
        marks.iter().sum()
    }

    /// Counts the row whose cells have all been written.
    pub(super) fn finish_row(&mut self) {
        self.rows += 1;
    }

    /// Takes back everything behind the marks.
    pub(super) fn undo_row(&mut self, marks: &[usize]) {
        for (stream, length) in self.streams.iter_mut().zip(marks) {
            stream.truncate(*length);
        }
    }
}

fn append_stream(kind: StreamKind, stream: &mut Vec<u8>, more: &[u8]) {
    match kind {
        StreamKind::Values => stream.extend_from_slice(more),
        StreamKind::Offsets => {
            let base = last_offset(stream);
            let (offsets, _) = more.as_chunks();
            let moved = offsets.iter().flat_map(|end| (base + u64::from_le_bytes(*end)).to_le_bytes());
            stream.extend(moved);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::column;
    use super::super::{BodyFormat, Limits, RowPlan};
    use super::*;

    fn plan(types: &[&str]) -> RowPlan {
        let columns = types.iter().map(|data_type| column(&format!("x | {data_type} | $.x")));
        RowPlan::new(&columns.collect::<Vec<_>>()).unwrap()
    }

    fn block(plan: &RowPlan, body: &str) -> Block {
        plan.decode(body.as_bytes(), BodyFormat::Ndjson, &Limits::default()).unwrap().blocks.remove(0)
    }

    #[test]
    fn a_block_is_columns_rows_names_types_and_streams() {
        let block = block(&plan(&["Array(LowCardinality(Nullable(String)))"]), r#"{"x":["a",null]}"#);
        let expected =
            [b"\x01\x01\x01x\x17Array(Nullable(String))".as_slice(), b"\x02\0\0\0\0\0\0\0\0\x01\x01a\0"];
        assert_eq!(block.encode_native(), expected.concat());
        assert_eq!((block.rows(), block.bytes()), (1, 13));
    }
}
