//! Going through the items of a value.

use std::sync::Arc;

use super::{Range, Value};
use crate::template::fault::{Fault, Outcome};
use crate::template::limits::{BYTES_PER_STEP, Meter};

/// How many placeholders a check finds in a parameter that it does not know.
const PLACEHOLDER_ITEMS: usize = 3;

/// The items of a value, one step of the meter each.
pub(in crate::template) struct Items<'m> {
    source: Source,
    next: usize,
    meter: &'m Meter,
}

enum Source {
    Values(Vec<Value>),
    /// The text and the byte where the next character starts.
    Text(Arc<str>, usize),
    Range(Range),
}

impl Value {
    /// The items, as a `for` loop sees them.
    pub(in crate::template) fn iterate<'m>(&self, meter: &'m Meter) -> Outcome<Items<'m>> {
        let source = match self {
            Self::List(sequence) | Self::Tuple(sequence) => Source::Values(sequence.items().to_vec()),
            Self::Set(set) => Source::Values(set.items.values().cloned().collect()),
            Self::Dict(dict) => Source::Values(dict.keys().cloned().collect()),
            Self::Bytes(bytes) => Source::Values(bytes.iter().map(|byte| Self::int(*byte)).collect()),
            Self::Iterator(iterator) => Source::Values(iterator.drain()),
            Self::Placeholder(_) => Source::Values(vec![self.clone(); PLACEHOLDER_ITEMS]),
            Self::Range(range) => Source::Range(*range),
            other => match other.as_text() {
                Some(text) => Source::Text(text.clone(), 0),
                None => {
                    return Err(Fault::type_error(format!("'{}' object is not iterable", other.type_name())));
                }
            },
        };
        if let Source::Values(values) = &source {
            meter.allocate_items(values.len())?;
        }
        Ok(Items { source, next: 0, meter })
    }

    /// All items at once.
    pub(in crate::template) fn items(&self, meter: &Meter) -> Outcome<Vec<Self>> {
        let items = self.iterate(meter)?.collect::<Outcome<Vec<_>>>()?;
        meter.allocate_items(items.len())?;
        Ok(items)
    }

    /// How many items there are, as `len()` counts them.
    pub(in crate::template) fn length(&self, meter: &Meter) -> Outcome<usize> {
        Ok(match self {
            Self::List(sequence) | Self::Tuple(sequence) => sequence.items().len(),
            Self::Set(set) => set.items.len(),
            Self::Dict(dict) => dict.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Range(range) => range.length(),
            other => match other.as_text() {
                Some(text) => {
                    meter.steps(text.len() / BYTES_PER_STEP)?;
                    text.chars().count()
                }
                None => {
                    return Err(Fault::type_error(format!(
                        "object of type '{}' has no len()",
                        other.type_name()
                    )));
                }
            },
        })
    }
}

impl Iterator for Items<'_> {
    type Item = Outcome<Value>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = match &mut self.source {
            Source::Values(values) => values.get(self.next).cloned()?,
            Source::Text(text, at) => {
                let c = text.get(*at..)?.chars().next()?;
                *at += c.len_utf8();
                Value::text(c.to_string())
            }
            Source::Range(range) if self.next < range.length() => Value::int(range.at(self.next)),
            Source::Range(_) => return None,
        };
        self.next += 1;
        Some(self.meter.step().map(|()| item))
    }
}
