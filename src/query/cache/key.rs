//! What an answer depends on.

use crate::auth::TokenClass;
use crate::catalog::{Access, ResourceName};
use crate::engine::Query;
use crate::query::{Aggregates, ArgumentValue, Call, OutputFormat, OutputSettings};
use crate::template::Arguments;

/// What a caller sent, and what that caller may read: calls with equal keys get equal answers from
/// equal tables, as long as their templates look at nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::query) struct CallKey {
    pipe: ResourceName,
    sql: Option<String>,
    format: OutputFormat,
    output: OutputSettings,
    /// By name.
    arguments: Vec<(String, ArgumentValue)>,
    access: Access,
    /// Each kind of token has limits of its own.
    class: TokenClass,
}

impl CallKey {
    /// The key of a call whose templates see these values.
    pub(in crate::query) fn new(call: &Call, arguments: &Arguments) -> Self {
        let argument = |(name, value): (&str, &ArgumentValue)| (name.to_owned(), value.clone());
        let mut arguments: Vec<_> = arguments.iter().map(argument).collect();
        arguments.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Self {
            pipe: call.permit.pipe().clone(),
            sql: call.sql.clone(),
            format: call.format,
            output: call.output,
            arguments,
            access: call.permit.access().clone(),
            class: call.permit.holder().class(),
        }
    }

    /// About what it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        let of_value = |value: &ArgumentValue| match value {
            ArgumentValue::Text(text) => text.len(),
            ArgumentValue::List(texts) => texts.iter().map(|text| text.len() + size_of::<String>()).sum(),
            // A JSON value takes several times its text: a number of one letter is a node, too.
            ArgumentValue::Json(json) => 16 * json.to_string().len(),
        };
        let of_argument = |(name, value): &(String, ArgumentValue)| {
            size_of::<(String, ArgumentValue)>() + name.len() + of_value(value)
        };
        let arguments: usize = self.arguments.iter().map(of_argument).sum();
        let text = self.sql.as_ref().map_or(0, String::len);
        size_of::<Self>() + self.pipe.as_str().len() + text + arguments + self.access.bytes()
    }
}

/// What goes to the engine: its answer depends on nothing else but the tables, and, for some, the
/// clock and chance.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::query) struct Question {
    pub(in crate::query) query: Query,
    /// Half-made aggregates are replaced by their values before the query runs.
    pub(in crate::query) aggregates: Aggregates,
}

impl Question {
    /// About what it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        let Query { sql, format, settings, parameters, .. } = &self.query;
        let pairs = settings.iter().chain(parameters);
        let pairs: usize =
            pairs.map(|(name, value)| 2 * size_of::<String>() + name.len() + value.len()).sum();
        size_of::<Self>() + sql.len() + format.len() + pairs
    }
}
