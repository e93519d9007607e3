//! Format specifications (`f'{x:>8.2f}'`) and the `%` operator of strings.

use num_bigint::BigInt;
use num_traits::Signed;

use super::Value;
use super::number::float_text;
use crate::template::fault::{Fault, Outcome};
use crate::template::limits::Meter;

/// The widest field and the most digits after the point.
const MAX_WIDTH: usize = 4096;

/// A format specification, taken apart.
#[derive(Debug, Clone, Default)]
struct Specification {
    fill: Option<char>,
    align: Option<char>,
    sign: Option<char>,
    alternate: bool,
    width: usize,
    grouping: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

impl Value {
    /// The value as `format(value, specification)` prints it.
    pub(in crate::template) fn format(&self, specification: &str, meter: &Meter) -> Outcome<String> {
        if specification.is_empty() {
            return self.display(meter);
        }
        let parsed = Specification::parse(specification)
            .ok_or_else(|| Fault::value_error(format!("Invalid format specifier '{specification}'")))?;
        if let Some(text) = self.as_text() {
            meter.allocate(text.len())?;
            return parsed.text(text);
        }
        match self.untyped() {
            Self::Int(number) => parsed.integer(number),
            Self::Bool(truth) => match parsed.kind {
                Some(_) => parsed.integer(&u8::from(*truth).into()),
                None => parsed.text(&self.display(meter)?),
            },
            Self::Float(number) => parsed.float(*number),
            other => Err(Fault::type_error(format!(
                "unsupported format string passed to {}.__format__",
                other.type_name()
            ))),
        }
    }

    /// `text % arguments`
    pub(in crate::template) fn fill_in(&self, arguments: &Self, meter: &Meter) -> Outcome<Self> {
        let arguments = match arguments {
            Self::Tuple(tuple) => tuple.items().to_vec(),
            single => vec![single.clone()],
        };
        let mut arguments = arguments.into_iter();
        let mut out = String::new();
        let text = self.display(meter)?;
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('%') {
            out.push_str(before);
            let length = after.find(|c: char| c.is_ascii_alphabetic() || c == '%');
            let length = length.ok_or_else(|| Fault::value_error("incomplete format"))?;
            let (flags, kind) =
                (after.get(..length).unwrap_or_default(), after.get(length..=length).unwrap_or_default());
            rest = after.get(length + 1..).unwrap_or_default();
            if kind == "%" {
                out.push('%');
                continue;
            }
            let next = arguments.next();
            let value = next.ok_or_else(|| Fault::type_error("not enough arguments for format string"))?;
            out.push_str(&printf(&value, flags, kind, meter)?);
        }
        if arguments.next().is_some() {
            return Err(Fault::type_error("not all arguments converted during string formatting"));
        }
        out.push_str(rest);
        meter.allocate(out.len())?;
        Ok(Self::text(out))
    }
}

/// One `%` field: its flags are close enough to those of a format specification.
fn printf(value: &Value, flags: &str, kind: &str, meter: &Meter) -> Outcome<String> {
    let align = if flags.starts_with('-') { "<" } else { ">" };
    let flags = flags.trim_start_matches('-');
    let text = |text: String| Value::text(text).format(&format!("{align}{flags}"), meter);
    match kind {
        "s" => text(value.display(meter)?),
        "r" | "a" => text(value.represent(meter)?),
        "d" | "i" | "u" | "f" | "F" | "e" | "E" | "g" | "G" | "x" | "X" | "o" | "c" => {
            let kind = if matches!(kind, "i" | "u") { "d" } else { kind };
            let number = match value.untyped() {
                Value::Float(number) if kind == "d" => {
                    super::number::parse_int(&format!("{:.0}", number.trunc()), 10)
                }
                _ => None,
            };
            let number = number.map_or_else(|| value.untyped().clone(), Value::Int);
            if number.as_float().is_none() {
                let name = value.type_name();
                return Err(Fault::type_error(format!(
                    "%{kind} format: a real number is required, not {name}"
                )));
            }
            let align = if align == "<" { "<" } else { "" };
            number.format(&format!("{align}{flags}{kind}"), meter)
        }
        other => Err(Fault::value_error(format!("unsupported format character '{other}'"))),
    }
}

impl Specification {
    /// `[[fill]align][sign][#][0][width][grouping][.precision][kind]`
    fn parse(text: &str) -> Option<Self> {
        let mut parsed = Self::default();
        let mut chars = text.chars().peekable();
        let is_align = |c: &char| matches!(c, '<' | '>' | '^' | '=');
        if text.chars().nth(1).as_ref().is_some_and(is_align) {
            parsed.fill = chars.next();
            parsed.align = chars.next();
        } else {
            parsed.align = chars.next_if(is_align);
        }
        parsed.sign = chars.next_if(|c| matches!(c, '+' | '-' | ' '));
        parsed.alternate = chars.next_if_eq(&'#').is_some();
        if chars.next_if_eq(&'0').is_some() && parsed.align.is_none() {
            (parsed.fill, parsed.align) = (Some('0'), Some('='));
        }
        let mut number = || {
            let mut digits = String::new();
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            (digits, chars.next_if(|c| matches!(c, ',' | '_' | '.')))
        };
        let (width, mut mark) = number();
        parsed.width =
            if width.is_empty() { 0 } else { width.parse().ok().filter(|width| *width <= MAX_WIDTH)? };
        if mark.is_some_and(|mark| mark != '.') {
            parsed.grouping = mark;
            let (unexpected, next) = number();
            if !unexpected.is_empty() {
                return None;
            }
            mark = next;
        }
        if mark.is_some() {
            let (precision, after) = number();
            parsed.precision = Some(precision.parse().ok().filter(|precision| *precision <= MAX_WIDTH)?);
            if after.is_some() {
                return None;
            }
        }
        parsed.kind = chars.next();
        if chars.next().is_some() { None } else { Some(parsed) }
    }

    fn text(&self, text: &str) -> Outcome<String> {
        if self.kind.is_some_and(|kind| kind != 's') {
            return Err(self.unknown_kind("str"));
        }
        let cut: String = text.chars().take(self.precision.unwrap_or(usize::MAX)).collect();
        Ok(self.pad("", &cut, '<'))
    }

    fn integer(&self, number: &BigInt) -> Outcome<String> {
        let magnitude = number.abs();
        let digits = match self.kind {
            None | Some('d' | 'n') => magnitude.to_str_radix(10),
            Some('b') => magnitude.to_str_radix(2),
            Some('o') => magnitude.to_str_radix(8),
            Some('x') => magnitude.to_str_radix(16),
            Some('X') => magnitude.to_str_radix(16).to_uppercase(),
            Some('c') => {
                let code = u32::try_from(number).ok().and_then(char::from_u32);
                let c = code.ok_or_else(|| Fault::value_error("%c arg not in range(0x110000)"))?;
                return Ok(self.pad("", &c.to_string(), '<'));
            }
            Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%') => {
                return self.float(Value::Int(number.clone()).as_float().unwrap_or(f64::INFINITY));
            }
            Some(_) => return Err(self.unknown_kind("int")),
        };
        let prefix = match self.kind {
            Some(kind @ ('b' | 'o' | 'x' | 'X')) if self.alternate => format!("0{kind}"),
            _ => String::new(),
        };
        Ok(self.pad(&format!("{}{prefix}", self.sign(number.is_negative())), &self.grouped(&digits), '>'))
    }

    fn float(&self, number: f64) -> Outcome<String> {
        let magnitude = number.abs();
        let precision = self.precision.unwrap_or(6);
        let digits = match self.kind {
            _ if !magnitude.is_finite() => float_text(magnitude),
            Some('f' | 'F') => format!("{magnitude:.precision$}"),
            Some('%') => format!("{:.precision$}%", magnitude * 100.0),
            Some('e') => exponent_form(magnitude, precision),
            Some('E') => exponent_form(magnitude, precision).to_uppercase(),
            Some('g' | 'G' | 'n') => general_form(magnitude, precision),
            None if self.precision.is_some() => general_form(magnitude, precision),
            None => float_text(magnitude),
            Some(_) => return Err(self.unknown_kind("float")),
        };
        let sign = self.sign(number.is_sign_negative() && !number.is_nan());
        Ok(self.pad(sign, &self.grouped(&digits), '>'))
    }

    fn unknown_kind(&self, owner: &str) -> Fault {
        let kind = self.kind.unwrap_or_default();
        Fault::value_error(format!("Unknown format code '{kind}' for object of type '{owner}'"))
    }

    fn sign(&self, negative: bool) -> &'static str {
        match self.sign {
            _ if negative => "-",
            Some('+') => "+",
            Some(' ') => " ",
            _ => "",
        }
    }

    /// The digits with a mark between every three before the point.
    fn grouped(&self, digits: &str) -> String {
        let Some(mark) = self.grouping else { return digits.to_owned() };
        let whole = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        let (whole, rest) = digits.split_at(whole);
        let mut out = String::new();
        for (at, digit) in whole.chars().enumerate() {
            if at > 0 && (whole.len() - at).is_multiple_of(3) {
                out.push(mark);
            }
            out.push(digit);
        }
        out + rest
    }

    fn pad(&self, sign: &str, text: &str, default_align: char) -> String {
        let missing = self.width.saturating_sub(sign.chars().count() + text.chars().count());
        let fill = |count: usize| self.fill.unwrap_or(' ').to_string().repeat(count);
        match self.align.unwrap_or(default_align) {
            '<' => format!("{sign}{text}{}", fill(missing)),
            '^' => format!("{}{sign}{text}{}", fill(missing / 2), fill(missing - missing / 2)),
            '=' => format!("{sign}{}{text}", fill(missing)),
            _ => format!("{}{sign}{text}", fill(missing)),
        }
    }
}

/// `1.500000e+02`
fn exponent_form(number: f64, precision: usize) -> String {
    let text = format!("{number:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

/// The shorter of the two notations, without zeros at the end.
fn general_form(number: f64, precision: usize) -> String {
    let precision = precision.max(1);
    let scientific = exponent_form(number, precision - 1);
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let significant = i32::try_from(precision).unwrap_or(i32::MAX);
    let trim = |text: &str| {
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text.to_owned()
        }
    };
    if exponent < -4 || exponent >= significant {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trim(digits), exponent.unsigned_abs());
    }
    let decimals = usize::try_from(significant - 1 - exponent).unwrap_or(0);
    trim(&format!("{number:.decimals$}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::limits::Limits;

    fn format(value: &Value, specification: &str) -> String {
        value.format(specification, &Meter::new(Limits::default())).unwrap()
    }

    #[test]
    fn numbers_are_formatted_as_python_formats_them() {
        let cases = [
            (Value::int(7), "03d", "007"),
            (Value::int(-1_234_567), ",", "-1,234,567"),
            (Value::int(255), "#x", "0xff"),
            (Value::int(1), ">4", "   1"),
            (Value::Float(1.5), ".3f", "1.500"),
            (Value::Float(1_234.5), "010,.1f", "0001,234.5"),
            (Value::Float(0.256), ".1%", "25.6%"),
            (Value::Float(1e10), "g", "1e+10"),
            (Value::Float(2.567), "+.1f", "+2.6"),
            (Value::text("ab"), "*^5", "*ab**"),
            (Value::text("abc"), ".2", "ab"),
        ];
        for (value, specification, expected) in cases {
            assert_eq!(format(&value, specification), expected, "{specification}");
        }
    }

    #[test]
    fn fields_have_a_widest_width() {
        let meter = Meter::new(Limits::default());
        assert!(Value::int(1).format("1000000000d", &meter).is_err());
        assert!(Value::Float(1.0).format(".1000000000f", &meter).is_err());
        assert!(Value::text("%1000000000s").fill_in(&Value::int(1), &meter).is_err());
    }
}
