//! The methods that values have.

use super::Value;
use crate::template::fault::{Fault, Outcome};
use crate::template::functions::Given;
use crate::template::limits::Meter;

pub(in crate::template) mod dict;
mod list;
mod set;
mod text;

/// Whether a method changes the value that it is called on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::template) enum Effect {
    Reads,
    Changes,
}

impl Value {
    /// What calling the method does to the value; none where there is no such method.
    pub(in crate::template) fn method_effect(&self, name: &str) -> Option<Effect> {
        let (reads, changes): (&[&str], &[&str]) = match self {
            Self::List(_) => (&["index", "count", "copy"], &list::CHANGES),
            Self::Tuple(_) | Self::Range(_) => (&["index", "count"], &[]),
            Self::Dict(_) => (&["get", "items", "keys", "values", "copy"], &dict::CHANGES),
            Self::Set(_) => (&set::READS, &set::CHANGES),
            Self::Bytes(_) => (&["decode"], &[]),
            Self::Placeholder(_) => (&["split", "startswith"], &[]),
            other if other.as_text().is_some() => (&text::METHODS, &[]),
            _ => (&[], &[]),
        };
        if reads.contains(&name) {
            return Some(Effect::Reads);
        }
        changes.contains(&name).then_some(Effect::Changes)
    }

    /// Calls a method that only reads.
    pub(in crate::template) fn call_method(
        &self,
        name: &str,
        arguments: Given,
        meter: &Meter,
    ) -> Outcome<Self> {
        match self {
            Self::List(_) | Self::Tuple(_) | Self::Range(_) => list::read(self, name, arguments, meter),
            Self::Dict(dict) => dict::read(dict, name, arguments, meter),
            Self::Set(set) => set::read(set, name, arguments, meter),
            Self::Bytes(bytes) if name == "decode" => {
                Ok(Self::text(String::from_utf8_lossy(bytes).into_owned()))
            }
            Self::Placeholder(_) if name == "split" => Self::list(vec![self.clone(); 3]),
            Self::Placeholder(_) if name == "startswith" => Ok(Self::Bool(false)),
            other => match other.as_text() {
                Some(text) => text::call(text, name, arguments, meter),
                None => Err(Fault::attribute(other.type_name(), name)),
            },
        }
    }

    /// Calls a method that changes the value.
    pub(in crate::template) fn change_by_method(
        &mut self,
        name: &str,
        arguments: Given,
        meter: &Meter,
    ) -> Outcome<Self> {
        match self {
            Self::List(list) => list::change(list, name, arguments, meter),
            Self::Dict(dict) => dict::change(dict, name, arguments, meter),
            Self::Set(set) => set::change(set, name, arguments, meter),
            other => Err(Fault::attribute(other.type_name(), name)),
        }
    }

    /// The name of Python's type where an attribute is missing.
    pub(in crate::template) fn missing_attribute(&self, name: &str) -> Fault {
        let owner = if self.as_text().is_some() { "str" } else { self.type_name() };
        Fault::attribute(owner, name)
    }
}
