//! Python's functions on numbers.

use std::hash::{DefaultHasher, Hash, Hasher};

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{FromPrimitive, Signed, ToPrimitive};

use super::Given;
use crate::template::fault::{Fault, Outcome};
use crate::template::limits::Meter;
use crate::template::machine::Machine;
use crate::template::python::tree::{Binary, Comparison};
use crate::template::value::arithmetic::work;
use crate::template::value::{Key, Value};

/// More digits than any integer has.
const MAX_ROUNDED_DIGITS: u32 = 4_400;

/// `abs(x)`
pub(super) fn absolute(_: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let [x] = given.exactly(name)?;
    match (x.as_int(), x.untyped()) {
        (Some(number), _) => Ok(Value::Int(number.abs())),
        (None, Value::Float(number)) => Ok(Value::Float(number.abs())),
        _ => Err(Fault::type_error(format!("bad operand type for abs(): '{}'", x.type_name()))),
    }
}

/// `round(x, digits)`: halves go to the even neighbour.
pub(super) fn round(machine: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let [x, digits] = given.bind(name, ["number", "ndigits"], 1)?;
    let x = x.unwrap_or(Value::None);
    let digits =
        digits.filter(|digits| !matches!(digits, Value::None)).map(|digits| digits.to_index()).transpose()?;
    if let Some(number) = x.as_int() {
        return round_integer(number, digits.unwrap_or(0), &machine.meter).map(Value::Int);
    }
    match (x.untyped(), digits) {
        (Value::Float(number), Some(digits)) => Ok(Value::Float(round_float(*number, digits))),
        (Value::Float(number), None) => BigInt::from_f64(number.round_ties_even())
            .map(Value::Int)
            .ok_or_else(|| Fault::value_error("cannot convert float NaN or infinity to integer")),
        _ => Err(Fault::type_error(format!("type {} doesn't define __round__ method", x.type_name()))),
    }
}

fn round_integer(number: BigInt, digits: i64, meter: &Meter) -> Outcome<BigInt> {
    if digits >= 0 {
        return Ok(number);
    }
    let zeros = u32::try_from(digits.unsigned_abs()).unwrap_or(u32::MAX).min(MAX_ROUNDED_DIGITS);
    let unit = BigInt::from(10).pow(zeros);
    meter.steps(work(&unit, &unit))?;
    let (lower, rest) = number.div_mod_floor(&unit);
    let half = &unit / 2;
    let up = rest > half || (rest == half && lower.is_odd());
    Ok((lower + u8::from(up)) * unit)
}

fn round_float(number: f64, digits: i64) -> f64 {
    if let Ok(digits) = usize::try_from(digits) {
        // Beyond this, rounding changes nothing.
        return format!("{number:.*}", digits.min(330)).parse().unwrap_or(number);
    }
    let zeros = i32::try_from(digits.unsigned_abs()).unwrap_or(i32::MAX);
    let unit = 10_f64.powi(zeros);
    if unit.is_finite() { (number / unit).round_ties_even() * unit } else { 0.0 }
}

/// `pow(base, exponent, modulus)`
pub(super) fn power(machine: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let [base, exponent, modulus] = given.bind(name, ["base", "exp", "mod"], 2)?;
    let (base, exponent) = (base.unwrap_or(Value::None), exponent.unwrap_or(Value::None));
    let Some(modulus) = modulus.filter(|modulus| !matches!(modulus, Value::None)) else {
        return base.binary(Binary::Power, &exponent, &machine.meter);
    };
    match (base.as_int(), exponent.as_int(), modulus.as_int()) {
        (Some(base), Some(exponent), Some(modulus)) if modulus.is_positive() && !exponent.is_negative() => {
            let squarings = usize::try_from(exponent.bits()).unwrap_or(usize::MAX);
            machine.meter.steps(work(&modulus, &modulus).saturating_add(1).saturating_mul(squarings))?;
            Ok(Value::Int(base.modpow(&exponent, &modulus)))
        }
        _ => Err(Fault::value_error("pow() needs whole numbers and a positive modulus")),
    }
}

/// `divmod(a, b)`
pub(super) fn divide(machine: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let [left, right] = given.exactly(name)?;
    let quotient = left.binary(Binary::FloorDivide, &right, &machine.meter)?;
    Value::tuple(vec![quotient, left.binary(Binary::Modulo, &right, &machine.meter)?])
}

/// `bin(x)`, `hex(x)` and `oct(x)`
pub(super) fn in_base(_: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let [x] = given.exactly(name)?;
    let number = x.as_int().ok_or_else(|| {
        Fault::type_error(format!("'{}' object cannot be interpreted as an integer", x.type_name()))
    })?;
    let (prefix, radix) = match name {
        "bin" => ("0b", 2),
        "hex" => ("0x", 16),
        _ => ("0o", 8),
    };
    let sign = if number.is_negative() { "-" } else { "" };
    Ok(Value::text(format!("{sign}{prefix}{}", number.abs().to_str_radix(radix))))
}

/// `hash(x)`: the same for equal values, in every rendering.
pub(super) fn hash(machine: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let [x] = given.exactly(name)?;
    let key = Key::of(&x, &machine.meter)?;
    if let Key::Int(number) = &key {
        return Ok(Value::Int(number.clone()));
    }
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    // A hash that is not zero, as Python's hardly ever is.
    Ok(Value::int(hasher.finish() >> 1 | 1))
}

/// `sum(items, start)`
pub(super) fn sum(machine: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let [items, start] = given.bind(name, ["iterable", "start"], 1)?;
    let mut sum = start.unwrap_or_else(|| Value::int(0));
    if sum.as_text().is_some() {
        return Err(Fault::type_error("sum() can't sum strings [use ''.join(seq) instead]"));
    }
    let meter = machine.meter.clone();
    for item in items.unwrap_or(Value::None).iterate(&meter)? {
        sum = sum.binary(Binary::Add, &item?, &meter)?;
    }
    Ok(sum)
}

/// `max(…)` and `min(…)`: the winner as it is.
pub(super) fn extreme(machine: &mut Machine<'_>, name: &'static str, mut given: Given) -> Outcome<Value> {
    let meter = machine.meter.clone();
    let key = given.take_keyword("key").filter(|key| !matches!(key, Value::None));
    let default = given.take_keyword("default");
    let items = match given.positional.as_slice() {
        [] => return Err(Fault::type_error(format!("{name} expected at least 1 argument, got 0"))),
        [single] => single.items(&meter)?,
        _ => given.positional,
    };
    let wins = if name == "max" { Comparison::Greater } else { Comparison::Less };
    let mut best: Option<(Value, Value)> = None;
    for item in items {
        let rank = match &key {
            Some(key) => machine.call(key, Given { positional: vec![item.clone()], keywords: Vec::new() })?,
            None => item.clone(),
        };
        let better = match &best {
            None => true,
            Some((_, highest)) => rank.compare(wins, highest, &meter)?,
        };
        if better {
            best = Some((item, rank));
        }
    }
    match best {
        Some((item, _)) => Ok(item),
        None => default.ok_or_else(|| Fault::value_error(format!("{name}() arg is an empty sequence"))),
    }
}

impl Value {
    /// The whole number that is nearest towards zero.
    pub(super) fn truncated(&self) -> Option<BigInt> {
        match self.untyped() {
            Self::Float(number) => BigInt::from_f64(number.trunc()),
            _ => self.as_int(),
        }
    }

    /// The count that a whole number is.
    pub(super) fn as_count(&self) -> Option<i64> {
        self.as_int().and_then(|number| number.to_i64())
    }
}
