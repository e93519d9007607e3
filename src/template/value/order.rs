//! Equality and order.

use std::cmp::Ordering;
use std::rc::Rc;

use num_bigint::BigInt;
use num_traits::{FromPrimitive, ToPrimitive};

use super::{Nature, Value};
use crate::template::fault::{Fault, Outcome};
use crate::template::limits::{BYTES_PER_STEP, Meter};
use crate::template::python::tree::Comparison;

impl Value {
    /// Python's `==`.
    pub(in crate::template) fn equals(&self, other: &Self, meter: &Meter) -> Outcome<bool> {
        meter.step()?;
        if let (Some(left), Some(right)) = (self.as_text(), other.as_text()) {
            meter.steps(left.len().min(right.len()) / BYTES_PER_STEP)?;
            return Ok(left == right);
        }
        if let Some(order) = compare_numbers(self, other) {
            return Ok(order == Some(Ordering::Equal));
        }
        Ok(match (self, other) {
            (Self::None, Self::None) | (Self::Ellipsis, Self::Ellipsis) => true,
            (Self::Bytes(left), Self::Bytes(right)) => left == right,
            (Self::List(left), Self::List(right)) | (Self::Tuple(left), Self::Tuple(right)) => {
                Rc::ptr_eq(left, right) || all_equal(left.items(), right.items(), meter)?
            }
            (Self::Set(left), Self::Set(right)) => {
                meter.steps(left.items.len())?;
                left.items.len() == right.items.len()
                    && left.items.keys().all(|key| right.items.contains_key(key))
            }
            (Self::Dict(left), Self::Dict(right)) => {
                Rc::ptr_eq(left, right) || equal_dicts(left, right, meter)?
            }
            (Self::Range(left), Self::Range(right)) => left == right,
            (Self::Fragment(left), Self::Fragment(right)) => {
                left.nature == Nature::Symbol && Rc::ptr_eq(left, right)
            }
            (Self::Function(left), Self::Function(right)) => left.name == right.name,
            (Self::Class(left), Self::Class(right)) => left == right,
            (Self::Placeholder(left), Self::Placeholder(right)) => left == right,
            _ => false,
        })
    }

    /// Python's `<` and its kin.
    pub(in crate::template) fn compare(
        &self,
        operator: Comparison,
        other: &Self,
        meter: &Meter,
    ) -> Outcome<bool> {
        if let (Self::Set(left), Self::Set(right)) = (self, other) {
            meter.steps(left.items.len() + right.items.len())?;
            let within = |a: &super::Set, b: &super::Set| a.items.keys().all(|key| b.items.contains_key(key));
            let differ = left.items.len() != right.items.len();
            return Ok(match operator {
                Comparison::Less => differ && within(left, right),
                Comparison::LessOrEqual => within(left, right),
                Comparison::Greater => differ && within(right, left),
                _ => within(right, left),
            });
        }
        let order = self.order(operator, other, meter)?;
        Ok(order.is_some_and(|order| match operator {
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            _ => order.is_ge(),
        }))
    }

    /// The order of two values; none where a number is not a number.
    pub(in crate::template) fn order(
        &self,
        operator: Comparison,
        other: &Self,
        meter: &Meter,
    ) -> Outcome<Option<Ordering>> {
        meter.step()?;
        if let (Some(left), Some(right)) = (self.as_text(), other.as_text()) {
            meter.steps(left.len().min(right.len()) / BYTES_PER_STEP)?;
            return Ok(Some(left.cmp(right)));
        }
        if let Some(order) = compare_numbers(self, other) {
            return Ok(order);
        }
        match (self, other) {
            (Self::Bytes(left), Self::Bytes(right)) => Ok(Some(left.cmp(right))),
            (Self::List(left), Self::List(right)) | (Self::Tuple(left), Self::Tuple(right)) => {
                for (left, right) in left.items().iter().zip(right.items()) {
                    if !left.equals(right, meter)? {
                        return left.order(operator, right, meter);
                    }
                }
                Ok(Some(left.items().len().cmp(&right.items().len())))
            }
            _ => Err(Fault::type_error(format!(
                "'{}' not supported between instances of '{}' and '{}'",
                operator.symbol(),
                self.type_name(),
                other.type_name()
            ))),
        }
    }

    /// Python's `is`: values have no identity here, so equality of equal types has to do.
    pub(in crate::template) fn is_same(&self, other: &Self, meter: &Meter) -> Outcome<bool> {
        Ok(self.type_name() == other.type_name() && self.equals(other, meter)?)
    }

    /// Python's `item in self`.
    pub(in crate::template) fn contains(&self, item: &Self, meter: &Meter) -> Outcome<bool> {
        if let Some(text) = self.as_text() {
            let part = item.as_text().ok_or_else(|| {
                let name = item.type_name();
                Fault::type_error(format!("'in <string>' requires string as left operand, not {name}"))
            })?;
            meter.steps(text.len() / BYTES_PER_STEP)?;
            return Ok(text.contains(&**part));
        }
        match self {
            Self::Set(set) => Ok(set.items.contains_key(&super::Key::of(item, meter)?)),
            Self::Dict(dict) => Ok(dict.get(&super::Key::of(item, meter)?).is_some()),
            Self::List(_) | Self::Tuple(_) | Self::Range(_) | Self::Iterator(_) | Self::Placeholder(_) => {
                for candidate in self.iterate(meter)? {
                    if candidate?.equals(item, meter)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            other => {
                Err(Fault::type_error(format!("argument of type '{}' is not iterable", other.type_name())))
            }
        }
    }
}

fn all_equal(left: &[Value], right: &[Value], meter: &Meter) -> Outcome<bool> {
    if left.len() != right.len() {
        return Ok(false);
    }
    for (left, right) in left.iter().zip(right) {
        if !left.equals(right, meter)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn equal_dicts(left: &super::Dict, right: &super::Dict, meter: &Meter) -> Outcome<bool> {
    if left.len() != right.len() {
        return Ok(false);
    }
    for (key, value) in left.entries() {
        match right.get(&super::Key::of(key, meter)?) {
            Some(other) if value.equals(other, meter)? => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// The order of two numbers: the outer none where one is no number at all.
#[expect(clippy::option_option, reason = "`nan` is a number without a place in the order")]
fn compare_numbers(left: &Value, right: &Value) -> Option<Option<Ordering>> {
    match (left.as_int(), right.as_int()) {
        (Some(left), Some(right)) => return Some(Some(left.cmp(&right))),
        (Some(left), None) => {
            let Value::Float(right) = right.untyped() else { return None };
            return Some(compare_with_float(&left, *right));
        }
        (None, Some(right)) => {
            let Value::Float(left) = left.untyped() else { return None };
            return Some(compare_with_float(&right, *left).map(Ordering::reverse));
        }
        (None, None) => {}
    }
    match (left.untyped(), right.untyped()) {
        (Value::Float(left), Value::Float(right)) => Some(left.partial_cmp(right)),
        _ => None,
    }
}

/// Exact, as in Python: a large integer is not rounded first.
fn compare_with_float(whole: &BigInt, float: f64) -> Option<Ordering> {
    match BigInt::from_f64(float.trunc()) {
        Some(truncated) => Some(
            whole.cmp(&truncated).then_with(|| 0.0.partial_cmp(&float.fract()).unwrap_or(Ordering::Equal)),
        ),
        None => whole.to_f64().unwrap_or(0.0).partial_cmp(&float),
    }
}
