//! Methods of dicts.

use std::rc::Rc;

use crate::template::fault::{Fault, Outcome};
use crate::template::functions::Given;
use crate::template::limits::{BYTES_PER_STEP, Meter};
use crate::template::value::{Dict, Key, Value};

pub(super) const CHANGES: [&str; 5] = ["clear", "pop", "popitem", "setdefault", "update"];

pub(super) fn read(dict: &Rc<Dict>, name: &str, arguments: Given, meter: &Meter) -> Outcome<Value> {
    meter.allocate_items(if name == "get" { 1 } else { dict.len() })?;
    match name {
        "get" => {
            let [key, default] = arguments.bind(name, ["key", "default"], 1)?;
            let key = Key::of(&key.unwrap_or(Value::None), meter)?;
            Ok(dict.get(&key).cloned().or(default).unwrap_or(Value::None))
        }
        "keys" => Value::list(dict.keys().cloned().collect()),
        "values" => Value::list(dict.entries().map(|(_, value)| value.clone()).collect()),
        "items" => {
            let pair = |(key, value): &(Value, Value)| Value::tuple(vec![key.clone(), value.clone()]);
            Value::list(dict.entries().map(pair).collect::<Outcome<_>>()?)
        }
        _ => Ok(Value::Dict(dict.clone())),
    }
}

pub(super) fn change(dict: &mut Rc<Dict>, name: &str, arguments: Given, meter: &Meter) -> Outcome<Value> {
    // Shared entries are copied before they are changed.
    meter.allocate_items(if Rc::strong_count(dict) > 1 { dict.len() } else { 1 })?;
    meter.steps(dict.len() / BYTES_PER_STEP)?;
    let dict = Rc::make_mut(dict);
    match name {
        "clear" => *dict = Dict::default(),
        "pop" => {
            let [key, default] = arguments.bind(name, ["key", "default"], 1)?;
            let key = key.unwrap_or(Value::None);
            return match dict.remove(&Key::of(&key, meter)?).or(default) {
                Some(value) => Ok(value),
                None => Err(Fault::key(key.represent(meter)?)),
            };
        }
        "popitem" => {
            let (key, value) =
                dict.pop_last().ok_or_else(|| Fault::key("'popitem(): dictionary is empty'"))?;
            return Value::tuple(vec![key, value]);
        }
        "setdefault" => {
            let [key, default] = arguments.bind(name, ["key", "default"], 1)?;
            let key = key.unwrap_or(Value::None);
            if let Some(value) = dict.get(&Key::of(&key, meter)?) {
                return Ok(value.clone());
            }
            let default = default.unwrap_or(Value::None);
            dict.insert(key, default.clone(), meter)?;
            return Ok(default);
        }
        _ => update(dict, arguments, meter)?,
    }
    Ok(Value::None)
}

/// `dict.update(other, name=value)`, which is also what `dict(…)` does to an empty one.
pub(in crate::template) fn update(dict: &mut Dict, arguments: Given, meter: &Meter) -> Outcome<()> {
    let Given { positional, keywords } = arguments;
    for other in positional {
        if let Value::Dict(other) = &other {
            meter.allocate_items(other.len())?;
            for (key, value) in other.entries() {
                dict.insert(key.clone(), value.clone(), meter)?;
            }
            continue;
        }
        for pair in other.iterate(meter)? {
            let [key, value] = <[Value; 2]>::try_from(pair?.items(meter)?)
                .map_err(|_| Fault::value_error("dictionary update sequence element has not length 2"))?;
            dict.insert(key, value, meter)?;
        }
    }
    for (name, value) in keywords {
        dict.insert(Value::text(name), value, meter)?;
    }
    Ok(())
}
