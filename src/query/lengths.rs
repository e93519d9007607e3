//! How long answers were last time.
//!
//! The engine writes a long answer sooner on several threads and piece by piece, and a short one sooner on
//! the thread that made it, and whole: a third of the time of a small query goes into starting threads and
//! into the pipe between. What was long tends to be long again.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use quick_cache::sync::Cache;

/// As many are remembered.
const MOST: usize = 10_000;

/// What answers of about one length have in common: their pipe, or their text. Two that are taken for
/// one are answered more slowly, and not otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Likeness(u64);

impl Likeness {
    /// Of answers that have this in common.
    pub(super) fn of(what: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        what.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// The length of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// It is waited for to its end.
    Short,
    /// It goes out piece by piece.
    Long,
}

/// What is remembered. A clone remembers the same.
#[derive(Clone)]
pub(super) struct Lengths(Arc<Cache<Likeness, Length>>);

impl Default for Lengths {
    fn default() -> Self {
        Self(Arc::new(Cache::new(MOST)))
    }
}

impl Lengths {
    /// How long the next answer will probably be, where one was there before.
    pub(super) fn expected(&self, likeness: Likeness) -> Option<Length> {
        self.0.get(&likeness)
    }

    /// Remembers how long one was.
    pub(super) fn learn(&self, likeness: Likeness, length: Length) {
        if self.expected(likeness) != Some(length) {
            self.0.insert(likeness, length);
        }
    }

    /// Forgets how long one was: the last has none.
    pub(super) fn forget(&self, likeness: Likeness) {
        self.0.remove(&likeness);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_length_is_expected_again() {
        let (lengths, likeness) = (Lengths::default(), Likeness::of(("exports", 1)));
        assert_eq!(lengths.expected(likeness), None);
        for length in [Length::Long, Length::Long, Length::Short, Length::Long] {
            lengths.learn(likeness, length);
            assert_eq!(lengths.expected(likeness), Some(length));
            assert_eq!(lengths.expected(Likeness::of(("exports", 2))), None);
        }
        lengths.forget(likeness);
        assert_eq!(lengths.expected(likeness), None);
    }
}
