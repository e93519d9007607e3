//! The child: libchdb behind the part of ClickHouse's HTTP protocol that Roost uses.
//!
//! In: requests on a socket that the parent bound.  Out: ClickHouse's answers.
//! Promise: no caller sees another's rows; an engine crash or a runaway query ends this process
//! and nothing else; SQL that gets past every gate reads nothing outside the data directory.
//! May use nothing of the rooms above: it runs alone.

mod answer;
mod call;
pub mod child;
mod data;
mod execute;
mod ffi;
mod pool;
mod sandbox;
mod server;
mod statement;
