//! Scalar and aggregate functions: an allow-list.
//!
//! The lists are the engine's own, reviewed; a function that a newer engine brings is refused until
//! somebody has looked at it.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::super::error::{Situation, SqlError};
use super::super::scan::FunctionUse;

const ALLOWED: &str = include_str!("functions.txt");
const REFUSED: &str = include_str!("refused_functions.txt");

/// What the parser of `ClickHouse` takes for a call and turns into other functions, in lower case.
const WRITTEN_ONLY: &[&str] = &[
    "all",
    "columns",
    "date_add",
    "date_sub",
    "dateadd",
    "datesub",
    "exists",
    "grouping",
    "interval",
    "overlay",
    "timestampadd",
    "timestamp_add",
    "timestampsub",
    "timestamp_sub",
    "timestampdiff",
    "untuple",
];

/// What may stand behind the name of an aggregate function, in lower case.
const COMBINATORS: &[&str] = &[
    "argmax",
    "argmin",
    "array",
    "distinct",
    "foreach",
    "if",
    "map",
    "merge",
    "null",
    "ordefault",
    "ornull",
    "resample",
    "simplestate",
    "state",
    "tuple",
];

static LISTS: LazyLock<Lists> = LazyLock::new(|| Lists {
    allowed: names(ALLOWED).chain(WRITTEN_ONLY.iter().copied()).collect(),
    refused: names(REFUSED).collect(),
});

struct Lists {
    allowed: HashSet<&'static str>,
    refused: HashSet<&'static str>,
}

/// What the lists say of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may be called.
    Allowed,
    /// It may not.
    Refused,
    /// It stands in no list.
    Unknown,
}

/// The names of a list; lines that begin with `#` are comments.
pub(super) fn names(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.lines().filter(|line| !line.starts_with('#'))
}

/// The functions of the engine that stand in the lists, allowed or refused.
pub fn listed() -> impl Iterator<Item = &'static str> {
    names(ALLOWED).chain(names(REFUSED))
}

/// What the lists say of a function, by its name in any case.
pub fn verdict(name: &str) -> Verdict {
    let lowered = name.to_ascii_lowercase();
    if LISTS.refused.contains(lowered.as_str()) {
        Verdict::Refused
    } else if is_allowed(&lowered) {
        Verdict::Allowed
    } else {
        Verdict::Unknown
    }
}

/// Takes combinators off until the name is a known one: `sumMergeStateIf` is `sum`.
fn is_allowed(lowered: &str) -> bool {
    let shorter = || COMBINATORS.iter().filter_map(|combinator| lowered.strip_suffix(combinator));
    LISTS.allowed.contains(lowered) || shorter().any(|shorter| !shorter.is_empty() && is_allowed(shorter))
}

/// The reason to refuse a call.
pub(in crate::sql) fn problem(function: &FunctionUse) -> Option<SqlError> {
    let name = function.name.clone();
    let situation = match verdict(&name) {
        Verdict::Allowed => return None,
        Verdict::Refused if name.to_ascii_lowercase().starts_with("dict") => Situation::Dictionary,
        Verdict::Refused => Situation::FunctionRefused { name },
        Verdict::Unknown => Situation::FunctionUnknown { name },
    };
    Some(SqlError::new(function.span, situation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_and_share_nothing() {
        for list in [ALLOWED, REFUSED] {
            let names: Vec<_> = names(list).collect();
            assert!(names.is_sorted() && names.len() > 100);
            assert!(names.iter().all(|name| *name == name.to_ascii_lowercase() && !name.is_empty()));
        }
        assert!(LISTS.allowed.is_disjoint(&LISTS.refused));
    }

    #[test]
    fn combinators_are_taken_off_aggregate_functions() {
        for name in
            ["sum", "SUM", "sumIf", "uniqExactStateForEachMergeOrNullArray", "countDistinctIf", "sumMap"]
        {
            assert_eq!(verdict(name), Verdict::Allowed, "{name}");
        }
        for name in ["fileIf", "State", "stateMerge", "aggThrowIf", "nosuchfunction"] {
            assert_eq!(verdict(name), Verdict::Unknown, "{name}");
        }
        assert_eq!(verdict("aggThrow"), Verdict::Refused);
    }
}
