//! What sets and dicts know their members by.

use std::sync::Arc;

use num_bigint::BigInt;
use num_traits::FromPrimitive;

use super::{Nature, Value};
use crate::template::fault::{Fault, Outcome};
use crate::template::limits::{BYTES_PER_STEP, Meter};

/// Equal exactly where Python's values are: `1`, `1.0` and `True` are one key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::template) enum Key {
    None,
    Int(BigInt),
    /// The bits of a number that is not whole.
    Float(u64),
    Text(Arc<str>),
    Bytes(Arc<[u8]>),
    Tuple(Vec<Self>),
    /// A piece of SQL.
    Symbol(Arc<str>),
    /// A function or class.
    Named(&'static str),
}

impl Key {
    pub(in crate::template) fn of(value: &Value, meter: &Meter) -> Outcome<Self> {
        meter.steps(1 + value.as_text().map_or(0, |text| text.len() / BYTES_PER_STEP))?;
        Ok(match value.untyped() {
            Value::None => Self::None,
            Value::Bool(truth) => Self::Int(u8::from(*truth).into()),
            Value::Int(number) => Self::Int(number.clone()),
            Value::Float(number) => match BigInt::from_f64(*number) {
                Some(whole) if number.fract() == 0.0 => Self::Int(whole),
                _ => Self::Float(number.to_bits()),
            },
            Value::Text(text) => Self::Text(text.clone()),
            Value::Bytes(bytes) => Self::Bytes(bytes.clone()),
            Value::Fragment(fragment) => match fragment.nature {
                Nature::Text => Self::Text(fragment.text.clone()),
                Nature::Symbol => Self::Symbol(fragment.text.clone()),
            },
            Value::Tuple(sequence) => Self::Tuple(
                sequence.items().iter().map(|item| Self::of(item, meter)).collect::<Outcome<_>>()?,
            ),
            Value::Function(function) => Self::Named(function.name),
            Value::Class(class) => Self::Named(class.name()),
            Value::Placeholder(name) => Self::Symbol(name.clone()),
            other => return Err(Fault::type_error(format!("unhashable type: '{}'", other.type_name()))),
        })
    }
}
