//! The problems of a project: collected, sorted, drawn.

use super::DeployError;
use crate::syntax::{Diagnostic, Sources, render};

/// What has been found so far, and the texts it was found in.
pub(super) struct Problems<'a> {
    sources: &'a Sources,
    found: Vec<Diagnostic>,
}

impl<'a> Problems<'a> {
    pub(super) fn new(sources: &'a Sources, found: Vec<Diagnostic>) -> Self {
        Self { sources, found }
    }

    pub(super) fn add(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    pub(super) fn has_error(&self) -> bool {
        self.found.iter().any(Diagnostic::is_error)
    }

    /// The warnings, drawn; or all problems in one error where one of them is an error.
    pub(super) fn into_warnings(self) -> Result<Vec<String>, DeployError> {
        let drawn: Vec<String> =
            self.found.iter().map(|diagnostic| render::plain(self.sources, diagnostic)).collect();
        match self.found.iter().filter(|diagnostic| diagnostic.is_error()).count() {
            0 => Ok(drawn),
            count => Err(DeployError::Project { count, drawn: drawn.join("\n\n") }),
        }
    }
}
