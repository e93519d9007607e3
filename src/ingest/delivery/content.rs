//! The rows of a batch: the requests of one data source, merged. Pure.

use std::sync::Arc;

use super::payload::Payload;
use crate::ingest::Block;
use crate::ingest::block::{Layout, LoggedBlock};
use crate::schema::quarantine::INSERTION_DATE;

/// The rows of a batch.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// For the data source: one block for each set of columns that requests fill.
    pub(super) rows: Vec<Merged>,
    /// For its quarantine.
    pub(super) quarantine: Vec<Merged>,
    /// When its first request arrived, in seconds since 1970.
    pub(super) arrival: u32,
}

/// Blocks that fill the same columns, as one.
#[derive(Debug)]
pub(super) struct Merged {
    pub(super) block: Block,
    /// The columns that requests fill.
    layout: Arc<Layout>,
    /// Whose rows they are: a request by its place in the batch, and its number of rows.
    owners: Vec<(usize, usize)>,
}

impl Content {
    /// Merges what the requests of a batch brought, in order.
    pub(super) fn of(requests: impl IntoIterator<Item = Payload>) -> Self {
        let mut content = Self::default();
        for (owner, payload) in requests.into_iter().enumerate() {
            if owner == 0 {
                content.arrival = payload.arrival;
            }
            for block in &payload.rows {
                add(&mut content.rows, (owner, None), block);
            }
            // The time is the request's, and not that of the insert: a second try gives the same row.
            for block in &payload.quarantine {
                add(&mut content.quarantine, (owner, Some(payload.arrival.to_le_bytes())), block);
            }
        }
        content
    }

    /// The number of rows for the data source.
    pub(super) fn row_count(&self) -> u64 {
        count(&self.rows)
    }

    /// The number of rows for its quarantine.
    pub(super) fn quarantine_count(&self) -> u64 {
        count(&self.quarantine)
    }
}

fn count(blocks: &[Merged]) -> u64 {
    blocks.iter().map(|merged| merged.block.rows() as u64).sum()
}

impl Merged {
    /// The request that brought a row.
    pub(super) fn owner(&self, row: usize) -> usize {
        let mut end = 0;
        let owner = self.owners.iter().find(|(_, rows)| {
            end += rows;
            row < end
        });
        owner.map_or(0, |(owner, _)| *owner)
    }
}

/// Adds a request's rows; those for a quarantine with the time when they came.
fn add(merged: &mut Vec<Merged>, (owner, arrival): (usize, Option<[u8; 4]>), logged: &LoggedBlock) {
    let layout = logged.layout();
    if let Some(known) = merged.iter_mut().find(|known| known.layout == *layout) {
        known.block.append(logged, arrival.as_ref().map(|arrival| &arrival[..]));
        known.owners.push((owner, logged.rows()));
        return;
    }
    let block = match arrival {
        Some(arrival) => logged.to_block().with_constant(INSERTION_DATE, "DateTime", &arrival),
        None => logged.to_block(),
    };
    merged.push(Merged { block, layout: Arc::clone(layout), owners: vec![(owner, logged.rows())] });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::block::Layouts;
    use crate::ingest::fixtures::column;
    use crate::ingest::{BodyFormat, Limits, RowPlan};

    fn payload(body: &str) -> Payload {
        let columns = ["a | UInt8 | $.a", "b | UInt8 | $.b | a + 1"];
        let plan = RowPlan::new(&columns.map(column)).unwrap();
        let body = plan.decode(body.as_bytes(), BodyFormat::Ndjson, &Limits::default()).unwrap();
        let bytes = super::super::payload::encode(&body, 1_700_000_000_000, None);
        super::super::payload::decode(&bytes, &mut Layouts::default()).unwrap()
    }

    #[test]
    fn requests_share_a_block_for_each_set_of_columns() {
        let content = Content::of(["{\"a\":1,\"b\":1}\n{\"a\":2}", "{\"a\":3}\n{\"a\":4}\n{}"].map(payload));
        assert_eq!((content.quarantine[0].block.rows(), content.arrival), (1, 1_700_000_000));
        let shapes: Vec<usize> = content.rows.iter().map(|merged| merged.block.rows()).collect();
        assert_eq!(shapes, [1, 3]);
        assert_eq!([0, 1, 2].map(|row| content.rows[1].owner(row)), [0, 1, 1]);
        assert_eq!(content.quarantine[0].owner(0), 1);
    }
}
