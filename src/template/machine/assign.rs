//! Assigning to names, parts and tuples, and changing values where they are kept.

use super::Machine;
use crate::template::fault::{Fault, Outcome};
use crate::template::limits::Meter;
use crate::template::python::tree::{Expression, Kind, Name};
use crate::template::value::Value;

/// A change to a value, with what it gives back.
type Change<'c> = &'c mut dyn FnMut(&mut Value, &Meter) -> Outcome<Value>;

impl Machine<'_> {
    /// `target = value`
    pub(super) fn assign(&mut self, target: &Expression, value: Value) -> Outcome<()> {
        match &target.kind {
            Kind::Name(name) => {
                self.store(name, value);
                Ok(())
            }
            Kind::Tuple(targets) | Kind::List(targets) => self.unpack(targets, &value),
            Kind::Subscript(owner, index) => {
                let index = self.evaluate(index)?;
                let mut put = |owner: &mut Value, meter: &Meter| {
                    owner.put(&index, value.clone(), meter)?;
                    Ok(Value::None)
                };
                self.change(owner, &mut put).map(|_| ())
            }
            Kind::Attribute(owner, name) => {
                let owner = self.evaluate(owner)?;
                Err(owner.missing_attribute(name))
            }
            _ => Err(Fault::type_error("cannot assign to this expression")),
        }
    }

    /// Gives a name a value: in the innermost comprehension, or in the template.
    fn store(&mut self, name: &Name, value: Value) {
        let Some(frame) = self.frames.last_mut() else {
            self.variables.insert(name.clone(), value);
            return;
        };
        match frame.iter_mut().find(|(known, _)| known == name) {
            Some((_, kept)) => *kept = value,
            None => frame.push((name.clone(), value)),
        }
    }

    fn unpack(&mut self, targets: &[Expression], value: &Value) -> Outcome<()> {
        let mut items = value.items(&self.meter).map_err(|fault| match fault {
            Fault::Raised(_) => {
                Fault::type_error(format!("cannot unpack non-iterable {} object", value.type_name()))
            }
            limit @ Fault::Limit(_) => limit,
        })?;
        let (expected, got) = (targets.len(), items.len());
        let star = targets.iter().position(|target| matches!(target.kind, Kind::Starred(_)));
        let Some(star) = star else {
            if got > expected {
                return Err(Fault::value_error(format!("too many values to unpack (expected {expected})")));
            }
            if got < expected {
                let text = format!("not enough values to unpack (expected {expected}, got {got})");
                return Err(Fault::value_error(text));
            }
            return targets.iter().zip(items).try_for_each(|(target, item)| self.assign(target, item));
        };
        if got + 1 < expected {
            let text = format!("not enough values to unpack (expected at least {}, got {got})", expected - 1);
            return Err(Fault::value_error(text));
        }
        let after = items.split_off(got - (expected - 1 - star));
        let middle = Value::list(items.split_off(star))?;
        let values = items.into_iter().chain(std::iter::once(middle)).chain(after);
        targets.iter().zip(values).try_for_each(|(target, value)| match &target.kind {
            Kind::Starred(inside) => self.assign(inside, value),
            _ => self.assign(target, value),
        })
    }

    /// Changes a value where it is kept; what is kept nowhere is changed and forgotten.
    pub(super) fn change(&mut self, place: &Expression, change: Change<'_>) -> Outcome<Value> {
        let meter = self.meter.clone();
        match &place.kind {
            Kind::Name(name) => {
                // Says what is wrong with a name that has no value.
                let mut copy = self.load(name)?;
                match self.value_mut(name) {
                    Some(kept) => {
                        drop(copy);
                        change(kept, &meter)
                    }
                    None => change(&mut copy, &meter),
                }
            }
            Kind::Subscript(owner, index) if !matches!(index.kind, Kind::Slice(_)) => {
                let index = self.evaluate(index)?;
                let mut inside = |owner: &mut Value, meter: &Meter| {
                    let mut item = owner.subscript(&index, meter)?;
                    // Only what is held once can be changed without copying it.
                    if owner.holds_items() {
                        owner.put(&index, Value::None, meter)?;
                    }
                    let result = change(&mut item, meter);
                    if owner.holds_items() {
                        owner.put(&index, item, meter)?;
                    }
                    result
                };
                self.change(owner, &mut inside)
            }
            _ => change(&mut self.evaluate(place)?, &meter),
        }
    }
}

impl Value {
    /// True for values whose items can be changed.
    fn holds_items(&self) -> bool {
        matches!(self, Self::List(_) | Self::Dict(_))
    }

    /// `self[index] = value`
    fn put(&mut self, index: &Self, value: Self, meter: &Meter) -> Outcome<()> {
        use std::rc::Rc;
        match self {
            Self::List(list) => {
                let place =
                    Self::None.place(index, list.items().len()).map_err(|fault| match index.as_int() {
                        Some(_) => Fault::index("list assignment index out of range"),
                        None => fault,
                    })?;
                meter.allocate_items(if Rc::strong_count(list) > 1 { list.items().len() } else { 1 })?;
                if let Some(item) = Rc::make_mut(list).items_mut([&value])?.get_mut(place) {
                    *item = value;
                }
                Ok(())
            }
            Self::Dict(dict) => {
                meter.allocate_items(if Rc::strong_count(dict) > 1 { dict.len() } else { 1 })?;
                Rc::make_mut(dict).insert(index.clone(), value, meter)
            }
            other => {
                let name = other.type_name();
                Err(Fault::type_error(format!("'{name}' object does not support item assignment")))
            }
        }
    }
}
