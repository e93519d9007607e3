//! Values as text: what Python's `str()` and `repr()` give.

use super::Value;
use super::number::float_text;
use crate::template::fault::Outcome;
use crate::template::limits::Meter;
use crate::template::quote;

/// What a check prints for a parameter that it does not know.
pub(in crate::template) const NO_VALUE: &str = "__no_value__";

impl Value {
    /// The value as `str()` prints it.
    pub(in crate::template) fn display(&self, meter: &Meter) -> Outcome<String> {
        let mut printer = Printer { meter, out: String::new(), quotes: python_quoted };
        match self {
            Self::Text(text) => printer.push(text)?,
            Self::Fragment(fragment) => printer.push(&fragment.text)?,
            Self::Typed(typed) => {
                let number = typed.number.display(meter)?;
                printer.push(&format!("to{}('{number}')", typed.kind))?;
            }
            Self::Exception(exception) => printer.push(&exception.text)?,
            Self::Placeholder(_) => printer.push(NO_VALUE)?,
            other => printer.print(other)?,
        }
        Ok(printer.out)
    }

    /// The value as `repr()` prints it.
    pub(in crate::template) fn represent(&self, meter: &Meter) -> Outcome<String> {
        let mut printer = Printer { meter, out: String::new(), quotes: python_quoted };
        printer.print(self)?;
        Ok(printer.out)
    }

    /// A container as `repr()` prints it, except that text is always in single quotes: ClickHouse
    /// takes double quotes for a column's name.
    pub(super) fn print_for_sql(&self, meter: &Meter) -> Outcome<String> {
        let mut printer = Printer { meter, out: String::new(), quotes: quote::item };
        printer.print(self)?;
        Ok(printer.out)
    }
}

/// Prints nested values, paying for every byte: shared parts can make a small value a long text.
struct Printer<'m> {
    meter: &'m Meter,
    out: String,
    /// How text is quoted.
    quotes: fn(&str) -> String,
}

impl Printer<'_> {
    fn push(&mut self, text: &str) -> Outcome<()> {
        self.meter.allocate(text.len())?;
        self.out.push_str(text);
        Ok(())
    }

    fn print(&mut self, value: &Value) -> Outcome<()> {
        self.meter.step()?;
        match value {
            Value::None => self.push("None"),
            Value::Bool(true) => self.push("True"),
            Value::Bool(false) => self.push("False"),
            Value::Int(number) => self.push(&number.to_string()),
            Value::Float(number) => self.push(&float_text(*number)),
            Value::Typed(typed) => self.print(&typed.number),
            Value::Text(text) => self.push(&(self.quotes)(text)),
            Value::Bytes(bytes) => self.push(&bytes_text(bytes)),
            Value::Fragment(fragment) => self.push(&(self.quotes)(&fragment.text)),
            Value::List(list) => self.bracketed("[", list.items(), "]"),
            Value::Tuple(tuple) if tuple.items().len() == 1 => self.bracketed("(", tuple.items(), ",)"),
            Value::Tuple(tuple) => self.bracketed("(", tuple.items(), ")"),
            Value::Set(set) if set.items.is_empty() => self.push("set()"),
            Value::Set(set) => self.bracketed("{", set.items.values(), "}"),
            Value::Dict(dict) => self.dict(dict),
            Value::Exception(exception) => {
                let text = format!("{}({})", exception.class.name(), (self.quotes)(&exception.text));
                self.push(&text)
            }
            Value::Placeholder(_) => self.push(&(self.quotes)(NO_VALUE)),
            Value::Range(range) => self.push(&format!("range({}, {})", range.start, range.stop)),
            other => self.push(&format!("<{}>", other.type_name())),
        }
    }

    fn bracketed<'a>(
        &mut self,
        open: &str,
        items: impl IntoIterator<Item = &'a Value>,
        close: &str,
    ) -> Outcome<()> {
        self.push(open)?;
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                self.push(", ")?;
            }
            self.print(item)?;
        }
        self.push(close)
    }

    fn dict(&mut self, dict: &super::Dict) -> Outcome<()> {
        self.push("{")?;
        for (at, (key, value)) in dict.entries().enumerate() {
            if at > 0 {
                self.push(", ")?;
            }
            self.print(key)?;
            self.push(": ")?;
            self.print(value)?;
        }
        self.push("}")
    }
}

/// A string as `repr()` prints it: in double quotes where that saves a backslash.
pub(in crate::template) fn python_quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == '\\' || c == quote => out.extend(['\\', c]),
            c if c.is_control() && u32::from(c) < 0x100 => push_hexadecimal(u32::from(c), &mut out),
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

fn push_hexadecimal(byte: u32, out: &mut String) {
    let digit = |number| char::from_digit(number, 16).unwrap_or('0');
    out.extend(['\\', 'x', digit(byte >> 4 & 0xf), digit(byte & 0xf)]);
}

fn bytes_text(bytes: &[u8]) -> String {
    let mut out = String::from("b'");
    for byte in bytes {
        match byte {
            b'\\' | b'\'' => out.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => out.push(char::from(*byte)),
            other => push_hexadecimal(u32::from(*other), &mut out),
        }
    }
    out.push('\'');
    out
}
