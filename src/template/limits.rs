//! What one rendering may cost.

use std::cell::Cell;

use super::fault::{Fault, Outcome};

/// The bounds of one rendering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Evaluation steps: nodes visited, items iterated, values compared.
    pub steps: u64,
    /// Bytes of all the values that expressions build, freed ones included.
    pub value_bytes: usize,
    /// Bytes of the SQL text.
    pub output_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { steps: 1_000_000, value_bytes: 64 << 20, output_bytes: 16 << 20 }
    }
}

/// The limit that was hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Limit {
    #[error("the template takes too many steps to render; look for a loop that does not end")]
    Steps,
    #[error("the template builds values that are too large; repeat, join or collect less")]
    ValueBytes,
    #[error("the template renders to a text that is too large; repeat less")]
    OutputBytes,
    #[error("the template builds an integer that is too large; use smaller exponents, factors or shifts")]
    IntegerSize,
    #[error("the template nests values or calls too deeply; look for a call that calls itself")]
    Depth,
}

/// How many bytes of a text may be looked at for one step.
pub(super) const BYTES_PER_STEP: usize = 64;

/// Counts what a rendering has left; shared by everything that works for it.
#[derive(Debug)]
pub(super) struct Meter {
    steps: Cell<u64>,
    bytes: Cell<usize>,
}

impl Meter {
    pub(super) fn new(limits: Limits) -> Self {
        Self { steps: Cell::new(limits.steps), bytes: Cell::new(limits.value_bytes) }
    }

    /// Pays for one step.
    pub(super) fn step(&self) -> Outcome<()> {
        self.steps(1)
    }

    /// Pays for `count` steps.
    pub(super) fn steps(&self, count: usize) -> Outcome<()> {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let left = self.steps.get().checked_sub(count).ok_or_else(|| Fault::limit(Limit::Steps))?;
        self.steps.set(left);
        Ok(())
    }

    /// Pays for `size` bytes of a value; to be called before they are allocated.
    pub(super) fn allocate(&self, size: usize) -> Outcome<()> {
        let left = self.bytes.get().checked_sub(size).ok_or_else(|| Fault::limit(Limit::ValueBytes))?;
        self.bytes.set(left);
        Ok(())
    }

    /// Pays for `count` values that stand in a container.
    pub(super) fn allocate_items(&self, count: usize) -> Outcome<()> {
        self.steps(count)?;
        self.allocate(count.saturating_mul(size_of::<super::value::Value>()))
    }
}
