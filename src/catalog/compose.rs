//! A pipe and a caller's parameters become one SQL text.
//!
//! In: the workspace, a pipe, arguments.  Out: [`Composed`].  Pure.
//! A name in a node is a node of the same pipe, else a data source or its quarantine, else a pipe,
//! which answers with its output node; every template on the way sees the caller's parameters.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{DataSource, Node, Pipe, ResourceName, Workspace};
use crate::sql::compose::{self, ComposeError, PhysicalName, Query, Resolution, Resolver, Rules, Table};
use crate::sql::gate::{Author, Gate, Purpose};
use crate::sql::scan::TableName;
use crate::template::{Arguments, Environment, Mode, Template, TemplateError};

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
}

/// Why a node has no SQL.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NodeError {
    /// A template refused the arguments, or raised an error of its author's.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The rendered text is not what may run, or names something that is not there.
    #[error(transparent)]
    Sql(#[from] Box<ComposeError>),
}

impl Workspace {
    /// The SQL of a pipe's output node for these arguments.
    pub fn compose(
        &self,
        pipe: &Pipe,
        arguments: &Arguments,
        environment: &Environment,
    ) -> Result<Composed, NodeError> {
        self.compose_node(pipe, pipe.output(), arguments, environment)
    }

    /// Composes a node with placeholders for its parameters, as Tinybird does when it checks a
    /// project: what fails then would fail in every call.
    pub fn check_node(&self, pipe: &Pipe, node: &Node) -> Result<Composed, NodeError> {
        let environment = Environment { mode: Mode::Check, ..Environment::default() };
        self.compose_node(pipe, node, &Arguments::new(), &environment)
    }

    fn compose_node(
        &self,
        pipe: &Pipe,
        node: &Node,
        arguments: &Arguments,
        environment: &Environment,
    ) -> Result<Composed, NodeError> {
        let mut names =
            Names { workspace: self, arguments, environment, settings: BTreeMap::new(), failure: None };
        let sql = names.render(&node.template)?;
        let composed = compose::compose(&sql, &pipe, &mut names, rules());
        if let Some(failure) = names.failure {
            return Err(failure.into());
        }
        let composed = composed.map_err(Box::new)?;
        Ok(Composed { sql: composed.sql, settings: names.settings })
    }
}

fn rules() -> Rules {
    let gate = Gate { author: Author::Project, purpose: Purpose::Read };
    Rules { gate, max_chain: MAX_CHAIN, max_bytes: MAX_SQL_BYTES }
}

/// Knows what the names of a workspace are.
struct Names<'a> {
    workspace: &'a Workspace,
    arguments: &'a Arguments,
    environment: &'a Environment,
    settings: BTreeMap<String, String>,
    /// A template that failed while its name was resolved.
    failure: Option<TemplateError>,
}

impl Names<'_> {
    fn render(&mut self, template: &Template) -> Result<String, TemplateError> {
        let rendered = template.render(self.arguments, self.environment)?;
        if let Some(threads) = rendered.settings.get("max_threads") {
            self.settings.insert("max_threads".to_owned(), threads.to_string());
        }
        Ok(rendered.sql)
    }

    fn query<'p>(&mut self, identity: String, template: &Template, scope: &'p Pipe) -> Resolution<&'p Pipe> {
        match self.render(template) {
            Ok(sql) => Resolution::Query(Query { identity, sql, scope }),
            Err(error) => {
                self.failure.get_or_insert(error);
                Resolution::Unknown
            }
        }
    }
}

impl<'a> Resolver for Names<'a> {
    /// The pipe whose nodes are visible.
    type Scope = &'a Pipe;

    fn resolve(&mut self, scope: &&'a Pipe, name: &TableName) -> Resolution<&'a Pipe> {
        if name.database.is_some() {
            return Resolution::Unknown;
        }
        let workspace = self.workspace;
        if let Some(node) = scope.node(&name.table) {
            return self.query(format!("{}.{}", scope.name, node.name), &node.template, scope);
        }
        if let Some(table) = workspace.table(&name.table) {
            return Resolution::Table(table);
        }
        let found = ResourceName::parse(&name.table).ok().and_then(|name| workspace.pipes.get(&name));
        match found.map(Arc::as_ref).filter(|pipe| pipe.is_readable()) {
            Some(pipe) => self.query(pipe.name.to_string(), &pipe.output().template, pipe),
            None => Resolution::Unknown,
        }
    }
}

impl Workspace {
    /// The table behind a data source's name, or behind its quarantine's.
    fn table(&self, name: &str) -> Option<Table> {
        let find = |name: &str| self.data_sources.get(&ResourceName::parse(name).ok()?);
        let rows = |data_source: &Arc<DataSource>| data_source.rows.clone();
        let quarantine = |data_source: &Arc<DataSource>| data_source.quarantine.clone();
        let table = match find(name) {
            Some(data_source) => rows(data_source),
            None => find(name.strip_suffix("_quarantine")?).map(quarantine)?,
        };
        let name = PhysicalName { database: table.database().to_owned(), table: table.table().to_owned() };
        Some(Table { name, filter: None })
    }
}
