//! Dates and times as the ticks that ClickHouse stores; what is out of range is refused, where
//! ClickHouse itself would store the nearest end of the range.

use std::ops::RangeInclusive;

use chrono_tz::Tz;

use super::Misfit;
use super::moment::{Moment, days_since_1970};
use crate::ingest::json::JsonValue;

/// The first and the last second of the years that `DateTime64` promises to hold: 1900 and 2299.
const DATE_TIME64_SECONDS: RangeInclusive<i128> = -2_208_988_800..=10_413_791_999;

/// The same two years in days.
const DATE32_DAYS: RangeInclusive<i32> = -25_567..=120_529;

/// Appends a `Date`: days since 1970, or a text that begins with a date.
pub(super) fn write_date(value: &JsonValue<'_>, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let days = u16::try_from(read_days(value)?).map_err(|_| Misfit)?;
    out.extend_from_slice(&days.to_le_bytes());
    Ok(())
}

/// Appends a `Date32`.
pub(super) fn write_date32(value: &JsonValue<'_>, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let days = Some(read_days(value)?).filter(|days| DATE32_DAYS.contains(days)).ok_or(Misfit)?;
    out.extend_from_slice(&days.to_le_bytes());
    Ok(())
}

fn read_days(value: &JsonValue<'_>) -> Result<i32, Misfit> {
    match value {
        JsonValue::Number(days) => days.parse().map_err(|_| Misfit),
        JsonValue::Text(text) => {
            let date = Moment::parse(text).and_then(|moment| moment.date()).ok_or(Misfit)?;
            Ok(days_since_1970(date))
        }
        _ => Err(Misfit),
    }
}

/// Appends a `DateTime`: seconds since 1970 in 32 bits; a fraction is cut off.
pub(super) fn write_date_time(value: &JsonValue<'_>, zone: Tz, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let nanos = read_moment(value)?.nanoseconds(zone);
    let seconds = u32::try_from(nanos.div_euclid(1_000_000_000)).map_err(|_| Misfit)?;
    out.extend_from_slice(&seconds.to_le_bytes());
    Ok(())
}

/// Appends a `DateTime64`: ticks of its precision since 1970; further digits are cut off.
pub(super) fn write_date_time64(
    value: &JsonValue<'_>,
    precision: u8,
    zone: Tz,
    out: &mut Vec<u8>,
) -> Result<(), Misfit> {
    let nanos = read_moment(value)?.nanoseconds(zone);
    if !DATE_TIME64_SECONDS.contains(&nanos.div_euclid(1_000_000_000)) {
        return Err(Misfit);
    }
    let tick = 10_i128.pow(9 - u32::from(precision.min(9)));
    let ticks = i64::try_from(nanos.div_euclid(tick)).map_err(|_| Misfit)?;
    out.extend_from_slice(&ticks.to_le_bytes());
    Ok(())
}

fn read_moment(value: &JsonValue<'_>) -> Result<Moment, Misfit> {
    match value {
        JsonValue::Number(number) => Moment::from_number(number),
        JsonValue::Text(text) => Moment::parse(text),
        _ => None,
    }
    .ok_or(Misfit)
}
