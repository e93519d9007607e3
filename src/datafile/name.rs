//! Names of resources, nodes, tokens and workspaces, checked.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing at all.
    #[error("a name cannot be empty")]
    Empty,
    /// Beyond [`LONGEST`].
    #[error("a name has at most {LONGEST} bytes")]
    TooLong,
    /// A character or shape that is not allowed.
    #[error("`{0}` is not a valid name: names are letters, digits and underscores, and begin with no digit")]
    Shape(String),
    /// A character that would break out of quotes.
    #[error("`{0}` is not a valid name: quotes, braces and control characters are not allowed")]
    Character(String),
    /// A word of SQL or of Tinybird.
    #[error("`{0}` is a reserved word")]
    Reserved(String),
    /// The name of a quarantine table.
    #[error("`{0}` is not a valid name: the ending `_quarantine` belongs to the quarantine of a data source")]
    Quarantine(String),
}

/// The most bytes that a name may have.
pub const LONGEST: usize = 200;

/// Words that cannot be the bare name of a table, and names that workspaces and databases have.
const RESERVED: &[&str] = &[
    "_temporary_and_external_tables",
    "add",
    "after",
    "all",
    "and",
    "anti",
    "any",
    "array",
    "as",
    "asc",
    "asof",
    "between",
    "by",
    "case",
    "collate",
    "cross",
    "cube",
    "default",
    "desc",
    "distinct",
    "else",
    "end",
    "exists",
    "from",
    "full",
    "global",
    "group",
    "having",
    "if",
    "ilike",
    "in",
    "inner",
    "insert",
    "interval",
    "into",
    "join",
    "left",
    "like",
    "limit",
    "limits",
    "live",
    "main",
    "materialized",
    "max",
    "min",
    "not",
    "null",
    "on",
    "or",
    "order",
    "organization",
    "origin",
    "outer",
    "prewhere",
    "public",
    "right",
    "sample",
    "select",
    "semi",
    "snapshot",
    "system",
    "then",
    "tinybird",
    "to",
    "totals",
    "union",
    "using",
    "where",
    "with",
];

/// The name of a data source, pipe or connection: a word, or `workspace.word` for one that another
/// workspace shares.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceName(Box<str>);

impl ResourceName {
    /// Checks a name.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        let (workspace, resource) = match name.split_once('.') {
            Some((workspace, resource)) => (Some(workspace), resource),
            None => (None, name),
        };
        for part in workspace.into_iter().chain([resource]) {
            word(name, part)?;
        }
        if resource.ends_with(crate::schema::quarantine::SUFFIX) {
            return Err(NameError::Quarantine(name.to_owned()));
        }
        if workspace.is_none() && is_reserved(resource) {
            return Err(NameError::Reserved(name.to_owned()));
        }
        Ok(Self(name.into()))
    }

    /// The name, with the workspace where it has one.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The workspace in front of the dot.
    pub fn workspace(&self) -> Option<&str> {
        self.0.split_once('.').map(|(workspace, _)| workspace)
    }
}

/// The name of a node of a pipe. Other signs than those of a word are allowed, for which SQL needs
/// backticks.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeName(Box<str>);

impl NodeName {
    /// Checks a name.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        label(name)?;
        if is_reserved(name) { Err(NameError::Reserved(name.to_owned())) } else { Ok(Self(name.into())) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True where SQL can name the node without backticks.
    pub fn is_word(&self) -> bool {
        word(&self.0, &self.0).is_ok()
    }
}

/// The name of a token; may hold blanks.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenName(Box<str>);

impl TokenName {
    /// Checks a name.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        label(name).map(|()| Self(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a workspace; may hold blanks.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WorkspaceName(Box<str>);

impl WorkspaceName {
    /// Checks a name.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        label(name).map(|()| Self(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Checks one word of a name.
fn word(name: &str, word: &str) -> Result<(), NameError> {
    length(word)?;
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let shaped = word.bytes().next().is_some_and(letter)
        && word.bytes().all(|byte| letter(byte) || byte.is_ascii_digit());
    if shaped { Ok(()) } else { Err(NameError::Shape(name.to_owned())) }
}

/// Checks a name that people see but SQL does not.
fn label(name: &str) -> Result<(), NameError> {
    length(name)?;
    let forbidden = |character: char| character.is_control() || "`'\"{}\\".contains(character);
    if name.contains(forbidden) { Err(NameError::Character(name.to_owned())) } else { Ok(()) }
}

fn length(name: &str) -> Result<(), NameError> {
    match name.len() {
        0 => Err(NameError::Empty),
        length if length > LONGEST => Err(NameError::TooLong),
        _ => Ok(()),
    }
}

fn is_reserved(name: &str) -> bool {
    RESERVED.iter().any(|word| word.eq_ignore_ascii_case(name))
}

/// Gives a name its text forms: printing, and reading back with the same checks.
macro_rules! text_forms {
    ($($name:ty),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.into()
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(name: String) -> Result<Self, NameError> {
                Self::parse(&name)
            }
        }
    )*};
}

text_forms!(ResourceName, NodeName, TokenName, WorkspaceName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_words_and_may_name_their_workspace() {
        for good in ["events", "_a1", "other_workspace.events", "Personal.tweets", "events__v0"] {
            assert_eq!(ResourceName::parse(good).map(|name| name.to_string()), Ok(good.to_owned()));
        }
        assert_eq!(ResourceName::parse("a.b").unwrap().workspace(), Some("a"));
        for (bad, why) in [
            ("", NameError::Empty),
            ("1a", NameError::Shape("1a".into())),
            ("a-b", NameError::Shape("a-b".into())),
            ("a.b.c", NameError::Shape("a.b.c".into())),
            (".a", NameError::Empty),
            ("Select", NameError::Reserved("Select".into())),
            ("tinybird", NameError::Reserved("tinybird".into())),
            ("events_quarantine", NameError::Quarantine("events_quarantine".into())),
        ] {
            assert_eq!(ResourceName::parse(bad), Err(why));
        }
        assert_eq!(ResourceName::parse(&"a".repeat(201)), Err(NameError::TooLong));
    }

    #[test]
    fn nodes_and_tokens_may_hold_blanks_but_no_quotes() {
        assert!(!NodeName::parse("my node").unwrap().is_word());
        assert_eq!(NodeName::parse("a`b"), Err(NameError::Character("a`b".into())));
        assert_eq!(NodeName::parse("union"), Err(NameError::Reserved("union".into())));
        assert!(TokenName::parse("read api token").is_ok());
        assert_eq!(TokenName::parse("a\nb"), Err(NameError::Character("a\nb".into())));
    }
}
