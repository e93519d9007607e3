//! Operators.

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{Pow, Signed, ToPrimitive, Zero};

use super::{Set, Value};
use crate::template::fault::{Class, Fault, Outcome};
use crate::template::limits::{Limit, Meter};
use crate::template::python::tree::{Binary, Unary};

/// The most bits of an integer: what Python would still print.
const MAX_INTEGER_BITS: u64 = 14_400;

impl Value {
    /// `operator self`
    pub(in crate::template) fn unary(&self, operator: Unary) -> Outcome<Self> {
        if operator == Unary::Not {
            return Ok(Self::Bool(!self.is_true()));
        }
        let number = match self.untyped() {
            Self::Bool(truth) => Self::int(u8::from(*truth)),
            other => other.clone(),
        };
        match (operator, number) {
            (Unary::Minus, Self::Int(number)) => Ok(Self::Int(-number)),
            (Unary::Minus, Self::Float(number)) => Ok(Self::Float(-number)),
            (Unary::Plus, number @ (Self::Int(_) | Self::Float(_))) => Ok(number),
            (Unary::Invert, Self::Int(number)) => Ok(Self::Int(!number)),
            _ => Err(Fault::type_error(format!(
                "bad operand type for unary {}: '{}'",
                operator.symbol(),
                self.type_name()
            ))),
        }
    }

    /// `self operator other`
    pub(in crate::template) fn binary(&self, operator: Binary, other: &Self, meter: &Meter) -> Outcome<Self> {
        let result = match (self.as_int(), other.as_int()) {
            (Some(left), Some(right)) => integers(operator, left, &right, meter)?,
            _ => match (self.as_float(), other.as_float()) {
                (Some(left), Some(right)) => floats(operator, left, right)?,
                _ => self.combine(operator, other, meter)?,
            },
        };
        result.ok_or_else(|| self.unsupported(operator, other))
    }

    fn unsupported(&self, operator: Binary, other: &Self) -> Fault {
        let (left, right) = (self.type_name(), other.type_name());
        if operator == Binary::Add && self.as_text().is_some() {
            return Fault::type_error(format!("can only concatenate str (not \"{right}\") to str"));
        }
        let symbol = operator.symbol();
        Fault::type_error(format!("unsupported operand type(s) for {symbol}: '{left}' and '{right}'"))
    }

    /// The number as a float, whole ones included.
    pub(in crate::template) fn as_float(&self) -> Option<f64> {
        match self.untyped() {
            Self::Float(number) => Some(*number),
            _ => self.as_int().and_then(|number| number.to_f64()),
        }
    }

    /// Operators on what is no number; none where they do not apply.
    fn combine(&self, operator: Binary, other: &Self, meter: &Meter) -> Outcome<Option<Self>> {
        if let (Some(left), Some(right), Binary::Add) = (self.as_text(), other.as_text(), operator) {
            meter.allocate(left.len() + right.len())?;
            return Ok(Some(Self::text(format!("{left}{right}"))));
        }
        match (self, operator, other) {
            (Self::List(left), Binary::Add, Self::List(right)) => {
                meter.allocate_items(left.items().len() + right.items().len())?;
                Self::list([left.items(), right.items()].concat()).map(Some)
            }
            (Self::Tuple(left), Binary::Add, Self::Tuple(right)) => {
                meter.allocate_items(left.items().len() + right.items().len())?;
                Self::tuple([left.items(), right.items()].concat()).map(Some)
            }
            (Self::Set(left), _, Self::Set(right)) => {
                meter.allocate_items(left.items.len() + right.items.len())?;
                Ok(sets(operator, left, right))
            }
            (Self::Dict(left), Binary::Or, Self::Dict(right)) => {
                meter.allocate_items(left.len() + right.len())?;
                let mut merged = (**left).clone();
                for (key, value) in right.entries() {
                    merged.insert(key.clone(), value.clone(), meter)?;
                }
                Ok(Some(Self::dict(merged)))
            }
            // A check goes on with the parameter that it does not know.
            (Self::Placeholder(_), Binary::Add, _) => Ok(Some(self.clone())),
            (_, Binary::Add, Self::Placeholder(_)) => Ok(Some(other.clone())),
            (text, Binary::Modulo, _) if text.as_text().is_some() => self.fill_in(other, meter).map(Some),
            (_, Binary::Multiply, _) => self.repeat(other, meter),
            _ => Ok(None),
        }
    }

    /// A text or sequence several times over.
    fn repeat(&self, other: &Self, meter: &Meter) -> Outcome<Option<Self>> {
        let (repeated, count) = match (self.as_int(), other.as_int()) {
            (None, Some(count)) => (self, count),
            (Some(count), None) => (other, count),
            _ => return Ok(None),
        };
        let count = if count.is_negative() { 0 } else { count.to_usize().unwrap_or(usize::MAX) };
        if let Some(text) = repeated.as_text() {
            meter.allocate(text.len().saturating_mul(count))?;
            return Ok(Some(Self::text(text.repeat(count))));
        }
        let items = |items: &[Self]| -> Outcome<Vec<Self>> {
            let total = items.len().saturating_mul(count);
            meter.allocate_items(total)?;
            Ok(items.iter().cycle().take(total).cloned().collect())
        };
        match repeated {
            Self::List(sequence) => Self::list(items(sequence.items())?).map(Some),
            Self::Tuple(sequence) => Self::tuple(items(sequence.items())?).map(Some),
            _ => Ok(None),
        }
    }
}

fn sets(operator: Binary, left: &Set, right: &Set) -> Option<Value> {
    let within = |set: &Set, key: &super::Key| set.items.contains_key(key);
    let keep = |keep: &dyn Fn(&super::Key) -> bool| {
        left.items
            .iter()
            .filter(|(key, _)| keep(key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    };
    let more =
        || right.items.iter().filter(|(key, _)| !within(left, key)).map(|(k, v)| (k.clone(), v.clone()));
    let mut items: indexmap::IndexMap<_, _> = match operator {
        Binary::Or => left.items.clone(),
        Binary::And => keep(&|key| within(right, key)),
        Binary::Subtract | Binary::Xor => keep(&|key| !within(right, key)),
        _ => return None,
    };
    if matches!(operator, Binary::Or | Binary::Xor) {
        items.extend(more());
    }
    Some(Value::Set(Set { items }.into()))
}

/// The integer, if it is not too large to go on with.
fn bounded(number: BigInt) -> Outcome<Option<Value>> {
    if number.bits() > MAX_INTEGER_BITS {
        Err(Fault::limit(Limit::IntegerSize))
    } else {
        Ok(Some(Value::Int(number)))
    }
}

fn division_by_zero(text: &str) -> Fault {
    Fault::raise(Class::ZeroDivisionError, text)
}

fn integers(operator: Binary, left: BigInt, right: &BigInt, meter: &Meter) -> Outcome<Option<Value>> {
    meter.steps(work(&left, right))?;
    let divides = matches!(operator, Binary::Divide | Binary::FloorDivide | Binary::Modulo);
    if divides && right.is_zero() {
        return Err(division_by_zero(match operator {
            Binary::Divide => "division by zero",
            _ => "integer division or modulo by zero",
        }));
    }
    match operator {
        Binary::Add => bounded(left + right),
        Binary::Subtract => bounded(left - right),
        Binary::Multiply => bounded(left * right),
        Binary::Divide => {
            let quotient = left.to_f64().unwrap_or(0.0) / right.to_f64().unwrap_or(1.0);
            if quotient.is_finite() {
                return Ok(Some(Value::Float(quotient)));
            }
            Err(Fault::raise(Class::OverflowError, "integer division result too large for a float"))
        }
        Binary::FloorDivide => bounded(left.div_floor(right)),
        Binary::Modulo => bounded(left.mod_floor(right)),
        Binary::Power => power(left, right),
        Binary::Or => bounded(left | right),
        Binary::Xor => bounded(left ^ right),
        Binary::And => bounded(left & right),
        Binary::ShiftLeft | Binary::ShiftRight => shift(operator, left, right),
        Binary::MatrixMultiply => Ok(None),
    }
}

/// The steps that it takes to multiply or divide two integers: most are one word long.
pub(in crate::template) fn work(left: &BigInt, right: &BigInt) -> usize {
    let words = |number: &BigInt| usize::try_from(number.bits() / 64).unwrap_or(usize::MAX);
    words(left).saturating_mul(words(right)) / 16
}

fn power(base: BigInt, exponent: &BigInt) -> Outcome<Option<Value>> {
    if exponent.is_negative() {
        return floats(Binary::Power, base.to_f64().unwrap_or(0.0), exponent.to_f64().unwrap_or(0.0));
    }
    let small = base.bits() <= 1;
    let exponent = match exponent.to_u64() {
        Some(exponent) if small || exponent.saturating_mul(base.bits()) <= 2 * MAX_INTEGER_BITS => exponent,
        None if small => u64::from(exponent.bit(0)) + 2,
        _ => return Err(Fault::limit(Limit::IntegerSize)),
    };
    // Powers of 0, 1 and -1 depend on no more than whether the exponent is zero, odd or even.
    let exponent = if small && exponent > 2 { 2 + exponent % 2 } else { exponent };
    bounded(base.pow(exponent))
}

fn shift(operator: Binary, number: BigInt, count: &BigInt) -> Outcome<Option<Value>> {
    if count.is_negative() {
        return Err(Fault::value_error("negative shift count"));
    }
    let count = count.to_u64().unwrap_or(u64::MAX);
    match operator {
        Binary::ShiftRight if count > MAX_INTEGER_BITS => {
            bounded(BigInt::from(if number.is_negative() { -1 } else { 0 }))
        }
        Binary::ShiftRight => bounded(number >> count),
        _ if count > MAX_INTEGER_BITS && !number.is_zero() => Err(Fault::limit(Limit::IntegerSize)),
        _ if number.is_zero() => bounded(number),
        _ => bounded(number << count),
    }
}

fn floats(operator: Binary, left: f64, right: f64) -> Outcome<Option<Value>> {
    let divides = matches!(operator, Binary::Divide | Binary::FloorDivide | Binary::Modulo);
    if divides && right == 0.0 {
        return Err(division_by_zero(match operator {
            Binary::Divide => "float division by zero",
            _ => "float floor division by zero",
        }));
    }
    let number = match operator {
        Binary::Add => left + right,
        Binary::Subtract => left - right,
        Binary::Multiply => left * right,
        Binary::Divide => left / right,
        Binary::FloorDivide => ((left - float_modulo(left, right)) / right).round(),
        Binary::Modulo => float_modulo(left, right),
        Binary::Power if left == 0.0 && right < 0.0 => {
            return Err(division_by_zero("0.0 cannot be raised to a negative power"));
        }
        Binary::Power => left.powf(right),
        _ => return Ok(None),
    };
    if number.is_infinite() && left.is_finite() && right.is_finite() && operator == Binary::Power {
        return Err(Fault::raise(Class::OverflowError, "(34, 'Numerical result out of range')"));
    }
    Ok(Some(Value::Float(number)))
}

/// The remainder with the sign of the divisor.
fn float_modulo(left: f64, right: f64) -> f64 {
    let remainder = left % right;
    if remainder != 0.0 && (remainder < 0.0) != (right < 0.0) { remainder + right } else { remainder }
}
