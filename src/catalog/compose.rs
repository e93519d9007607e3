//! A pipe, or a text of the caller's own, and the caller's parameters become one SQL text.
//!
//! In: the workspace, a pipe or an [`OwnText`], arguments.  Out: [`Composed`].  Pure.
//! A name in a node is a node of the same pipe, else a data source or its quarantine, else a pipe,
//! which answers with its output node; every template on the way sees the caller's parameters, and
//! every data source on the way is read through the caller's row filter.
//! A name in the caller's own text is `_`, or what the caller's [`Access`] reaches; whether a name
//! out of reach exists is not said.

mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Access, Node, Pipe, ResourceName, Workspace};
use crate::sql::compose::{self, ComposeError, PhysicalName, Rules};
use crate::sql::gate::{Author, Constancy, Gate, Purpose};
use crate::template::{Arguments, Environment, Mode, Template, TemplateError};

pub use crate::sql::statement::Kind;
use names::{Names, Vantage};

/// Nodes and pipes that may stand inside each other; real projects go six deep.
const MAX_CHAIN: usize = 64;
/// Bytes of the SQL that goes to the engine: room for a parameter of a megabyte.
pub const MAX_SQL_BYTES: usize = 4 << 20;

/// What goes to the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// One SELECT, every name in it resolved.
    pub sql: String,
    /// Engine settings that the templates ask for.
    pub settings: BTreeMap<String, String>,
    /// The tables that it reads.
    pub tables: BTreeSet<PhysicalName>,
    /// Whether it has the same result as long as the tables are the same.
    pub constancy: Constancy,
    /// How long a result may be kept that depends on more than the tables: `cache_ttl` of a template on
    /// the way, the shortest of several.
    pub cache_ttl: Option<Duration>,
    /// Whether the same arguments give the same SQL.
    pub rendering: Constancy,
}

/// A text of the caller's own, composed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComposedText {
    /// What goes to the engine.
    pub composed: Composed,
    /// What the text does.
    pub kind: Kind,
    /// The name in its FORMAT clause, as written.
    pub format: Option<String>,
}

/// SQL that the caller wrote.
#[derive(Debug, Clone, Copy)]
pub struct OwnText<'a> {
    /// The text, compiled: a template where it begins with `%`.
    pub template: &'a Template,
    /// The pipe that `_` stands for. The caller has the right to read it.
    pub subject: Option<&'a Pipe>,
}

/// The name of the pipe that a text of the caller's own is about.
pub const SUBJECT_NAME: &str = "_";

/// Why a node has no SQL.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NodeError {
    /// A template refused the arguments, or raised an error of its author's.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The rendered text is not what may run, or names something that is not there.
    #[error(transparent)]
    Sql(#[from] Box<ComposeError>),
    /// A row filter needs a column that its data source does not have; `ClickHouse` would take one
    /// of that name from the query around it.
    #[error(
        "the row filter of the token reads `{column}`, and the data source `{data_source}` has no such column"
    )]
    FilterColumn {
        /// The filtered data source.
        data_source: ResourceName,
        /// The column that is not there.
        column: String,
    },
    /// The caller's own text names something that the token does not cover, whether it exists or
    /// not.
    #[error("the token may not read `{name}`: it needs the scope {}", scopes_for(.name))]
    OutOfReach {
        /// The name as written.
        name: String,
    },
}

/// The scopes that would let a caller name this, judged by the name alone.
fn scopes_for(name: &str) -> String {
    match name.strip_suffix("_quarantine") {
        Some(data_source) => format!("`DATASOURCES:READ:{data_source}`"),
        None => format!("`DATASOURCES:READ:{name}` or `PIPES:READ:{name}`"),
    }
}

/// What the caller of a pipe brings along.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// Values for the parameters of every template on the way.
    pub arguments: &'a Arguments,
    /// What templates may know besides.
    pub environment: &'a Environment,
    /// What may be read, and which rows of it.
    pub access: &'a Access,
}

impl Workspace {
    /// The SQL of a pipe's output node for this caller.
    pub fn compose(&self, pipe: &Pipe, caller: Caller<'_>) -> Result<Composed, NodeError> {
        self.compose_node(pipe, pipe.output(), caller)
    }

    /// The SQL of a node that nobody calls: every parameter has its default.
    pub fn compose_uncalled(&self, pipe: &Pipe, node: &Node) -> Result<Composed, NodeError> {
        let (arguments, environment) = (Arguments::new(), Environment::default());
        let access = Access::everything();
        self.compose_node(
            pipe,
            node,
            Caller { arguments: &arguments, environment: &environment, access: &access },
        )
    }

    /// Composes a node with placeholders for its parameters, as Tinybird does when it checks a
    /// project: what fails then would fail in every call.
    pub fn check_node(&self, pipe: &Pipe, node: &Node) -> Result<Composed, NodeError> {
        let environment = Environment { mode: Mode::Check, ..Environment::default() };
        let (arguments, access) = (Arguments::new(), Access::everything());
        let caller = Caller { arguments: &arguments, environment: &environment, access: &access };
        self.compose_node(pipe, node, caller)
    }

    /// The SQL of any node of a pipe for this caller.
    pub fn compose_node(&self, pipe: &Pipe, node: &Node, caller: Caller<'_>) -> Result<Composed, NodeError> {
        let text = self.compose_in(&node.template, Vantage::Node(pipe), Author::Project, caller)?;
        Ok(text.composed)
    }

    /// The SQL of a text that the caller wrote.
    pub fn compose_text(&self, text: OwnText<'_>, caller: Caller<'_>) -> Result<ComposedText, NodeError> {
        self.compose_in(text.template, Vantage::OwnText(text.subject), Author::Caller, caller)
    }

    fn compose_in(
        &self,
        template: &Template,
        vantage: Vantage<'_>,
        author: Author,
        caller: Caller<'_>,
    ) -> Result<ComposedText, NodeError> {
        let mut names = Names::new(self, caller);
        let sql = names.render(template)?;
        let composed = compose::compose(&sql, &vantage, &mut names, rules(author));
        if let Some(failure) = names.failure {
            return Err(failure);
        }
        let composed = composed.map_err(Box::new)?;
        let (kind, format) = (composed.kind, composed.format.map(|format| format.name));
        let Names { settings, cache_ttl, rendering, .. } = names;
        let compose::Composed { sql, tables, constancy, .. } = composed;
        let composed = Composed { sql, settings, tables, constancy, cache_ttl, rendering };
        Ok(ComposedText { composed, kind, format })
    }
}

fn rules(author: Author) -> Rules {
    let gate = Gate { author, purpose: Purpose::Read };
    Rules { gate, max_chain: MAX_CHAIN, max_bytes: MAX_SQL_BYTES }
}

#[cfg(test)]
mod tests;
