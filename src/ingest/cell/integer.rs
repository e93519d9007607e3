//! Integers of 8 to 256 bits, from JSON numbers, digits in strings, and booleans.
//!
//! As in `JSONEachRow`, a number with a point or an exponent is no integer, not even `1.0`; unlike
//! there, a number beyond the type's range is refused instead of wrapped around.

use super::Misfit;
use super::wide::Wide;
use crate::ingest::json::JsonValue;
use crate::schema::types::IntWidth;

/// The digits of a value, perhaps with a sign.
pub(super) fn digits<'v>(value: &'v JsonValue<'_>) -> Result<&'v str, Misfit> {
    match value {
        JsonValue::Number(digits) => Ok(digits),
        JsonValue::Text(text) => Ok(text),
        JsonValue::Bool(true) => Ok("1"),
        JsonValue::Bool(false) => Ok("0"),
        JsonValue::Null | JsonValue::Array(_) | JsonValue::Object(_) => Err(Misfit),
    }
}

/// Appends an `Int*`.
pub(super) fn write_signed(digits: &str, width: IntWidth, out: &mut Vec<u8>) -> Result<(), Misfit> {
    match width {
        IntWidth::W8 => append(digits.parse().ok().map(i8::to_le_bytes), out),
        IntWidth::W16 => append(digits.parse().ok().map(i16::to_le_bytes), out),
        IntWidth::W32 => append(digits.parse().ok().map(i32::to_le_bytes), out),
        IntWidth::W64 => append(digits.parse().ok().map(i64::to_le_bytes), out),
        IntWidth::W128 => append(digits.parse().ok().map(i128::to_le_bytes), out),
        IntWidth::W256 => append(wide_signed(digits), out),
    }
}

/// Appends a `UInt*`.
pub(super) fn write_unsigned(digits: &str, width: IntWidth, out: &mut Vec<u8>) -> Result<(), Misfit> {
    match width {
        IntWidth::W8 => append(digits.parse().ok().map(u8::to_le_bytes), out),
        IntWidth::W16 => append(digits.parse().ok().map(u16::to_le_bytes), out),
        IntWidth::W32 => append(digits.parse().ok().map(u32::to_le_bytes), out),
        IntWidth::W64 => append(digits.parse().ok().map(u64::to_le_bytes), out),
        IntWidth::W128 => append(digits.parse().ok().map(u128::to_le_bytes), out),
        IntWidth::W256 => append(wide_unsigned(digits), out),
    }
}

fn append<const N: usize>(bytes: Option<[u8; N]>, out: &mut Vec<u8>) -> Result<(), Misfit> {
    out.extend_from_slice(&bytes.ok_or(Misfit)?);
    Ok(())
}

fn wide_signed(digits: &str) -> Option<[u8; 32]> {
    match digits.strip_prefix('-') {
        Some(digits) => Wide::parse(digits)?.negative(),
        None => Wide::parse(without_plus(digits))?.positive(),
    }
}

fn wide_unsigned(digits: &str) -> Option<[u8; 32]> {
    Wide::parse(without_plus(digits)).map(Wide::unsigned)
}

fn without_plus(digits: &str) -> &str {
    digits.strip_prefix('+').unwrap_or(digits)
}
