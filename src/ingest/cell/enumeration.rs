//! `Enum8` and `Enum16`, by name or by number.

use std::collections::HashMap;

use super::{Misfit, integer};
use crate::ingest::json::JsonValue;
use crate::schema::types::EnumWidth;

/// The members of an enumeration.
#[derive(Debug)]
pub(crate) struct Enumeration {
    width: EnumWidth,
    numbers: HashMap<Box<str>, i16>,
}

impl Enumeration {
    /// Takes the members as declared.
    pub(super) fn new(width: EnumWidth, members: &[(Box<str>, i16)]) -> Self {
        Self { width, numbers: members.iter().cloned().collect() }
    }

    /// The width in bytes.
    pub(super) fn byte_width(&self) -> usize {
        match self.width {
            EnumWidth::W8 => 1,
            EnumWidth::W16 => 2,
        }
    }

    /// Appends the number of a member.
    pub(super) fn write(&self, value: &JsonValue<'_>, out: &mut Vec<u8>) -> Result<(), Misfit> {
        let number = self.find(value).ok_or(Misfit)?;
        out.extend_from_slice(&number.to_le_bytes()[..self.byte_width()]);
        Ok(())
    }

    fn find(&self, value: &JsonValue<'_>) -> Option<i16> {
        if let JsonValue::Text(name) = value
            && let Some(number) = self.numbers.get(name.as_ref())
        {
            return Some(*number);
        }
        let number = match value {
            JsonValue::Bool(_) => return None,
            value => integer::digits(value).ok()?.parse().ok()?,
        };
        self.numbers.values().any(|known| *known == number).then_some(number)
    }
}
