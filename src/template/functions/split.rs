//! Lists out of texts.

use super::Given;
use crate::template::fault::{Fault, Outcome};
use crate::template::machine::Machine;
use crate::template::value::Value;
use crate::template::value::number::is_space;

/// `split_to_array(x, default, separator)`
pub(super) fn split_to_array(machine: &mut Machine<'_>, _: &'static str, given: Given) -> Outcome<Value> {
    let [x, default, separator] = given.bind("split_to_array", ["x", "default", "separator"], 1)?;
    let missing =
        |x: &Value| matches!(x, Value::None | Value::Placeholder(_) | Value::Function(_) | Value::Class(_));
    let value = x.filter(|x| !missing(x)).or(default).unwrap_or_else(|| Value::text(""));
    let text = value.as_text().ok_or_else(|| {
        Fault::template(
            "First argument of split_to_array has to be a value that can be split to a list of elements, but found a PlaceHolder with no value instead",
        )
    })?;
    let separator = separator.unwrap_or_else(|| Value::text(","));
    let separator = separator
        .as_text()
        .ok_or_else(|| Fault::type_error(format!("must be str or None, not {}", separator.type_name())))?;
    if separator.is_empty() {
        return Err(Fault::value_error("empty separator"));
    }
    machine.meter.allocate(text.len())?;
    machine.meter.allocate_items(text.matches(&**separator).count() + 1)?;
    Value::list(text.split(&**separator).map(|part| Value::text(part.trim_matches(is_space))).collect())
}

/// `enumerate_with_last(list)`: each item with whether it is the last.
pub(super) fn enumerate_with_last(
    machine: &mut Machine<'_>,
    _: &'static str,
    given: Given,
) -> Outcome<Value> {
    let [list] = given.bind("enumerate_with_last", ["arr"], 1)?;
    let list = list.unwrap_or(Value::None);
    let length = list.length(&machine.meter)?;
    let pair = |(at, item)| Value::tuple(vec![Value::Bool(at + 1 == length), item]);
    Value::list(list.items(&machine.meter)?.into_iter().enumerate().map(pair).collect::<Outcome<_>>()?)
}
