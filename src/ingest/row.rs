//! Rows: the values of one event on their way into the columns of a block.
//!
//! In: one value or none per column.  Out: blocks, one per set of columns left to the engine.
//! Promise: a row is stored whole or not at all, and *all* its misfits are reported.

use std::sync::Arc;

use super::block::Block;
use super::json::JsonText;
use super::plan::{Absent, PlannedColumn, RowPlan};

/// A column that keeps a row out of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault<'p> {
    pub(super) column: &'p PlannedColumn,
    pub(super) kind: FaultKind,
}

/// What is wrong with a column of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// The value does not fit the type.
    Misfit,
    /// There is no value, and nothing to put in its place.
    Missing,
    /// An array differs in length from the other columns of the same `Nested`.
    UnevenArray,
}

/// What became of a row.
#[derive(Debug)]
pub(super) enum RowOutcome<'p> {
    /// It stands in one of the blocks.
    Stored,
    /// It stands nowhere.
    Refused(Vec<Fault<'p>>),
    /// It would have needed another block, and there are too many already.
    TooManyShapes,
}

/// Collects rows of one table.
#[derive(Debug)]
pub(super) struct RowWriter<'p> {
    plan: &'p RowPlan,
    max_shapes: usize,
    blocks: Vec<Block>,
    bytes: usize,
    /// Used again for each row.
    omitted: Vec<usize>,
    /// Used again for each row.
    marks: Vec<usize>,
}

impl<'p> RowWriter<'p> {
    /// Starts with no rows; `max_shapes` is the number of blocks that may come out.
    pub(super) fn new(plan: &'p RowPlan, max_shapes: usize) -> Self {
        Self { plan, max_shapes, blocks: Vec::new(), bytes: 0, omitted: Vec::new(), marks: Vec::new() }
    }

    /// The bytes of all rows so far.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The blocks that hold rows.
    pub(super) fn into_blocks(self) -> Vec<Block> {
        self.blocks.into_iter().filter(|block| block.rows() > 0).collect()
    }

    /// Writes one row.
    pub(super) fn write(&mut self, slots: &[Option<JsonText<'_>>]) -> RowOutcome<'p> {
        let Some(place) = self.find_block(slots) else { return RowOutcome::TooManyShapes };
        let block = &mut self.blocks[place];
        let bytes_before = block.mark(&mut self.marks);
        let mut faults = write_cells(self.plan, slots, block);
        if faults.is_empty() {
            faults = find_uneven_arrays(self.plan, block);
        }
        if faults.is_empty() {
            block.finish_row();
            self.bytes += block.bytes() - bytes_before;
            return RowOutcome::Stored;
        }
        block.undo_row(&self.marks);
        RowOutcome::Refused(faults)
    }

    fn find_block(&mut self, slots: &[Option<JsonText<'_>>]) -> Option<usize> {
        self.omitted.clear();
        for (number, column) in self.plan.columns.iter().enumerate() {
            if matches!(column.absent, Absent::Engine) && column.given(slots).is_none() {
                self.omitted.push(number);
            }
        }
        if let Some(place) = self.blocks.iter().position(|block| block.omits(&self.omitted)) {
            return Some(place);
        }
        if self.blocks.len() >= self.max_shapes {
            return None;
        }
        self.blocks.push(Block::new(Arc::clone(&self.plan.layout), &self.omitted));
        Some(self.blocks.len() - 1)
    }
}

fn write_cells<'p>(plan: &'p RowPlan, slots: &[Option<JsonText<'_>>], block: &mut Block) -> Vec<Fault<'p>> {
    let write = |(number, column): (usize, &'p PlannedColumn)| {
        let kind = write_cell(column, number, column.given(slots), block)?;
        Some(Fault { column, kind })
    };
    plan.columns.iter().enumerate().filter_map(write).collect()
}

fn find_uneven_arrays<'p>(plan: &'p RowPlan, block: &Block) -> Vec<Fault<'p>> {
    let mut faults = Vec::new();
    for columns in &plan.parallel_arrays {
        let mut lengths = columns.iter().filter_map(|number| block.last_array_length(*number));
        let first = lengths.next();
        if lengths.any(|length| Some(length) != first) {
            let column = |number: &usize| &plan.columns[*number];
            faults.extend(
                columns.iter().map(column).map(|column| Fault { column, kind: FaultKind::UnevenArray }),
            );
        }
    }
    faults
}

fn write_cell(
    column: &PlannedColumn,
    number: usize,
    value: Option<JsonText<'_>>,
    block: &mut Block,
) -> Option<FaultKind> {
    if let Some(text) = value {
        return column.cell.write_text(text, block.streams()).err().map(|_| FaultKind::Misfit);
    }
    match &column.absent {
        Absent::Literal(fragments) => block.append_value(number, fragments),
        Absent::Engine => {}
        Absent::Refuse => return Some(FaultKind::Missing),
    }
    None
}
