//! Methods of lists, tuples and ranges.

use std::rc::Rc;

use crate::template::fault::{Fault, Outcome};
use crate::template::functions::Given;
use crate::template::limits::{BYTES_PER_STEP, Meter};
use crate::template::value::{Sequence, Value};

pub(super) const CHANGES: [&str; 8] =
    ["append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"];

pub(super) fn read(value: &Value, name: &str, arguments: Given, meter: &Meter) -> Outcome<Value> {
    if name == "copy" {
        return Ok(value.clone());
    }
    let [wanted] = arguments.exactly(name)?;
    let mut count = 0;
    for (at, item) in value.iterate(meter)?.enumerate() {
        if item?.equals(&wanted, meter)? {
            count += 1;
            if name == "index" {
                return Ok(Value::int(at));
            }
        }
    }
    if name == "index" {
        return Err(Fault::value_error(format!("{} is not in list", wanted.represent(meter)?)));
    }
    Ok(Value::int(count))
}

pub(super) fn change(list: &mut Rc<Sequence>, name: &str, arguments: Given, meter: &Meter) -> Outcome<Value> {
    let length = list.items().len();
    // Shared items are copied before they are changed; all but the last are moved by most methods.
    meter.allocate_items(if Rc::strong_count(list) > 1 { length } else { 1 })?;
    meter.steps(if name == "append" { 0 } else { length / BYTES_PER_STEP })?;
    let list = Rc::make_mut(list);
    if name == "extend" {
        let [more] = arguments.exactly(name)?;
        let more = more.items(meter)?;
        list.items_mut(&more)?.extend(more.iter().cloned());
        return Ok(Value::None);
    }
    let items = list.items_mut(&arguments.positional)?;
    change_items(items, name, arguments, meter)
}

fn change_items(items: &mut Vec<Value>, name: &str, arguments: Given, meter: &Meter) -> Outcome<Value> {
    match name {
        "append" => {
            let [item] = arguments.exactly(name)?;
            items.push(item);
        }
        "insert" => {
            let [place, item] = arguments.exactly(name)?;
            items.insert(insertion_place(place.to_index()?, items.len()), item);
        }
        "pop" => {
            let [place] = arguments.bind(name, ["index"], 0)?;
            return pop(items, &place.unwrap_or_else(|| Value::int(-1)));
        }
        "remove" => {
            let [item] = arguments.exactly(name)?;
            return remove(items, &item, meter);
        }
        "clear" => items.clear(),
        "reverse" => items.reverse(),
        _ => {
            if arguments.keyword("key").is_some() {
                return Err(Fault::type_error("sort() takes no key in a template; use sorted() instead"));
            }
            super::super::sort::sort(items, |item| Ok(item.clone()), meter)?;
            if arguments.keyword("reverse").is_some_and(Value::is_true) {
                items.reverse();
            }
        }
    }
    Ok(Value::None)
}

/// Where `insert` puts an item; places outside mean the ends.
fn insertion_place(place: i64, length: usize) -> usize {
    let length_signed = i64::try_from(length).unwrap_or(i64::MAX);
    let place = if place < 0 { place.saturating_add(length_signed) } else { place };
    usize::try_from(place.clamp(0, length_signed)).unwrap_or(length)
}

fn pop(items: &mut Vec<Value>, place: &Value) -> Outcome<Value> {
    if items.is_empty() {
        return Err(Fault::index("pop from empty list"));
    }
    let place = Value::None.place(place, items.len()).map_err(|_| Fault::index("pop index out of range"))?;
    Ok(items.remove(place))
}

fn remove(items: &mut Vec<Value>, item: &Value, meter: &Meter) -> Outcome<Value> {
    for (at, candidate) in items.iter().enumerate() {
        if candidate.equals(item, meter)? {
            items.remove(at);
            return Ok(Value::None);
        }
    }
    Err(Fault::value_error("list.remove(x): x not in list"))
}
