//! How far apart two dates are.

use super::Given;
use super::strptime::{self, Moment};
use crate::template::fault::{Class, Fault, Outcome};
use crate::template::machine::Machine;
use crate::template::value::Value;

const DATE_FORMAT: &str = "%Y-%m-%d";
const TIME_FORMAT: &str = "%Y-%m-%d %H:%M:%S";

/// `day_diff(a, b)`
pub(super) fn day_diff(machine: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let [from, to] = given.bind(name, ["d0", "d1"], 2)?;
    let dates = [from.unwrap_or(Value::None), to.unwrap_or(Value::None)];
    if machine.is_check() && unknown(&dates) {
        return Ok(Value::int(0));
    }
    let seconds = seconds_between(&dates, &[DATE_FORMAT]).ok_or_else(|| invalid(name))?;
    Ok(Value::int(seconds / unit(name)))
}

/// `date_diff_in_days(a, b, date_format, …)` and its kin.
pub(super) fn difference(machine: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let parameters = ["d0", "d1", "date_format", "default", "backup_date_format", "none_if_error"];
    let [from, to, format, default, backup, none_if_error] = given.bind(name, parameters, 2)?;
    let dates = [from.unwrap_or(Value::None), to.unwrap_or(Value::None)];
    if machine.is_check() && unknown(&dates) {
        return Ok(default
            .filter(|default| !matches!(default, Value::None))
            .unwrap_or_else(|| Value::int(0)));
    }
    let standard = if name == "date_diff_in_days" { DATE_FORMAT } else { TIME_FORMAT };
    let format = format.as_ref().and_then(Value::as_text).map_or(standard, |format| format);
    let formats: Vec<&str> = std::iter::once(format)
        .chain(backup.as_ref().and_then(Value::as_text).map(|backup| &**backup))
        .collect();
    match seconds_between(&dates, &formats) {
        Some(seconds) => Ok(Value::int(seconds / unit(name))),
        None if none_if_error.is_some_and(|wanted| wanted.is_true()) => Ok(Value::None),
        None => Err(invalid(name)),
    }
}

fn unknown(dates: &[Value; 2]) -> bool {
    dates.iter().any(|date| matches!(date, Value::Placeholder(_)))
}

/// Seconds in the unit of the function.
fn unit(name: &str) -> i64 {
    match name {
        "date_diff_in_hours" => 3_600,
        "date_diff_in_minutes" => 60,
        "date_diff_in_seconds" => 1,
        _ => 86_400,
    }
}

/// The distance, whichever date comes first, in whole seconds.
fn seconds_between(dates: &[Value; 2], formats: &[&str]) -> Option<i64> {
    let read = |date: &Value| -> Option<Moment> {
        let text = date.as_text()?;
        formats.iter().find_map(|format| strptime::parse(text, format))
    };
    let [from, to] = dates;
    Some(read(from)?.microseconds_until(read(to)?)?.abs() / 1_000_000)
}

fn invalid(name: &str) -> Fault {
    match name {
        "day_diff" => Fault::template(
            "invalid date format in function `day_diff`, it must be ISO format date YYYY-MM-DD, e.g. 2018-09-26. For other fotmats, try `date_diff_in_days`",
        ),
        "date_diff_in_days" => Fault::template(
            "invalid date format in function `date_diff_in_days`, it must be ISO format date YYYY-MM-DD, e.g. 2018-09-26",
        ),
        other => {
            // Tinybird's text for minutes names the other function.
            let named = if other == "date_diff_in_minutes" { "date_diff_in_seconds" } else { other };
            Fault::raise(
                Class::TemplateException,
                format!(
                    "Template Syntax Error: invalid date_format in function `{named}`, defaults to YYYY-MM-DD hh:mm:ss. Or %Y-%m-%d %H:%M:%S [.ssssss]Z, e.g. ms: 2022-12-19T18:42:22.591Z s:2022-12-19T18:42:22Z"
                ),
            )
        }
    }
}
