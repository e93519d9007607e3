//! DEFAULT expressions that are plain literals, as the JSON text that would mean the same.

use crate::schema::quoting;

use super::json::{JsonText, JsonValue};

/// How deep array literals may stand inside each other.
const MAX_DEPTH: usize = 16;

/// Turns a literal (`'text'`, `-1.5`, `true`, `NULL`, `[]`, `array('a', 'b')`, `map()`) into
/// JSON; `None` for any other expression: only the engine can compute those.
pub(super) fn literal_to_json(expression: &str) -> Option<String> {
    let mut reader = Reader { rest: expression.trim(), json: String::new() };
    reader.value(MAX_DEPTH)?;
    reader.rest.is_empty().then_some(reader.json)
}

struct Reader<'a> {
    rest: &'a str,
    json: String,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        if self.rest.starts_with('\'') {
            let (text, length) = quoting::read(self.rest, '\'')?;
            self.json.push_str(&serde_json::Value::from(text).to_string());
            self.advance(length);
            return Some(());
        }
        if self.skip("[") {
            return self.elements("]", depth);
        }
        let end = self.rest.find([',', ']', ')', '(', ' ']).unwrap_or(self.rest.len());
        let word = &self.rest[..end];
        match word.to_ascii_lowercase().as_str() {
            constant @ ("null" | "true" | "false") => self.json.push_str(constant),
            "array" => {
                self.advance(end);
                return self.skip("(").then_some(()).and_then(|()| self.elements(")", depth));
            }
            "map" if self.rest[end..].starts_with("()") => {
                self.json.push_str("{}");
                self.advance(end + 2);
                return Some(());
            }
            _ => match JsonText::parse(word).ok()?.read()? {
                JsonValue::Number(digits) => self.json.push_str(digits),
                _ => return None,
            },
        }
        self.advance(end);
        Some(())
    }

    /// The elements of an array up to its closing bracket.
    fn elements(&mut self, close: &str, depth: usize) -> Option<()> {
        self.json.push('[');
        if !self.skip(close) {
            self.value(depth)?;
            while !self.skip(close) {
                self.skip(",").then_some(())?;
                self.json.push(',');
                self.value(depth)?;
            }
        }
        self.json.push(']');
        Some(())
    }

    fn skip(&mut self, token: &str) -> bool {
        let found = self.rest.starts_with(token);
        if found {
            self.advance(token.len());
        }
        found
    }

    fn advance(&mut self, length: usize) {
        self.rest = self.rest[length..].trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_become_json() {
        for (sql, json) in [
            ("'it''s'", r#""it's""#),
            ("''", r#""""#),
            (" -1.5e3 ", "-1.5e3"),
            ("NULL", "null"),
            ("True", "true"),
            ("[]", "[]"),
            ("array()", "[]"),
            ("[ 'a' , 1, [NULL] ]", r#"["a",1,[null]]"#),
            ("array('a,b', ']')", r#"["a,b","]"]"#),
            ("map()", "{}"),
        ] {
            assert_eq!(literal_to_json(sql).as_deref(), Some(json), "{sql}");
        }
    }

    #[test]
    fn other_expressions_are_left_to_the_engine() {
        for sql in [
            "",
            "now()",
            "1 + 1",
            "'a' || 'b'",
            "other_column",
            "[1, 2",
            "[1 2]",
            "[,]",
            "array(now())",
            "map('a', 1)",
            "0x1F",
            "'open",
            "(1)",
            "generateUUIDv4()",
            "-",
            "toDate('2024-01-01')",
            "'x'::String",
            "1,",
            "\"a\"",
        ] {
            assert_eq!(literal_to_json(sql), None, "{sql}");
        }
        assert_eq!(literal_to_json(&"[".repeat(100_000)), None);
    }
}
