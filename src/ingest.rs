//! Ingestion: bytes of the Events API become checked rows in columns.
//!
//! In: bodies of requests and the columns of their data source.  Out: rows in the engine, in the
//! table and in its quarantine, and the two counts that clients read.
//! Promise: every event ends in exactly one of the two tables or the whole body is refused, and
//! the engine accepts every block, so that no row is held up by somebody else's bad value (but
//! for types of single paths inside a `JSON` column, which only the engine checks). What is on its
//! way is bounded in bytes, and an error says whether anything may have been stored.
//! Decoding is a pure function of body, plan and limits; [`Ingest`] adds the engine.
//! May use: `catalog`, `engine`, `schema`, `sql`, `auth`.

pub mod admission;
pub mod block;
pub mod body;
pub mod error;
pub mod plan;
pub mod service;
pub mod wal;

mod batcher;
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

pub use admission::Admission;
pub use block::Block;
pub use body::{BodyError, BodyFormat, DecodedBody, Limits};
pub use cell::Unfillable;
pub use error::{IngestError, InsertError};
pub use plan::{PlanError, RowPlan};
pub use service::{Counts, Ingest};
