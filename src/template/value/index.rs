//! Subscripts and slices.

use std::rc::Rc;

use super::{Key, Range, Value};
use crate::template::fault::{Fault, Outcome};
use crate::template::limits::{BYTES_PER_STEP, Meter};

/// How many items of an unknown parameter a check may look at.
const PLACEHOLDER_INDEXES: i64 = 3;

impl Value {
    /// `self[index]`
    pub(in crate::template) fn subscript(&self, index: &Self, meter: &Meter) -> Outcome<Self> {
        if let Self::Slice(parts) = index {
            return self.slice(parts, meter);
        }
        match self {
            Self::Dict(dict) => match dict.get(&Key::of(index, meter)?) {
                Some(value) => Ok(value.clone()),
                None => Err(Fault::key(index.represent(meter)?)),
            },
            Self::List(sequence) | Self::Tuple(sequence) => {
                let place = self.place(index, sequence.items().len())?;
                sequence.items().get(place).cloned().ok_or_else(|| self.out_of_range())
            }
            Self::Range(range) => Ok(Self::int(range.at(self.place(index, range.length())?))),
            Self::Bytes(bytes) => {
                let place = self.place(index, bytes.len())?;
                bytes.get(place).map(|byte| Self::int(*byte)).ok_or_else(|| self.out_of_range())
            }
            Self::Placeholder(_) if index.to_index()? < PLACEHOLDER_INDEXES => Ok(self.clone()),
            Self::Placeholder(_) => Err(Fault::index("")),
            other => match other.as_text() {
                Some(text) => {
                    meter.steps(text.len() / BYTES_PER_STEP)?;
                    let place = other.place(index, text.chars().count())?;
                    let found = text.chars().nth(place).ok_or_else(|| other.out_of_range())?;
                    Ok(Self::text(found.to_string()))
                }
                None => {
                    Err(Fault::type_error(format!("'{}' object is not subscriptable", other.type_name())))
                }
            },
        }
    }

    fn out_of_range(&self) -> Fault {
        let kind = if self.as_text().is_some() { "string" } else { self.type_name() };
        Fault::index(format!("{kind} index out of range"))
    }

    /// The place that an index means among `length` items; negative ones count from the end.
    pub(in crate::template) fn place(&self, index: &Self, length: usize) -> Outcome<usize> {
        if index.as_int().is_none() {
            let found = index.type_name();
            return Err(Fault::type_error(match self.as_text() {
                Some(_) => format!("string indices must be integers, not '{found}'"),
                None => format!("{} indices must be integers or slices, not {found}", self.type_name()),
            }));
        }
        let index = index.to_index()?;
        let length_signed = i64::try_from(length).unwrap_or(i64::MAX);
        let place = if index < 0 { index.saturating_add(length_signed) } else { index };
        usize::try_from(place).ok().filter(|place| *place < length).ok_or_else(|| self.out_of_range())
    }

    fn slice(&self, parts: &[Self; 3], meter: &Meter) -> Outcome<Self> {
        if let Some(text) = self.as_text() {
            let chars: Vec<char> = text.chars().collect();
            meter.allocate(text.len().saturating_mul(4))?;
            let chosen = chosen(parts, chars.len())?;
            return Ok(Self::text(chosen.filter_map(|place| chars.get(place)).collect::<String>()));
        }
        let pick = |items: &[Self]| -> Outcome<Vec<Self>> {
            meter.allocate_items(items.len())?;
            Ok(chosen(parts, items.len())?.filter_map(|place| items.get(place).cloned()).collect())
        };
        match self {
            Self::List(sequence) => Self::list(pick(sequence.items())?),
            Self::Tuple(sequence) => Self::tuple(pick(sequence.items())?),
            Self::Range(_) => Self::list(pick(&self.items(meter)?)?),
            Self::Bytes(bytes) => {
                let chosen = chosen(parts, bytes.len())?;
                Ok(Self::Bytes(chosen.filter_map(|place| bytes.get(place).copied()).collect()))
            }
            Self::Placeholder(_) => Ok(self.clone()),
            Self::Dict(_) => Err(Fault::type_error("unhashable type: 'slice'")),
            other => Err(Fault::type_error(format!("'{}' object is not subscriptable", other.type_name()))),
        }
    }

    pub(in crate::template) fn new_slice(start: Self, stop: Self, by: Self) -> Self {
        Self::Slice(Rc::new([start, stop, by]))
    }
}

/// The places that a slice means among `length` items.
fn chosen(parts: &[Value; 3], length: usize) -> Outcome<impl Iterator<Item = usize>> {
    let bound = |part: &Value| -> Outcome<Option<i64>> {
        match part {
            Value::None => Ok(None),
            number if number.as_int().is_some() => Ok(Some(number.to_index()?)),
            _ => Err(Fault::type_error("slice indices must be integers or None or have an __index__ method")),
        }
    };
    let [start, stop, by] = parts;
    let by = bound(by)?.unwrap_or(1);
    if by == 0 {
        return Err(Fault::value_error("slice step cannot be zero"));
    }
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    // Going backwards, the place before the first item is a bound too.
    let (lowest, highest) = if by > 0 { (0, length) } else { (-1, length - 1) };
    let clamp = |place: i64| {
        let place = if place < 0 { place.saturating_add(length) } else { place };
        place.clamp(lowest, highest)
    };
    let start = bound(start)?.map_or(if by > 0 { lowest } else { highest }, clamp);
    let stop = bound(stop)?.map_or(if by > 0 { highest } else { lowest }, clamp);
    let range = Range { start, stop, step: by };
    Ok((0..range.length()).filter_map(move |place| usize::try_from(range.at(place)).ok()))
}
