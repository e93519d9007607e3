//! Texts that were taken out of a file and still know where each part of them came from.

use crate::syntax::Span;

/// A text made of parts of a file: a block body without its dropped lines, a value whose words
/// were joined, a file whose secrets were filled in.
#[derive(Debug, Clone, Default)]
pub(super) struct MappedText {
    text: String,
    pieces: Vec<Piece>,
}

/// A part of the text that came from one place.
#[derive(Debug, Clone, Copy)]
struct Piece {
    /// Where it begins in the text; it ends where the next one begins.
    start: usize,
    origin: Origin,
}

#[derive(Debug, Clone, Copy)]
enum Origin {
    /// The same bytes, from this offset of the file on.
    Copied(usize),
    /// Other bytes, standing for this part of the file.
    Replaced(Span),
}

/// Two texts are equal when they say the same, wherever they stand.
impl PartialEq for MappedText {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for MappedText {}

impl MappedText {
    /// A whole file.
    pub(super) fn of_file(text: &str) -> Self {
        let mut whole = Self::default();
        whole.push(text, 0);
        whole
    }

    /// Adds bytes that stand at `offset` of the file.
    pub(super) fn push(&mut self, text: &str, offset: usize) {
        self.add(text, Origin::Copied(offset));
    }

    /// Adds bytes that stand for `span` of the file.
    pub(super) fn push_replaced(&mut self, text: &str, span: Span) {
        self.add(text, Origin::Replaced(span));
    }

    fn add(&mut self, text: &str, origin: Origin) {
        self.pieces.push(Piece { start: self.text.len(), origin });
        self.text.push_str(text);
    }

    /// The text alone.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// True where there is nothing but blanks.
    pub(super) fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// Where a part of this text stands in the file.
    pub(super) fn locate(&self, span: Span) -> Span {
        let start = self.origin_of(span.start).map_or(0, |(origin, inside)| origin.start(inside));
        let last = span.end.max(span.start + 1) - 1;
        let end = self.origin_of(last).map_or(start, |(origin, inside)| origin.end(inside));
        if span.start == span.end { Span::at(start) } else { Span::new(start, end.max(start)) }
    }

    /// Where the whole text stands in the file.
    pub(super) fn span(&self) -> Span {
        self.locate(Span::new(0, self.text.len()))
    }

    /// The piece that holds a byte, and how far into it the byte lies; the last piece for the end.
    fn origin_of(&self, offset: usize) -> Option<(Origin, usize)> {
        let following = self.pieces.partition_point(|piece| piece.start <= offset);
        let piece = self.pieces.get(following.checked_sub(1)?)?;
        Some((piece.origin, offset - piece.start))
    }

    /// A part of this text.
    #[must_use]
    pub(super) fn slice(&self, span: Span) -> Self {
        let mut part = Self::default();
        part.push_slice(self, span);
        if part.pieces.is_empty() {
            part.push("", self.locate(Span::at(span.start)).start);
        }
        part
    }

    /// Adds a part of another text of the same file.
    pub(super) fn push_slice(&mut self, other: &Self, span: Span) {
        let first = other.pieces.partition_point(|piece| piece.start <= span.start).saturating_sub(1);
        let pieces = other.pieces.get(first..).unwrap_or_default();
        let ends = pieces.iter().skip(1).map(|piece| piece.start).chain([other.text.len()]);
        for (piece, end) in pieces.iter().zip(ends).take_while(|(piece, _)| piece.start < span.end) {
            let start = piece.start.max(span.start);
            let text = other.text.get(start..end.min(span.end)).unwrap_or_default();
            if !text.is_empty() {
                self.add(text, piece.origin.shifted(start - piece.start));
            }
        }
    }

    /// The text without blanks around it.
    #[must_use]
    pub(super) fn trimmed(&self) -> Self {
        let start = self.text.len() - self.text.trim_start().len();
        self.slice(Span::new(start, start + self.text.trim().len()))
    }

    /// The text without one pair of quotes around it. As in Tinybird the two need not be alike.
    #[must_use]
    pub(super) fn unquoted(&self) -> Self {
        let quote = ['"', '\''];
        if self.text.len() >= 2 && self.text.starts_with(quote) && self.text.ends_with(quote) {
            self.slice(Span::new(1, self.text.len() - 1))
        } else {
            self.clone()
        }
    }

    /// The spans of the lines, without their newlines.
    pub(super) fn lines(&self) -> impl Iterator<Item = Span> {
        let mut start = 0;
        self.text.split('\n').map(move |line| {
            let span = Span::new(start, start + line.len());
            start = span.end + 1;
            span
        })
    }

    /// The text without the blanks that all its lines begin with, and without blanks at its end.
    #[must_use]
    pub(super) fn dedented(&self) -> Self {
        let blanks = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
        let filled = self.text.lines().filter(|line| !line.trim().is_empty());
        let common = filled.reduce(common_start).map_or(0, blanks);
        let mut dedented = Self::default();
        for line in self.lines() {
            let end = (line.end + 1).min(self.text.len());
            let start = line.start + common.min(blanks(line.of(&self.text)));
            dedented.push_slice(self, Span::new(start, end));
        }
        let end = dedented.text.trim_end().len();
        dedented.slice(Span::new(0, end))
    }
}

/// What two lines begin with alike.
fn common_start<'a>(one: &'a str, other: &str) -> &'a str {
    let differs =
        one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b && a.is_ascii_whitespace()).count();
    one.get(..differs).unwrap_or_default()
}

impl Origin {
    fn start(self, inside: usize) -> usize {
        match self {
            Self::Copied(offset) => offset + inside,
            Self::Replaced(span) => span.start,
        }
    }

    /// One past the byte that lies `inside` the piece.
    fn end(self, inside: usize) -> usize {
        match self {
            Self::Copied(offset) => offset + inside + 1,
            Self::Replaced(span) => span.end,
        }
    }

    fn shifted(self, by: usize) -> Self {
        match self {
            Self::Copied(offset) => Self::Copied(offset + by),
            replaced @ Self::Replaced(_) => replaced,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> (&'static str, MappedText) {
        let file = "ab SECRET cd";
        let mut text = MappedText::default();
        text.push("ab ", 0);
        text.push_replaced("a-very-long-value", Span::new(3, 9));
        text.push(" cd", 9);
        (file, text)
    }

    #[test]
    fn places_lead_back_into_the_file() {
        let (file, text) = example();
        let place = |word: &str| {
            let start = text.as_str().find(word).unwrap();
            text.locate(Span::new(start, start + word.len())).of(file)
        };
        assert_eq!(place("cd"), "cd");
        assert_eq!(place("very"), "SECRET");
        assert_eq!(place("ab a-very"), "ab SECRET");
        assert_eq!(text.span().of(file), file);
        assert_eq!(MappedText::default().span(), Span::at(0));
    }

    #[test]
    fn a_slice_keeps_the_places() {
        let (file, text) = example();
        let part = text.slice(Span::new(4, 22));
        assert_eq!(part.as_str(), "-very-long-value c");
        assert_eq!(part.span().of(file), "SECRET c");
    }

    #[test]
    fn dedenting_takes_what_all_lines_share() {
        let file = "    SELECT 1,\n\t  2\n\n      FROM a  \n";
        let mapped = MappedText::of_file(file);
        assert_eq!(mapped.dedented().as_str(), "    SELECT 1,\n\t  2\n\n      FROM a");
        let spaces = MappedText::of_file("    a\n\n      b\n").dedented();
        assert_eq!(spaces.as_str(), "a\n\n  b");
        assert_eq!(spaces.locate(Span::new(5, 6)), Span::new(13, 14));
    }

    #[test]
    fn quotes_are_dropped_once_and_need_not_be_alike() {
        let unquoted = |text| MappedText::of_file(text).unquoted().as_str().to_owned();
        assert_eq!(unquoted("\"a b\""), "a b");
        assert_eq!(unquoted("'a\""), "a");
        assert_eq!(unquoted("\"\""), "");
        assert_eq!(unquoted("\""), "\"");
        assert_eq!(unquoted("toDate('2020-01-01') + 1"), "toDate('2020-01-01') + 1");
    }
}
