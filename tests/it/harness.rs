//! What the tests stand on: engines, their processes, raw requests, blocks of rows.

mod deadline;
mod folder;
mod http;
mod library;
mod native;
mod permit;
mod process;
mod shared;
mod test_engine;

pub(crate) use deadline::{eventually, within};
pub(crate) use folder::Folder;
pub(crate) use http::{Address, Http};
pub(crate) use library::{library, program};
pub(crate) use native::Block;
pub(crate) use process::{EngineProcess, engine_of};
pub(crate) use shared::{SharedEngine, shared_engine};
pub(crate) use test_engine::{TestEngine, options};
