//! The fields of an f-string.

use super::{Parsed, Parser};
use crate::template::python::SyntaxError;
use crate::template::python::literal::{self, Escapes};
use crate::template::python::tree::{Expression, Kind, Piece};

impl Parser {
    /// The pieces of an f-string's content, which starts at `start` in the tag.
    pub(super) fn format_pieces(
        &mut self,
        content: &str,
        start: usize,
        escapes: Escapes,
    ) -> Result<Vec<Piece>, SyntaxError> {
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut at = 0;
        while let Some(c) = content.get(at..).and_then(|rest| rest.chars().next()) {
            let doubled = content.get(at + 1..).is_some_and(|rest| rest.starts_with(c));
            match c {
                '{' | '}' if doubled => {
                    text.push(c);
                    at += 2;
                }
                '{' => {
                    push_text(&mut pieces, &mut text, start, escapes)?;
                    let (field, length) =
                        self.field(content.get(at + 1..).unwrap_or_default(), start + at + 1)?;
                    pieces.push(field);
                    at += 1 + length;
                }
                '}' => return Err(SyntaxError::BadFormat(start + at)),
                _ => {
                    text.push(c);
                    at += c.len_utf8();
                }
            }
        }
        push_text(&mut pieces, &mut text, start, escapes)?;
        Ok(pieces)
    }

    /// One field, from after its `{`; gives its length, the closing `}` included.
    fn field(&mut self, text: &str, start: usize) -> Result<(Piece, usize), SyntaxError> {
        let bad = SyntaxError::BadFormat(start);
        let length = expression_length(text).ok_or_else(|| bad.clone())?;
        let value = self.field_value(text.get(..length).unwrap_or_default(), start)?;
        let mut rest = text.get(length..).unwrap_or_default();
        let mut conversion = None;
        if let Some(after) = rest.strip_prefix('!') {
            conversion = after.chars().next().filter(|c| matches!(c, 'r' | 's' | 'a'));
            rest = after.get(1..).filter(|_| conversion.is_some()).ok_or_else(|| bad.clone())?;
        }
        let mut format = None;
        if let Some(after) = rest.strip_prefix(':') {
            let end = specification_length(after).ok_or_else(|| bad.clone())?;
            let offset = start + text.len() - after.len();
            let inside = after.get(..end).unwrap_or_default();
            let pieces = self.nested_pieces(inside, offset)?;
            format = Some(Expression::new(Kind::Formatted(pieces))?);
            rest = after.get(end..).unwrap_or_default();
        }
        let rest = rest.strip_prefix('}').ok_or(bad)?;
        Ok((Piece::Field { value, conversion, format }, text.len() - rest.len()))
    }

    fn field_value(&mut self, text: &str, start: usize) -> Parsed {
        let mut parser = Self::nested(text.trim(), self.nesting + 1)?;
        let value = parser.expressions().and_then(|value| parser.expect_end().map(|()| value));
        value.map_err(|_| SyntaxError::BadFormat(start))
    }

    fn nested_pieces(&mut self, inside: &str, offset: usize) -> Result<Vec<Piece>, SyntaxError> {
        self.nesting += 1;
        if self.nesting > super::MAX_NESTING {
            return Err(SyntaxError::TooDeep);
        }
        let pieces = self.format_pieces(inside, offset, Escapes::Decoded);
        self.nesting -= 1;
        pieces
    }
}

fn push_text(
    pieces: &mut Vec<Piece>,
    text: &mut String,
    start: usize,
    escapes: Escapes,
) -> Result<(), SyntaxError> {
    if !text.is_empty() {
        pieces.push(Piece::Text(literal::decode(text, escapes, start)?.into()));
        text.clear();
    }
    Ok(())
}

/// Where the expression of a field ends: at `}`, `:` or `!` outside brackets and quotes.
fn expression_length(text: &str) -> Option<usize> {
    let mut brackets = 0_usize;
    let mut quote = None;
    for (at, c) in text.char_indices() {
        let next_is_equals = text.get(at + 1..).is_some_and(|rest| rest.starts_with('='));
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '(' | '[' | '{') => brackets += 1,
            (None, '}' | ':' | '!') if brackets == 0 && !(c == '!' && next_is_equals) => return Some(at),
            (None, ')' | ']' | '}') => brackets = brackets.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

/// Where the format specification of a field ends; it may hold fields itself.
fn specification_length(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => open += 1,
            '}' if open == 0 => return Some(at),
            '}' => open -= 1,
            _ => {}
        }
    }
    None
}
