//! The language against the engine: what the pure rooms say about SQL, `ClickHouse` says too.

mod quoting;
mod shapes;
mod statements;
