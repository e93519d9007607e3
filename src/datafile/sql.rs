//! SQL inside datafiles: kept as text that knows where it stands.

use super::text::MappedText;
use crate::syntax::Span;

/// The body of an `SQL >` or `FORWARD_QUERY >` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sql(MappedText);

impl Sql {
    /// Takes a block body: blanks around it go, and so does the indentation that its lines share,
    /// except in a template, whose text may be part of what it prints.
    pub(super) fn of_block(body: &MappedText) -> Self {
        let trimmed = body.trimmed();
        if trimmed.as_str().starts_with('%') {
            return Self(trimmed);
        }
        let dedented = body.dedented();
        let leading = dedented.as_str().len() - dedented.as_str().trim_start_matches('\n').len();
        Self(dedented.slice(Span::new(leading, dedented.as_str().len())))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// True where the text is a template: its first character is `%`.
    pub fn is_template(&self) -> bool {
        self.as_str().trim_start().starts_with('%')
    }

    /// Where a part of the text stands in the file.
    pub fn locate(&self, span: Span) -> Span {
        self.0.locate(span)
    }

    /// Where the whole text stands in the file.
    pub fn span(&self) -> Span {
        self.0.span()
    }
}
