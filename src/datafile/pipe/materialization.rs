//! Materialized nodes: a target that is kept up to date while rows come in.

use super::super::directive::Directive;
use super::super::engine_options;
use super::super::problems::Problems;
use super::super::raw::RawDirective;
use super::super::together::{self, Group};
use super::super::{Kind, ResourceName};
use super::node_kind::Attributes;
use crate::schema::EngineOptions;

/// `TYPE materialized`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Materialization {
    /// The data source that holds the result.
    pub target: ResourceName,
    /// How a changed query is put in place.
    pub deployment: DeploymentMethod,
    /// Classic: the engine of a target that no data source file describes; its columns are those
    /// of the query.
    pub target_engine: Option<EngineOptions>,
}

/// How a changed query of a materialization is put in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeploymentMethod {
    /// The target is written anew from history.
    #[default]
    Rewrite,
    /// The query changes from now on; what is there stays.
    Alter,
}

const GROUP: Group<'_> =
    Group { kind: Kind::Pipe, label: "materialized node", required: &[Directive::Datasource], optional: &[] };

const ALLOWED: &[Directive] = &[
    Directive::Datasource,
    Directive::DeploymentMethod,
    Directive::Engine,
    Directive::EngineColumns,
    Directive::EngineIsDeleted,
    Directive::EnginePartitionKey,
    Directive::EnginePrimaryKey,
    Directive::EngineSamplingKey,
    Directive::EngineSettings,
    Directive::EngineSign,
    Directive::EngineSortingKey,
    Directive::EngineTtl,
    Directive::EngineVer,
    Directive::EngineVersion,
];

pub(super) fn read(node: &Attributes<'_>, problems: &mut Problems) -> Option<Materialization> {
    node.report_others("Materialized", ALLOWED, problems);
    let engine = engine_options::read(node.file.directives.iter(), problems);
    if let Some(line) = node.file.last(Directive::Engine) {
        problems.warn("classic", line.keyword, "the engine of a target belongs into a .datasource file");
        problems.help("it is used only where no data source of that name exists");
    }
    let methods = [("alter", DeploymentMethod::Alter)];
    let deployment = together::choice(node.file, Directive::DeploymentMethod, &methods, problems);
    if !GROUP.is_complete(node.file, node.line.keyword, problems) {
        return None;
    }
    let target = node
        .file
        .last(Directive::Datasource)
        .and_then(|line: &RawDirective| line.required_value(problems))?;
    Some(Materialization {
        target: together::name(&target, problems)?,
        deployment: deployment.unwrap_or_default(),
        target_engine: (!engine.is_empty()).then_some(engine.options),
    })
}
