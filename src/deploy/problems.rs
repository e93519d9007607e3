//! The problems of a project, as data, with the texts they were found in.

use std::fmt;

use crate::syntax::{Diagnostic, Severity, Sources, render};

/// What is wrong or odd in the files of a project, in the order of the files.
///
/// Its `Display` draws all of it for a log or a terminal without colours.
#[derive(Debug, Clone, Default)]
pub struct Problems {
    sources: Sources,
    found: Vec<Diagnostic>,
}

impl Problems {
    pub(super) fn new(sources: Sources, found: Vec<Diagnostic>) -> Self {
        Self { sources, found }
    }

    pub(super) fn add(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    /// Puts the problems into the order of the files and of the lines in them.
    pub(super) fn sort(&mut self) {
        self.found.sort_by_key(|diagnostic| (diagnostic.primary.source, diagnostic.primary.span));
    }

    /// The texts of the project.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Errors and warnings.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.found
    }

    /// How many of them are errors, or warnings.
    pub fn count(&self, severity: Severity) -> usize {
        self.found.iter().filter(|diagnostic| diagnostic.severity == severity).count()
    }

    /// True where the project cannot be served.
    pub fn has_error(&self) -> bool {
        self.found.iter().any(Diagnostic::is_error)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.count(Severity::Error);
        let plural = if count == 1 { "" } else { "s" };
        write!(formatter, "the project has {count} error{plural}:")?;
        for diagnostic in &self.found {
            write!(formatter, "\n\n{}", render::plain(&self.sources, diagnostic))?;
        }
        Ok(())
    }
}
