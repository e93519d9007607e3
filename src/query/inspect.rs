//! Looking at SQL without running it: for editors and command lines.

use std::collections::BTreeMap;

use super::disclosure::about_text;
use super::error::QueryError;
use super::service::Queries;
use crate::auth::Holder;
use crate::engine::{EngineError, Query};
use crate::sql::Statement;
use crate::sql::gate::{Author, Gate, Purpose};
use crate::template::{Arguments, Environment, Mode, Template};

/// What a list of tables holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableListing {
    /// Table functions too, or tables only.
    pub functions: TableFunctions,
    /// What becomes of a text that cannot be read.
    pub broken: BrokenText,
    /// What the text's rows are for: copies may use more table functions.
    pub purpose: TextPurpose,
}

/// Whether table functions are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFunctions {
    /// As `["", "", name]`.
    Listed,
    /// Not at all.
    Omitted,
}

/// What becomes of a text that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokenText {
    /// An error, also for what may not run.
    Refused,
    /// An empty list.
    Empty,
}

/// What the rows of a text are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextPurpose {
    /// An answer.
    Reading,
    /// A copy.
    Copying,
}

/// The tables that a text reads: `[database, table]`, the database empty where none is written.
pub fn tables(text: &str, listing: TableListing) -> Result<Vec<Vec<String>>, QueryError> {
    match (listed(text, listing), listing.broken) {
        (Err(_), BrokenText::Empty) => Ok(Vec::new()),
        (listed, _) => listed,
    }
}

fn listed(text: &str, listing: TableListing) -> Result<Vec<Vec<String>>, QueryError> {
    let sql = placeholders(text)?;
    let statement = Statement::parse(&sql).map_err(QueryError::Text)?;
    let purpose = match listing.purpose {
        TextPurpose::Reading => Purpose::Read,
        TextPurpose::Copying => Purpose::Copy,
    };
    let gate = Gate { author: Author::Project, purpose };
    if let (BrokenText::Refused, Some(problem)) = (listing.broken, gate.problems(&statement).pop()) {
        return Err(QueryError::Text(problem));
    }
    let mut found: Vec<Vec<String>> = Vec::new();
    for reference in statement.tables() {
        let database = reference.name.database.clone().unwrap_or_default();
        found.push(vec![database, reference.name.table.clone()]);
    }
    if listing.functions == TableFunctions::Listed {
        let functions = statement.table_functions().iter();
        found.extend(functions.map(|used| vec![String::new(), String::new(), used.name.clone()]));
    }
    let mut seen = std::collections::HashSet::new();
    found.retain(|entry| seen.insert(entry.clone()));
    Ok(found)
}

/// The text with other names in place of some tables. A replacement is pasted as it is: nothing of
/// this is run.
pub fn replace_tables(text: &str, names: &BTreeMap<String, String>) -> Result<String, QueryError> {
    let statement = Statement::parse(text).map_err(QueryError::Text)?;
    let (mut out, mut copied) = (String::with_capacity(text.len()), 0);
    for reference in statement.tables() {
        if let Some(name) = names.get(&reference.name.to_string()) {
            out.push_str(&text[copied..reference.span.start]);
            out.push_str(name);
            copied = reference.span.end;
        }
    }
    out.push_str(&text[copied..]);
    Ok(out)
}

/// A template with placeholders for its parameters; any other text as it is.
fn placeholders(text: &str) -> Result<String, QueryError> {
    let template = Template::compile(text).map_err(QueryError::Template)?;
    let environment = Environment { mode: Mode::Check, ..Environment::default() };
    let rendered = template.render(&Arguments::new(), &environment).map_err(QueryError::Template)?;
    Ok(rendered.sql)
}

impl Queries {
    /// The text in ClickHouse's own layout. The engine reads it as a value and does not run it;
    /// templates stay as they are.
    pub async fn formatted(&self, text: &str, holder: &Holder) -> Result<String, QueryError> {
        self.check_length(text)?;
        if text.trim_start().starts_with('%') {
            return Ok(text.to_owned());
        }
        let mut query = Query::new("SELECT formatQuery({text:String})", "TSVRaw").with_setting("readonly", 1);
        query.parameters.push(("text".to_owned(), text.to_owned()));
        let _running = self.asker.gate.enter(holder).await?;
        let formatted = async { self.asker.engine.query(query).await?.collect().await };
        match formatted.await {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned()),
            Err(EngineError::Exception { code, message }) => {
                Err(QueryError::Engine { code, message: about_text(&message).to_owned() })
            }
            Err(EngineError::Unavailable(reason)) => Err(QueryError::Unavailable(reason)),
            Err(EngineError::Lost(reason)) => Err(QueryError::Lost(reason)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENIENT: TableListing = TableListing {
        functions: TableFunctions::Omitted,
        broken: BrokenText::Empty,
        purpose: TextPurpose::Reading,
    };
    const STRICT: TableListing = TableListing { broken: BrokenText::Refused, ..LENIENT };

    fn names(text: &str, listing: TableListing) -> Vec<String> {
        tables(text, listing).unwrap().iter().map(|entry| entry.join(".")).collect()
    }

    #[test]
    fn tables_are_listed_once_and_common_table_expressions_are_none() {
        let text = "WITH c AS (SELECT 1) SELECT * FROM events, tinybird.pipe_stats, c, events AS again";
        assert_eq!(names(text, LENIENT), [".events", "tinybird.pipe_stats"]);
        assert_eq!(names("% SELECT * FROM hits WHERE id = {{ Int32(id) }}", STRICT), [".hits"]);
    }

    #[test]
    fn table_functions_are_listed_for_those_who_ask() {
        let listing = TableListing { functions: TableFunctions::Listed, ..LENIENT };
        assert_eq!(names("SELECT * FROM t, numbers(3)", listing), [".t", "..numbers"]);
        assert_eq!(names("SELECT * FROM t, numbers(3)", LENIENT), [".t"]);
    }

    #[test]
    fn a_broken_text_is_empty_or_an_error() {
        for text in ["", "SELECT", "DROP TABLE t", "SELECT * FROM s3('x')", "% {{"] {
            assert!(tables(text, STRICT).is_err(), "{text}");
        }
        assert_eq!(names("DROP TABLE t", LENIENT), Vec::<String>::new());
        let copying = TableListing { purpose: TextPurpose::Copying, ..STRICT };
        assert_eq!(names("SELECT * FROM s3('x')", copying), Vec::<String>::new());
    }

    #[test]
    fn names_are_replaced_where_tables_stand_and_nowhere_else() {
        let replacements =
            BTreeMap::from([("a".to_owned(), "b".to_owned()), ("x.y".to_owned(), "(SELECT 1)".to_owned())]);
        assert_eq!(
            replace_tables("SELECT a, 'a' FROM a JOIN x.y USING a -- a", &replacements).unwrap(),
            "SELECT a, 'a' FROM b JOIN (SELECT 1) USING a -- a"
        );
        assert!(replace_tables("SELECT (", &replacements).is_err());
    }
}
