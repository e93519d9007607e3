//! What lies in the log, for people and for other programs.

use super::content::{Content, Merged};
use super::payload;
use super::record::Control;
use crate::ingest::block::{Layouts, Unreadable};
use crate::ingest::wal::{Kind, Record};

/// Rows of the log for one table, as ClickHouse reads them.
#[derive(Debug)]
pub struct NativeRows {
    /// The data source, or its quarantine.
    pub table: String,
    /// How many there are.
    pub rows: usize,
    /// One block in the format `Native`.
    pub block: Vec<u8>,
}

/// The rows of a record; none where it holds none.
pub fn native_rows(record: &Record) -> Result<Vec<NativeRows>, Unreadable> {
    if record.kind != Kind::Rows {
        return Ok(Vec::new());
    }
    let payload = payload::decode(&record.payload, &mut Layouts::default())?;
    let content = Content::of([payload]);
    let quarantine = format!("{}{}", record.topic, crate::schema::quarantine::SUFFIX);
    let of = |table: &str, blocks: &[Merged]| -> Vec<NativeRows> {
        let native = |merged: &Merged| NativeRows {
            table: table.to_owned(),
            rows: merged.block.rows(),
            block: merged.block.encode_native(),
        };
        blocks.iter().map(native).collect()
    };
    let mut all = of(&record.topic, &content.rows);
    all.extend(of(&quarantine, &content.quarantine));
    Ok(all)
}

/// One line about a record: its number, what it is, and what it is about.
pub fn line(record: &Record) -> String {
    let about = match record.kind {
        Kind::Rows => match native_rows(record) {
            Ok(rows) => {
                let parts = rows.iter().map(|rows| format!("{} {}", rows.table, rows.rows));
                format!("rows     {}", parts.collect::<Vec<_>>().join(", "))
            }
            Err(error) => format!("rows     {}: {error}", record.topic),
        },
        Kind::Control => match serde_json::from_slice::<Control>(&record.payload) {
            Ok(control) => named(&control),
            Err(error) => format!("unknown  {error}"),
        },
    };
    format!("{:>10}  {about}", record.sequence.get())
}

fn named(control: &Control) -> String {
    match control {
        Control::Freeze(freeze) => format!(
            "freeze   {} from {} to {}, {} views",
            freeze.batch.source,
            freeze.batch.from.get(),
            freeze.to.get(),
            freeze.plan.steps.len()
        ),
        Control::Retry { batch, seen, .. } => {
            format!("retry    {} from {}, seen in {} tables", batch.source, batch.from.get(), seen.len())
        }
        Control::Done { batch } => format!("done     {} from {}", batch.source, batch.from.get()),
        Control::Barrier(barrier) => format!("barrier  {}: {}", barrier.number, barrier.statement),
        Control::BarrierDone { number } => format!("barrier  {number} is done"),
        Control::Populate { pipe } => format!("populate {pipe}"),
        Control::PopulateChunks { pipe, chunks } => format!("populate {pipe} in {} chunks", chunks.len()),
        Control::Populated { pipe } => format!("populate {pipe} is done"),
        Control::Synced { position, .. } => format!("synced   up to {}", position.get()),
        Control::Parts { directories } => format!("parts    {}", directories.len()),
        Control::Verified { window, .. } => format!("verified {} batches in doubt", window.len()),
    }
}
