//! Points in time as an event gives them: a calendar date, or a count since 1970.

use chrono::{Datelike, NaiveDate, NaiveDateTime, TimeDelta, TimeZone};
use chrono_tz::Tz;

use super::calendar::{Offset, read_calendar, read_nanoseconds};

const NANOS: i128 = 1_000_000_000;

/// A point in time as an event gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// A date and time of day.
    Calendar { local: NaiveDateTime, offset: Offset },
    /// Nanoseconds since the beginning of 1970 in UTC.
    Epoch(i128),
}

impl Moment {
    /// Reads a text; which counts of digits are no date but seconds or less since 1970 is what
    /// ClickHouse's `best_effort` says.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches(' ');
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        match (digits, &text[digits..]) {
            (9 | 10 | 13 | 16 | 19, "") => Self::from_number(text),
            (9 | 10, rest) if rest.starts_with('.') => Self::from_number(text),
            _ => read_calendar(text).map(|(local, offset)| Self::Calendar { local, offset }),
        }
    }

    /// Reads a number that counts from 1970: its size tells seconds from milliseconds,
    /// microseconds and nanoseconds (the border between the first two is the year 5138).
    pub(super) fn from_number(number: &str) -> Option<Self> {
        let (sign, digits) = number.strip_prefix('-').map_or((1, number), |digits| (-1, digits));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let whole = i128::from(whole.parse::<u64>().ok()?);
        let unit = match whole {
            0..100_000_000_000 => NANOS,
            100_000_000_000..100_000_000_000_000 => 1_000_000,
            100_000_000_000_000..100_000_000_000_000_000 => 1_000,
            _ => 1,
        };
        let fraction = i128::from(read_nanoseconds(fraction)?) * unit / NANOS;
        Some(Self::Epoch(sign * (whole * unit + fraction)))
    }

    /// The date as written; that in UTC for a number.
    pub(super) fn date(&self) -> Option<NaiveDate> {
        match self {
            Self::Calendar { local, .. } => Some(local.date()),
            Self::Epoch(nanos) => {
                let days = i32::try_from(nanos.div_euclid(86_400 * NANOS)).ok()?;
                NaiveDate::from_num_days_from_ce_opt(days.checked_add(days_since_christ())?)
            }
        }
    }

    /// Nanoseconds since 1970; a text without an offset is read in `zone`.
    pub(super) fn nanoseconds(&self, zone: Tz) -> i128 {
        match self {
            Self::Epoch(nanos) => *nanos,
            Self::Calendar { local, offset } => {
                let seconds = match offset {
                    Offset::Seconds(east) => local.and_utc().timestamp() - i64::from(*east),
                    Offset::Unsaid => unix_seconds(*local, zone),
                };
                i128::from(seconds) * NANOS + i128::from(local.and_utc().timestamp_subsec_nanos())
            }
        }
    }
}

/// Days since the beginning of 1970.
pub(super) fn days_since_1970(date: NaiveDate) -> i32 {
    date.num_days_from_ce() - days_since_christ()
}

fn days_since_christ() -> i32 {
    NaiveDate::default().num_days_from_ce()
}

/// Where the clocks go back and a time exists twice, the first one counts; where they go forward
/// and it does not exist, the offset behind the gap does. ClickHouse decides so, too.
fn unix_seconds(local: NaiveDateTime, zone: Tz) -> i64 {
    if zone == Tz::UTC {
        return local.and_utc().timestamp();
    }
    if let Some(time) = zone.from_local_datetime(&local).earliest() {
        return time.timestamp();
    }
    let shift = TimeDelta::days(1);
    let later = local.checked_add_signed(shift).and_then(|later| zone.from_local_datetime(&later).earliest());
    later.map_or(local.and_utc().timestamp(), |later| later.timestamp() - shift.num_seconds())
}
