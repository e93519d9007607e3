//! Ingestion: bytes of the Events API become checked rows in columns.
//!
//! In: bodies of requests and the columns of their data source.  Out: blocks in ClickHouse's
//! `Native` format for the table and for its quarantine, and the two counts that clients read.
//! Promise: every event ends in exactly one of the two tables or the whole body is refused, and
//! the engine accepts every block, so that no row is held up by somebody else's bad value (but
//! for types of single paths inside a `JSON` column, which only the engine checks).
//! Decoding is a pure function of body, plan and limits.
//! May use: `schema`.

pub mod block;
pub mod body;
pub mod plan;

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

pub use block::Block;
pub use body::{BodyError, BodyFormat, DecodedBody, Limits};
pub use cell::Unfillable;
pub use plan::{PlanError, RowPlan};
