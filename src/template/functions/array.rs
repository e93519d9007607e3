//! `Array(x, 'T')`: a list of values of one type.

use super::{Given, Parameter, parameter, scalar};
use crate::template::fault::{Fault, Outcome};
use crate::template::limits::Meter;
use crate::template::machine::Machine;
use crate::template::quote;
use crate::template::value::Value;

/// `Array(x, T, default, defined, …)` as the text of a ClickHouse array.
pub(super) fn array(machine: &mut Machine<'_>, _: &'static str, given: Given) -> Outcome<Value> {
    let parameters =
        ["x", "_type", "default", "defined", "required", "description", "enum", "example", "format"];
    let [x, kind, default, defined, ..] = given.bind("array_type.<locals>._f", parameters, 1)?;
    let kind = kind.as_ref().and_then(Value::as_text).cloned();
    let value = match parameter(machine, x, default, defined.as_ref())? {
        Parameter::Absent => return Ok(Value::None),
        Parameter::Given(value) => value,
        Parameter::Unknown => match &kind {
            None => Value::text(""),
            Some(kind) => Value::list(vec![scalar::example(kind); 2])?,
        },
    };
    let items = items(&value, kind.as_deref().unwrap_or("String"), &machine.meter)?;
    let mut printed = Vec::with_capacity(items.len());
    for item in &items {
        printed.push(item.to_sql(&machine.meter)?.unwrap_or_default());
    }
    let text = format!("[{}]", printed.join(","));
    machine.meter.allocate(text.len())?;
    Ok(Value::sql_text(text))
}

/// The items of an array, each of the type: from a list, or from a text with commas.
fn items(value: &Value, kind: &str, meter: &Meter) -> Outcome<Vec<Value>> {
    let texts: Vec<String> = match value {
        Value::List(list) => list.items().iter().map(|item| item.display(meter)).collect::<Outcome<_>>()?,
        other => match other.as_text() {
            Some(text) => text.split(',').map(str::to_owned).collect(),
            None => return Err(Fault::template("transform type function Array is not well defined")),
        },
    };
    meter.allocate_items(texts.len())?;
    let mut items = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        if let Some(item) = item(text, kind) {
            items.push(item);
        } else {
            let whole = value.display(meter)?;
            let shown = if text.is_empty() { "empty string" } else { text };
            let message = format!("Error validating [{whole}][{at}] ({shown}) to type {kind}");
            return Err(Fault::template(message));
        }
    }
    Ok(items)
}

fn item(text: &str, kind: &str) -> Option<Value> {
    match kind {
        "Boolean" | "bool" => Some(Value::int(u8::from(scalar::truth(&Value::text(text))))),
        "Symbol" => Some(Value::symbol(quote::identifier(text))),
        nested if nested.starts_with("Array(") => None,
        kind => scalar::read(kind, text),
    }
}

/// What the rest of a template sees of a parameter that it declares as an array first; none where
/// the value does not convert, and stays as it is.
///
/// Tinybird renders the array and reads its text back as a Python list, which does not undo the
/// backslashes that SQL needs and Python does not know.
pub(in crate::template) fn preprocess(value: &Value, kind: &str, meter: &Meter) -> Option<Value> {
    let read_back = |item: Value| match item {
        Value::Text(text) => {
            Some(Value::text(text.replace('%', "\\%").replace('`', "\\`").replace('\u{1a}', "\\z")))
        }
        Value::Float(number) if !number.is_finite() => None,
        Value::Int(_) | Value::Float(_) => Some(item),
        _ => None,
    };
    let items = items(value, kind, meter).ok()?.into_iter().map(read_back).collect::<Option<_>>()?;
    Value::list(items).ok()
}
