//! Python's functions on everything that can be iterated. What is lazy there is done at once here.

use super::Given;
use crate::template::fault::{Class, Fault, Outcome};
use crate::template::machine::Machine;
use crate::template::value::{Range, Value, sort};

fn one(value: Value) -> Given {
    Given { positional: vec![value], keywords: Vec::new() }
}

/// `len(x)`
pub(super) fn length(machine: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let [x] = given.exactly(name)?;
    x.length(&machine.meter).map(Value::int)
}

/// `any(items)` and `all(items)`
pub(super) fn any_or_all(machine: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let [items] = given.exactly(name)?;
    for item in items.iterate(&machine.meter)? {
        if item?.is_true() == (name == "any") {
            return Ok(Value::Bool(name == "any"));
        }
    }
    Ok(Value::Bool(name == "all"))
}

/// `filter(test, items)`
pub(super) fn filter(machine: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let [test, items] = given.exactly(name)?;
    let mut kept = Vec::new();
    for item in items.items(&machine.meter)? {
        let keep = match &test {
            Value::None => item.is_true(),
            test => machine.call(test, one(item.clone()))?.is_true(),
        };
        if keep {
            kept.push(item);
        }
    }
    Value::iterator(kept)
}

/// `map(function, items, …)`
pub(super) fn map(machine: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let mut sources = given.positional;
    if sources.len() < 2 {
        return Err(Fault::type_error(format!("{name}() must have at least two arguments.")));
    }
    let function = sources.remove(0);
    let mut results = Vec::new();
    for positional in side_by_side(machine, &sources)? {
        machine.meter.allocate_items(1)?;
        results.push(machine.call(&function, Given { positional, keywords: Vec::new() })?);
    }
    Value::iterator(results)
}

/// `zip(items, …)`
pub(super) fn zip(machine: &mut Machine<'_>, _: &'static str, given: Given) -> Outcome<Value> {
    let Given { positional: sources, .. } = given;
    let rows = side_by_side(machine, &sources)?;
    Value::iterator(rows.into_iter().map(Value::tuple).collect::<Outcome<_>>()?)
}

/// The items at the same place of each source, up to the end of the shortest.
fn side_by_side(machine: &Machine<'_>, sources: &[Value]) -> Outcome<Vec<Vec<Value>>> {
    let mut columns =
        sources.iter().map(|source| source.iterate(&machine.meter)).collect::<Outcome<Vec<_>>>()?;
    let mut rows = Vec::new();
    if columns.is_empty() {
        return Ok(rows);
    }
    loop {
        let row = columns.iter_mut().map_while(Iterator::next).collect::<Outcome<Vec<_>>>()?;
        if row.len() < sources.len() {
            return Ok(rows);
        }
        machine.meter.allocate_items(row.len())?;
        rows.push(row);
    }
}

/// `enumerate(items, start)`
pub(super) fn enumerate(machine: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let [items, start] = given.bind(name, ["iterable", "start"], 1)?;
    let start = start.map_or(Ok(0), |start| start.to_index())?;
    let items = items.unwrap_or(Value::None).items(&machine.meter)?;
    let pair = |(at, item)| Value::tuple(vec![Value::int(start.saturating_add(at)), item]);
    Value::iterator((0_i64..).zip(items).map(pair).collect::<Outcome<_>>()?)
}

/// `reversed(items)`
pub(super) fn reversed(machine: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let [items] = given.exactly(name)?;
    let mut items = items.items(&machine.meter)?;
    items.reverse();
    Value::iterator(items)
}

/// `sorted(items, key=…, reverse=…)`
pub(super) fn sorted(machine: &mut Machine<'_>, name: &'static str, mut given: Given) -> Outcome<Value> {
    let key = given.take_keyword("key").filter(|key| !matches!(key, Value::None));
    let reverse = given.take_keyword("reverse").is_some_and(|reverse| reverse.is_true());
    let [items] = given.exactly(name)?;
    let meter = machine.meter.clone();
    let mut items = items.items(&meter)?;
    if reverse {
        // Turned around before and after, equal items keep their order.
        items.reverse();
    }
    let rank = |item: &Value| match &key {
        Some(key) => machine.call(key, one(item.clone())),
        None => Ok(item.clone()),
    };
    sort::sort(&mut items, rank, &meter)?;
    if reverse {
        items.reverse();
    }
    Value::list(items)
}

/// `range(start, stop, step)`
pub(super) fn range(_: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let Given { positional, .. } = given;
    let numbers = positional.iter().map(Value::to_index).collect::<Outcome<Vec<_>>>()?;
    let range = match *numbers.as_slice() {
        [stop] => Range { start: 0, stop, step: 1 },
        [start, stop] => Range { start, stop, step: 1 },
        [_, _, 0] => return Err(Fault::value_error("range() arg 3 must not be zero")),
        [start, stop, by] => Range { start, stop, step: by },
        _ => {
            let got = numbers.len();
            return Err(Fault::type_error(format!("{name} expected from 1 to 3 arguments, got {got}")));
        }
    };
    Ok(Value::Range(range))
}

/// `iter(items)`
pub(super) fn iterate(machine: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let [items] = given.exactly(name)?;
    match items {
        Value::Iterator(_) => Ok(items),
        items => Value::iterator(items.items(&machine.meter)?),
    }
}

/// `next(iterator, default)`
pub(super) fn next(_: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let [iterator, default] = given.bind(name, ["iterator", "default"], 1)?;
    match iterator {
        Some(Value::Iterator(iterator)) => {
            iterator.advance().or(default).ok_or_else(|| Fault::raise(Class::StopIteration, ""))
        }
        other => {
            let name = other.unwrap_or(Value::None).type_name();
            Err(Fault::type_error(format!("'{name}' object is not an iterator")))
        }
    }
}
