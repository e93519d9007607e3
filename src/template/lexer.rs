//! Template text to tags.

use super::error::{ErrorKind, TemplateError};
use crate::syntax::Span;

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// SQL, copied as it is.
    Text(&'a str),
    /// `{{ … }}`
    Expression(Tag<'a>),
    /// `{% … %}`
    Statement(Tag<'a>),
}

/// What stands inside a tag, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag<'a> {
    /// The content without the white space around it.
    pub(super) content: &'a str,
    /// Where the content stands in the SQL text.
    pub(super) span: Span,
    /// The line that the tag starts on, from 1.
    pub(super) line: usize,
    /// The line that the tag ends on.
    pub(super) last_line: usize,
}

/// Reads a template from left to right.
pub(super) struct Lexer<'a> {
    body: &'a str,
    /// Where the body starts in the SQL text.
    offset: usize,
    at: usize,
    line: usize,
}

/// The ways a tag opens and closes.
const COMMENT: (&str, &str) = ("{#", "#}");
const EXPRESSION: (&str, &str) = ("{{", "}}");
const STATEMENT: (&str, &str) = ("{%", "%}");

impl<'a> Lexer<'a> {
    /// A reader of `body`, which starts at byte `offset` of the SQL text.
    pub(super) fn new(body: &'a str, offset: usize) -> Self {
        Self { body, offset, at: 0, line: 1 }
    }

    /// The line that the reader has come to, from 1.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// Where the reader has come to in the SQL text.
    pub(super) fn place(&self) -> Span {
        Span::at(self.offset + self.at)
    }

    /// The next piece; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Piece<'a>>, TemplateError> {
        loop {
            let rest = self.rest();
            if rest.is_empty() {
                return Ok(None);
            }
            let text = opening(rest).unwrap_or(rest.len());
            if text > 0 {
                return Ok(Some(Piece::Text(self.take(text))));
            }
            // `{{!` stands for `{{`.
            if rest.get(2..).is_some_and(|after| after.starts_with('!')) {
                let braces = self.take(2);
                self.take(1);
                return Ok(Some(Piece::Text(braces)));
            }
            if rest.starts_with(COMMENT.0) {
                self.tag(COMMENT, "Missing end comment #}", None)?;
            } else if rest.starts_with(EXPRESSION.0) {
                let tag = self.tag(EXPRESSION, "Missing end expression }}", Some("Empty expression"))?;
                return Ok(Some(Piece::Expression(tag)));
            } else {
                let tag = self.tag(STATEMENT, "Missing end block %}", Some("Empty block tag ({% %})"))?;
                return Ok(Some(Piece::Statement(tag)));
            }
        }
    }

    fn rest(&self) -> &'a str {
        self.body.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, length: usize) -> &'a str {
        let taken = self.rest().get(..length).unwrap_or_default();
        self.line += taken.matches('\n').count();
        self.at += taken.len();
        taken
    }

    fn tag(
        &mut self,
        (open, close): (&str, &str),
        unclosed: &str,
        empty: Option<&str>,
    ) -> Result<Tag<'a>, TemplateError> {
        let (line, start) = (self.line, self.at);
        let inside = self.rest().get(open.len()..).unwrap_or_default();
        let Some(length) = inside.find(close) else {
            let span = Span::new(self.offset + start, self.offset + start + open.len());
            return Err(parse_error(unclosed, line, span));
        };
        self.take(open.len());
        let raw = self.take(length);
        self.take(close.len());
        let content = raw.trim();
        let lead = raw.len() - raw.trim_start().len();
        let first = self.offset + start + open.len() + lead;
        let span = Span::new(first, first + content.len());
        match empty {
            Some(message) if content.is_empty() => Err(parse_error(message, self.line, span)),
            _ => Ok(Tag { content, span, line, last_line: self.line }),
        }
    }
}

/// Where the first tag of `text` opens. Of three or more `{` in a row, the innermost two count.
fn opening(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let opens = |at: usize| {
        matches!(bytes.get(at + 1), Some(b'{' | b'%' | b'#'))
            && !(bytes.get(at + 1) == Some(&b'{') && bytes.get(at + 2) == Some(&b'{'))
    };
    bytes.iter().enumerate().find(|(at, byte)| **byte == b'{' && opens(*at)).map(|(at, _)| at)
}

/// An error in the tags, in Tinybird's words.
pub(super) fn parse_error(message: &str, line: usize, span: Span) -> TemplateError {
    TemplateError::new(ErrorKind::Parse, format!("{message} at <string>:{line}"), Some(span))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(body: &str) -> Result<Vec<String>, String> {
        let mut lexer = Lexer::new(body, 1);
        let mut found = Vec::new();
        while let Some(piece) = lexer.next().map_err(|error| error.message)? {
            found.push(match piece {
                Piece::Text(text) => text.to_owned(),
                Piece::Expression(tag) => format!("E:{}@{}", tag.content, tag.span.start),
                Piece::Statement(tag) => format!("S:{}@{}", tag.content, tag.line),
            });
        }
        Ok(found)
    }

    #[test]
    fn text_and_tags_come_in_order() {
        let found = pieces("a{# no #}b\n{% if x %}{{ x }}{ {%end%}").unwrap();
        assert_eq!(found, ["a", "b\n", "S:if x@2", "E:x@25", "{ ", "S:end@2"]);
    }

    #[test]
    fn the_innermost_of_many_braces_open_a_tag() {
        assert_eq!(pieces("{{{x}}}").unwrap(), ["{", "E:x@4", "}"]);
        assert_eq!(pieces("{{!x}} {%!y").unwrap(), ["{{", "x}} ", "{%", "y"]);
    }

    #[test]
    fn tags_without_an_end_are_errors_with_a_line() {
        assert_eq!(pieces("\n\n{{ x }").unwrap_err(), "Missing end expression }} at <string>:3");
        assert_eq!(pieces("{#}").unwrap_err(), "Missing end comment #} at <string>:1");
        assert_eq!(pieces("{{\n}}").unwrap_err(), "Empty expression at <string>:2");
    }
}
