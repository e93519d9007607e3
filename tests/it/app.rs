//! The whole server: what its HTTP API, its command line and its life promise, as tests.
//!
//! Most run against a [`TestApp`](crate::harness::TestApp): a server inside this process, over the
//! shared engine. What is about the process itself, its engine's death or its logs runs the built
//! program, [`ServerProcess`](crate::harness::ServerProcess).

mod bad_network;
mod bodies;
mod cache;
mod cascades;
mod command_line;
mod deletions;
mod engine_away;
mod events;
mod full_disk;
mod idempotency;
mod jwts;
mod kills;
mod live;
mod load;
mod loading;
mod log_commands;
mod metrics;
mod overload;
mod parameters;
mod proxy;
mod quarantine;
mod reading;
mod results;
mod rights;
mod secrecy;
mod stops;
mod surface;
mod token_changes;
mod tokens;
mod tutorial;
mod view_steps;
mod views;
mod volume;
