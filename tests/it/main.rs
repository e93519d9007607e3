//! The integration tests: the built program and a real engine, never a stand-in.
//!
//! Tests are grouped by room. What they stand on is in [`harness`]:
//!
//! * [`harness::shared_engine`] gives an engine that all ordinary tests share; a test keeps its
//!   data apart with [`harness::SharedEngine::database`]. `ROOST_TEST_ENGINE=remote` puts that
//!   engine behind TCP, as a ClickHouse server would be.
//! * [`harness::TestEngine`] is a supervised engine of one test's own, to kill, freeze or confine;
//!   two of them run at a time.
//! * [`harness::TestApp`] is a whole server inside this process, over the shared engine;
//!   [`harness::ServerProcess`] is the built program as a process, with an engine of its own.
//! * [`harness::eventually`] polls until a deadline: no test sleeps and hopes.
//!
//! The engine library is looked for where `make engine` puts it, or where `ROOST_ENGINE_LIB` says.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod app;
mod architecture;
mod commands;
mod dependencies;
mod engine;
mod gate;
mod harness;
mod language;
mod torture;
