//! Typed parameters: `String`, `Int32`, `DateTime` and their kin.

use std::rc::Rc;

use num_bigint::BigInt;
use num_traits::{One, Zero};

use super::{Given, Parameter, parameter};
use crate::template::fault::{Fault, Outcome};
use crate::template::machine::Machine;
use crate::template::value::number::parse_float;
use crate::template::value::text::NO_VALUE;
use crate::template::value::{Typed, Value, digit};

/// The most digits of an integer, zeros in front aside.
const MAX_DIGITS: usize = 78;

/// The families of types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Text,
    Integer { signed: bool, bits: u32 },
    Float,
    Date,
    DateTime,
    DateTime64,
}

impl Family {
    fn of(kind: &str) -> Option<Self> {
        let integer = |signed, bits: &str| Some(Self::Integer { signed, bits: bits.parse().ok()? });
        match kind {
            "String" => Some(Self::Text),
            "Int" | "Integer" => integer(true, "32"),
            "Int8" | "Int16" | "Int32" | "Int64" | "Int128" | "Int256" => {
                integer(true, kind.strip_prefix("Int")?)
            }
            "UInt8" | "UInt16" | "UInt32" | "UInt64" | "UInt128" | "UInt256" => {
                integer(false, kind.strip_prefix("UInt")?)
            }
            "Float32" | "Float64" => Some(Self::Float),
            "Date" => Some(Self::Date),
            "DateTime" => Some(Self::DateTime),
            "DateTime64" => Some(Self::DateTime64),
            _ => None,
        }
    }

    /// The value that a text is in this family; none where it is not valid.
    fn read(self, text: &str) -> Option<Value> {
        match self {
            Self::Integer { signed, bits } => integer(text, signed, bits).map(Value::Int),
            Self::Float => parse_float(text).map(Value::Float),
            _ => self.takes_text(text).then(|| Value::text(text)),
        }
    }

    /// True for a text that is a value of this family as it stands.
    fn takes_text(self, text: &str) -> bool {
        match self {
            Self::Text => true,
            Self::Integer { .. } | Self::Float => false,
            Self::Date => fits(text.strip_suffix('\n').unwrap_or(text), &[DATE], Tail::None),
            Self::DateTime => fits(text, &["dddd?dd?ddTdd:dd:dd", "dd?dd?ddddTD:D:D"], Tail::Any),
            Self::DateTime64 => fits(text, &["dddd?dd?ddTdd:dd:dd?ddd", "dd?dd?ddddTD:D:D?E"], Tail::Any),
        }
    }

    /// The value that a check takes for an unknown one.
    fn example(self) -> Value {
        match self {
            Self::Text => Value::text(NO_VALUE),
            Self::Integer { .. } => Value::int(0),
            Self::Float => Value::Float(0.0),
            Self::Date => Value::text("2019-01-01"),
            Self::DateTime => Value::text("2019-01-01 00:00:00"),
            Self::DateTime64 => Value::text("2019-01-01 00:00:00.000"),
        }
    }
}

/// `Int32(x, default, …)` and all other types of one value.
pub(super) fn scalar(machine: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let parameters = ["x", "default", "defined", "required", "description", "enum", "example", "format"];
    let [x, default, defined, ..] = given.bind("transform_type.<locals>._f", parameters, 1)?;
    // Tinybird treats both as other names for the type.
    let kind = if matches!(name, "Int" | "Integer") { "Int32" } else { name };
    let value = match parameter(machine, x, default, defined.as_ref())? {
        Parameter::Absent => return Ok(Value::None),
        Parameter::Unknown => example(kind),
        // A text that is valid is the value.
        Parameter::Given(value @ Value::Text(_)) if is_valid_text(kind, &value) => return Ok(value),
        Parameter::Given(value) => {
            let text = value.display(&machine.meter)?;
            read(kind, &text)
                .ok_or_else(|| Fault::template(format!("Error validating '{text}' to type {kind}")))?
        }
    };
    let bare = matches!(value, Value::Text(_)) || name != kind;
    Ok(if bare { value } else { Value::Typed(Rc::new(Typed { kind, number: value })) })
}

fn is_valid_text(kind: &str, value: &Value) -> bool {
    let family = Family::of(kind).unwrap_or(Family::Text);
    value.as_text().is_some_and(|text| family.takes_text(text))
}

/// The value that a text is in a type; none where it is not valid. Unknown types take any text.
pub(super) fn read(kind: &str, text: &str) -> Option<Value> {
    Family::of(kind).unwrap_or(Family::Text).read(text)
}

/// The value of a type that a check takes for an unknown one.
pub(super) fn example(kind: &str) -> Value {
    Family::of(kind).unwrap_or(Family::Text).example()
}

/// `Boolean(x, default)`: 0 or 1.
pub(super) fn boolean(_: &mut Machine<'_>, _: &'static str, given: Given) -> Outcome<Value> {
    let [x, default] = given.bind("boolean", ["x", "default"], 1)?;
    let absent = |value: &Value| {
        matches!(value, Value::None | Value::Placeholder(_) | Value::Function(_) | Value::Class(_))
    };
    let value = x.filter(|x| !absent(x)).or(default).filter(|value| !absent(value));
    Ok(Value::int(u8::from(value.is_some_and(|value| truth(&value)))))
}

/// What a value is as a boolean: of texts, only `0`, `false` and the empty one are false.
pub(super) fn truth(value: &Value) -> bool {
    match value.as_text() {
        Some(text) => !matches!(text.to_lowercase().as_str(), "" | "0" | "false"),
        None => value.is_true(),
    }
}

fn integer(text: &str, signed: bool, bits: u32) -> Option<BigInt> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    // Tinybird allows a sign in front of the two large unsigned types.
    let sign_allowed = signed || bits > 64;
    let digits = if sign_allowed { text.strip_prefix(['+', '-']).unwrap_or(text) } else { text };
    if digits.is_empty() || !digits.chars().all(digit::is_digit) {
        return None;
    }
    if bits <= 64
        && let Some(number) = small_integer(text, digits)
    {
        let (lowest, beyond) = if signed { (-(1 << (bits - 1)), 1 << (bits - 1)) } else { (0, 1 << bits) };
        return (lowest <= number && number < beyond).then(|| number.into());
    }
    let digits = digit::ascii_digits(digits);
    let significant = digits.trim_start_matches('0');
    if significant.len() > MAX_DIGITS {
        return None;
    }
    let number = BigInt::parse_bytes(significant.as_bytes(), 10).unwrap_or_default();
    let number = if text.starts_with('-') { -number } else { number };
    let limit = BigInt::one() << if signed { bits - 1 } else { bits };
    let lowest = if signed { -&limit } else { BigInt::zero() };
    (lowest <= number && number < limit).then_some(number)
}

/// A number of few ASCII digits.
fn small_integer(text: &str, digits: &str) -> Option<i128> {
    let number: i128 = (digits.len() <= 30).then(|| digits.parse().ok())??;
    Some(if text.starts_with('-') { -number } else { number })
}

/// A date, by its digits: whether the day exists is not asked.
const DATE: &str = "dddd-dd-dd";

/// Whether something may follow what a pattern describes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tail {
    None,
    Any,
}

fn fits(text: &str, patterns: &[&str], tail: Tail) -> bool {
    // No pattern is longer than this, and users send long texts.
    let mut chars = ['\0'; 40];
    let mut length = 0;
    for (place, c) in chars.iter_mut().zip(text.chars()) {
        *place = c;
        length += 1;
    }
    patterns.iter().any(|pattern| fits_from(&chars[..length], pattern, tail))
}

/// Pattern letters: `d` is a digit, `D` one or two, `E` one to three, `?` anything but a line end,
/// `T` that letter or white space.
fn fits_from(chars: &[char], pattern: &str, tail: Tail) -> bool {
    let mut letters = pattern.chars();
    let Some(letter) = letters.next() else { return tail == Tail::Any || chars.is_empty() };
    let longest = match letter {
        'D' => 2,
        'E' => 3,
        _ => 1,
    };
    (1..=longest).any(|length| {
        let (Some(matched), Some(rest)) = (chars.get(..length), chars.get(length..)) else { return false };
        let good = matched.iter().all(|c| match letter {
            'd' | 'D' | 'E' => digit::is_digit(*c),
            '?' => *c != '\n',
            'T' => *c == 'T' || c.is_whitespace(),
            letter => *c == letter,
        });
        good && fits_from(rest, letters.as_str(), tail)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_stay_within_their_type() {
        for (kind, good, bad) in [
            ("Int8", "-128", "128"),
            ("UInt8", "255", "+7"),
            ("Int32", "٣\n", " 5"),
            ("UInt256", "+5", "-1"),
            ("Int256", "007", "1_0"),
        ] {
            assert!(read(kind, good).is_some(), "{kind} {good}");
            assert!(read(kind, bad).is_none(), "{kind} {bad}");
        }
    }

    #[test]
    fn dates_are_known_by_their_digits() {
        assert!(read("Date", "2020-13-99").is_some());
        assert!(read("Date", "2020-01-01 ").is_none());
        assert!(read("DateTime", "2020/01/01T00:00:00 and more").is_some());
        assert!(read("DateTime", "01-01-2020 1:2:3").is_some());
        assert!(read("DateTime", "2020-01-01").is_none());
        assert!(read("DateTime64", "2020-01-01 00:00:00,000").is_some());
        assert!(read("DateTime64", "2020-01-01 00:00:00").is_none());
        assert!(read("DateTime64", "01-01-2020 1:2:345").is_some());
    }
}
