//! The snapshot: data sources, pipes, tokens of one workspace.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::{NodeName, ResourceName, Scope, TokenName};
use crate::schema::{EngineFamily, Table, TableName};
use crate::sql::RowFilter;
use crate::sql::compose::PhysicalName;
use crate::template::Template;

/// One state of a workspace.
#[derive(Debug, Default)]
pub struct Workspace {
    /// Its identifier, the `u` of its tokens.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The ClickHouse database that holds its tables.
    pub database: String,
    /// Data sources by name.
    pub data_sources: BTreeMap<ResourceName, Arc<DataSource>>,
    /// Pipes by name; a pipe with a `VERSION n` also under `name__vn`.
    pub pipes: BTreeMap<ResourceName, Arc<Pipe>>,
    /// Its materialized views, by the pipe that holds each: a pipe has at most one.
    pub views: BTreeMap<ResourceName, View>,
    /// What the project's TOKEN lines grant, by the token's name.
    pub tokens: Vec<ProjectToken>,
}

/// A data source: a table and its quarantine.
#[derive(Debug)]
pub struct DataSource {
    /// Its name.
    pub name: ResourceName,
    /// Its columns and engine.
    pub table: Table,
    /// Where its rows are.
    pub rows: TableName,
    /// Where rows that did not fit are.
    pub quarantine: TableName,
}

impl DataSource {
    /// The first column that the filter reads and the data source does not have.
    pub fn missing_column(&self, filter: &RowFilter) -> Option<String> {
        let is_there = |name: &String| self.table.columns.iter().any(|column| column.name.as_str() == name);
        filter.columns().iter().find(|name| !is_there(name)).cloned()
    }
}

/// A pipe: nodes that read data sources, each other and other pipes.
#[derive(Debug, Clone)]
pub struct Pipe {
    /// Its name.
    pub name: ResourceName,
    /// What its author says about it, in Markdown.
    pub description: Option<String>,
    /// Its nodes as written.
    pub nodes: Vec<Node>,
    /// The node that answers when the pipe is read by name. An index into `nodes`.
    pub output: usize,
    /// Who may read it.
    pub publication: Publication,
}

/// Who may read a pipe by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publication {
    /// Callers over HTTP, and other pipes.
    Endpoint,
    /// Other pipes only.
    Internal,
    /// Nobody: it materializes, copies or exports.
    Nobody,
}

/// A materialized view: the rows of a node, kept in a data source while rows come into another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The node that is evaluated over new rows.
    pub node: NodeName,
    /// The table whose new rows set it off: that of a data source, or its quarantine.
    pub source: TableName,
    /// The data source that its rows go to.
    pub target: ResourceName,
}

/// One node: SQL, templated or not.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its name, unique in its pipe.
    pub name: NodeName,
    /// What its author says about it, in Markdown.
    pub description: Option<String>,
    /// Its compiled SQL.
    pub template: Template,
}

impl Workspace {
    /// The same workspace with its tables in another database.
    #[must_use]
    pub fn in_database(&self, database: &str) -> Self {
        let moved = |table: &TableName| TableName::new(database, table.table());
        let data_source = |data_source: &DataSource| DataSource {
            name: data_source.name.clone(),
            table: data_source.table.clone(),
            rows: moved(&data_source.rows),
            quarantine: moved(&data_source.quarantine),
        };
        let view = |view: &View| View { source: moved(&view.source), ..view.clone() };
        let data_sources = self.data_sources.iter();
        Self {
            id: self.id,
            name: self.name.clone(),
            database: database.to_owned(),
            data_sources: data_sources.map(|(name, it)| (name.clone(), Arc::new(data_source(it)))).collect(),
            pipes: self.pipes.clone(),
            views: self.views.iter().map(|(pipe, it)| (pipe.clone(), view(it))).collect(),
            tokens: self.tokens.clone(),
        }
    }
}

impl Workspace {
    /// The same workspace with one table, rows or quarantine, somewhere else: what a materialized
    /// view sees, to which its source holds only the new rows.
    #[must_use]
    pub fn with_table_at(&self, table: &TableName, place: &TableName) -> Self {
        let moved = |known: &TableName| if known == table { place.clone() } else { known.clone() };
        let data_source = |data_source: &Arc<DataSource>| {
            if data_source.rows != *table && data_source.quarantine != *table {
                return Arc::clone(data_source);
            }
            Arc::new(DataSource {
                name: data_source.name.clone(),
                table: data_source.table.clone(),
                rows: moved(&data_source.rows),
                quarantine: moved(&data_source.quarantine),
            })
        };
        let data_sources = self.data_sources.iter();
        Self {
            id: self.id,
            name: self.name.clone(),
            database: self.database.clone(),
            data_sources: data_sources.map(|(name, it)| (name.clone(), data_source(it))).collect(),
            pipes: self.pipes.clone(),
            views: self.views.clone(),
            tokens: self.tokens.clone(),
        }
    }
}

impl Workspace {
    /// The tables of data sources whose queries can have another result after ClickHouse has merged parts:
    /// rows of one key become one, rows go whose time is over.
    pub fn tables_changed_by_merges(&self) -> impl Iterator<Item = PhysicalName> {
        let merged = self.data_sources.values().filter(|data_source| {
            let engine = &data_source.table.engine;
            engine.ttl.is_some() || !matches!(engine.family, EngineFamily::MergeTree | EngineFamily::Null)
        });
        merged.map(|data_source| PhysicalName {
            database: data_source.rows.database().to_owned(),
            table: data_source.rows.table().to_owned(),
        })
    }
}

impl Pipe {
    /// The node with this name.
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name.as_str() == name)
    }

    /// True where the pipe answers under `/v0/pipes/`.
    pub fn is_endpoint(&self) -> bool {
        self.publication == Publication::Endpoint
    }

    /// True where other pipes may read it like a table.
    pub fn is_readable(&self) -> bool {
        self.publication != Publication::Nobody
    }

    /// True where the author of one of its templates says that this parameter is required.
    pub fn requires(&self, parameter: &str) -> bool {
        let mut known = self.nodes.iter().flat_map(|node| node.template.parameters());
        known.any(|known| known.name == parameter && known.attributes.get("required") == Some(&true.into()))
    }

    /// The node that answers when the pipe is read.
    pub fn output(&self) -> &Node {
        &self.nodes[self.output]
    }
}

/// What the TOKEN lines of a project give to one token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectToken {
    /// The token's name.
    pub name: TokenName,
    /// Its rights, in the order of the files.
    pub scopes: Vec<Scope>,
}
