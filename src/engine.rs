//! The engine: always ClickHouse behind its HTTP protocol.
//!
//! In: SQL with settings, Native blocks.  Out: bytes in a named format, and [`EngineError`]s that
//! say whether anything was sent.  Embedded (the default), [`Supervisor`] keeps a child process
//! that runs libchdb; by configuration the same [`EngineClient`] talks to a ClickHouse server.
//! Promise: a crash of the engine takes nothing else down; a caller learns whether an insert
//! certainly failed or may have happened.  May use: `schema`.

pub mod client;
pub mod embedded;
pub mod error;
mod packing;
mod socket;
pub mod supervisor;

pub use client::{EngineClient, Location, Query, Rows, profile_clause};
pub use error::EngineError;
pub use supervisor::{ChildOptions, Supervisor};
