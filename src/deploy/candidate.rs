//! A project as the workspace that it would be. Pure.
//!
//! In: the project's files.  Out: a [`Candidate`]: a snapshot whose templates are compiled and
//! whose names all lead somewhere, or every problem of every file at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::files::ProjectFile;
use super::rehearsal::Finding;
use super::views::{InferredTarget, ViewPlace};
use super::{Problems, names, parallel, views};
use crate::catalog::model::Publication;
use crate::catalog::{
    DataSource, Node, Pipe, ProjectToken, ResourceKind, ResourceName, ResourceState, Scope, StoredResource,
    TokenName, Workspace,
};
use crate::datafile::pipe::{NodeKind, Publication as Visible};
use crate::datafile::project::{self, Project, Right};
use crate::datafile::{self, DatasourceDefinition, Kind, Permission, PipeDefinition};
use crate::schema::{Engine, Table, TableName};
use crate::syntax::{Diagnostic, Source, SourceId, Span};
use crate::template::{Template, TemplateError};

/// A project that could be served.
#[derive(Debug)]
pub struct Candidate {
    /// The snapshot.
    pub workspace: Workspace,
    /// Its resources as they would be recorded.
    pub resources: Vec<StoredResource>,
    /// What is odd in its files; errors there are none.
    pub problems: Problems,
    /// The file of each data source.
    files: BTreeMap<String, String>,
    /// Targets of views whose columns are not known yet; the snapshot shows them without any.
    pub(super) inferred: BTreeMap<ResourceName, InferredTarget>,
    /// Where each view stands, by its pipe.
    places: BTreeMap<ResourceName, ViewPlace>,
}

impl Candidate {
    /// Reads and checks a project and puts it into an empty workspace. All errors of all files
    /// come at once.
    pub fn build(
        files: &[ProjectFile],
        options: &datafile::Options,
        workspace: Workspace,
    ) -> Result<Self, Problems> {
        let (project, mut problems) = assemble(files, options);
        let mut candidate = Self::empty(workspace);
        for file in project.datasources.values() {
            candidate.add_data_source(&file.definition, problems.sources().get(file.source));
        }
        let pipe_files: Vec<_> = project.pipes.values().collect();
        let compiled = parallel::map(&pipe_files, |file| pipe(&file.definition, file.source));
        for (file, (pipe, found)) in pipe_files.into_iter().zip(compiled) {
            for problem in found {
                problems.add(problem);
            }
            if let Some(pipe) = pipe {
                candidate.add_pipe(pipe, &file.definition, problems.sources().get(file.source));
            }
        }
        candidate.workspace.tokens = tokens(&project);
        candidate.add_inferred_targets(&project);
        names::check(&candidate.workspace, &project, files, &mut problems);
        candidate.add_views(&project, files, &mut problems);
        problems.sort();
        if problems.has_error() {
            return Err(problems);
        }
        candidate.problems = problems;
        Ok(candidate)
    }

    fn empty(workspace: Workspace) -> Self {
        Self {
            workspace,
            resources: Vec::new(),
            problems: Problems::default(),
            files: BTreeMap::new(),
            inferred: BTreeMap::new(),
            places: BTreeMap::new(),
        }
    }

    fn add_data_source(&mut self, definition: &DatasourceDefinition, file: &Source) {
        // A table's serde form is plain data and always serialises.
        let stored = serde_json::to_string(&definition.table).unwrap_or_default();
        self.record(ResourceKind::Datasource, &definition.name, stored, file);
        self.files.insert(definition.name.to_string(), file.name.clone());
        self.show(&definition.name, definition.table.clone());
    }

    /// Puts a data source into the snapshot.
    fn show(&mut self, name: &ResourceName, table: Table) {
        let named =
            |suffix: &str| TableName::new(self.workspace.database.as_str(), format!("{name}{suffix}"));
        let (rows, quarantine) = (named(""), named("_quarantine"));
        let data_source = DataSource { name: name.clone(), table, rows, quarantine };
        self.workspace.data_sources.insert(name.clone(), Arc::new(data_source));
    }

    /// Shows the targets that only Classic pipes describe, so that their names lead somewhere.
    fn add_inferred_targets(&mut self, project: &Project) {
        self.inferred = views::inferred_targets(project);
        for name in self.inferred.keys().cloned().collect::<Vec<_>>() {
            let unknown =
                Table { columns: Vec::new(), engine: Engine::merge_tree(None), indexes: Vec::new() };
            self.show(&name, unknown);
        }
    }

    fn add_views(&mut self, project: &Project, files: &[ProjectFile], problems: &mut Problems) {
        let declared = names::declared(files);
        let views = views::read(&self.workspace, project, |name| declared.contains(name), problems);
        for (pipe, view) in &views {
            let way = format!("{} → {}", view.source, view.target);
            let of_pipe =
                |it: &&mut StoredResource| it.kind == ResourceKind::Pipe && it.name == pipe.as_str();
            if let Some(resource) = self.resources.iter_mut().find(of_pipe) {
                resource.definition = way;
            }
        }
        self.workspace.views = views;
        self.places = views::declared(project).map(|view| (view.pipe.clone(), view.place())).collect();
    }

    /// Adds what was found out about the view of a pipe.
    pub(super) fn report_view(&mut self, pipe: &ResourceName, finding: &Finding) {
        if let Some(&place) = self.places.get(pipe) {
            self.problems.add(finding.diagnostic(place));
        }
    }

    /// Gives a target that only a Classic pipe describes its columns.
    pub(super) fn settle_target(&mut self, name: &ResourceName, table: Table) {
        let Some(inferred) = self.inferred.remove(name) else { return };
        let Some(place) = self.places.get(&inferred.pipe) else { return };
        let file = self.problems.sources().get(place.source).clone();
        let stored = serde_json::to_string(&table).unwrap_or_default();
        self.record(ResourceKind::Datasource, name, stored, &file);
        self.files.insert(name.to_string(), file.name);
        self.show(name, table);
    }

    fn add_pipe(&mut self, pipe: Pipe, definition: &PipeDefinition, file: &Source) {
        let name = pipe.name.clone();
        self.record(ResourceKind::Pipe, &name, String::new(), file);
        let pipe = Arc::new(pipe);
        let versioned = definition.versioned_name().and_then(|name| ResourceName::parse(&name).ok());
        self.workspace.pipes.extend(versioned.map(|name| (name, Arc::clone(&pipe))));
        self.workspace.pipes.insert(name, pipe);
    }

    fn record(&mut self, kind: ResourceKind, name: &ResourceName, definition: String, file: &Source) {
        self.resources.push(StoredResource {
            kind,
            name: name.to_string(),
            state: ResourceState::Live,
            content_hash: content_hash(&file.text),
            definition,
        });
    }

    /// True unless every resource is recorded as it is declared, with the columns of every target.
    pub(super) fn has_changed(&self, stored: &[StoredResource]) -> bool {
        !self.inferred.is_empty() || !self.resources.iter().all(|resource| stored.contains(resource))
    }

    /// The data source with this name.
    pub fn data_source(&self, name: &str) -> Option<&Arc<DataSource>> {
        self.workspace.data_sources.get(&ResourceName::parse(name).ok()?)
    }

    /// The file that declares a data source, relative to the project.
    pub fn file_of(&self, data_source: &str) -> &str {
        self.files.get(data_source).map_or("its file", String::as_str)
    }
}

/// Puts the files together; those without a text are problems of their own.
fn assemble(files: &[ProjectFile], options: &datafile::Options) -> (Project, Problems) {
    let readable: Vec<_> = files
        .iter()
        .filter_map(|file| Some(project::ProjectFile { path: &file.path, text: file.text.as_ref().ok()? }))
        .collect();
    let (project, mut sources, mut found) = project::assemble(&readable, options);
    for file in files {
        if let Err(unreadable) = &file.text {
            let source = sources.add(&file.path, "");
            found.push(Diagnostic::error("unreadable", source, Span::at(0), unreadable.to_string()));
        }
    }
    (project, Problems::new(sources, found))
}

/// A pipe with its templates compiled, `None` where one of them is broken; and what is odd in it.
fn pipe(definition: &PipeDefinition, source: SourceId) -> (Option<Pipe>, Vec<Diagnostic>) {
    let (mut nodes, mut problems) = (Vec::new(), Vec::new());
    for node in &definition.nodes {
        problems.extend(warning_about_kind(node, source));
        match Template::compile(node.sql.as_str()) {
            Ok(template) => nodes.push(described(node, template)),
            Err(error) => problems.push(template_problem(node, source, &error)),
        }
    }
    (assembled(definition, nodes), problems)
}

fn assembled(definition: &PipeDefinition, nodes: Vec<Node>) -> Option<Pipe> {
    let (output, publication) = match definition.publication() {
        Visible::Endpoint(node) | Visible::LastNode(node) => (Some(node), Publication::Endpoint),
        Visible::Nothing => (None, Publication::Nobody),
    };
    let last = definition.nodes.len().checked_sub(1)?;
    let output = output.and_then(|output| definition.nodes.iter().position(|node| node.name == output.name));
    let whole = nodes.len() == definition.nodes.len();
    whole.then(|| Pipe {
        name: definition.name.clone(),
        description: definition.description.clone(),
        nodes,
        output: output.unwrap_or(last),
        publication,
    })
}

fn described(node: &datafile::pipe::Node, template: Template) -> Node {
    Node { name: node.name.clone(), description: node.description.clone(), template }
}

/// Kinds of nodes that are read, checked, and not run by this version.
fn warning_about_kind(node: &datafile::pipe::Node, source: SourceId) -> Option<Diagnostic> {
    let kind = match &node.kind {
        NodeKind::Standard | NodeKind::Endpoint | NodeKind::Materialized(_) => return None,
        NodeKind::Copy(_) => "copy",
        NodeKind::Sink(_) => "sink",
    };
    let message = format!("nodes with TYPE {kind} are not run by this version");
    let warning = Diagnostic::warning("not-run", source, node.span, message);
    Some(warning.with_help("the node is read and checked; nothing is written by it"))
}

fn template_problem(node: &datafile::pipe::Node, source: SourceId, error: &TemplateError) -> Diagnostic {
    let span = error.span.map_or(node.sql.span(), |span| node.sql.locate(span));
    Diagnostic::error("template", source, span, error.message.clone())
}

/// What the TOKEN lines of all files give, by token.
fn tokens(project: &Project) -> Vec<ProjectToken> {
    let scope = |right: &Right<'_>| {
        let resource = right.resource.clone();
        match (right.kind, right.permission) {
            (Kind::Pipe, _) => Scope::ReadPipe(resource),
            (_, Permission::Read) => Scope::ReadDataSource(resource, None),
            (_, Permission::Append) => Scope::AppendDataSource(resource),
        }
    };
    let token = |(name, rights): (&TokenName, Vec<Right<'_>>)| ProjectToken {
        name: name.clone(),
        scopes: rights.iter().map(scope).collect(),
    };
    project.tokens().into_iter().map(token).collect()
}

fn content_hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_bytes()))
}
