//! What callers see of a failure.

use serde_json::Value as Json;

use crate::syntax::Span;

/// The situations in which a template fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// A rule of the template language is broken, by the template or by an argument.
    Template,
    /// The template called `custom_error`.
    Custom,
    /// The template called `error`, or an expression failed as it would in Python.
    Value,
    /// The tags are not well formed.
    Parse,
    /// A block has no `{% end %}`.
    UnclosedBlock,
    /// The code inside a tag is not Python.
    Syntax,
    /// Anything else that goes wrong in an expression, such as a division by zero.
    Runtime,
    /// The template ran too long, or wanted to build something too large.
    Limit,
}

/// A failure to compile or to render a template.
///
/// Messages repeat Tinybird's texts byte for byte where there is one; limits have texts of our own.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// The situation.
    pub kind: ErrorKind,
    /// What the client is told.
    pub message: String,
    /// The place in the SQL text handed to `Template::compile`, where there is one.
    pub span: Option<Span>,
    /// What `custom_error` was called with.
    pub custom: Option<Box<CustomError>>,
}

/// The arguments of `custom_error`.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomError {
    /// The HTTP status; 400 where the template gave no usable number.
    pub status: u16,
    /// The object that describes the error.
    pub body: Json,
}

impl TemplateError {
    pub(super) fn new(kind: ErrorKind, message: impl Into<String>, span: Option<Span>) -> Self {
        Self { kind, message: message.into(), span, custom: None }
    }

    /// Where Tinybird explains errors of the template language, relative to its documentation.
    pub fn documentation(&self) -> Option<&'static str> {
        (self.kind == ErrorKind::Template).then_some("/cli/advanced-templates.html")
    }
}
