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
    /// It may be asked for at once.
    Short,
    /// It is waited for to its end, and has more rows than may come at once.
    Middle,
    /// It goes out piece by piece.
    Long,
}

/// An answer of so few bytes has no more rows than may come at once.
const FEW_BYTES: usize = 4096;

impl Length {
    /// The length of an answer of so many bytes, or of one whose end is not here, where as much as `least`
    /// is known from how it came.
    pub(super) fn of(whole: Option<usize>, least: Self) -> Self {
        match whole {
            None => Self::Long,
            Some(bytes) if bytes <= FEW_BYTES => Self::Short,
            Some(_) => least,
        }
    }
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
    fn what_was_too_long_to_come_at_once_is_not_tried_again_before_it_is_far_shorter() {
        assert_eq!(Length::of(Some(600_000), Length::Short), Length::Short, "few rows, it seems");
        assert_eq!(Length::of(Some(600_000), Length::Middle), Length::Middle);
        assert_eq!(Length::of(Some(FEW_BYTES), Length::Middle), Length::Short);
        assert_eq!(Length::of(None, Length::Short), Length::Long);
    }

    #[test]
    fn the_last_length_is_expected_again() {
        let (lengths, likeness) = (Lengths::default(), Likeness::of(("exports", 1)));
        assert_eq!(lengths.expected(likeness), None);
        for length in [Length::Long, Length::Long, Length::Short, Length::Middle, Length::Long] {
            lengths.learn(likeness, length);
            assert_eq!(lengths.expected(likeness), Some(length));
            assert_eq!(lengths.expected(Likeness::of(("exports", 2))), None);
        }
        lengths.forget(likeness);
        assert_eq!(lengths.expected(likeness), None);
    }
}
