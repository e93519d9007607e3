//! `Decimal(precision, scale)`, from JSON numbers and strings, exact to the last digit.
//!
//! As in ClickHouse, digits behind the scale are cut off, and digits in front of it that exceed
//! the precision are an error.

use super::Misfit;
use super::wide::Wide;
use crate::ingest::json::JsonValue;

/// The width in bytes of a decimal with so many digits.
pub(super) fn byte_width(precision: u8) -> usize {
    match precision {
        0..=9 => 4,
        10..=18 => 8,
        19..=38 => 16,
        _ => 32,
    }
}

/// Appends a decimal.
pub(super) fn write_decimal(
    value: &JsonValue<'_>,
    precision: u8,
    scale: u8,
    out: &mut Vec<u8>,
) -> Result<(), Misfit> {
    let text = match value {
        JsonValue::Number(digits) => digits,
        JsonValue::Text(text) => text.as_ref(),
        _ => return Err(Misfit),
    };
    let number = Notation::parse(text).ok_or(Misfit)?;
    let digits = number.shifted(scale, precision).ok_or(Misfit)?;
    let magnitude = Wide::parse(&digits).ok_or(Misfit)?;
    let bytes = if number.negative { magnitude.negative() } else { magnitude.positive() };
    out.extend_from_slice(&bytes.ok_or(Misfit)?[..byte_width(precision)]);
    Ok(())
}

/// A number in decimal notation, taken apart.
struct Notation<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    exponent: isize,
}

impl<'a> Notation<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let negative = text.starts_with('-');
        let text = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i16>().ok()?.into()),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
        let some_digit = !whole.is_empty() || !fraction.is_empty();
        (all_digits && some_digit).then_some(Self { negative, whole, fraction, exponent })
    }

    /// The digits of the number times ten to the power of `scale`, cut to a whole number; `None`
    /// for more than `precision` digits.
    fn shifted(&self, scale: u8, precision: u8) -> Option<String> {
        let digits = [self.whole, self.fraction].concat();
        let significant = digits.trim_start_matches('0');
        let leading_zeros = digits.len() - significant.len();
        let whole_digits = (self.whole.len() + usize::from(scale)).checked_add_signed(self.exponent);
        let kept = whole_digits.and_then(|whole| whole.checked_sub(leading_zeros)).unwrap_or(0);
        if significant.is_empty() || kept == 0 {
            return Some("0".to_owned());
        }
        if kept > usize::from(precision) {
            return None;
        }
        Some(significant.chars().chain(std::iter::repeat('0')).take(kept).collect())
    }
}
