//! The snapshot: data sources, pipes, tokens of one workspace.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use super::{NodeName, ResourceName, TokenName};
use crate::schema::{Table, TableName};
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

/// A pipe: nodes that read data sources, each other and other pipes.
#[derive(Debug)]
pub struct Pipe {
    /// Its name.
    pub name: ResourceName,
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

/// One node: SQL, templated or not.
#[derive(Debug)]
pub struct Node {
    /// Its name, unique in its pipe.
    pub name: NodeName,
    /// Its compiled SQL.
    pub template: Template,
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

/// One right, printed in Tinybird's grammar `SCOPE:TYPE[:resource]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everything.
    Admin,
    /// Append rows to a data source.
    AppendDataSource(ResourceName),
    /// Read a data source and its quarantine.
    ReadDataSource(ResourceName),
    /// Read a pipe's endpoint.
    ReadPipe(ResourceName),
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admin => formatter.write_str("ADMIN"),
            Self::AppendDataSource(name) => write!(formatter, "DATASOURCES:APPEND:{name}"),
            Self::ReadDataSource(name) => write!(formatter, "DATASOURCES:READ:{name}"),
            Self::ReadPipe(name) => write!(formatter, "PIPES:READ:{name}"),
        }
    }
}
