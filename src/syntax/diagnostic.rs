//! Problems as data.

use super::source::{SourceId, Span};

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The resource cannot be used.
    Error,
    /// The resource works; something in it has no effect or will surprise.
    Warning,
}

impl Severity {
    /// The word that people and machines read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// A place in a source, with what is to be said about it (may be empty).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The text.
    pub source: SourceId,
    /// The place in it.
    pub span: Span,
    /// A few words drawn beside the place.
    pub text: String,
}

/// One problem found in a source.
///
/// Messages are lowercase without a final period, unless they repeat a text of Tinybird's that
/// clients compare byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// A stable name of the kind of problem, in kebab-case: `unknown-directive`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, and with which one.
    pub message: String,
    /// Where it is.
    pub primary: Label,
    /// Other places that matter.
    pub labels: Vec<Label>,
    /// What to do next.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(code: &'static str, source: SourceId, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, source, span, message.into())
    }

    /// A warning at a place.
    pub fn warning(code: &'static str, source: SourceId, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, source, span, message.into())
    }

    fn new(severity: Severity, code: &'static str, source: SourceId, span: Span, message: String) -> Self {
        let primary = Label { source, span, text: String::new() };
        Self { code, severity, message, primary, labels: Vec::new(), help: None }
    }

    /// Says what to do next.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Puts a few words beside the primary place.
    #[must_use]
    pub fn with_note(mut self, text: impl Into<String>) -> Self {
        self.primary.text = text.into();
        self
    }

    /// Points at one more place.
    #[must_use]
    pub fn with_label(mut self, source: SourceId, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { source, span, text: text.into() });
        self
    }

    /// True for an error, false for a warning.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
