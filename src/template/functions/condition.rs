//! `defined`, `sql_and` and `sql_unescape`.

use super::{Given, plain_text};
use crate::template::fault::{Fault, Outcome};
use crate::template::machine::Machine;
use crate::template::quote;
use crate::template::value::Value;

/// `defined(x)`: whether there is a value at all.
pub(super) fn defined(_: &mut Machine<'_>, _: &'static str, given: Given) -> Outcome<Value> {
    let [x] = given.bind("defined", ["x"], 0)?;
    Ok(Value::Bool(!matches!(x, None | Some(Value::None | Value::Placeholder(_)))))
}

/// `sql_and(a=1, b__in=…)`: conditions on columns; those without a value are left out.
pub(super) fn sql_and(machine: &mut Machine<'_>, _: &'static str, given: Given) -> Outcome<Value> {
    let mut conditions = Vec::new();
    for (name, value) in given.keywords {
        if matches!(value, Value::None) {
            continue;
        }
        let (column, operator) = match name.rsplit_once("__") {
            None => (&*name, "="),
            Some((column, suffix)) => (column, comparison(suffix)?),
        };
        // A name from `**` can be any text.
        let column = if quote::is_plain_path(column) || column.is_empty() {
            column.to_owned()
        } else {
            quote::path(column)
        };
        let value = value.to_sql(&machine.meter)?.unwrap_or_default();
        conditions.push(format!("{column} {operator} {value}"));
    }
    Ok(Value::sql_text(conditions.join(" and ")))
}

fn comparison(suffix: &str) -> Outcome<&'static str> {
    Ok(match suffix {
        "in" => "in",
        "not_in" => "not in",
        "gt" => ">",
        "lt" => "<",
        "gte" => ">=",
        "lte" => "<=",
        other => return Err(Fault::template(format!("operand {other} not supported"))),
    })
}

/// `sql_unescape(x, what)`: a quoted text in which `what` has lost its backslash.
pub(super) fn sql_unescape(_: &mut Machine<'_>, _: &'static str, given: Given) -> Outcome<Value> {
    let [x, what] = given.bind("sql_unescape", ["x", "what"], 1)?;
    let quoted = quote::literal(&plain_text(&x.unwrap_or(Value::None))?);
    let what = what.map_or(Ok("".into()), |what| plain_text(&what))?;
    let harmless = !what.is_empty() && !what.contains(['\'', '"', '\\']);
    Ok(Value::sql_text(if harmless { quoted.replace(&format!("\\{what}"), &what) } else { quoted }))
}
