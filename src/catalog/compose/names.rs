//! What the names in a text stand for.
//!
//! In: a name, and the place it is read from.  Out: a node, a pipe, a table with the caller's row
//! filter, or nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Caller, NodeError, SUBJECT_NAME};
use crate::catalog::{DataSource, Node, Pipe, ResourceName, Workspace};
use crate::schema;
use crate::sql::compose::{PhysicalName, Query, Resolution, Resolver, Table};
use crate::sql::gate::Constancy;
use crate::sql::scan::TableName;
use crate::template::{Template, TemplateError};

/// The engine's own tables that everybody may read, as in Tinybird: they hold nothing of anybody's.
const OF_THE_ENGINE: [&str; 4] = ["functions", "numbers", "numbers_mt", "one"];

/// The engine's own table of this name, if it may be read.
fn of_the_engine(name: &TableName) -> Option<Table> {
    let is_open = name.database.as_deref() == Some("system") && OF_THE_ENGINE.contains(&name.table.as_str());
    let physical = || PhysicalName { database: "system".to_owned(), table: name.table.clone() };
    is_open.then(|| Table { name: physical(), filter: None })
}

/// The time that `cache_ttl` names: a number of seconds, minutes or hours.
fn lifetime(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return None,
    };
    Some(Duration::from_secs(number.parse::<u64>().ok()?.checked_mul(seconds)?))
}

/// Where a name is read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Vantage<'a> {
    /// In a node, which sees the other nodes of its pipe.
    Node(&'a Pipe),
    /// In the caller's own text, where `_` is this pipe.
    OwnText(Option<&'a Pipe>),
}

/// Knows what the names of a workspace are.
pub(super) struct Names<'a> {
    workspace: &'a Workspace,
    caller: Caller<'a>,
    /// Engine settings that the templates asked for so far.
    pub(super) settings: BTreeMap<String, String>,
    /// The shortest `cache_ttl` of the templates so far.
    pub(super) cache_ttl: Option<Duration>,
    /// Whether the templates so far look at nothing but their arguments.
    pub(super) rendering: Constancy,
    /// Why a name that is known could not be resolved.
    pub(super) failure: Option<NodeError>,
}

impl<'a> Names<'a> {
    pub(super) fn new(workspace: &'a Workspace, caller: Caller<'a>) -> Self {
        let (settings, rendering) = (BTreeMap::new(), Constancy::Constant);
        Self { workspace, caller, settings, cache_ttl: None, rendering, failure: None }
    }
}

impl Names<'_> {
    pub(super) fn render(&mut self, template: &Template) -> Result<String, TemplateError> {
        let rendered = template.render(self.caller.arguments, self.caller.environment)?;
        if let Some(threads) = rendered.settings.get("max_threads") {
            self.settings.insert("max_threads".to_owned(), threads.to_string());
        }
        let time = rendered.settings.get("cache_ttl").and_then(|time| lifetime(time.as_str()?));
        self.cache_ttl = self.cache_ttl.into_iter().chain(time).min();
        if template.reads_clock() {
            self.rendering = Constancy::Varying;
        }
        Ok(rendered.sql)
    }

    fn query<'p>(
        &mut self,
        identity: String,
        template: &Template,
        pipe: &'p Pipe,
    ) -> Resolution<Vantage<'p>> {
        match self.render(template) {
            Ok(sql) => Resolution::Query(Query { identity, sql, scope: Vantage::Node(pipe) }),
            Err(error) => self.failed(error.into()),
        }
    }

    fn node<'p>(&mut self, pipe: &'p Pipe, node: &Node) -> Resolution<Vantage<'p>> {
        self.query(format!("{}.{}", pipe.name, node.name), &node.template, pipe)
    }

    /// What a pipe answers when it is read by name.
    fn answer<'p>(&mut self, pipe: &'p Pipe) -> Resolution<Vantage<'p>> {
        self.query(pipe.name.to_string(), &pipe.output().template, pipe)
    }

    fn failed<Scope>(&mut self, error: NodeError) -> Resolution<Scope> {
        self.failure.get_or_insert(error);
        Resolution::Unknown
    }

    /// The rows of a data source that the caller may read.
    fn rows<Scope>(&mut self, data_source: &DataSource) -> Resolution<Scope> {
        let filter = self.caller.access.filter(&data_source.name).cloned();
        match filter.as_ref().and_then(|filter| data_source.missing_column(filter)) {
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

impl<'a> Names<'a> {
    fn in_node(&mut self, pipe: &'a Pipe, name: &TableName) -> Resolution<Vantage<'a>> {
        if name.database.is_some() {
            return Resolution::Unknown;
        }
        match pipe.node(&name.table) {
            Some(node) => self.node(pipe, node),
            None => self.resource(&name.table),
        }
    }

    /// The nodes of the pipe are there for who may read everything: `tb` tests them one by one, and
    /// they can hold more than what the pipe shows.
    fn in_own_text(&mut self, subject: Option<&'a Pipe>, name: &TableName) -> Resolution<Vantage<'a>> {
        if let (Some(pipe), None) = (subject, &name.database) {
            if name.table == SUBJECT_NAME {
                return self.answer(pipe);
            }
            let node = pipe.node(&name.table).filter(|_| self.caller.access.reaches_everything());
            if let Some(node) = node {
                return self.node(pipe, node);
            }
        }
        if !self.reaches(name) {
            return self.failed(NodeError::OutOfReach { name: name.to_string() });
        }
        if name.database.is_some() { Resolution::Unknown } else { self.resource(&name.table) }
    }

    /// True where the caller may be told what this name is, or that it is nothing.
    fn reaches(&self, name: &TableName) -> bool {
        let access = self.caller.access;
        if access.reaches_everything() {
            return true;
        }
        match self.workspace.stored(&name.table) {
            _ if name.database.is_some() => false,
            Some(Stored::Rows(data_source)) => access.reaches_data_source(&data_source.name),
            Some(Stored::Quarantine(data_source)) => {
                access.reaches_data_source(&data_source.name) && access.filter(&data_source.name).is_none()
            }
            None => ResourceName::parse(&name.table)
                .is_ok_and(|name| access.reaches_data_source(&name) || access.reaches_pipe(&name)),
        }
    }

    /// A data source, a quarantine or a pipe of the workspace.
    fn resource(&mut self, name: &str) -> Resolution<Vantage<'a>> {
        let workspace = self.workspace;
        match workspace.stored(name) {
            Some(Stored::Rows(data_source)) => return self.rows(data_source),
            Some(Stored::Quarantine(data_source)) => return self.quarantine(data_source),
            None => {}
        }
        let found = ResourceName::parse(name).ok().and_then(|name| workspace.pipes.get(&name));
        match found.map(Arc::as_ref).filter(|pipe| pipe.is_readable()) {
            Some(pipe) => self.answer(pipe),
            None => Resolution::Unknown,
        }
    }
}

impl<'a> Resolver for Names<'a> {
    type Scope = Vantage<'a>;

    fn resolve(&mut self, vantage: &Vantage<'a>, name: &TableName) -> Resolution<Vantage<'a>> {
        if let Some(table) = of_the_engine(name) {
            return Resolution::Table(table);
        }
        match *vantage {
            Vantage::Node(pipe) => self.in_node(pipe, name),
            Vantage::OwnText(subject) => self.in_own_text(subject, name),
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
