//! Roost: a self-hosted, Tinybird-compatible server with a real ClickHouse inside.
//!
//! The rooms below stand on floors: a room may use rooms of lower floors only.
//! `docs/ARCHITECTURE.md` draws the house; `tests/it/architecture.rs` holds the code to it.

pub mod app;
pub mod auth;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod config;
pub mod datafile;
pub mod deploy;
pub mod engine;
pub mod http;
pub mod ingest;
pub mod jobs;
pub mod query;
pub mod schema;
pub mod server;
pub mod sql;
pub mod syntax;
pub mod telemetry;
pub mod template;
