//! JSON, as Python's `json` module reads it: `NaN` and integers of any size included.

use std::iter::Peekable;
use std::str::CharIndices;

use serde_json::Value as Json;

use super::number::parse_int;
use super::{Dict, Value};
use crate::template::fault::{Fault, Outcome};
use crate::template::limits::{Limit, Meter};

/// How deep arrays and objects may nest.
const MAX_NESTING: usize = 60;

impl Value {
    /// The value that a JSON text describes; the error says what Python says.
    pub(in crate::template) fn parse_json(text: &str, meter: &Meter) -> Outcome<Self> {
        let mut reader = Reader { text, chars: text.char_indices().peekable(), nesting: 0, meter };
        reader.skip_space();
        let value = reader.value()?;
        reader.skip_space();
        if reader.chars.peek().is_none() { Ok(value) } else { reader.fail("Extra data") }
    }

    /// The value that an argument of a request is.
    pub(in crate::template) fn from_json(json: &Json, meter: &Meter) -> Outcome<Self> {
        Ok(match json {
            Json::Null => Self::None,
            Json::Bool(truth) => Self::Bool(*truth),
            Json::Number(number) => match parse_int(&number.to_string(), 10) {
                Some(whole) => Self::Int(whole),
                None => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Self::text(text.as_str()),
            Json::Array(items) => {
                Self::list(items.iter().map(|item| Self::from_json(item, meter)).collect::<Outcome<_>>()?)?
            }
            Json::Object(entries) => {
                let mut dict = Dict::default();
                for (key, value) in entries {
                    dict.insert(Self::text(key.as_str()), Self::from_json(value, meter)?, meter)?;
                }
                Self::dict(dict)
            }
        })
    }

    /// The value as JSON; what JSON does not know becomes its text.
    pub(in crate::template) fn to_json(&self, meter: &Meter) -> Outcome<Json> {
        meter.allocate_items(1)?;
        let items =
            |items: &[Self]| items.iter().map(|item| item.to_json(meter)).collect::<Outcome<Vec<_>>>();
        Ok(match self.untyped() {
            Self::None => Json::Null,
            Self::Bool(truth) => Json::Bool(*truth),
            Self::Int(number) => match i64::try_from(number) {
                Ok(small) => Json::from(small),
                Err(_) => u64::try_from(number).map_or_else(|_| Json::String(number.to_string()), Json::from),
            },
            Self::Float(number) => Json::from(*number),
            Self::List(sequence) | Self::Tuple(sequence) => Json::Array(items(sequence.items())?),
            Self::Dict(dict) => {
                let entry = |(key, value): &(Self, Self)| Ok((key.display(meter)?, value.to_json(meter)?));
                Json::Object(dict.entries().map(entry).collect::<Outcome<_>>()?)
            }
            _ => Json::String(self.display(meter)?),
        })
    }
}

struct Reader<'a> {
    text: &'a str,
    chars: Peekable<CharIndices<'a>>,
    nesting: usize,
    meter: &'a Meter,
}

impl Reader<'_> {
    fn fault(&self, text: &str, at: usize) -> Fault {
        let before = self.text.get(..at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let place = before.chars().count();
        Fault::value_error(format!("{text}: line {line} column {column} (char {place})"))
    }

    fn at(&mut self) -> usize {
        self.chars.peek().map_or(self.text.len(), |(at, _)| *at)
    }

    fn fail<T>(&mut self, text: &str) -> Outcome<T> {
        let at = self.at();
        Err(self.fault(text, at))
    }

    fn skip_space(&mut self) {
        while self.chars.next_if(|(_, c)| matches!(c, ' ' | '\t' | '\n' | '\r')).is_some() {}
    }

    fn take(&mut self, wanted: char) -> bool {
        self.chars.next_if(|(_, c)| *c == wanted).is_some()
    }

    fn value(&mut self) -> Outcome<Value> {
        self.meter.allocate_items(1)?;
        let Some((at, first)) = self.chars.peek().copied() else { return self.fail("Expecting value") };
        match first {
            '{' | '[' => {
                self.nesting += 1;
                if self.nesting > MAX_NESTING {
                    return Err(Fault::limit(Limit::Depth));
                }
                self.chars.next();
                let value = if first == '{' { self.object() } else { self.array() };
                self.nesting -= 1;
                value
            }
            '"' => self.string().map(Value::text),
            _ => self.word(at),
        }
    }

    /// A number, or one of the names that JSON and Python know.
    fn word(&mut self, at: usize) -> Outcome<Value> {
        let rest = self.text.get(at..).unwrap_or_default();
        let names = [
            ("null", Value::None),
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("NaN", Value::Float(f64::NAN)),
            ("Infinity", Value::Float(f64::INFINITY)),
            ("-Infinity", Value::Float(f64::NEG_INFINITY)),
        ];
        for (name, value) in names {
            if rest.starts_with(name) {
                self.skip(name.len());
                return Ok(value);
            }
        }
        let length = number_length(rest);
        let number = rest.get(..length).unwrap_or_default();
        self.skip(length);
        match parse_int(number, 10) {
            Some(whole) => Ok(Value::Int(whole)),
            None => match number.parse() {
                Ok(float) => Ok(Value::Float(float)),
                Err(_) => Err(self.fault("Expecting value", at)),
            },
        }
    }

    /// Goes on by `length` ASCII characters.
    fn skip(&mut self, length: usize) {
        for _ in 0..length {
            self.chars.next();
        }
    }

    fn array(&mut self) -> Outcome<Value> {
        let mut items = Vec::new();
        self.skip_space();
        if self.take(']') {
            return Value::list(items);
        }
        loop {
            self.skip_space();
            items.push(self.value()?);
            self.skip_space();
            if self.take(']') {
                return Value::list(items);
            }
            if !self.take(',') {
                return self.fail("Expecting ',' delimiter");
            }
        }
    }

    fn object(&mut self) -> Outcome<Value> {
        let mut dict = Dict::default();
        self.skip_space();
        if self.take('}') {
            return Ok(Value::dict(dict));
        }
        loop {
            self.skip_space();
            if !matches!(self.chars.peek(), Some((_, '"'))) {
                return self.fail("Expecting property name enclosed in double quotes");
            }
            let key = Value::text(self.string()?);
            self.skip_space();
            if !self.take(':') {
                return self.fail("Expecting ':' delimiter");
            }
            self.skip_space();
            let value = self.value()?;
            dict.insert(key, value, self.meter)?;
            self.skip_space();
            if self.take('}') {
                return Ok(Value::dict(dict));
            }
            if !self.take(',') {
                return self.fail("Expecting ',' delimiter");
            }
        }
    }

    fn string(&mut self) -> Outcome<String> {
        let start = self.at();
        self.chars.next();
        let mut out = String::new();
        loop {
            let at = self.at();
            match self.chars.next() {
                None => return Err(self.fault("Unterminated string starting at", start)),
                Some((_, '"')) => {
                    self.meter.allocate(out.len())?;
                    return Ok(out);
                }
                Some((_, '\\')) => out.push(self.escape(at)?),
                Some((_, c)) if c < ' ' => return Err(self.fault("Invalid control character at", at)),
                Some((_, c)) => out.push(c),
            }
        }
    }

    fn escape(&mut self, at: usize) -> Outcome<char> {
        Ok(match self.chars.next().map(|(_, c)| c) {
            Some(c @ ('"' | '\\' | '/')) => c,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => self.unicode(at)?,
            _ => return Err(self.fault("Invalid \\escape", at)),
        })
    }

    /// `\uXXXX`, or two of them that are one character.
    fn unicode(&mut self, at: usize) -> Outcome<char> {
        let first = self.hexadecimal(at)?;
        let rest = self.at();
        let follows = self.text.get(rest..).is_some_and(|rest| rest.starts_with("\\u"));
        if !(0xd800..0xdc00).contains(&first) || !follows {
            // A text here cannot hold half a character, as Python's can.
            return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let before = self.chars.clone();
        self.skip(2);
        let second = self.hexadecimal(at)?;
        if !(0xdc00..0xe000).contains(&second) {
            // It is a character of its own.
            self.chars = before;
            return Ok(char::REPLACEMENT_CHARACTER);
        }
        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hexadecimal(&mut self, at: usize) -> Outcome<u32> {
        let start = self.at();
        let digits =
            self.text.get(start..start + 4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.skip(4);
        code.ok_or_else(|| self.fault("Invalid \\uXXXX escape", at + 1))
    }
}

/// How many bytes of `text` are a JSON number.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| from + bytes.iter().skip(from).take_while(|b| b.is_ascii_digit()).count();
    let start = usize::from(bytes.first() == Some(&b'-'));
    let mut end = if bytes.get(start) == Some(&b'0') { start + 1 } else { digits(start) };
    if end == start {
        return 0;
    }
    if bytes.get(end) == Some(&b'.') && digits(end + 1) > end + 1 {
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let exponent = end + 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        if digits(exponent) > exponent {
            end = digits(exponent);
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::limits::Limits;

    #[test]
    fn json_is_read_as_python_reads_it() {
        let meter = Meter::new(Limits::default());
        let read = |text| Value::parse_json(text, &meter).unwrap().represent(&meter).unwrap();
        assert_eq!(read(r#"{"a":[1,2.50,null],"a":[true,NaN]}"#), "{'a': [True, nan]}");
        assert_eq!(read(r#""\ud83d\ude00\u0041""#), "'😀A'");
        assert_eq!(read(r#""\ud83d\u0041\ud83d\ud83d\ude00""#), "'\u{fffd}A\u{fffd}😀'");
        assert_eq!(read("12345678901234567890123"), "12345678901234567890123");
        for text in ["", "[1,]", "{'a':1}", "01", "1 2", "\"a", "\"\\x\"", "-", "1.e", "tru"] {
            assert!(Value::parse_json(text, &meter).is_err(), "{text}");
        }
        assert!(Value::parse_json(&"[".repeat(100_000), &meter).is_err());
    }
}
