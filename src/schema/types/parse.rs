//! Types from text: ClickHouse's grammar of types. What the arguments mean is `arguments`' business.

use super::arguments::Call;
use super::error::{TypeError, TypeProblem};
use super::families::{self, Family};
use super::raw;
use crate::schema::quoting;
use crate::schema::types::{DataType, TupleElement};
use crate::syntax::Span;

/// How many types may stand inside each other.
pub(super) const DEPTH_LIMIT: usize = 50;

/// What is expected behind a complete type.
pub(super) const END_OF_TYPE: &str = "the end of the type";

pub(super) type Parsed<T = DataType> = Result<T, TypeError>;

impl DataType {
    /// Reads a type as it stands in a SCHEMA; spans of errors count bytes of `text`.
    pub fn parse(text: &str) -> Result<Self, TypeError> {
        Piece { text: text.trim_end(), offset: 0, depth: 0 }.trimmed().data_type()
    }
}

/// A part of the text that should be one type.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    /// Where it begins in the whole text.
    pub(super) offset: usize,
    /// How many types it stands inside.
    pub(super) depth: usize,
}

impl Piece<'_> {
    pub(super) fn from(self, start: usize) -> Self {
        Self { text: self.text.get(start..).unwrap_or_default(), offset: self.offset + start, ..self }
            .trimmed()
    }

    fn to(self, end: usize) -> Self {
        Self { text: self.text.get(..end).unwrap_or_default(), ..self }
    }

    fn trimmed(self) -> Self {
        let text = self.text.trim_start();
        Self { text, offset: self.offset + self.text.len() - text.len(), ..self }
    }

    pub(super) fn error<T>(self, problem: TypeProblem) -> Parsed<T> {
        Err(TypeError { span: Span::new(self.offset, self.offset + self.text.len()), problem })
    }

    /// The complaint that something else should stand at the start of this piece.
    pub(super) fn expected<T>(self, expected: &'static str) -> Parsed<T> {
        let end = match self.word_end() {
            0 => self.text.chars().next().map_or(0, char::len_utf8),
            end => end,
        };
        let here = self.to(end);
        let found = if here.text.is_empty() { "the end".to_owned() } else { format!("`{}`", here.text) };
        here.error(TypeProblem::Syntax { found, expected })
    }

    pub(super) fn word_end(self) -> usize {
        self.text
            .find(|character: char| !character.is_alphanumeric() && character != '_')
            .unwrap_or(self.text.len())
    }

    pub(super) fn data_type(self) -> Parsed {
        if self.depth > DEPTH_LIMIT {
            return self.to(self.word_end()).error(TypeProblem::TooDeep);
        }
        let (family, name_end) = self.family()?;
        let behind = self.from(name_end);
        let Some(opened) = behind.text.strip_prefix('(') else {
            let call = Call { piece: self.to(name_end), arguments: None };
            return if behind.text.is_empty() { call.build(family) } else { behind.expected(END_OF_TYPE) };
        };
        let Some(closing) = raw::closing_bracket(opened) else {
            return behind.expected("a matching )");
        };
        let rest = behind.from(closing + 2);
        if !rest.text.is_empty() {
            return rest.expected(END_OF_TYPE);
        }
        let arguments = Piece { text: opened, offset: behind.offset + 1, depth: self.depth }.to(closing);
        Call { piece: self, arguments: Some(arguments) }.build(family)
    }

    /// The family that the piece begins with, and where its name ends: the longest name known.
    fn family(self) -> Parsed<(Family, usize)> {
        let first = self.word_end();
        let name = self.to(first);
        match name.text {
            "" => return self.expected("a type"),
            "Int" | "UInt" => return name.error(TypeProblem::IntWithoutPrecision),
            word if word.eq_ignore_ascii_case("boolean") => return name.error(TypeProblem::Boolean),
            _ => {}
        }
        let longest = self.word_ends().filter_map(|end| {
            let words: Vec<&str> = self.to(end).text.split_whitespace().collect();
            families::find(&words.join(" ")).map(|family| (family, end))
        });
        longest.last().map_or_else(
            || {
                let similar = families::similar(name.text);
                name.error(TypeProblem::UnknownFamily { name: name.text.to_owned(), similar })
            },
            Ok,
        )
    }

    /// Where the first, second, … word ends, as far as nothing but blanks stands between them.
    fn word_ends(self) -> impl Iterator<Item = usize> {
        let mut behind = self;
        (0..families::MOST_WORDS).map_while(move |_| {
            let length = behind.word_end();
            let end = behind.offset - self.offset + length;
            behind = behind.from(length);
            (length > 0).then_some(end)
        })
    }

    /// One element of a `Tuple` or `Nested`: a type, or a name and a type.
    pub(super) fn element(self) -> Parsed<TupleElement> {
        let named = |name: String, data_type| TupleElement { name: Some(name.into()), data_type };
        if let Some(quote) = self.text.chars().next().filter(|first| matches!(first, '`' | '"')) {
            let Some((name, end)) = quoting::read(self.text, quote) else {
                return self.expected("a closed quote");
            };
            return Ok(named(name, self.from(end).data_type()?));
        }
        let end = self.word_end();
        let behind = self.from(end);
        let one_name = self.word_ends().nth(1).is_some_and(|end| families::find(self.to(end).text).is_some());
        if behind.word_end() == 0 || one_name {
            return Ok(TupleElement { name: None, data_type: self.data_type()? });
        }
        Ok(named(self.to(end).text.to_owned(), behind.data_type()?))
    }
}
