//! Datafiles: `.datasource`, `.pipe` and `.connection` texts, read and checked.
//!
//! In: the text of a file, its kind and name; secrets as data.  Out: a checked definition, and
//! *all* problems of the file with their places.  Promise: real Tinybird files are read as Tinybird
//! reads them; SQL stays text (its parameters are `template`'s business, its tables `sql`'s).
//! May use: `syntax`, `schema`.  Not here: files on disk, requests, what exists already.

use crate::syntax::{Diagnostic, SourceId, Span};

mod columns;
pub mod connection;
pub mod datasource;
mod directive;
mod engine_options;
mod indexes;
mod line;
pub mod name;
pub mod pipe;
mod problems;
pub mod project;
mod raw;
pub mod schedule;
mod secrets;
mod sql;
mod tags;
mod text;
mod together;
pub mod token;
mod version;

pub use connection::ConnectionDefinition;
pub use datasource::DatasourceDefinition;
pub use name::{NameError, NodeName, ResourceName, TokenName, WorkspaceName};
pub use pipe::PipeDefinition;
pub use project::Project;
pub use schedule::Schedule;
pub use secrets::Secrets;
pub use sql::Sql;
pub use tags::Tags;
pub use token::{Permission, TokenGrant};

use problems::Problems;
use text::MappedText;

/// The kinds of datafiles, told apart by their extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `.datasource`.
    Datasource,
    /// `.pipe`.
    Pipe,
    /// `.connection`.
    Connection,
}

impl Kind {
    /// The extension of its files, which is also what Tinybird's messages call it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Datasource => "datasource",
            Self::Pipe => "pipe",
            Self::Connection => "connection",
        }
    }

    /// What people call it.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Datasource => "data source",
            Self::Pipe => "pipe",
            Self::Connection => "connection",
        }
    }

    /// The kind of a file with this extension.
    pub fn from_extension(extension: &str) -> Option<Self> {
        [Self::Datasource, Self::Pipe, Self::Connection].into_iter().find(|kind| kind.word() == extension)
    }
}

/// How much is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strictness {
    /// Everything that real projects hold, with a warning where a value is ignored.
    #[default]
    Tolerant,
    /// What Tinybird's current parser accepts.
    Strict,
}

/// How files are read.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// How much is accepted.
    pub strictness: Strictness,
    /// What `tb_secret` answers with in data source and connection files.
    pub secrets: Secrets,
}

/// A datafile, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one per file, and it is taken apart at once")]
pub enum Datafile {
    /// `.datasource`.
    Datasource(DatasourceDefinition),
    /// `.pipe`.
    Pipe(PipeDefinition),
    /// `.connection`.
    Connection(ConnectionDefinition),
}

/// What became of a file.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// The definition; `None` where the file has an error.
    pub definition: Option<Datafile>,
    /// All errors and warnings, in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads one datafile. `name` is the stem of its file name; `source` is where the text was put.
pub fn parse(kind: Kind, name: &str, source: SourceId, text: &str, options: &Options) -> Parsed {
    let mut problems = Problems::new(source, options.strictness);
    let definition = read(kind, name, text, options, &mut problems);
    let definition = definition.filter(|_| !problems.any_error());
    Parsed { definition, diagnostics: problems.into_diagnostics() }
}

fn read(kind: Kind, name: &str, text: &str, options: &Options, problems: &mut Problems) -> Option<Datafile> {
    let name =
        ResourceName::parse(name).map_err(|error| problems.error("name", Span::at(0), error.to_string()));
    let mut file = MappedText::of_file(text);
    if options.strictness == Strictness::Tolerant && text.starts_with('\u{feff}') {
        file = file.slice(Span::new('\u{feff}'.len_utf8(), text.len()));
    }
    if kind != Kind::Pipe {
        file = secrets::fill(kind, &file, &options.secrets, problems);
    }
    let raw = raw::read(kind, &file, problems);
    if raw.is_pasted {
        return None;
    }
    match kind {
        Kind::Datasource => datasource::check(name.ok()?, &raw, problems).map(Datafile::Datasource),
        Kind::Pipe => pipe::check(name.ok()?, &raw, &options.secrets, problems).map(Datafile::Pipe),
        Kind::Connection => connection::check(name.ok()?, &raw, problems).map(Datafile::Connection),
    }
}

#[cfg(test)]
mod tests;
