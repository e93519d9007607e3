//! The problems found in one file.

use super::Strictness;
use crate::syntax::{Diagnostic, Label, SourceId, Span};

/// The most problems that are kept of one file; nobody reads on, and drawing each takes time.
const MOST: usize = 200;

/// Collects everything that is wrong with one file.
#[derive(Debug)]
pub(super) struct Problems {
    source: SourceId,
    pub(super) strictness: Strictness,
    found: Vec<Diagnostic>,
    /// Places whose text is known to be wrong: nothing more is said about them.
    distrusted: Vec<Span>,
    /// Whether the last problem was kept, so that what is added to it belongs to it.
    kept_last: bool,
}

impl Problems {
    pub(super) fn new(source: SourceId, strictness: Strictness) -> Self {
        Self { source, strictness, found: Vec::new(), distrusted: Vec::new(), kept_last: false }
    }

    pub(super) fn error(&mut self, code: &'static str, span: Span, message: impl Into<String>) {
        self.add(Diagnostic::error(code, self.source, span, message));
    }

    pub(super) fn warn(&mut self, code: &'static str, span: Span, message: impl Into<String>) {
        self.add(Diagnostic::warning(code, self.source, span, message));
    }

    fn add(&mut self, problem: Diagnostic) {
        let span = problem.primary.span;
        self.kept_last =
            !self.distrusted.iter().any(|place| span.start < place.end && place.start < span.end);
        self.kept_last &= self.found.len() < MOST;
        if self.kept_last {
            self.found.push(problem);
        }
    }

    /// Says nothing more about a place: what was found there is reported, and the rest follows.
    pub(super) fn distrust(&mut self, place: Span) {
        self.distrusted.push(place);
    }

    /// Says what to do next about the problem reported last.
    pub(super) fn help(&mut self, help: impl Into<String>) {
        if let Some(last) = self.found.last_mut().filter(|_| self.kept_last) {
            last.help = Some(help.into());
        }
    }

    /// Points at one more place of the file for the problem reported last.
    pub(super) fn point(&mut self, span: Span, text: &str) {
        let label = Label { source: self.source, span, text: text.to_owned() };
        if let Some(last) = self.found.last_mut().filter(|_| self.kept_last) {
            last.labels.push(label);
        }
    }

    pub(super) fn count(&self) -> usize {
        self.found.len()
    }

    pub(super) fn any_error(&self) -> bool {
        self.found.iter().any(Diagnostic::is_error)
    }

    /// Everything, in the order of the file.
    pub(super) fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|problem| problem.primary.span);
        self.found
    }
}
