//! Dates out of texts, by the formats of Python's `strptime`.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use crate::template::value::digit;

/// A point in time, with an offset from UTC where the text has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    local: NaiveDateTime,
    offset: Option<TimeDelta>,
}

impl Moment {
    /// How long it takes until the other moment; none where only one of them has an offset.
    pub(super) fn microseconds_until(self, other: Self) -> Option<i64> {
        let local = other.local.signed_duration_since(self.local);
        let offsets = match (self.offset, other.offset) {
            (None, None) => TimeDelta::zero(),
            (Some(this), Some(that)) => this - that,
            _ => return None,
        };
        (local + offsets).num_microseconds()
    }
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
const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// What has been read so far.
#[derive(Debug, Default)]
struct Fields {
    year: Option<i32>,
    month: Option<u32>,
    day: Option<u32>,
    day_of_year: Option<u32>,
    hour: u32,
    /// Half of the day, for hours up to twelve: 0 or 12.
    half: Option<u32>,
    twelve: bool,
    minute: u32,
    second: u32,
    microsecond: u32,
    offset: Option<TimeDelta>,
}

/// The moment that a text describes; none where it does not fit the format.
pub(super) fn parse(text: &str, format: &str) -> Option<Moment> {
    let text = digit::ascii_digits(text);
    let mut fields = Fields::default();
    let mut rest = text.as_str();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        rest = match letter {
            '%' => fields.directive(letters.next()?, rest)?,
            c if c.is_whitespace() => {
                let after = rest.trim_start();
                if after.len() == rest.len() {
                    return None;
                }
                after
            }
            c => rest.strip_prefix(c).or_else(|| {
                let first = rest.chars().next()?;
                first.eq_ignore_ascii_case(&c).then(|| rest.get(first.len_utf8()..))?
            })?,
        };
    }
    if rest.is_empty() { fields.moment() } else { None }
}

impl Fields {
    /// Reads what one directive describes; gives what follows it.
    fn directive<'a>(&mut self, directive: char, text: &'a str) -> Option<&'a str> {
        match directive {
            'Y' => number(text, 4..=4, 1, 9999, |n| self.year = i32::try_from(n).ok()),
            'y' => number(text, 2..=2, 0, 99, |n| {
                self.year = i32::try_from(if n < 69 { 2000 + n } else { 1900 + n }).ok();
            }),
            'm' => number(text, 1..=2, 1, 12, |n| self.month = Some(n)),
            'd' => number(text.strip_prefix(' ').unwrap_or(text), 1..=2, 1, 31, |n| self.day = Some(n)),
            'j' => number(text, 1..=3, 1, 366, |n| self.day_of_year = Some(n)),
            'H' => number(text, 1..=2, 0, 23, |n| self.hour = n),
            'I' => number(text, 1..=2, 1, 12, |n| (self.hour, self.twelve) = (n, true)),
            'M' => number(text, 1..=2, 0, 59, |n| self.minute = n),
            'S' => number(text, 1..=2, 0, 61, |n| self.second = n),
            'f' => self.fraction(text),
            'p' => one_of(text, &["am", "pm"]).map(|(at, rest)| {
                self.half = Some(if at == 0 { 0 } else { 12 });
                rest
            }),
            'b' | 'B' | 'h' => {
                let short: Vec<&str> = MONTHS.iter().map(|name| name.get(..3).unwrap_or(name)).collect();
                let names = if directive == 'B' { &MONTHS[..] } else { &short };
                one_of(text, names).map(|(at, rest)| {
                    self.month = u32::try_from(at + 1).ok();
                    rest
                })
            }
            'a' | 'A' => {
                let short: Vec<&str> = DAYS.iter().map(|name| name.get(..3).unwrap_or(name)).collect();
                one_of(text, if directive == 'A' { &DAYS[..] } else { &short }).map(|(_, rest)| rest)
            }
            'w' => number(text, 1..=1, 0, 6, |_| {}),
            'u' => number(text, 1..=1, 1, 7, |_| {}),
            'U' | 'W' => number(text, 1..=2, 0, 53, |_| {}),
            'z' => self.zone(text),
            'Z' => one_of(text, &["utc", "gmt"]).map(|(_, rest)| rest),
            '%' => text.strip_prefix('%'),
            'x' => self.directives("m/d/y", text),
            'X' => self.directives("H:M:S", text),
            _ => None,
        }
    }

    /// Several directives with single characters between them.
    fn directives<'a>(&mut self, directives: &str, mut text: &'a str) -> Option<&'a str> {
        for letter in directives.chars() {
            text = match letter {
                '/' | ':' => text.strip_prefix(letter)?,
                directive => self.directive(directive, text)?,
            };
        }
        Some(text)
    }

    fn fraction<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        let length = text.bytes().take(6).take_while(u8::is_ascii_digit).count();
        let digits = text.get(..length).filter(|digits| !digits.is_empty())?;
        self.microsecond = format!("{digits:0<6}").parse().ok()?;
        text.get(length..)
    }

    /// `Z`, `+HHMM`, `+HH:MM`, with seconds behind it or not.
    fn zone<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        if let Some(rest) = text.strip_prefix(['Z', 'z']) {
            self.offset = Some(TimeDelta::zero());
            return Some(rest);
        }
        let (sign, mut rest) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.strip_prefix('+')?),
        };
        let mut seconds = 0;
        for (at, unit) in [3_600_i64, 60, 1].into_iter().enumerate() {
            let part = if at > 0 { rest.strip_prefix(':').unwrap_or(rest) } else { rest };
            let highest = if at == 0 { 23 } else { 59 };
            match number(part, 2..=2, 0, highest, |n| seconds += i64::from(n) * unit) {
                Some(after) => rest = after,
                None if at == 2 => break,
                None => return None,
            }
        }
        self.offset = Some(TimeDelta::seconds(sign * seconds));
        Some(rest)
    }

    fn moment(&self) -> Option<Moment> {
        let year = self.year.unwrap_or(1900);
        let date = match self.day_of_year {
            Some(day) if self.month.is_none() => NaiveDate::from_yo_opt(year, day)?,
            _ => NaiveDate::from_ymd_opt(year, self.month.unwrap_or(1), self.day.unwrap_or(1))?,
        };
        let hour = match self.half {
            Some(half) if self.twelve => self.hour % 12 + half,
            _ if self.twelve => self.hour % 12,
            _ => self.hour,
        };
        let time = NaiveTime::from_hms_micro_opt(hour, self.minute, self.second, self.microsecond)?;
        Some(Moment { local: date.and_time(time), offset: self.offset })
    }
}

/// Reads a number of so many digits within bounds, as many digits as fit.
fn number(
    text: &str,
    digits: std::ops::RangeInclusive<usize>,
    lowest: u32,
    highest: u32,
    mut keep: impl FnMut(u32),
) -> Option<&str> {
    let (fewest, most) = digits.into_inner();
    let available = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    (fewest..=available).rev().find_map(|length| {
        let number: u32 = text.get(..length)?.parse().ok()?;
        let rest = text.get(length..)?;
        (lowest..=highest).contains(&number).then(|| {
            keep(number);
            rest
        })
    })
}

/// Reads one of some names in lower case, whatever their case in the text.
fn one_of<'a>(text: &'a str, names: &[&str]) -> Option<(usize, &'a str)> {
    let fits = |name: &&str| text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    let at = names.iter().position(fits)?;
    Some((at, text.get(names.get(at)?.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(from: &str, to: &str, format: &str) -> Option<i64> {
        Some(parse(from, format)?.microseconds_until(parse(to, format)?)? / 1_000_000)
    }

    #[test]
    fn formats_are_those_of_strptime() {
        assert_eq!(seconds("2022-1-1", "2022-01-05", "%Y-%m-%d"), Some(4 * 86_400));
        assert_eq!(seconds("20220101", "20220111", "%Y%m%d"), Some(10 * 86_400));
        assert_eq!(seconds("1 2022", "365 2022", "%j %Y"), Some(364 * 86_400));
        assert_eq!(seconds("19/12/22 06:00 PM", "19/12/22 07:30 pm", "%d/%m/%y %I:%M %p"), Some(5_400));
        assert_eq!(seconds("1 Jan 2020", "1 feb 2020", "%d %b %Y"), Some(31 * 86_400));
        assert_eq!(seconds("18:00:00+0100", "18:00:00Z", "%H:%M:%S%z"), Some(3_600));
        assert_eq!(seconds("0:0:1.5", "0:0:2.25", "%H:%M:%S.%f"), Some(0));
    }

    #[test]
    fn texts_that_do_not_fit_are_refused() {
        for (text, format) in [
            ("2022-02-30", "%Y-%m-%d"),
            ("2022-01-01 ", "%Y-%m-%d"),
            ("22-01-01", "%Y-%m-%d"),
            ("x", "%Q"),
            ("", "%Y"),
            ("2022", "%"),
        ] {
            assert_eq!(parse(text, format), None, "{text} {format}");
        }
    }
}
