//! A whole project: all its datafiles together, with the problems that only show together.
//!
//! In: paths relative to the project folder, with texts.  Out: definitions by name, fixtures and
//! tests by what they are for, and all problems at once.  Walking the disk is the caller's business;
//! [`Role::of`] tells which files need to be read.

use std::collections::BTreeMap;

use super::name::{ResourceName, TokenName};
use super::token::{Permission, TokenGrant};
use super::{
    ConnectionDefinition, Datafile, DatasourceDefinition, Kind, Options, Parsed, PipeDefinition, parse,
};
use crate::syntax::{Diagnostic, SourceId, Sources, Span};

pub mod config;
mod role;

pub use config::{ConfigError, DevMode, ProjectConfig};
pub use role::{FixtureFormat, Role};

/// A file of a project.
#[derive(Debug, Clone, Copy)]
pub struct ProjectFile<'a> {
    /// Relative to the project folder, with `/`.
    pub path: &'a str,
    /// The text of a datafile; that of other files is not looked at.
    pub text: &'a str,
}

/// Everything that a project defines.
#[derive(Debug, Clone, Default)]
pub struct Project {
    /// Its data sources.
    pub datasources: BTreeMap<ResourceName, Resource<DatasourceDefinition>>,
    /// Its pipes.
    pub pipes: BTreeMap<ResourceName, Resource<PipeDefinition>>,
    /// Its connections.
    pub connections: BTreeMap<ResourceName, Resource<ConnectionDefinition>>,
    /// Data sources that other workspaces share, as `workspace.name`: they are read, never made.
    pub vendored: BTreeMap<ResourceName, Resource<DatasourceDefinition>>,
    /// The rows that each data source is given in a build, if there are any.
    pub fixtures: BTreeMap<ResourceName, Fixture>,
    /// Files of tests.
    pub tests: Vec<TestFile>,
}

/// A definition and the file that holds it.
#[derive(Debug, Clone)]
pub struct Resource<T> {
    /// What the file says.
    pub definition: T,
    /// The file.
    pub source: SourceId,
}

/// A file of rows for a data source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixture {
    /// Relative to the project folder.
    pub path: String,
    /// How the rows are written.
    pub format: FixtureFormat,
}

/// A file of tests for a pipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestFile {
    /// The stem of the file, which is the name of the pipe.
    pub pipe: String,
    /// Relative to the project folder.
    pub path: String,
}

/// A right that the datafiles give to a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right<'a> {
    /// Data source or pipe.
    pub kind: Kind,
    /// Which one.
    pub resource: &'a ResourceName,
    /// What may be done with it.
    pub permission: Permission,
}

impl Project {
    /// The tokens that the datafiles ask for, with all their rights.
    pub fn tokens(&self) -> BTreeMap<&TokenName, Vec<Right<'_>>> {
        let datasources = self.datasources.values().map(|file| &file.definition);
        let pipes = self.pipes.values().map(|file| &file.definition);
        let of_datasources = datasources.map(|file| (Kind::Datasource, &file.name, file.tokens.as_slice()));
        let of_pipes = pipes.map(|file| (Kind::Pipe, &file.name, file.tokens.as_slice()));
        let mut tokens: BTreeMap<&TokenName, Vec<Right<'_>>> = BTreeMap::new();
        for (kind, resource, grants) in of_datasources.chain(of_pipes) {
            for TokenGrant { token, permission, .. } in grants {
                tokens.entry(token).or_default().push(Right { kind, resource, permission: *permission });
            }
        }
        tokens
    }
}

/// Reads all datafiles of a project and puts them together. A file with an error is left out, and
/// everything else is still checked.
pub fn assemble(files: &[ProjectFile<'_>], options: &Options) -> (Project, Sources, Vec<Diagnostic>) {
    let mut assembly = Assembly::new(options);
    let mut files = files.to_vec();
    files.sort_by_key(|file| file.path);
    for file in files {
        assembly.add(file);
    }
    assembly.settle_fixtures();
    (assembly.project, assembly.sources, assembly.diagnostics)
}

struct Assembly<'a> {
    options: &'a Options,
    project: Project,
    sources: Sources,
    diagnostics: Vec<Diagnostic>,
    /// The first file of each name, broken or not: tables, then connections.
    tables: BTreeMap<String, (Kind, SourceId)>,
    connections: BTreeMap<String, (Kind, SourceId)>,
    fixtures: Vec<(String, Fixture)>,
}

impl<'a> Assembly<'a> {
    fn new(options: &'a Options) -> Self {
        Self {
            options,
            project: Project::default(),
            sources: Sources::new(),
            diagnostics: Vec::new(),
            tables: BTreeMap::new(),
            connections: BTreeMap::new(),
            fixtures: Vec::new(),
        }
    }

    fn add(&mut self, file: ProjectFile<'_>) {
        match Role::of(file.path) {
            Role::Datafile { kind, name } => self.add_datafile(kind, name, file),
            Role::Vendored { workspace, name } => self.add_vendored(workspace, name, file),
            Role::Fixture { stem, format } => {
                self.fixtures.push((stem.to_owned(), Fixture { path: file.path.to_owned(), format }));
            }
            Role::Test { pipe } => {
                self.project.tests.push(TestFile { pipe: pipe.to_owned(), path: file.path.to_owned() });
            }
            Role::Legacy => {
                // Its text may be a token, and problems are printed with the text around them.
                let source = self.sources.add(file.path, "");
                let message = "files of this kind belong to Classic and are ignored";
                self.diagnostics.push(Diagnostic::warning("classic", source, Span::at(0), message));
            }
            Role::Other => {}
        }
    }

    fn add_datafile(&mut self, kind: Kind, name: &str, file: ProjectFile<'_>) {
        let source = self.sources.add(file.path, file.text);
        let Parsed { definition, diagnostics } = parse(kind, name, source, file.text, self.options);
        self.diagnostics.extend(diagnostics);
        if self.is_taken(kind, name, source) {
            return;
        }
        match definition {
            Some(Datafile::Datasource(definition)) => {
                self.project.datasources.insert(definition.name.clone(), Resource { definition, source });
            }
            Some(Datafile::Pipe(definition)) => {
                self.project.pipes.insert(definition.name.clone(), Resource { definition, source });
            }
            Some(Datafile::Connection(definition)) => {
                self.project.connections.insert(definition.name.clone(), Resource { definition, source });
            }
            None => {}
        }
    }

    /// Claims a name; reports that another file has it. Data sources and pipes are both tables to
    /// SQL and share one space of names.
    fn is_taken(&mut self, kind: Kind, name: &str, source: SourceId) -> bool {
        let names = if kind == Kind::Connection { &mut self.connections } else { &mut self.tables };
        let Some(&(first_kind, first)) = names.get(name) else {
            names.insert(name.to_owned(), (kind, source));
            return false;
        };
        let message = if kind == first_kind {
            format!("two files define the {} `{name}`", kind.noun())
        } else {
            format!("`{name}` is a {} and a {} at once", first_kind.noun(), kind.noun())
        };
        let problem = Diagnostic::error("duplicate-name", source, Span::at(0), message);
        let problem = problem.with_label(first, Span::at(0), "the other file");
        self.diagnostics
            .push(problem.with_help("rename one of the files: a resource is called like its file"));
        true
    }

    fn add_vendored(&mut self, workspace: &str, name: &str, file: ProjectFile<'_>) {
        let source = self.sources.add(file.path, file.text);
        let full_name = format!("{workspace}.{name}");
        let parsed = parse(Kind::Datasource, &full_name, source, file.text, self.options);
        self.diagnostics.extend(parsed.diagnostics);
        if let Some(Datafile::Datasource(definition)) = parsed.definition {
            self.project.vendored.insert(definition.name.clone(), Resource { definition, source });
        }
    }

    /// Gives each data source its best fixture. `events_today.ndjson` is for `events` where there
    /// is no data source `events_today`.
    fn settle_fixtures(&mut self) {
        let mut fixtures = std::mem::take(&mut self.fixtures);
        fixtures.sort_by_key(|(stem, fixture)| (stem.len(), fixture.format));
        for (stem, fixture) in fixtures {
            match self.fixture_target(&stem) {
                Some(name) => {
                    self.project.fixtures.entry(name).or_insert(fixture);
                }
                None if self.tables.contains_key(&stem) => {}
                None => {
                    let source = self.sources.add(&fixture.path, "");
                    let message = format!("there is no data source `{stem}` for this fixture");
                    self.diagnostics.push(Diagnostic::warning("fixture", source, Span::at(0), message));
                }
            }
        }
    }

    fn fixture_target(&self, stem: &str) -> Option<ResourceName> {
        let fits = |name: &&ResourceName| match stem.strip_prefix(name.as_str()) {
            Some(rest) => rest.is_empty() || rest.starts_with('_'),
            None => false,
        };
        self.project.datasources.keys().filter(fits).max_by_key(|name| name.as_str().len()).cloned()
    }
}

#[cfg(test)]
mod tests;
