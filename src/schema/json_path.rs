//! Where a column's value stands inside a JSON event.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A checked JSON path of a column: `$`, `$.a.b`, `$.tags[:]`.
///
/// Tinybird keeps the text after `json:` unchecked; these are the shapes that its real projects
/// use. Keys may hold any character but `.` and `[` (`$.event-data.event` is legal).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JsonPath {
    keys: Vec<Box<str>>,
    every_element: bool,
}

/// Why a text is no path that Roost can follow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonPathError {
    /// It does not begin with `$`.
    #[error("a JSON path begins with `$`, as in `$.user.id`")]
    NoRoot,
    /// Two dots in a row, or one at the end.
    #[error("a key of the path is empty")]
    EmptyKey,
    /// A subscript other than a final `[:]`.
    #[error("`[:]` may stand only at the end of a path, after a key; other subscripts are not supported")]
    Subscript,
}

impl JsonPath {
    /// Reads the text after `json:`.
    pub fn parse(text: &str) -> Result<Self, JsonPathError> {
        let rest = text.strip_prefix('$').ok_or(JsonPathError::NoRoot)?;
        let (rest, every_element) = match rest.strip_suffix("[:]") {
            Some("") => return Err(JsonPathError::Subscript),
            Some(keys) => (keys, true),
            None => (rest, false),
        };
        if rest.is_empty() {
            return Ok(Self { keys: Vec::new(), every_element });
        }
        let keys = rest.strip_prefix('.').ok_or(JsonPathError::NoRoot)?;
        let keys = keys.split('.').map(Self::key).collect::<Result<_, _>>()?;
        Ok(Self { keys, every_element })
    }

    fn key(text: &str) -> Result<Box<str>, JsonPathError> {
        match text {
            "" => Err(JsonPathError::EmptyKey),
            text if text.contains(['[', ']']) => Err(JsonPathError::Subscript),
            text => Ok(text.into()),
        }
    }

    /// The keys from the outside in; none for `$`, the whole event.
    pub fn keys(&self) -> &[Box<str>] {
        &self.keys
    }

    /// True where the path ends in `[:]`: all elements of the array found there.
    pub fn takes_every_element(&self) -> bool {
        self.every_element
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("$")?;
        for key in &self.keys {
            write!(formatter, ".{key}")?;
        }
        if self.every_element { formatter.write_str("[:]") } else { Ok(()) }
    }
}

impl From<JsonPath> for String {
    fn from(path: JsonPath) -> Self {
        path.to_string()
    }
}

impl TryFrom<String> for JsonPath {
    type Error = JsonPathError;

    fn try_from(text: String) -> Result<Self, JsonPathError> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_print_as_they_were_written() {
        for text in ["$", "$.a", "$.a.b.c", "$.tags[:]", "$.a.b[:]", "$.event-data.event"] {
            assert_eq!(JsonPath::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_shapes_are_refused_with_the_reason() {
        assert_eq!(JsonPath::parse("a.b"), Err(JsonPathError::NoRoot));
        assert_eq!(JsonPath::parse("$a"), Err(JsonPathError::NoRoot));
        assert_eq!(JsonPath::parse("$.a..b"), Err(JsonPathError::EmptyKey));
        assert_eq!(JsonPath::parse("$."), Err(JsonPathError::EmptyKey));
        assert_eq!(JsonPath::parse("$[:]"), Err(JsonPathError::Subscript));
        assert_eq!(JsonPath::parse("$.a[:].b"), Err(JsonPathError::Subscript));
        assert_eq!(JsonPath::parse("$.a[0]"), Err(JsonPathError::Subscript));
    }
}
