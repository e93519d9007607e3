//! Floating point numbers, from JSON numbers, strings (`nan` and `inf` included) and booleans.

use super::{Misfit, integer};
use crate::ingest::json::JsonValue;

/// Appends a `Float64`.
pub(super) fn write_float64(value: &JsonValue<'_>, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let text = integer::digits(value)?;
    let number: f64 = text.parse().map_err(|_| Misfit)?;
    refuse_overflow(text, number.is_infinite())?;
    out.extend_from_slice(&number.to_le_bytes());
    Ok(())
}

/// Appends a `Float32`.
pub(super) fn write_float32(value: &JsonValue<'_>, out: &mut Vec<u8>) -> Result<(), Misfit> {
    out.extend_from_slice(&read_float32(value)?.to_le_bytes());
    Ok(())
}

/// Appends a `BFloat16`: the upper half of a `Float32`, cut as ClickHouse cuts it.
pub(super) fn write_bfloat16(value: &JsonValue<'_>, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let [_, _, low, high] = read_float32(value)?.to_le_bytes();
    out.extend_from_slice(&[low, high]);
    Ok(())
}

fn read_float32(value: &JsonValue<'_>) -> Result<f32, Misfit> {
    let text = integer::digits(value)?;
    let number: f32 = text.parse().map_err(|_| Misfit)?;
    refuse_overflow(text, number.is_infinite())?;
    Ok(number)
}

/// Digits that come out as infinity were beyond the range of the type.
fn refuse_overflow(text: &str, infinite: bool) -> Result<(), Misfit> {
    if infinite && text.contains(|character: char| character.is_ascii_digit()) {
        return Err(Misfit);
    }
    Ok(())
}
