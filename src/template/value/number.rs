//! Numbers to text and back.

use num_bigint::BigInt;

use super::digit;

/// Python's shortest text for a float: `1.0`, `1e+16`, `1e-05`, `nan`.
pub(in crate::template) fn float_text(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf".to_owned() } else { "-inf".to_owned() };
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = format!("{number}");
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

/// What Python's `float()` makes of a text, `_` between digits aside.
pub(in crate::template) fn parse_float(text: &str) -> Option<f64> {
    let text = digit::ascii_digits(text.trim_matches(is_space));
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(&text);
    let named = ["inf", "infinity", "nan"].iter().any(|name| unsigned.eq_ignore_ascii_case(name));
    let numeric = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    if named || numeric { text.parse().ok() } else { None }
}

/// What Python's `int()` makes of a text in a base.
pub(in crate::template) fn parse_int(text: &str, base: u32) -> Option<BigInt> {
    let text = digit::ascii_digits(text.trim_matches(is_space));
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(&text);
    let underscores_fit = !unsigned.starts_with('_') && !unsigned.ends_with('_') && !unsigned.contains("__");
    if unsigned.starts_with(['+', '-']) || !underscores_fit || unsigned.len() > MAX_DIGITS {
        return None;
    }
    let digits: String = unsigned.chars().filter(|c| *c != '_').collect();
    let number = BigInt::parse_bytes(digits.as_bytes(), base)?;
    Some(if text.starts_with('-') { -number } else { number })
}

/// Python refuses to convert more digits than this, too.
const MAX_DIGITS: usize = 4300;

/// What Python takes for white space.
pub(in crate::template) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_python_prints_them() {
        let texts = [1.0, 1e15, 1e16, 1e-4, 1e-5, 0.1 + 0.2, -0.0, 1.5e300].map(float_text);
        assert_eq!(
            texts,
            [
                "1.0",
                "1000000000000000.0",
                "1e+16",
                "0.0001",
                "1e-05",
                "0.30000000000000004",
                "-0.0",
                "1.5e+300"
            ]
        );
    }

    #[test]
    fn texts_that_are_no_numbers_are_refused() {
        for text in ["", "1_0", "0x1p3", "1e", "infx", "+-1", "."] {
            assert_eq!(parse_float(text), None, "{text}");
        }
        for text in ["", "1__0", "_1", "1.0", "--1", "+", "a"] {
            assert_eq!(parse_int(text, 10), None, "{text}");
        }
        assert_eq!(parse_float(" .5\n"), Some(0.5));
        assert_eq!(parse_int(" -1_0 ", 10), Some((-10).into()));
    }
}
