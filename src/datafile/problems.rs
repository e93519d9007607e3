//! The problems found in one file.

use super::Strictness;
use crate::syntax::{Diagnostic, SourceId, Span};

/// Collects everything that is wrong with one file.
#[derive(Debug)]
pub(super) struct Problems {
    source: SourceId,
    pub(super) strictness: Strictness,
    found: Vec<Diagnostic>,
}

impl Problems {
    pub(super) fn new(source: SourceId, strictness: Strictness) -> Self {
        Self { source, strictness, found: Vec::new() }
    }

    pub(super) fn error(&mut self, code: &'static str, span: Span, message: impl Into<String>) {
        self.found.push(Diagnostic::error(code, self.source, span, message));
    }

    pub(super) fn warn(&mut self, code: &'static str, span: Span, message: impl Into<String>) {
        self.found.push(Diagnostic::warning(code, self.source, span, message));
    }

    /// Says what to do next about the problem reported last.
    pub(super) fn help(&mut self, help: impl Into<String>) {
        if let Some(last) = self.found.last_mut() {
            last.help = Some(help.into());
        }
    }

    /// Points at one more place of the file for the problem reported last.
    pub(super) fn point(&mut self, span: Span, text: &str) {
        if let Some(last) = self.found.pop() {
            self.found.push(last.with_label(self.source, span, text));
        }
    }

    pub(super) fn count(&self) -> usize {
        self.found.len()
    }

    pub(super) fn any_error(&self) -> bool {
        self.found.iter().any(Diagnostic::is_error)
    }

    /// An empty collection for the same file.
    pub(super) fn fresh(&self) -> Self {
        Self::new(self.source, self.strictness)
    }

    /// Takes over what another collection for the same file found.
    pub(super) fn absorb(&mut self, other: Self) {
        self.found.extend(other.found);
    }

    /// Everything, in the order of the file.
    pub(super) fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|problem| problem.primary.span);
        self.found
    }
}
