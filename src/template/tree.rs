//! A template, parsed: text, expressions and blocks.

use std::sync::Arc;

use super::python::statement::Assignment;
use super::python::tree::{Expression, Name};
use crate::syntax::Span;

/// Pieces of a template, one after the other.
pub(super) type Body = Vec<Node>;

/// One piece, and the tag that it was made from.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) span: Span,
    /// The line that the tag starts on, from 1.
    pub(super) line: usize,
    pub(super) kind: NodeKind,
}

#[derive(Debug)]
pub(super) enum NodeKind {
    Text(Arc<str>),
    /// `{{ … }}`
    Print {
        expression: Expression,
        /// What stands between the braces, for messages.
        source: Arc<str>,
    },
    If {
        branches: Vec<Branch>,
        otherwise: Body,
    },
    For {
        target: Expression,
        iterable: Expression,
        body: Body,
        otherwise: Body,
    },
    While {
        condition: Expression,
        body: Body,
        otherwise: Body,
    },
    Try(Box<Try>),
    Set(Assignment),
    Break,
    Continue,
}

/// A condition with what it guards.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) condition: Expression,
    pub(super) body: Body,
}

#[derive(Debug, Default)]
pub(super) struct Try {
    pub(super) body: Body,
    pub(super) handlers: Vec<Handler>,
    pub(super) otherwise: Body,
    pub(super) finally: Body,
}

/// `{% except class as name %}`
#[derive(Debug)]
pub(super) struct Handler {
    pub(super) class: Option<Expression>,
    pub(super) name: Option<Name>,
    pub(super) body: Body,
}
