//! Whose answers were long last time.
//!
//! The engine writes a long answer sooner on several threads, and a short one sooner on the thread that
//! made it: a fifth of the time of a small query goes into starting the others. What was long tends to
//! be long again.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use quick_cache::sync::Cache;

/// As many are remembered; the others are taken for short.
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
pub(super) struct Lengths(Arc<Cache<Likeness, ()>>);

impl Default for Lengths {
    fn default() -> Self {
        Self(Arc::new(Cache::new(MOST)))
    }
}

impl Lengths {
    /// How long the next answer will probably be.
    pub(super) fn expected(&self, likeness: Likeness) -> Length {
        if self.0.contains_key(&likeness) { Length::Long } else { Length::Short }
    }

    /// Remembers how long one was.
    pub(super) fn learn(&self, likeness: Likeness, length: Length) {
        match (length, self.expected(likeness)) {
            (Length::Long, Length::Short) => self.0.insert(likeness, ()),
            (Length::Short, Length::Long) => drop(self.0.remove(&likeness)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_length_is_expected_again_and_at_first_a_short_one() {
        let (lengths, likeness) = (Lengths::default(), Likeness::of(("exports", 1)));
        assert_eq!(lengths.expected(likeness), Length::Short);
        for length in [Length::Long, Length::Long, Length::Short, Length::Long] {
            lengths.learn(likeness, length);
            assert_eq!(lengths.expected(likeness), length);
            assert_eq!(lengths.expected(Likeness::of(("exports", 2))), Length::Short);
        }
    }
}
