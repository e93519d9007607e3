//! The Python that may stand inside a tag: its tokens, its tree and the parser between them.
//!
//! In: the text of one tag.  Out: [`tree`] nodes, whose height is bounded.  Nothing is judged here:
//! what a template may and may not say is for [`super::gate`].

pub(super) mod lexer;
pub(super) mod literal;
pub(super) mod operators;
pub(super) mod parser;
pub(super) mod statement;
pub(super) mod tree;

/// Why a text is not Python.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum SyntaxError {
    #[error("invalid syntax")]
    Unexpected(usize),
    #[error("unterminated string literal")]
    UnterminatedText(usize),
    #[error("invalid decimal literal")]
    BadNumber(usize),
    #[error("invalid escape sequence in a string literal")]
    BadEscape(usize),
    #[error("invalid f-string")]
    BadFormat(usize),
    #[error("cannot assign to this expression")]
    NotAssignable(usize),
    #[error("keyword argument repeated")]
    RepeatedKeyword(usize),
    #[error("too many nested expressions")]
    TooDeep,
}

impl SyntaxError {
    /// Where in the text, in bytes from its start, if it is one place.
    pub(super) fn offset(&self) -> Option<usize> {
        match self {
            Self::Unexpected(at)
            | Self::UnterminatedText(at)
            | Self::BadNumber(at)
            | Self::BadEscape(at)
            | Self::BadFormat(at)
            | Self::NotAssignable(at)
            | Self::RepeatedKeyword(at) => Some(*at),
            Self::TooDeep => None,
        }
    }
}
