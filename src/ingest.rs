//! Ingestion: bytes of the Events API become checked rows in columns.
//!
//! In: bodies of requests and the columns of their data source.  Out: rows in the log, then in the
//! engine: in the table and in its quarantine; and the two counts that clients read.
//! Promise: every event ends in exactly one of the two tables, once, or the whole body is refused;
//! what was acknowledged is on disk. No row is held up by somebody else's bad value: what the
//! decoder does not see and the engine refuses goes to the quarantine, too. What is on its way is
//! bounded in bytes, and an error says whether anything may have been stored.
//! Decoding is a pure function of body, plan and limits; `wal` is the log, [`Delivery`] the way from
//! it into the tables, [`Ingest`] all together.
//! May use: `catalog`, `engine`, `schema`, `sql`, `auth`.

pub mod admission;
pub mod block;
pub mod body;
pub mod deletion;
pub mod delivery;
pub mod error;
pub mod idempotency;
pub mod metrics;
pub mod plan;
pub mod service;
pub mod wal;

mod cell;
mod event;
#[cfg(test)]
mod fixtures;
mod json;
mod literal;
#[cfg(test)]
mod native_reader;
mod paths;
#[cfg(test)]
mod properties;
mod quarantine;
mod row;
mod workers;

pub use admission::Admission;
pub use block::Block;
pub use body::{BodyError, BodyFormat, DecodedBody, Limits};
pub use cell::Unfillable;
pub use deletion::Deletion;
pub use delivery::{Delivery, JobMark, Journal, Matched, Side};
pub use error::IngestError;
pub use idempotency::IdempotencyKey;
pub use metrics::Metrics;
pub use plan::{PlanError, RowPlan};
pub use service::{Counts, Ingest, Order, Reached, Receipt, Wait, When};
