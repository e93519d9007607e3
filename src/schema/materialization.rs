//! Whether the rows of a materialized view fit into the data source that keeps them.
//!
//! In: the columns of the view's query and of its target, as ClickHouse describes both.  Out: every
//! [`Misfit`].  As in Tinybird, columns meet by name; states of aggregate functions meet only states
//! of the same function over the same types, except those of `count`, which ignores its arguments.

use std::fmt;

/// A column as `DESCRIBE` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedColumn {
    /// Its name.
    pub name: String,
    /// Its type in ClickHouse's canonical spelling.
    pub data_type: String,
    /// Where its value comes from when a row has none.
    pub origin: Origin,
}

/// What fills a column that a row leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The zero value of its type, which nobody asked for.
    Nothing,
    /// Its `DEFAULT`.
    Default,
}

/// A column that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misfit {
    /// The query has it, the target does not.
    NotInTarget {
        /// The column.
        name: String,
    },
    /// The target has it without a DEFAULT, the query does not.
    NotInQuery {
        /// The column.
        name: String,
    },
    /// A state of an aggregate function meets something else.
    State {
        /// The column.
        name: String,
        /// Its type in the query.
        query: String,
        /// Its type in the target.
        target: String,
    },
    /// The types differ, and ClickHouse converts each value.
    Converted {
        /// The column.
        name: String,
        /// Its type in the query.
        query: String,
        /// Its type in the target.
        target: String,
    },
}

impl Misfit {
    /// True where the view cannot work; otherwise it works, perhaps not as was meant.
    pub fn is_fatal(&self) -> bool {
        !matches!(self, Self::Converted { .. })
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInTarget { name } => {
                write!(out, "the query has the column `{name}`, and the target does not")
            }
            Self::NotInQuery { name } => {
                write!(out, "the target has the column `{name}` without a DEFAULT, and the query does not")
            }
            Self::State { name, query, target } => {
                write!(out, "the column `{name}` is {query} in the query and {target} in the target")
            }
            Self::Converted { name, query, target } => write!(
                out,
                "the column `{name}` is {query} in the query and {target} in the target: every value is converted"
            ),
        }
    }
}

/// Everything that does not fit, in the order of the query, then of the target.
pub fn misfits(query: &[DescribedColumn], target: &[DescribedColumn]) -> Vec<Misfit> {
    let find = |columns: &[DescribedColumn], name: &str| {
        columns.iter().find(|column| column.name == name).map(|column| column.data_type.clone())
    };
    let met = query.iter().filter_map(|column| match find(target, &column.name) {
        None => Some(Misfit::NotInTarget { name: column.name.clone() }),
        Some(data_type) => meet(&column.name, &column.data_type, &data_type),
    });
    let left_out = target
        .iter()
        .filter(|column| column.origin == Origin::Nothing && find(query, &column.name).is_none());
    met.chain(left_out.map(|column| Misfit::NotInQuery { name: column.name.clone() })).collect()
}

/// Holds the type that a value has against the type that it is stored as.
fn meet(name: &str, query: &str, target: &str) -> Option<Misfit> {
    let (name, query, target) = (name.to_owned(), plain(query), plain(target));
    if query == target || (is_count(query) && is_count(target)) {
        return None;
    }
    let (query, target) = (query.to_owned(), target.to_owned());
    if is_state(&query) || is_state(&target) {
        return Some(Misfit::State { name, query, target });
    }
    let loses_nothing = target.contains("Nullable(") || !query.contains("Nullable(");
    if unwrapped(&query) == unwrapped(&target) && loses_nothing {
        return None;
    }
    Some(Misfit::Converted { name, query, target })
}

/// `SimpleAggregateFunction(f, T)` stores what `T` stores.
fn plain(data_type: &str) -> &str {
    let inside = data_type.strip_prefix("SimpleAggregateFunction(").and_then(|rest| rest.strip_suffix(')'));
    inside.and_then(|inside| inside.split_once(", ")).map_or(data_type, |(_, stored)| stored)
}

/// The type without `LowCardinality` and `Nullable` around it.
fn unwrapped(data_type: &str) -> &str {
    let mut inside = data_type;
    for wrapper in ["LowCardinality(", "Nullable("] {
        let stripped = inside.strip_prefix(wrapper).and_then(|rest| rest.strip_suffix(')'));
        inside = stripped.unwrap_or(inside);
    }
    inside
}

fn is_state(data_type: &str) -> bool {
    data_type.starts_with("AggregateFunction(")
}

fn is_count(data_type: &str) -> bool {
    let arguments = data_type.strip_prefix("AggregateFunction(count");
    arguments.is_some_and(|rest| rest.starts_with([')', ',']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(text: &str) -> DescribedColumn {
        let (name, data_type) = text.split_once(' ').unwrap();
        let (data_type, origin) = match data_type.strip_suffix(" DEFAULT") {
            Some(data_type) => (data_type, Origin::Default),
            None => (data_type, Origin::Nothing),
        };
        DescribedColumn { name: name.to_owned(), data_type: data_type.to_owned(), origin }
    }

    fn found(query: &[&str], target: &[&str]) -> Vec<String> {
        let columns = |texts: &[&str]| texts.iter().map(|text| column(text)).collect::<Vec<_>>();
        let line = |misfit: &Misfit| format!("{}{misfit}", if misfit.is_fatal() { "! " } else { "" });
        misfits(&columns(query), &columns(target)).iter().map(line).collect()
    }

    #[test]
    fn columns_meet_by_name_in_any_order() {
        assert!(found(&["a UInt8", "b String"], &["b String", "a UInt8"]).is_empty());
        assert_eq!(
            found(&["a UInt8", "c String"], &["a UInt8", "b String", "d UInt8 DEFAULT"]),
            [
                "! the query has the column `c`, and the target does not",
                "! the target has the column `b` without a DEFAULT, and the query does not",
            ]
        );
    }

    #[test]
    fn states_meet_states_of_the_same_function_over_the_same_types() {
        for (query, target) in [
            ("AggregateFunction(count)", "AggregateFunction(count, UInt64)"),
            ("AggregateFunction(count, String)", "AggregateFunction(count)"),
            ("AggregateFunction(sum, UInt8)", "AggregateFunction(sum, UInt8)"),
            ("UInt64", "SimpleAggregateFunction(max, UInt64)"),
            ("SimpleAggregateFunction(any, String)", "String"),
        ] {
            assert!(
                found(&[&format!("a {query}")], &[&format!("a {target}")]).is_empty(),
                "{query} {target}"
            );
        }
        for (query, target) in [
            ("AggregateFunction(sum, UInt8)", "AggregateFunction(sum, UInt64)"),
            ("AggregateFunction(uniq, UInt8)", "AggregateFunction(uniqExact, UInt8)"),
            ("AggregateFunction(countIf, UInt8)", "AggregateFunction(count)"),
            ("UInt64", "AggregateFunction(count)"),
            ("AggregateFunction(count)", "UInt64"),
        ] {
            let expected = format!("! the column `a` is {query} in the query and {target} in the target");
            assert_eq!(found(&[&format!("a {query}")], &[&format!("a {target}")]), [expected]);
        }
    }

    #[test]
    fn a_conversion_is_said_unless_it_changes_no_value() {
        for (query, target) in [
            ("String", "LowCardinality(String)"),
            ("LowCardinality(Nullable(String))", "Nullable(String)"),
            ("UInt8", "Nullable(UInt8)"),
        ] {
            assert!(
                found(&[&format!("a {query}")], &[&format!("a {target}")]).is_empty(),
                "{query} {target}"
            );
        }
        for (query, target) in [("UInt64", "UInt32"), ("Nullable(String)", "String"), ("String", "Date")] {
            let expected = format!(
                "the column `a` is {query} in the query and {target} in the target: every value is converted"
            );
            assert_eq!(found(&[&format!("a {query}")], &[&format!("a {target}")]), [expected]);
        }
    }
}
