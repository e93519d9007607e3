//! A column cut into its name and the words behind it, up to the comma.

use crate::syntax::Span;

/// Whether `[` keeps commas together as `(` does. In Tinybird's parser it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Brackets {
    Protect,
    Plain,
}

/// One column, not yet understood. Spans count bytes of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cut {
    /// Where the name stands, backticks included; empty where a comma stands in its place.
    pub(super) name: Span,
    /// Runs of text without blanks outside parentheses and quotes.
    pub(super) atoms: Vec<Span>,
    /// Where the next column begins.
    pub(super) end: usize,
}

/// A column that could not be cut: what is wrong, where, and where the next one may begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) span: Span,
    pub(super) message: String,
    pub(super) end: usize,
}

/// Cuts the column that begins at `at`, behind blanks.
pub(super) fn cut(text: &str, at: usize, brackets: Brackets) -> Result<Cut, Broken> {
    let mut cutter = Cutter { text, at, brackets, open: Vec::new() };
    cutter.skip_blanks();
    let name = cutter.name()?;
    let mut atoms = Vec::new();
    loop {
        cutter.skip_blanks();
        match cutter.peek() {
            None => return Ok(Cut { name, atoms, end: cutter.at }),
            Some(',') => return Ok(Cut { name, atoms, end: cutter.at + 1 }),
            Some(_) => atoms.push(cutter.atom()?),
        }
    }
}

struct Cutter<'a> {
    text: &'a str,
    at: usize,
    brackets: Brackets,
    /// The brackets that are open, with their places.
    open: Vec<(char, usize)>,
}

impl Cutter<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip_blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn broken<T>(&self, span: Span, message: impl Into<String>) -> Result<T, Broken> {
        let rest = self.text.get(span.end..).unwrap_or_default();
        let end = rest.find(',').map_or(self.text.len(), |comma| span.end + comma + 1);
        Err(Broken { span, message: message.into(), end })
    }

    fn name(&mut self) -> Result<Span, Broken> {
        let start = self.at;
        let rest = self.rest();
        let length = if let Some(quoted) = rest.strip_prefix('`') {
            let end = quoted.find(|next: char| next == '`' || next.is_whitespace());
            let closed = end.filter(|&end| quoted.as_bytes().get(end) == Some(&b'`'));
            let Some(end) = closed else {
                return self.broken(Span::new(start, start + 1), "Expected closing backtick");
            };
            end + 2
        } else {
            rest.find(|c: char| c == ',' || c.is_whitespace()).unwrap_or(rest.len())
        };
        self.at += length;
        Ok(Span::new(start, self.at))
    }

    /// A run of text up to a blank or comma outside parentheses and quotes. `CODEC` and `DEFAULT`
    /// end in front of their parenthesis.
    fn atom(&mut self) -> Result<Span, Broken> {
        let start = self.at;
        while let Some(character) = self.peek() {
            let inside = !self.open.is_empty();
            if !inside && (character == ',' || character.is_whitespace()) {
                break;
            }
            if character == '(' && is_clause(Span::new(start, self.at).of(self.text)) {
                break;
            }
            self.character(character)?;
        }
        match self.open.pop() {
            None => Ok(Span::new(start, self.at)),
            Some((bracket, place)) => {
                let closing = if bracket == '[' { ']' } else { ')' };
                self.broken(Span::new(place, place + 1), format!("Expected closing {closing}"))
            }
        }
    }

    fn character(&mut self, character: char) -> Result<(), Broken> {
        let here = Span::new(self.at, self.at + character.len_utf8());
        let protects = |bracket| bracket == '(' || self.brackets == Brackets::Protect;
        match character {
            '\'' | '"' | '`' => return self.quoted(character),
            '(' | '[' if protects(character) => self.open.push((character, self.at)),
            ')' | ']' if protects(if character == ')' { '(' } else { '[' }) => {
                let partner = if character == ')' { '(' } else { '[' };
                if self.open.pop().is_none_or(|(open, _)| open != partner) {
                    return self.broken(here, format!("Unexpected {character}"));
                }
            }
            _ if character.is_alphanumeric() || character.is_whitespace() => {}
            _ if "._*<>+-[](),=!?:/%".contains(character) => {}
            _ => return self.broken(here, format!("Invalid character '{character}'")),
        }
        self.at = here.end;
        Ok(())
    }

    /// Runs to the closing quote. `''` stands for a quote; so does a backslash in front of one,
    /// which ClickHouse understands and Tinybird's parser does not.
    fn quoted(&mut self, quote: char) -> Result<(), Broken> {
        let start = self.at;
        let inside = self.text.get(start + 1..).unwrap_or_default();
        let mut escaped = false;
        for (offset, character) in inside.char_indices() {
            if !escaped && character == quote {
                self.at = start + offset + 2;
                return Ok(());
            }
            escaped = !escaped && character == '\\' && self.brackets == Brackets::Protect;
        }
        self.broken(Span::new(start, start + 1), format!("Expected closing {quote}"))
    }
}

/// True for the words whose parenthesis does not belong to them.
fn is_clause(word: &str) -> bool {
    ["CODEC", "DEFAULT"].iter().any(|clause| clause.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str, brackets: Brackets) -> Vec<String> {
        match cut(text, 0, brackets) {
            Ok(cut) => [cut.name].into_iter().chain(cut.atoms).map(|span| span.of(text).to_owned()).collect(),
            Err(broken) => vec![broken.message, broken.span.of(text).to_owned()],
        }
    }

    #[test]
    fn blanks_and_commas_inside_parentheses_and_quotes_do_not_cut() {
        assert_eq!(
            words(
                "`a` Map(String, Int8) `json:$.a` DEFAULT concat('x, y', \"z\") CODEC(ZSTD(1)), b",
                Brackets::Plain
            ),
            [
                "`a`",
                "Map(String, Int8)",
                "`json:$.a`",
                "DEFAULT",
                "concat('x, y', \"z\")",
                "CODEC",
                "(ZSTD(1))"
            ]
        );
        assert_eq!(
            words("a Array(String) DEFAULT ['a','b']", Brackets::Protect).last().unwrap(),
            "['a','b']"
        );
        assert_eq!(words("a Array(String) DEFAULT ['a','b']", Brackets::Plain).last().unwrap(), "['a'");
        assert_eq!(words("it's String", Brackets::Protect), ["it's", "String"]);
    }

    #[test]
    fn open_ends_are_pointed_at() {
        assert_eq!(words("a Array(String", Brackets::Protect), ["Expected closing )", "("]);
        assert_eq!(words("a String DEFAULT 'x", Brackets::Protect), ["Expected closing '", "'"]);
        assert_eq!(words("`a b` String", Brackets::Protect), ["Expected closing backtick", "`"]);
        assert_eq!(words("a String DEFAULT 1 $ 2", Brackets::Protect), ["Invalid character '$'", "$"]);
        assert_eq!(words("a String)", Brackets::Protect), ["Unexpected )", ")"]);
    }

    #[test]
    fn a_backslash_protects_a_quote_only_for_the_tolerant() {
        assert_eq!(words(r"a String DEFAULT 'it\'s'", Brackets::Protect).last().unwrap(), r"'it\'s'");
        assert_eq!(words(r"a String DEFAULT 'it\'s'", Brackets::Plain), ["Expected closing '", "'"]);
    }

    proptest! {
        #[test]
        fn every_cut_gets_further(text in "[a-cñ ,()'`\\[\\]\\\\$\n]{1,30}") {
            match cut(&text, 0, Brackets::Protect) {
                Ok(cut) => prop_assert!(cut.end > 0),
                Err(broken) => prop_assert!(broken.end > 0),
            }
        }
    }
}
