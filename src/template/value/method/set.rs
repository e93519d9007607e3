//! Methods of sets.

use std::rc::Rc;

use crate::template::fault::{Fault, Outcome};
use crate::template::functions::Given;
use crate::template::limits::{BYTES_PER_STEP, Meter};
use crate::template::python::tree::{Binary, Comparison};
use crate::template::value::{Key, Set, Value};

pub(super) const READS: [&str; 8] = [
    "copy",
    "difference",
    "intersection",
    "isdisjoint",
    "issubset",
    "issuperset",
    "symmetric_difference",
    "union",
];
pub(super) const CHANGES: [&str; 6] = ["add", "clear", "discard", "pop", "remove", "update"];

pub(super) fn read(set: &Rc<Set>, name: &str, arguments: Given, meter: &Meter) -> Outcome<Value> {
    let this = Value::Set(set.clone());
    if name == "copy" {
        return Ok(this);
    }
    let [other] = arguments.exactly(name)?;
    let other = Value::set(other.items(meter)?, meter)?;
    meter.allocate_items(set.items.len())?;
    match name {
        "difference" => this.binary(Binary::Subtract, &other, meter),
        "intersection" => this.binary(Binary::And, &other, meter),
        "symmetric_difference" => this.binary(Binary::Xor, &other, meter),
        "union" => this.binary(Binary::Or, &other, meter),
        "issubset" => Ok(Value::Bool(this.compare(Comparison::LessOrEqual, &other, meter)?)),
        "issuperset" => Ok(Value::Bool(this.compare(Comparison::GreaterOrEqual, &other, meter)?)),
        _ => Ok(Value::Bool(!this.binary(Binary::And, &other, meter)?.is_true())),
    }
}

pub(super) fn change(set: &mut Rc<Set>, name: &str, arguments: Given, meter: &Meter) -> Outcome<Value> {
    // Shared items are copied before they are changed.
    meter.allocate_items(if Rc::strong_count(set) > 1 { set.items.len() } else { 1 })?;
    meter.steps(set.items.len() / BYTES_PER_STEP)?;
    let items = &mut Rc::make_mut(set).items;
    match name {
        "clear" => items.clear(),
        "pop" => {
            let last = items.pop().map(|(_, item)| item);
            return last.ok_or_else(|| Fault::key("'pop from an empty set'"));
        }
        "update" => {
            let [more] = arguments.exactly(name)?;
            for item in more.items(meter)? {
                items.insert(Key::of(&item, meter)?, item);
            }
        }
        _ => {
            let [item] = arguments.exactly(name)?;
            let key = Key::of(&item, meter)?;
            if name == "add" {
                items.entry(key).or_insert(item);
            } else if items.shift_remove(&key).is_none() && name == "remove" {
                return Err(Fault::key(item.represent(meter)?));
            }
        }
    }
    Ok(Value::None)
}
