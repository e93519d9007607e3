//! Reading: a call of a pipe, or a query of the caller's own, becomes SQL, then bytes.
//!
//! In: a [`Call`] or a [`SqlCall`] with its permit.  Out: an [`Answer`], a stream of bytes in the
//! asked format.
//! Promise: the SQL that runs was composed from the workspace's own resources and runs read-only
//! under limits; at most so many queries run at once; an answer that breaks off is an error, never
//! a short success.  May use: `catalog`, `engine`, `template`, `sql`, `auth`.

pub mod admission;
pub mod answer;
mod ask;
pub mod cache;
pub mod call;
mod disclosure;
pub mod error;
pub mod format;
pub mod inspect;
mod lengths;
pub mod live;
pub mod metrics;
pub mod plan;
mod prepared;
pub mod service;
pub mod settings;

pub use answer::{Answer, WholeAnswer};
pub use cache::{Freshness, Origin, Packing};
pub use call::{Aggregates, Call, Denormals, OutputSettings, ParquetTexts, PlanCall, SqlCall, WideIntegers};
pub use error::QueryError;
pub use format::OutputFormat;
pub use live::{Listener, Woken};
pub use plan::Plan;
pub use service::Queries;

// What a call is made of, and what a template says of it: callers of this room need no other.
pub use crate::template::{ArgumentValue, Arguments, TemplateError};
