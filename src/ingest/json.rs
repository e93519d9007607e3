//! JSON values as they stand in an event, read one level at a time.
//!
//! In: text that is one JSON value.  Out: [`JsonValue`], whose numbers, arrays and objects are
//! still text: big integers keep every digit, and a nested value that nobody wants costs nothing
//! but the walk over it.  Promise: memory and stack stay flat however deep a value is nested.
//! May use: nothing of Roost; this is the only file that knows the JSON parser.
//!
//! It is `serde_json`: `sonic-rs` 0.5 takes as long to walk over events of eight keys, and recurses on
//! the way, so that a deep value would end the process.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The text of one well-formed JSON value, without white space around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JsonText<'a>(&'a str);

/// One JSON value, read to its first level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JsonValue<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number with all its digits, as written.
    Number(&'a str),
    /// A string, escapes resolved.
    Text(Cow<'a, str>),
    /// An array, still text.
    Array(JsonText<'a>),
    /// An object, still text.
    Object(JsonText<'a>),
}

/// Why a text is no JSON value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct JsonError(Box<str>);

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> Self {
        // An event is mostly one line: its number says nothing.
        Self(error.to_string().replace(" at line 1 column ", " at column ").into())
    }
}

impl<'a> JsonText<'a> {
    /// Checks that a text is one JSON value.
    pub(crate) fn parse(text: &'a str) -> Result<Self, JsonError> {
        let raw: &RawValue = serde_json::from_str(text)?;
        Ok(Self(raw.get()))
    }

    /// The text as received.
    pub(crate) fn as_str(self) -> &'a str {
        self.0
    }

    /// Reads the first level; `None` for a string whose escapes are half a surrogate pair, which
    /// no UTF-8 text can hold.
    pub(crate) fn read(self) -> Option<JsonValue<'a>> {
        Some(match self.0.as_bytes().first()? {
            b'"' => JsonValue::Text(self.unquote()?),
            b'n' => JsonValue::Null,
            b't' => JsonValue::Bool(true),
            b'f' => JsonValue::Bool(false),
            b'[' => JsonValue::Array(self),
            b'{' => JsonValue::Object(self),
            _ => JsonValue::Number(self.0),
        })
    }

    /// True for `null`.
    pub(crate) fn is_null(self) -> bool {
        self.0 == "null"
    }

    fn unquote(self) -> Option<Cow<'a, str>> {
        let inner = self.0.get(1..self.0.len() - 1)?;
        if memchr::memchr(b'\\', inner.as_bytes()).is_some() {
            return serde_json::from_str(self.0).ok().map(Cow::Owned);
        }
        Some(Cow::Borrowed(inner))
    }

    /// The elements of an array; an error for any other value.
    pub(crate) fn elements(self) -> Result<Vec<JsonText<'a>>, JsonError> {
        let raw: Vec<&'a RawValue> = serde_json::from_str(self.0)?;
        Ok(raw.into_iter().map(|element| JsonText(element.get())).collect())
    }
}

/// Hands every member of the object in `text` to `take`, in order, duplicates included, and
/// returns the object.
pub(crate) fn for_each_member<'a>(
    text: &'a str,
    take: &mut dyn FnMut(&str, JsonText<'a>),
) -> Result<JsonText<'a>, JsonError> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer.deserialize_map(Members { take })?;
    deserializer.end()?;
    Ok(JsonText(text.trim_ascii()))
}

/// True when `text` is nothing but JSON values in a row, separated by white space at most.
pub(crate) fn is_json_sequence(text: &str) -> bool {
    serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>().all(|value| value.is_ok())
}

/// True when arrays and objects stand inside each other more than `limit` times.
pub(crate) fn is_deeper_than(limit: usize, json: &str) -> bool {
    // Most events hold fewer brackets than the limit, and that is quickly seen.
    if memchr::memchr2_iter(b'[', b'{', json.as_bytes()).nth(limit).is_none() {
        return false;
    }
    let (mut depth, mut inside_text, mut escaped) = (0_usize, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside_text => escaped = true,
            b'"' => inside_text = !inside_text,
            b'[' | b'{' if !inside_text => depth += 1,
            b']' | b'}' if !inside_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limit {
            return true;
        }
    }
    false
}

struct Members<'f, 'a> {
    take: &'f mut dyn FnMut(&str, JsonText<'a>),
}

impl<'a> Visitor<'a> for Members<'_, 'a> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut members: M) -> Result<(), M::Error> {
        while let Some(Key(key)) = members.next_key()? {
            let value: &'a RawValue = members.next_value()?;
            (self.take)(&key, JsonText(value.get()));
        }
        Ok(())
    }
}

/// A key that borrows from the event unless it holds escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct KeyVisitor;

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = Key<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Borrowed(key)))
    }

    fn visit_str<E>(self, key: &str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Owned(key.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<JsonValue<'_>> {
        JsonText::parse(text).unwrap().read()
    }

    #[test]
    fn numbers_keep_every_digit() {
        let digits = "170141183460469231731687303715884105728.10";
        assert_eq!(read(digits), Some(JsonValue::Number(digits)));
    }

    #[test]
    fn strings_are_unescaped_and_borrow_where_they_can() {
        assert!(matches!(read(r#""plain""#), Some(JsonValue::Text(Cow::Borrowed("plain")))));
        assert_eq!(read(r#""a\n\u00e9\ud83d\ude00""#), Some(JsonValue::Text("a\né😀".into())));
        assert_eq!(read(r#""half \ud83d""#), None);
    }

    #[test]
    fn members_come_in_order_with_their_text() {
        let mut seen = Vec::new();
        let text = r#" {"a" : 1, "b\u0021":[1, 2] ,"a":{"c":null}} "#;
        for_each_member(text, &mut |key, value| seen.push(format!("{key}={}", value.as_str()))).unwrap();
        assert_eq!(seen, ["a=1", "b!=[1, 2]", r#"a={"c":null}"#]);
    }

    #[test]
    fn broken_or_other_values_have_no_members() {
        for text in ["", "[]", "1", "{", r#"{"a":}"#, r#"{"a":1} x"#, r#"{"a":01}"#, "{1:2}"] {
            assert!(for_each_member(text, &mut |_, _| {}).is_err(), "{text}");
        }
    }

    #[test]
    fn depth_counts_brackets_outside_strings_only() {
        assert!(!is_deeper_than(2, r#"[["[[["],[],[],[]]"#));
        assert!(!is_deeper_than(2, r#"["\"[[[", [1]]"#));
        assert!(is_deeper_than(2, "[[[]]]"));
        assert!(is_deeper_than(127, &"[".repeat(128)));
    }

    #[test]
    fn a_very_deep_value_costs_no_stack() {
        let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert_eq!(JsonText::parse(&deep).unwrap().as_str(), deep);
    }

    #[test]
    fn sequences_of_values_are_recognised() {
        assert!(is_json_sequence("{\n\"a\":\n1}\n{\"a\":2}"));
        assert!(!is_json_sequence("{\n\"a\":\n"));
    }
}
