//! A pipe and a caller's parameters become one SQL text.
//!
//! In: the workspace, a pipe, arguments.  Out: [`Composed`].  Pure.
//! A name in a node is a node of the same pipe, else a data source or its quarantine, else a pipe,
//! which answers with its output node; every template on the way sees the caller's parameters, and
//! every data source on the way is read through the caller's row filter.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Access, DataSource, Node, Pipe, ResourceName, Workspace};
use crate::schema;
use crate::sql::RowFilter;
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
    /// The tables that it reads.
    pub tables: BTreeSet<PhysicalName>,
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

    fn compose_node(&self, pipe: &Pipe, node: &Node, caller: Caller<'_>) -> Result<Composed, NodeError> {
        let mut names = Names { workspace: self, caller, settings: BTreeMap::new(), failure: None };
        let sql = names.render(&node.template)?;
        let composed = compose::compose(&sql, &pipe, &mut names, rules());
        if let Some(failure) = names.failure {
            return Err(failure);
        }
        let composed = composed.map_err(Box::new)?;
        Ok(Composed { sql: composed.sql, settings: names.settings, tables: composed.tables })
    }
}

fn rules() -> Rules {
    let gate = Gate { author: Author::Project, purpose: Purpose::Read };
    Rules { gate, max_chain: MAX_CHAIN, max_bytes: MAX_SQL_BYTES }
}

/// Knows what the names of a workspace are.
struct Names<'a> {
    workspace: &'a Workspace,
    caller: Caller<'a>,
    settings: BTreeMap<String, String>,
    /// Why a name that is known could not be resolved.
    failure: Option<NodeError>,
}

impl Names<'_> {
    fn render(&mut self, template: &Template) -> Result<String, TemplateError> {
        let rendered = template.render(self.caller.arguments, self.caller.environment)?;
        if let Some(threads) = rendered.settings.get("max_threads") {
            self.settings.insert("max_threads".to_owned(), threads.to_string());
        }
        Ok(rendered.sql)
    }

    fn query<'p>(&mut self, identity: String, template: &Template, scope: &'p Pipe) -> Resolution<&'p Pipe> {
        match self.render(template) {
            Ok(sql) => Resolution::Query(Query { identity, sql, scope }),
            Err(error) => self.failed(error.into()),
        }
    }

    fn failed<Scope>(&mut self, error: NodeError) -> Resolution<Scope> {
        self.failure.get_or_insert(error);
        Resolution::Unknown
    }

    /// The rows of a data source that the caller may read.
    fn rows<Scope>(&mut self, data_source: &DataSource) -> Resolution<Scope> {
        let filter = self.caller.access.filter(&data_source.name).cloned();
        match filter.as_ref().and_then(|filter| missing_column(filter, data_source)) {
            Some(column) => {
                self.failed(NodeError::FilterColumn { data_source: data_source.name.clone(), column })
            }
            None => Resolution::Table(Table { name: physical(&data_source.rows), filter }),
        }
    }

    /// A quarantine; none for who may read only some rows of its data source, because a row that
    /// did not fit cannot be held against a filter.
    fn quarantine<Scope>(&self, data_source: &DataSource) -> Resolution<Scope> {
        match self.caller.access.filter(&data_source.name) {
            Some(_) => Resolution::Unknown,
            None => Resolution::Table(Table { name: physical(&data_source.quarantine), filter: None }),
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
        match workspace.stored(&name.table) {
            Some(Stored::Rows(data_source)) => return self.rows(data_source),
            Some(Stored::Quarantine(data_source)) => return self.quarantine(data_source),
            None => {}
        }
        let found = ResourceName::parse(&name.table).ok().and_then(|name| workspace.pipes.get(&name));
        match found.map(Arc::as_ref).filter(|pipe| pipe.is_readable()) {
            Some(pipe) => self.query(pipe.name.to_string(), &pipe.output().template, pipe),
            None => Resolution::Unknown,
        }
    }
}

/// What a table's name in a workspace leads to.
enum Stored<'a> {
    Rows(&'a DataSource),
    Quarantine(&'a DataSource),
}

impl Workspace {
    /// The data source of this name, or the one whose quarantine it is.
    fn stored(&self, name: &str) -> Option<Stored<'_>> {
        let find = |name: &str| self.data_sources.get(&ResourceName::parse(name).ok()?).map(Arc::as_ref);
        match find(name) {
            Some(data_source) => Some(Stored::Rows(data_source)),
            None => find(name.strip_suffix("_quarantine")?).map(Stored::Quarantine),
        }
    }
}

fn physical(table: &schema::TableName) -> PhysicalName {
    PhysicalName { database: table.database().to_owned(), table: table.table().to_owned() }
}

/// The first column that the filter reads and the data source does not have.
fn missing_column(filter: &RowFilter, data_source: &DataSource) -> Option<String> {
    let is_there =
        |name: &String| data_source.table.columns.iter().any(|column| column.name.as_str() == name);
    filter.columns().iter().find(|name| !is_there(name)).cloned()
}
