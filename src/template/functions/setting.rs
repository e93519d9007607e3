//! Settings of the query, which templates make by calling functions.
//!
//! Each call leaves a comment in the SQL. A comment ends with its line: nothing that a request sends
//! may bring a line end of its own.

use num_traits::ToPrimitive;
use serde_json::Value as Json;

use super::{Given, types};
use crate::template::fault::{Fault, Outcome};
use crate::template::machine::Machine;
use crate::template::value::Value;

/// How long a result may be kept.
const CACHE_TIMES: [&str; 5] = ["5s", "1m", "5m", "30m", "1h"];

/// What `activate` can switch on.
const FEATURES: [&str; 3] = ["analyzer", "parallel_replicas", "optimize_aggregation_in_order"];

fn one(given: Given, function: &str) -> Outcome<Value> {
    let [value] = given.bind(function, ["value"], 1)?;
    Ok(value.unwrap_or(Value::None))
}

fn comment(text: &str) -> Value {
    let line: String = text.chars().map(|c| if breaks_line(c) { ' ' } else { c }).collect();
    Value::sql_text(format!("-- {line}\n"))
}

fn breaks_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// `max_threads(n)`
pub(super) fn max_threads(machine: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let threads = types::to_integer(&one(given, name)?, &machine.meter);
    match threads.ok().and_then(|threads| threads.to_i64()) {
        Some(threads) => {
            machine.settings.insert(name.to_owned(), Json::from(threads));
            Ok(comment(&format!("max_threads {threads}")))
        }
        None => Ok(comment("max_threads: wrong argument")),
    }
}

/// `cache_ttl(time)`
pub(super) fn cache_ttl(machine: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let time = one(given, name)?;
    match time.as_text().filter(|time| CACHE_TIMES.contains(&&***time)) {
        Some(time) => {
            machine.settings.insert(name.to_owned(), Json::from(&**time));
            Ok(comment(&format!("cache_ttl {time}")))
        }
        None => Err(Fault::template(
            "Invalid TTL cache expression, valid expressions are ('5s', '1m', '5m', '30m', '1h')",
        )),
    }
}

/// `backend_hint(hint)`
pub(super) fn backend_hint(machine: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let hint = one(given, name)?;
    let text = hint.display(&machine.meter)?;
    let absent = matches!(hint, Value::None | Value::Bool(false));
    let setting = if absent { Json::Null } else { Json::from(text.as_str()) };
    machine.settings.insert(name.to_owned(), setting);
    Ok(comment(&format!("backend_hint {text}")))
}

/// `activate(feature)`; features add up.
pub(super) fn activate(machine: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let feature = one(given, name)?;
    super::super::value::Key::of(&feature, &machine.meter)?;
    let text = feature.display(&machine.meter)?;
    if !FEATURES.contains(&text.as_str()) {
        return Err(Fault::template(format!("'{text}' is not a valid 'activate' argument")));
    }
    let active = machine.settings.entry(name).or_insert_with(|| Json::Array(Vec::new()));
    if let Json::Array(active) = active
        && !active.iter().any(|known| known == text.as_str())
    {
        active.push(Json::from(text.as_str()));
    }
    Ok(comment(&format!("activate {text}")))
}

/// `disable(feature)`; any part of `analyzer` will do, as in Tinybird.
pub(super) fn disable(machine: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let feature = one(given, name)?;
    let known = Value::text("analyzer").contains(&feature, &machine.meter)?;
    let text = feature.display(&machine.meter)?;
    if !known {
        return Err(Fault::template(format!("'{text}' is not a valid 'disable' argument")));
    }
    machine.settings.insert(name.to_owned(), Json::from(text.as_str()));
    Ok(comment(&format!("disable {text}")))
}
