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
use super::plan::PlanError;
use super::row::{Fault, FaultKind};
use crate::schema::{Column, quarantine};

/// The error column of an event that could not be read.
const WHOLE_EVENT: &str = "$";

/// How many bytes of a value go into a message.
const SHOWN_VALUE: usize = 256;

/// How many bytes of an unreadable event go into a message.
const SHOWN_EVENT: usize = 1024;

/// The columns that come from no column of the data source.
const OWN_COLUMNS: [&str; 3] = [quarantine::ERROR_COLUMN, quarantine::ERROR, quarantine::IMPORT_ID];

// Every column of the quarantine has two streams: offsets or a null map, and texts.
const ERROR_COLUMNS: usize = 0;
const ERRORS: usize = 2;
const IMPORT_ID: usize = 4;
const VALUES: usize = 6;

/// The columns of the quarantine of a data source, and where their values come from.
#[derive(Debug)]
pub(super) struct QuarantinePlan {
    layout: Arc<Layout>,
    /// For each copied column, its place among the columns of the data source.
    sources: Vec<usize>,
}

impl QuarantinePlan {
    /// Follows the table that `schema` defines.
    pub(super) fn new(columns: &[Column]) -> Result<Self, PlanError> {
        let mut layout = Layout::default();
        let mut sources = Vec::new();
        for column in quarantine::columns(columns) {
            let Some(data_type) = column.data_type.filter(|_| column.default.is_none()) else { continue };
            layout
                .add(column.name.clone(), &data_type)
                .map_err(|reason| PlanError::Type { column: column.name.clone(), reason })?;
            if !OWN_COLUMNS.contains(&column.name.as_str()) {
                sources.extend(columns.iter().position(|source| source.name == column.name));
            }
        }
        Ok(Self { layout: Arc::new(layout), sources })
    }
}

/// Collects what is refused.
#[derive(Debug)]
pub(super) struct QuarantineWriter<'p> {
    plan: &'p QuarantinePlan,
    block: Block,
    bytes: usize,
}

impl<'p> QuarantineWriter<'p> {
    /// Starts with nothing refused.
    pub(super) fn new(plan: &'p QuarantinePlan) -> Self {
        Self { plan, block: Block::new(Arc::clone(&plan.layout), &[]), bytes: 0 }
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
        self.keep(&columns, &messages, slots);
    }

    /// Keeps the beginning of an event that could not be read.
    pub(super) fn keep_event(&mut self, received: &[u8], fault: &EventFault) {
        let shown = String::from_utf8_lossy(&received[..received.len().min(SHOWN_EVENT)]);
        self.keep(&[WHOLE_EVENT], &[format!("{fault}: {shown}")], &[]);
    }

    fn keep(&mut self, columns: &[&str], messages: &[String], slots: &[Option<JsonText<'_>>]) {
        let streams = self.block.streams();
        push_texts(&mut streams[ERROR_COLUMNS..], columns);
        push_texts(&mut streams[ERRORS..], messages);
        push_text_or_null(&mut streams[IMPORT_ID..], None);
        for (source, streams) in self.plan.sources.iter().zip(streams[VALUES..].chunks_exact_mut(2)) {
            match slots.get(*source).copied().flatten() {
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
