//! The section `[wal]`.

use std::num::NonZeroU64;
use std::time::Duration;

use serde::Deserialize;

use super::units;

/// `[wal]`: the log of accepted rows.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wal {
    /// What an acknowledged row survives.
    pub durability: Durability,
    /// Bytes that the log may hold.
    #[serde(deserialize_with = "units::bytes")]
    pub max_bytes: NonZeroU64,
    /// Time that the oldest row may wait for the engine before further ones are refused.
    #[serde(rename = "max_age_seconds", deserialize_with = "units::seconds")]
    pub max_age: Duration,
    /// Bytes of the disk that rows leave free.
    #[serde(deserialize_with = "units::bytes_or_zero")]
    pub min_free_bytes: u64,
    /// Bytes of one segment.
    #[serde(deserialize_with = "units::bytes")]
    pub segment_bytes: NonZeroU64,
}

/// What an acknowledged row survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// A loss of power: it was synced.
    Fsync,
    /// An end of this process: the system has it.
    Os,
}
