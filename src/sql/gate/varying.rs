//! Which texts can give another result over the same rows: those that look at the clock, or at chance.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::super::scan::{FunctionUse, TableFunction};
use super::functions;

const VARYING: &str = include_str!("varying_functions.txt");

/// Functions that the engine calls not deterministic, although they answer the same for the same rows in the
/// same workspace on the same engine: they make rows, or tell of types, versions and the session's
/// settings.
pub const STEADY: [&str; 15] = [
    "arrayjoin",
    "blockserializedsize",
    "current_database",
    "currentdatabase",
    "database",
    "dumpcolumnstructure",
    "financialnetpresentvalueextended",
    "isconstant",
    "revision",
    "schema",
    "servertimezone",
    "timezone",
    "tocolumntypename",
    "unnest",
    "version",
];

/// The table function that makes rows by chance.
const RANDOM_ROWS: &str = "generateRandom";

static NAMES: LazyLock<HashSet<&'static str>> = LazyLock::new(|| listed().collect());

/// The functions that vary, in lower case.
pub fn listed() -> impl Iterator<Item = &'static str> {
    functions::names(VARYING)
}

/// Whether a text gives the same result as long as its tables are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Constancy {
    /// It does.
    #[default]
    Constant,
    /// It depends on the clock or on chance, too.
    Varying,
}

impl Constancy {
    /// That of a text which calls these.
    pub(in crate::sql) fn of(functions: &[FunctionUse], table_functions: &[TableFunction]) -> Self {
        let varies = |function: &FunctionUse| NAMES.contains(function.name.to_ascii_lowercase().as_str());
        let is_random = |function: &TableFunction| function.name.eq_ignore_ascii_case(RANDOM_ROWS);
        let is_varying = functions.iter().any(varies) || table_functions.iter().any(is_random);
        if is_varying { Self::Varying } else { Self::Constant }
    }

    /// That of a text which holds both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if self == Self::Constant { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::statement::Statement;

    fn constancy(text: &str) -> Constancy {
        let statement = Statement::parse(text).unwrap();
        Constancy::of(statement.functions(), statement.table_functions())
    }

    #[test]
    fn the_clock_and_chance_are_found_wherever_they_stand() {
        for text in [
            "SELECT now()",
            "SELECT `NOW`()",
            "SELECT a FROM t WHERE day > today() - 7",
            "SELECT arrayMap(x -> rand(x), [1])",
            "SELECT * APPLY now64 FROM t",
            "WITH (SELECT generateUUIDv4()) AS id SELECT id",
            "SELECT count() FROM generateRandom('a Int8')",
            "SELECT 1 ORDER BY rand32()",
        ] {
            assert_eq!(constancy(text), Constancy::Varying, "{text}");
        }
    }

    #[test]
    fn names_of_columns_and_steady_functions_are_constant() {
        for text in
            ["SELECT now, rand FROM t", "SELECT arrayJoin(a), timezone() FROM t", "SELECT * FROM numbers(3)"]
        {
            assert_eq!(constancy(text), Constancy::Constant, "{text}");
        }
    }

    #[test]
    fn the_list_is_sorted_and_holds_what_may_be_called() {
        let names: Vec<_> = listed().collect();
        assert!(names.is_sorted() && names.len() > 50);
        for name in &names {
            assert_eq!(functions::verdict(name), functions::Verdict::Allowed, "{name}");
            assert!(!STEADY.contains(name), "{name}");
        }
    }
}
