//! Which views refuse no row, whatever its values: then nothing has to be evaluated before anything is put.
//! Pure.
//!
//! In: what the engine says a view comes to, as `EXPLAIN QUERY TREE` prints it: every name resolved, every
//! function with its type.  Out: the columns that the view gives, where every piece of it is known to be
//! harmless.  Promise: what is not known counts as one that may refuse: joins, subqueries beside the rows,
//! casts, parsing, decimals, anything that a later engine prints.

mod functions;

use super::record::TableKey;
use functions::gathers;

pub(super) use functions::{fits, is_integer, takes};

/// Types of which anything may be expected.
const DOUBTFUL_TYPES: [&str; 6] = ["Decimal", "Dynamic", "Variant", "JSON", "Object", "Nothing"];

/// The deepest tree that is looked through.
const MAX_DEPTH: usize = 200;

/// A column with its type, as ClickHouse writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) name: String,
    pub(super) data_type: String,
}

/// What a view gives that reads the new rows of this table alone and refuses none; `None` for any other.
pub(super) fn total(tree: &[String], source: &TableKey) -> Option<Vec<Given>> {
    let mut lines = tree.iter().map(String::as_str).peekable();
    let root = Node::read(&mut lines, 0)?;
    let is_whole = lines.next().is_none();
    let source = format!("{}.{}", source.database, source.table);
    let is_total = is_whole && root.kind() == "QUERY" && root.is_total(&source);
    is_total.then(|| root.given()).flatten()
}

/// A line of the tree and what stands below it.
struct Node<'a> {
    text: &'a str,
    below: Vec<Node<'a>>,
}

impl<'a> Node<'a> {
    /// Reads a node that stands so deep, two blanks to a step.
    fn read(lines: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>, depth: usize) -> Option<Self> {
        let blanks = |line: &str| line.len() - line.trim_start_matches(' ').len();
        let text = lines.next().filter(|line| depth < MAX_DEPTH && blanks(line) == 2 * depth)?;
        let mut below = Vec::new();
        while lines.peek().is_some_and(|line| blanks(line) > 2 * depth) {
            below.push(Self::read(lines, depth + 1)?);
        }
        Some(Self { text: text.trim_start_matches(' '), below })
    }

    fn kind(&self) -> &'a str {
        self.text.split(' ').next().unwrap_or_default()
    }

    /// The value of `name: value`; `None` where that stands there twice, as a name or a text might hold it.
    fn attribute(&self, name: &str) -> Option<&'a str> {
        let name = format!("{name}: ");
        let (_, rest) = self.text.split_once(&name).filter(|(_, rest)| !rest.contains(&name))?;
        let end = rest.match_indices(", ").find(|(place, _)| is_attribute(&rest[place + 2..]));
        Some(end.map_or(rest, |(place, _)| &rest[..place]))
    }

    fn section(&self, name: &str) -> Option<&Self> {
        self.below.iter().find(|node| node.text == name)
    }

    /// What stands in a section, over the list that it may hold.
    fn listed(&self, section: &str) -> &[Self] {
        match self.section(section).map(|section| section.below.as_slice()) {
            Some([list]) if list.kind() == "LIST" => &list.below,
            other => other.unwrap_or_default(),
        }
    }

    /// The columns of a query.
    fn given(&self) -> Option<Vec<Given>> {
        let given = |node: &Self| {
            let (name, data_type) = node.text.split_once(' ')?;
            Some(Given { name: name.to_owned(), data_type: data_type.to_owned() })
        };
        self.section("PROJECTION COLUMNS")?.below.iter().map(given).collect()
    }

    /// True for rows of the source, and for a query over them that refuses none.
    fn is_total(&self, source: &str) -> bool {
        match self.kind() {
            "TABLE" => self.below.is_empty() && self.attribute("table_name") == Some(source),
            "QUERY" => self.is_plain_query() && self.below.iter().all(|section| section.is_section(source)),
            _ => false,
        }
    }

    /// True for a value that can be computed of every row.
    fn is_value(&self) -> bool {
        match self.kind() {
            "LIST" => self.below.iter().all(Self::is_value),
            "COLUMN" => self.below.is_empty() && self.is_of_known_type(),
            "CONSTANT" => self.is_of_known_type() && self.holds(&["EXPRESSION"]),
            "FUNCTION" => self.takes_everything() && self.holds(&["ARGUMENTS", "PARAMETERS"]),
            _ => false,
        }
    }

    /// True where these sections stand below it and no others, each with values.
    fn holds(&self, sections: &[&str]) -> bool {
        let is_known = |section: &Self| sections.contains(&section.text);
        self.below.iter().all(|section| is_known(section) && section.below.iter().all(Self::is_value))
    }

    /// A query without LIMIT, DISTINCT, totals or windows.
    fn is_plain_query(&self) -> bool {
        let known = ["id", "alias", "is_subquery", "is_cte", "cte_name"];
        let mut attributes = self.text.split_once(' ').map_or("", |(_, rest)| rest).split(", ");
        attributes.all(|attribute| known.contains(&attribute.split(':').next().unwrap_or_default()))
    }

    fn is_section(&self, source: &str) -> bool {
        match self.text {
            "PROJECTION COLUMNS" => true,
            "JOIN TREE" => matches!(self.below.as_slice(), [from] if from.is_total(source)),
            "PROJECTION" | "WHERE" | "GROUP BY" | "HAVING" => self.below.iter().all(Self::is_value),
            _ => false,
        }
    }

    /// The type of a value.
    fn data_type(&self) -> &'a str {
        let name = if self.kind() == "CONSTANT" { "constant_value_type" } else { "result_type" };
        self.attribute(name).unwrap_or_default()
    }

    fn is_of_known_type(&self) -> bool {
        let data_type = self.data_type();
        !data_type.is_empty() && !DOUBTFUL_TYPES.iter().any(|doubtful| data_type.contains(doubtful))
    }

    fn takes_everything(&self) -> bool {
        let Some(name) = self.attribute("function_name").filter(|_| self.is_of_known_type()) else {
            return false;
        };
        let arguments: Vec<&str> = self.listed("ARGUMENTS").iter().map(Self::data_type).collect();
        match self.attribute("function_type") {
            Some("aggregate") => gathers(name, &arguments),
            Some("ordinary") => takes(name, &arguments),
            _ => false,
        }
    }
}

/// True for what begins with `name: `.
fn is_attribute(text: &str) -> bool {
    let name = text.split(':').next().unwrap_or_default();
    name.len() < text.len() && name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A view over `d.t` as the engine prints it (26.7), with one piece changed.
    fn view(from: &str, to: &str) -> Option<Vec<Given>> {
        let tree = "\
QUERY id: 0
  PROJECTION COLUMNS
    page String
    users AggregateFunction(uniq, UInt32)
    n Int64
  PROJECTION
    LIST id: 1, nodes: 3
      COLUMN id: 2, column_name: page, result_type: String, source_id: 3
      COLUMN id: 4, column_name: users, result_type: AggregateFunction(uniq, UInt32), source_id: 3
      COLUMN id: 5, column_name: n, result_type: Int64, source_id: 3
  JOIN TREE
    QUERY id: 3, alias: __table1, is_subquery: 1
      PROJECTION COLUMNS
        page String
        users AggregateFunction(uniq, UInt32)
        n Int64
      PROJECTION
        LIST id: 6, nodes: 3
          COLUMN id: 7, column_name: page, result_type: String, source_id: 8
          FUNCTION id: 9, function_name: uniqState, function_type: aggregate, result_type: AggregateFunction(uniq, UInt32)
            ARGUMENTS
              LIST id: 10, nodes: 1
                COLUMN id: 11, column_name: user, result_type: UInt32, source_id: 8
          FUNCTION id: 12, function_name: sum, function_type: aggregate, result_type: Int64
            ARGUMENTS
              LIST id: 13, nodes: 1
                FUNCTION id: 14, function_name: toInt64, function_type: ordinary, result_type: Int64
                  ARGUMENTS
                    LIST id: 15, nodes: 1
                      COLUMN id: 16, column_name: n, result_type: Int32, source_id: 8
      JOIN TREE
        TABLE id: 8, alias: __table2, table_name: d.t
      WHERE
        FUNCTION id: 17, function_name: notEquals, function_type: ordinary, result_type: UInt8
          ARGUMENTS
            LIST id: 18, nodes: 2
              COLUMN id: 19, column_name: kind.size, result_type: UInt64, source_id: 8
              CONSTANT id: 20, constant_value: UInt64_0, constant_value_type: UInt8
      GROUP BY
        LIST id: 21, nodes: 1
          COLUMN id: 7, column_name: page, result_type: String, source_id: 8";
        assert!(tree.contains(from), "{from} does not stand there");
        let lines: Vec<String> = tree.replacen(from, to, 1).lines().map(str::to_owned).collect();
        total(&lines, &TableKey { database: "d".to_owned(), table: "t".to_owned() })
    }

    #[test]
    fn a_view_of_harmless_pieces_is_total_and_tells_its_columns() {
        let given = |name: &str, data_type: &str| Given { name: name.into(), data_type: data_type.into() };
        let users = given("users", "AggregateFunction(uniq, UInt32)");
        let expected = vec![given("page", "String"), users, given("n", "Int64")];
        assert_eq!(view("QUERY", "QUERY"), Some(expected));
    }

    #[test]
    fn harmless_pieces_may_be_others() {
        for (from, to) in [
            ("function_name: toInt64", "function_name: toFloat64"),
            ("function_name: sum", "function_name: sumIf"),
            ("function_name: uniqState", "function_name: uniqIfState"),
            ("result_type: Int32", "result_type: LowCardinality(Nullable(Int32))"),
            ("      WHERE\n", "      HAVING\n"),
            (
                "constant_value_type: UInt8",
                "constant_value_type: UInt8\n                EXPRESSION\n                  FUNCTION id: 30, function_name: lower, function_type: ordinary, result_type: String",
            ),
        ] {
            assert!(view(from, to).is_some(), "{to}");
        }
    }

    #[test]
    fn what_may_refuse_a_row_is_not_total() {
        for (from, to) in [
            ("function_name: toInt64", "function_name: intDiv"),
            ("function_name: toInt64", "function_name: throwIf"),
            ("function_name: toInt64", "function_name: somethingNew"),
            ("function_name: toInt64", "function_name: toHour"),
            ("function_name: notEquals", "function_name: in"),
            ("function_name: sum,", "function_name: sumMap,"),
            ("function_name: uniqState", "function_name: uniqStateMerge"),
            (
                "function_name: uniqState, function_type: aggregate",
                "function_name: any, function_type: window",
            ),
            // A text is parsed, a float may be none, a decimal may be too long.
            ("column_name: n, result_type: Int32", "column_name: n, result_type: String"),
            ("column_name: n, result_type: Int32", "column_name: n, result_type: Nullable(Float64)"),
            ("column_name: n, result_type: Int32", "column_name: n, result_type: Decimal(9, 2)"),
            ("result_type: UInt64, source_id: 8", "result_type: JSON, source_id: 8"),
            ("result_type: UInt64, source_id: 8", "result_type: Nullable(String), source_id: 8"),
            ("result_type: UInt64, source_id: 8", "result_type: DateTime64(3), source_id: 8"),
            // Another table, two tables, a query among the values.
            ("table_name: d.t", "table_name: d.other"),
            ("table_name: d.t", "table_name: d.t\n        TABLE id: 9, alias: __table3, table_name: d.t"),
            ("TABLE id: 8", "JOIN id: 8"),
            (
                "CONSTANT id: 20, constant_value: UInt64_0, constant_value_type: UInt8",
                "QUERY id: 20, is_subquery: 1",
            ),
            (
                "constant_value_type: UInt8",
                "constant_value_type: UInt8\n                EXPRESSION\n                  QUERY id: 30",
            ),
            ("constant_value_type: UInt8", "constant_value_type: UInt8\n                SURPRISE"),
            // What limits rows, or is not known.
            ("is_subquery: 1", "is_subquery: 1, is_distinct: 1"),
            ("is_subquery: 1", "is_subquery: 1, is_group_by_with_totals: 1"),
            ("      GROUP BY\n", "      LIMIT\n"),
            ("      GROUP BY\n", "      ORDER BY\n"),
            // Names that imitate what is read.
            ("column_name: n, result_type: Int32", "column_name: n, result_type: UInt8, result_type: String"),
            (
                "column_name: page, result_type: String, source_id: 3",
                "column_name: a\nb, result_type: String",
            ),
            ("  JOIN TREE", "   JOIN TREE"),
        ] {
            assert_eq!(view(from, to), None, "{to}");
        }
        assert_eq!(total(&[], &TableKey { database: "d".to_owned(), table: "t".to_owned() }), None);
    }

    #[test]
    fn a_tree_that_is_too_deep_is_not_looked_through() {
        let lines: Vec<String> =
            (0..100_000).map(|depth| format!("{}LIST", "  ".repeat(depth.min(300)))).collect();
        assert_eq!(total(&lines, &TableKey { database: "d".to_owned(), table: "t".to_owned() }), None);
    }
}
