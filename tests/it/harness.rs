//! What the tests stand on: engines, their processes, raw requests, blocks of rows.

mod api;
mod deadline;
mod folder;
mod http;
mod jwt;
mod library;
mod native;
mod permit;
mod process;
mod project;
mod server_process;
mod shared;
mod test_app;
mod test_engine;

pub(crate) use api::{ApiClient, send, try_send};
pub(crate) use deadline::{eventually, within};
pub(crate) use folder::Folder;
pub(crate) use http::{Address, Http, Reply, unpacked};
pub(crate) use jwt::{FAR_FUTURE, jwt, sign, workspace_of};
pub(crate) use library::{library, program};
pub(crate) use native::Block;
pub(crate) use process::{EngineProcess, engine_of};
pub(crate) use project::Project;
pub(crate) use server_process::{Running, ServerFolder, ServerProcess, SideDoor};
pub(crate) use shared::{RemoteEngine, SharedEngine, shared_engine};
pub(crate) use test_app::{Home, TestApp};
pub(crate) use test_engine::{TestEngine, options};
