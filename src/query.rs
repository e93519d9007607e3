//! Reading: a call of a pipe becomes SQL, then bytes.
//!
//! In: a [`Call`] with its permit.  Out: an [`Answer`], a stream of bytes in the asked format.
//! Promise: the SQL that runs was composed from the workspace's own resources and runs read-only
//! under limits; at most so many queries run at once; an answer that breaks off is an error, never
//! a short success.  May use: `catalog`, `engine`, `template`, `sql`, `auth`.

pub mod admission;
pub mod call;
pub mod error;
pub mod service;

pub use call::{Call, Denormals, OutputFormat, OutputSettings, WideIntegers};
pub use error::QueryError;
pub use service::{Answer, Queries};

// What a call is made of, and what a template says of it: callers of this room need no other.
pub use crate::template::{ArgumentValue, Arguments, TemplateError};
