//! What an answer depends on.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash, Hasher};
use std::sync::Arc;

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
///
/// It is long, and stands in several lists: they share it, and its hash is taken once.
#[derive(Debug, Clone)]
pub(in crate::query) struct Question {
    hash: u64,
    asked: Arc<Asked>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Asked {
    query: Query,
    aggregates: Aggregates,
}

impl Question {
    /// A question; aggregates that are half made are, or are not, replaced by their values before the
    /// query runs.
    pub(in crate::query) fn new(query: Query, aggregates: Aggregates) -> Self {
        let asked = Asked { query, aggregates };
        Self { hash: BuildHasherDefault::<DefaultHasher>::default().hash_one(&asked), asked: Arc::new(asked) }
    }

    /// The query as it was asked.
    pub(in crate::query) fn query(&self) -> &Query {
        &self.asked.query
    }

    /// What becomes of its aggregates.
    pub(in crate::query) fn aggregates(&self) -> Aggregates {
        self.asked.aggregates
    }

    /// About what it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        let Query { sql, format, settings, parameters, .. } = self.query();
        let pairs = settings.iter().chain(parameters);
        let pairs: usize =
            pairs.map(|(name, value)| 2 * size_of::<String>() + name.len() + value.len()).sum();
        size_of::<Asked>() + sql.len() + format.len() + pairs
    }
}

impl PartialEq for Question {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.asked == other.asked
    }
}

impl Eq for Question {}

impl Hash for Question {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}
