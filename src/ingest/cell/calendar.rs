//! Dates and times of day as people and programs write them, in the spirit of ClickHouse's
//! `best_effort`.
//!
//! In: text such as `2024-01-23 10:30:00`, `2024-01-23T10:30:00.123456+02:00`, `20240123`,
//! `Tue, 23 Jan 2024 10:30:00 GMT`.  Out: local time, and how far it is from UTC.
//! Unlike ClickHouse, dates that no calendar has and hours past 23:59:59 are refused.

use std::str::FromStr;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

/// How far local time is from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offset {
    /// Not given: the zone of the column says it.
    Unsaid,
    /// So many seconds east of Greenwich.
    Seconds(i32),
}

/// Reads a date, perhaps with a time of day and an offset behind it.
pub(super) fn read_calendar(text: &str) -> Option<(NaiveDateTime, Offset)> {
    Cursor { rest: text }.date_and_time()
}

/// The digits behind a point as nanoseconds; further digits are cut off.
pub(super) fn read_nanoseconds(fraction: &str) -> Option<u32> {
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let padded = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    Some(padded.fold(0, |number, byte| number * 10 + u32::from(byte - b'0')))
}

/// Reads a calendar date and a time of day from the left to the right.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn date_and_time(mut self) -> Option<(NaiveDateTime, Offset)> {
        let date = self.date()?;
        if !self.skip(['T', 't']) {
            self.skip_separators();
        }
        let time = if self.at_digit() { self.time()? } else { NaiveTime::MIN };
        self.skip_separators();
        let offset = self.offset()?;
        self.rest.is_empty().then_some((date.and_time(time), offset))
    }

    fn date(&mut self) -> Option<NaiveDate> {
        if !self.at_digit() {
            return self.date_with_words();
        }
        if self.leading_digits() >= 8 {
            return NaiveDate::from_ymd_opt(self.number(4)?, self.number(2)?, self.number(2)?);
        }
        if let Some(year) = self.full_year() {
            let (separator, month) = self.separated_number()?;
            self.skip([separator]).then_some(())?;
            return NaiveDate::from_ymd_opt(year, month, self.number(2)?);
        }
        let first = self.number(2)?;
        if self.rest.starts_with([' ', '-']) && self.rest[1..].starts_with(char::is_alphabetic) {
            self.rest = &self.rest[1..];
            return self.month_and_year(first);
        }
        let (separator, second) = self.separated_number()?;
        self.skip([separator]).then_some(())?;
        day_month_year(first, second, self.full_year()?)
    }

    /// `-01`, `/1`, `.01`.
    fn separated_number(&mut self) -> Option<(char, u32)> {
        let separator = self.rest.chars().next().filter(|found| matches!(found, '-' | '/' | '.'))?;
        self.skip([separator]);
        Some((separator, self.number(2)?))
    }

    /// `Tue, 23 Jan 2024`, `Jan 23, 2024`.
    fn date_with_words(&mut self) -> Option<NaiveDate> {
        let mut word = self.word();
        if number_of_name(word, &WEEKDAYS).is_some() {
            self.skip_separators();
            if self.at_digit() {
                let day = self.number(2)?;
                self.skip_separators();
                return self.month_and_year(day);
            }
            word = self.word();
        }
        let month = number_of_name(word, &MONTHS)?;
        self.skip_separators();
        let day = self.number(2)?;
        self.skip_separators();
        NaiveDate::from_ymd_opt(self.full_year()?, month, day)
    }

    fn month_and_year(&mut self, day: u32) -> Option<NaiveDate> {
        let month = number_of_name(self.word(), &MONTHS)?;
        if !self.skip(['-']) {
            self.skip_separators();
        }
        NaiveDate::from_ymd_opt(self.full_year()?, month, day)
    }

    fn full_year(&mut self) -> Option<i32> {
        if self.leading_digits() == 4 { self.number(4) } else { None }
    }

    fn time(&mut self) -> Option<NaiveTime> {
        let compact = matches!(self.leading_digits(), 4 | 6);
        let hour = self.number(2)?;
        (compact || self.skip([':'])).then_some(())?;
        let minute = self.number(2)?;
        let mut second = 0;
        let mut nanos = 0;
        if self.skip([':']) || (compact && self.at_digit()) {
            second = self.number(2)?;
            if self.skip(['.', ',']) {
                let (digits, rest) = self.rest.split_at(self.leading_digits());
                nanos = read_nanoseconds(digits)?;
                self.rest = rest;
            }
        }
        let hour = self.half_of_day(hour)?;
        NaiveTime::from_hms_nano_opt(hour, minute, second, nanos)
    }

    /// Applies `AM` or `PM` where it stands.
    fn half_of_day(&mut self, hour: u32) -> Option<u32> {
        let text = self.rest.trim_start_matches(' ');
        let afternoon = match text.get(..2) {
            Some(half) if half.eq_ignore_ascii_case("am") => false,
            Some(half) if half.eq_ignore_ascii_case("pm") => true,
            _ => return Some(hour),
        };
        self.rest = &text[2..];
        (1..=12).contains(&hour).then_some(hour % 12 + if afternoon { 12 } else { 0 })
    }

    /// `Z`, `UTC`, `GMT`, `+02:00`, `-0530`, `+02`, `GMT+0100` or nothing.
    fn offset(&mut self) -> Option<Offset> {
        let named = match self.word() {
            "" => Offset::Unsaid,
            "Z" | "z" | "UTC" | "GMT" => Offset::Seconds(0),
            _ => return None,
        };
        let sign = match self.rest.chars().next() {
            Some('+') => 1,
            Some('-') => -1,
            _ => return Some(named),
        };
        self.rest = &self.rest[1..];
        let hours: i32 = self.number(2)?;
        let separated = self.skip([':']);
        let minutes: i32 = if separated || self.at_digit() { self.number(2)? } else { 0 };
        let possible = hours <= 15 && minutes <= 59;
        possible.then_some(Offset::Seconds(sign * (hours * 3600 + minutes * 60)))
    }

    fn at_digit(&self) -> bool {
        self.rest.starts_with(|next: char| next.is_ascii_digit())
    }

    fn leading_digits(&self) -> usize {
        self.rest.bytes().take_while(u8::is_ascii_digit).count()
    }

    /// Takes up to `width` digits, at least one.
    fn number<N: FromStr>(&mut self, width: usize) -> Option<N> {
        let (digits, rest) = self.rest.split_at(self.leading_digits().min(width));
        self.rest = rest;
        digits.parse().ok()
    }

    fn word(&mut self) -> &'a str {
        let letters = self.rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (word, rest) = self.rest.split_at(letters);
        self.rest = rest;
        word
    }

    fn skip<const N: usize>(&mut self, wanted: [char; N]) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn skip_separators(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', ',']);
    }
}

/// The day comes first unless it cannot be: `23/01/2024`, but also `01/23/2024`.
fn day_month_year(first: u32, second: u32, year: i32) -> Option<NaiveDate> {
    let (day, month) = if second > 12 { (second, first) } else { (first, second) };
    NaiveDate::from_ymd_opt(year, month, day)
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// The number, from 1, of a name or of its first three letters.
fn number_of_name(word: &str, names: &[&str]) -> Option<u32> {
    let matches = |name: &str| word.eq_ignore_ascii_case(name) || word.eq_ignore_ascii_case(&name[..3]);
    (1..).zip(names).find(|(_, name)| matches(name)).map(|(number, _)| number)
}
