//! When copies and sinks run.

use std::fmt;

use super::problems::Problems;
use super::secrets;
use super::text::MappedText;

/// When a job runs. Times are UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// `@on-demand`: when somebody asks.
    OnDemand,
    /// By the clock.
    Cron(CronExpression),
}

/// A checked cron expression: five fields, six with seconds as the last one (as Tinybird reads
/// them), or a word like `@hourly`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronExpression(Box<str>);

/// The words for common expressions.
const WORDS: &[&str] = &["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// What may stand in one place of a cron expression.
struct Field {
    least: u32,
    most: u32,
    /// Words for numbers, counted from `least`.
    words: &'static [&'static str],
}

const FIELDS: [Field; 6] = [
    Field { least: 0, most: 59, words: &[] },
    Field { least: 0, most: 23, words: &[] },
    Field { least: 1, most: 31, words: &[] },
    Field { least: 1, most: 12, words: MONTHS },
    Field { least: 0, most: 7, words: DAYS },
    Field { least: 0, most: 59, words: &[] },
];

impl CronExpression {
    /// Checks an expression; `None` where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let lower = text.trim().to_ascii_lowercase();
        let fields: Vec<&str> = lower.split_whitespace().collect();
        let valid = match fields.as_slice() {
            [word] => WORDS.contains(word),
            fields if (5..=6).contains(&fields.len()) => {
                fields.iter().zip(&FIELDS).all(|(text, field)| field.accepts(text))
            }
            _ => false,
        };
        valid.then(|| Self(fields.join(" ").into()))
    }

    /// The expression in lower case with single blanks.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Field {
    fn accepts(&self, text: &str) -> bool {
        text.split(',').all(|part| self.accepts_part(part))
    }

    /// `*`, `5`, `1-5`, each with `/step` or not.
    fn accepts_part(&self, part: &str) -> bool {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        let stepped =
            step.is_none_or(|step| step.parse::<u32>().is_ok_and(|step| (1..=self.most).contains(&step)));
        let in_range = match range.split_once('-') {
            _ if range == "*" || range == "?" => true,
            Some((from, to)) => self.number(from).zip(self.number(to)).is_some_and(|(from, to)| from <= to),
            None => self.number(range).is_some() || (self.most == 31 && range == "l"),
        };
        stepped && in_range
    }

    fn number(&self, text: &str) -> Option<u32> {
        let word = (self.least..).zip(self.words).find(|(_, word)| **word == text).map(|(number, _)| number);
        let number = word.or_else(|| text.parse().ok())?;
        (self.least..=self.most).contains(&number).then_some(number)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnDemand => formatter.write_str("@on-demand"),
            Self::Cron(expression) => formatter.write_str(expression.as_str()),
        }
    }
}

/// Reads the value of a schedule; `refusal` is what is said where it is none.
pub(super) fn read(
    name: &str,
    value: &MappedText,
    refusal: &str,
    problems: &mut Problems,
) -> Option<Schedule> {
    if secrets::holds_template(value.as_str()) {
        let message = format!(
            "{name} does not support {{{{ tb_secret(...) }}}}. Use a literal cron expression or @on-demand."
        );
        problems.error("schedule", value.span(), message);
        return None;
    }
    if value.as_str().eq_ignore_ascii_case("@on-demand") {
        return Some(Schedule::OnDemand);
    }
    let expression = CronExpression::parse(value.as_str());
    if expression.is_none() {
        problems.error("schedule", value.span(), refusal);
        problems.help("a cron expression has five fields: minute hour day month weekday, as in 0 * * * *");
    }
    expression.map(Schedule::Cron)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_and_six_fields_and_words_are_schedules() {
        for good in
            ["0 * * * *", "*/5 0-6,20 1 jan-mar MON", "* * * * * 30", "@hourly", "@Daily", "0 0 L * 7"]
        {
            assert!(CronExpression::parse(good).is_some(), "{good}");
        }
        assert_eq!(CronExpression::parse(" 0  *  * * *").unwrap().as_str(), "0 * * * *");
    }

    #[test]
    fn other_texts_are_none() {
        for bad in [
            "",
            "@once",
            "* * * *",
            "60 * * * *",
            "* 24 * * *",
            "5-1 * * * *",
            "*/0 * * * *",
            "a * * * *",
            "* * 0 * *",
        ] {
            assert!(CronExpression::parse(bad).is_none(), "{bad}");
        }
    }
}
