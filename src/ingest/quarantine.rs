//! Quarantine: what did not become a row, with the reasons, as rows of `<name>_quarantine`.
//!
//! In: events with their faults.  Out: a block of the columns `c__error_column`, `c__error`,
//! `c__import_id` and, for each column of the data source, the value as received (text as is,
//! anything else as its JSON text, NULL where there was none). `insertion_date` is left to the
//! engine's DEFAULT.  An event that could not be read at all has the one error column `$`, the path
//! of a whole event, and its message ends with the beginning of what was received.

use std::sync::Arc;

use super::block::{Block, Layout};
use super::cell::{push_offset, push_text, text_of};
use super::event::EventFault;
use super::json::JsonText;
use super::plan::{PlanError, RowPlan};
use super::row::{Fault, FaultKind};
use crate::schema::{Column, ColumnName, DataType};

/// The error column of an event that could not be read.
const WHOLE_EVENT: &str = "$";

/// How many bytes of a value go into a message.
const SHOWN_VALUE: usize = 256;

/// How many bytes of an unreadable event go into a message.
const SHOWN_EVENT: usize = 1024;

// Every column of the quarantine has two streams: offsets or a null map, and texts.
const ERROR_COLUMNS: usize = 0;
const ERRORS: usize = 2;
const IMPORT_ID: usize = 4;
const VALUES: usize = 6;

/// The columns of the quarantine of a data source.
pub(super) fn layout(columns: &[Column]) -> Result<Layout, PlanError> {
    let texts = DataType::Array(Box::new(DataType::String));
    let text_or_null = DataType::Nullable(Box::new(DataType::String));
    let own = [("c__error_column", &texts), ("c__error", &texts), ("c__import_id", &text_or_null)];
    let own = own.map(|(name, data_type)| (ColumnName::new(name), data_type));
    let copied = columns.iter().map(|column| (column.name.clone(), &text_or_null));
    let mut layout = Layout::default();
    for (name, data_type) in own.into_iter().chain(copied) {
        layout.add(name.clone(), data_type).map_err(|reason| PlanError::Type { column: name, reason })?;
    }
    Ok(layout)
}

/// Collects what is refused.
#[derive(Debug)]
pub(super) struct QuarantineWriter {
    block: Block,
    bytes: usize,
}

impl QuarantineWriter {
    /// Starts with nothing refused.
    pub(super) fn new(plan: &RowPlan) -> Self {
        Self { block: Block::new(Arc::clone(&plan.quarantine), &[]), bytes: 0 }
    }

    /// The bytes of all rows so far.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The block, if it has a row.
    pub(super) fn into_block(self) -> Option<Block> {
        Some(self.block).filter(|block| block.rows() > 0)
    }

    /// Keeps an event whose values do not fit.
    pub(super) fn keep_row(&mut self, slots: &[Option<JsonText<'_>>], faults: &[Fault<'_>]) {
        let columns: Vec<&str> = faults.iter().map(|fault| fault.column.name.as_str()).collect();
        let messages: Vec<String> = faults.iter().map(|fault| describe(fault, slots)).collect();
        self.keep(&columns, &messages, slots.iter().copied());
    }

    /// Keeps the beginning of an event that could not be read.
    pub(super) fn keep_event(&mut self, received: &[u8], fault: &EventFault) {
        let shown = String::from_utf8_lossy(&received[..received.len().min(SHOWN_EVENT)]);
        let columns = self.block.streams().len().saturating_sub(VALUES) / 2;
        self.keep(&[WHOLE_EVENT], &[format!("{fault}: {shown}")], std::iter::repeat_n(None, columns));
    }

    fn keep<'a>(
        &mut self,
        columns: &[&str],
        messages: &[String],
        values: impl Iterator<Item = Option<JsonText<'a>>>,
    ) {
        let streams = self.block.streams();
        push_texts(&mut streams[ERROR_COLUMNS..], columns);
        push_texts(&mut streams[ERRORS..], messages);
        push_text_or_null(&mut streams[IMPORT_ID..], None);
        for (value, streams) in values.zip(streams[VALUES..].chunks_exact_mut(2)) {
            match value {
                Some(value) => with_received(value, |text| push_text_or_null(streams, text)),
                None => push_text_or_null(streams, None),
            }
        }
        self.block.finish_row();
        self.bytes = self.block.bytes();
    }
}

/// Hands over the value as a person would have written it: text without its quotes, JSON text for
/// anything else, nothing for `null`.
fn with_received<T>(value: JsonText<'_>, take: impl FnOnce(Option<&str>) -> T) -> T {
    match value.read() {
        Some(value) => take(text_of(&value)),
        None => take(Some(value.as_str())),
    }
}

/// Words a fault, a misfit as Tinybird words it.
fn describe(fault: &Fault<'_>, slots: &[Option<JsonText<'_>>]) -> String {
    let name = &fault.column.name;
    let value = || match slots[fault.column.slot] {
        Some(value) => with_received(value, |text| shorten(text.unwrap_or("null"))),
        None => "null".to_owned(),
    };
    match fault.kind {
        FaultKind::Misfit => {
            format!("value '{}' on column '{name}' is not {}", value(), fault.column.data_type.plain())
        }
        FaultKind::Missing => format!("column '{name}' has no value, is not Nullable and has no DEFAULT"),
        FaultKind::UnevenArray => {
            format!("value '{}' on column '{name}' is not as long as the other arrays of its Nested", value())
        }
    }
}

fn shorten(text: &str) -> String {
    match text.len() {
        0..=SHOWN_VALUE => text.to_owned(),
        _ => format!("{}…", &text[..text.floor_char_boundary(SHOWN_VALUE)]),
    }
}

fn push_texts(streams: &mut [Vec<u8>], texts: &[impl AsRef<str>]) {
    push_offset(&mut streams[0], texts.len());
    for text in texts {
        push_text(text.as_ref(), &mut streams[1]);
    }
}

fn push_text_or_null(streams: &mut [Vec<u8>], text: Option<&str>) {
    streams[0].push(u8::from(text.is_none()));
    push_text(text.unwrap_or(""), &mut streams[1]);
}
