//! One answer that is kept.

use std::time::Instant;

use bytes::Bytes;
use foldhash::quality::FixedState;

use std::hash::BuildHasher;

use super::Lifetime;
use super::packed::{PackedForms, Packing};
use crate::catalog::Sighting;

/// The bytes of an answer, and what tells whether they still hold.
#[derive(Debug)]
pub(in crate::query) struct Kept {
    pub(in crate::query) bytes: Bytes,
    /// `W/"…"`: weak, because the time that a query took is not part of what it says.
    pub(in crate::query) tag: String,
    packed: PackedForms,
    sighting: Sighting,
    until: Option<Instant>,
}

impl Kept {
    pub(super) fn new(bytes: Bytes, sighting: Sighting, lifetime: Lifetime) -> Self {
        let until = match lifetime {
            Lifetime::Once => Some(Instant::now()),
            Lifetime::UntilChanged => None,
            Lifetime::AtMost(time) => Instant::now().checked_add(time),
        };
        let tag = tag(&bytes);
        Self { bytes, tag, packed: PackedForms::default(), sighting, until }
    }

    /// Its bytes packed; `None` where that is not worth it.
    pub(in crate::query) async fn packed(&self, packing: Packing) -> Option<Bytes> {
        self.packed.of(&self.bytes, packing).await
    }

    /// What its bytes take with all their packed forms, at most.
    pub(super) fn most_bytes(&self) -> usize {
        2 * self.bytes.len()
    }

    /// The tables that it was made of, as they were.
    pub(in crate::query) fn sighting(&self) -> &Sighting {
        &self.sighting
    }

    /// True where the engine would answer the same.
    pub(super) fn is_current(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| now < until) && self.sighting.is_current()
    }
}

/// Where ClickHouse's JSON document begins to tell what the query cost.
const STATISTICS: &[u8] = b"\n\t\"statistics\":";

/// A name for what an answer says.
fn tag(bytes: &[u8]) -> String {
    // The last one: texts in the rows have their line ends escaped.
    let said = memchr::memmem::rfind(bytes, STATISTICS).map_or(bytes, |end| &bytes[..end]);
    let (first, second) = (FixedState::with_seed(1).hash_one(said), FixedState::with_seed(2).hash_one(said));
    format!("W/\"{first:016x}{second:016x}\"")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::catalog::Versions;

    #[test]
    fn a_tag_names_the_rows_and_not_the_time_they_took() {
        let answer = |rows: &str, elapsed: &str| {
            let statistics = format!("\n\n\t\"statistics\":\n\t{{\n\t\t\"elapsed\": {elapsed}\n\t}}\n}}\n");
            tag(format!("{{\n\t\"data\": [{rows}]{statistics}").as_bytes())
        };
        assert_eq!(answer("1", "0.1"), answer("1", "0.2"));
        assert_ne!(answer("1", "0.1"), answer("2", "0.1"));
        assert_ne!(tag(b"1\n"), tag(b"2\n"));
        assert!(tag(b"").starts_with("W/\"") && tag(b"").len() == 36);
    }

    #[test]
    fn a_time_ends_what_no_change_ended() {
        let versions = Versions::default();
        let kept = |lifetime| Kept::new(Bytes::new(), versions.begin(), lifetime);
        let now = Instant::now();
        assert!(kept(Lifetime::UntilChanged).is_current(now + Duration::from_hours(1)));
        let minute = kept(Lifetime::AtMost(Duration::from_mins(1)));
        assert!(minute.is_current(now) && !minute.is_current(now + Duration::from_mins(2)));
        let always = kept(Lifetime::UntilChanged);
        versions.everything_changed();
        assert!(!always.is_current(now) && !minute.is_current(now));
    }
}
