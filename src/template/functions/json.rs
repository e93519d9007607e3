//! `JSON(x)`: a parameter that is a whole document.

use super::{Given, Parameter};
use crate::template::fault::{Fault, Outcome};
use crate::template::machine::Machine;
use crate::template::value::Value;
use crate::template::value::text::NO_VALUE;

/// `JSON(x, default)`
pub(super) fn json(machine: &mut Machine<'_>, _: &'static str, given: Given) -> Outcome<Value> {
    let [x, default] = given.bind("json_type", ["x", "default"], 1)?;
    let default = default.filter(|default| default.as_text().is_some());
    let default =
        if machine.is_check() { default } else { Some(default.unwrap_or_else(|| Value::text("{}"))) };
    let value = match super::parameter(machine, x.or(Some(Value::None)), default, None)? {
        Parameter::Given(value) => value,
        Parameter::Absent | Parameter::Unknown => Value::text(NO_VALUE),
    };
    let Some(text) = value.as_text() else { return Ok(value) };
    Value::parse_json(text, &machine.meter).map_err(|fault| match fault {
        Fault::Raised(exception) => {
            let start: String = text.chars().take(16).collect();
            let dots = if start.len() < text.len() { "…" } else { "" };
            Fault::template(format!("Error parsing JSON: '{start}{dots}' - {}", exception.text))
        }
        limit @ Fault::Limit(_) => limit,
    })
}
