//! Roost: a self-hosted, Tinybird-compatible server with a real ClickHouse inside.
//!
//! The rooms below stand on floors: a room may use rooms of lower floors only.
//! `docs/ARCHITECTURE.md` draws the house; `tests/it/architecture.rs` holds the code to it.

pub mod config;
pub mod datafile;
pub mod engine;
pub mod ingest;
pub mod schema;
pub mod sql;
pub mod syntax;
pub mod template;
