//! Values as SQL text: where every value that a template prints passes through.

use super::Value;
use crate::template::fault::Outcome;
use crate::template::limits::Meter;
use crate::template::quote;

impl Value {
    /// What the value becomes in SQL; none for what cannot be printed.
    ///
    /// Numbers and booleans print as in Python, lists and dicts too (text in single quotes), pieces
    /// of SQL as they are, and everything else as a quoted string.
    pub(in crate::template) fn to_sql(&self, meter: &Meter) -> Outcome<Option<String>> {
        Ok(Some(match self {
            Self::None | Self::Function(_) | Self::Lambda(_) | Self::Method(_) | Self::Class(_) => {
                return Ok(None);
            }
            Self::Text(text) => quote::literal(text),
            Self::Placeholder(_) | Self::Exception(_) => quote::literal(&self.display(meter)?),
            Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Typed(_) | Self::Fragment(_) => {
                self.display(meter)?
            }
            _ => self.print_for_sql(meter)?,
        }))
    }
}
