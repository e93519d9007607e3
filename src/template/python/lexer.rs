//! Python text to tokens.

use num_bigint::BigInt;

use super::SyntaxError;
use super::literal::{self, Literal};
use super::tree::Constant;

/// The smallest unit with a meaning.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::template) enum Token {
    /// A name or a keyword.
    Word(String),
    Number(Constant),
    Text(Literal),
    Operator(&'static str),
    /// The end of a logical line which is not the last.
    Newline,
    End,
}

/// A token and where it starts and ends.
#[derive(Debug, Clone)]
pub(in crate::template) struct Placed {
    pub(in crate::template) token: Token,
    pub(in crate::template) start: usize,
    pub(in crate::template) end: usize,
}

/// Words which cannot be names.
const KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def",
    "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is",
    "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

/// Longer ones first, so that the first which fits is the right one.
const OPERATORS: [&str; 47] = [
    "**=", "//=", ">>=", "<<=", "...", "!=", "==", "<=", ">=", "->", ":=", "**", "//", "<<", ">>", "+=",
    "-=", "*=", "/=", "%=", "&=", "|=", "^=", "@=", "+", "-", "*", "/", "%", "@", "&", "|", "^", "~", "<",
    ">", "(", ")", "[", "]", "{", "}", ",", ":", ".", ";", "=",
];

/// True for a word that cannot be a name.
pub(in crate::template) fn is_keyword(word: &str) -> bool {
    KEYWORDS.contains(&word)
}

/// True for a text that could be a name (keywords included).
pub(in crate::template) fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(starts_name) && chars.all(continues_name)
}

fn starts_name(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

fn continues_name(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// All tokens of `text`, the last being [`Token::End`].
pub(in crate::template) fn tokens(text: &str) -> Result<Vec<Placed>, SyntaxError> {
    let mut lexer = Lexer { text, at: 0, brackets: 0, found: Vec::new() };
    while lexer.step()? {}
    Ok(lexer.found)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// How many brackets are open: line ends inside brackets mean nothing.
    brackets: usize,
    found: Vec<Placed>,
}

impl Lexer<'_> {
    /// Reads one token or one piece of white space; false at the end.
    fn step(&mut self) -> Result<bool, SyntaxError> {
        let Some(c) = self.rest().chars().next() else {
            self.push(Token::End, 0);
            return Ok(false);
        };
        match c {
            '\n' | '\r' => self.line_end(),
            ' ' | '\t' | '\u{c}' => self.at += 1,
            '\\' if self.rest().starts_with("\\\n") => self.at += 2,
            '#' => self.at += self.rest().find('\n').unwrap_or(self.rest().len()),
            '0'..='9' => self.number()?,
            '.' if self.digit_follows_dot() => self.number()?,
            '\'' | '"' => self.text_literal("")?,
            c if starts_name(c) => self.word()?,
            _ => self.operator()?,
        }
        Ok(true)
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn push(&mut self, token: Token, length: usize) {
        self.found.push(Placed { token, start: self.at, end: self.at + length });
        self.at += length;
    }

    fn line_end(&mut self) {
        if self.brackets == 0
            && !matches!(self.found.last(), None | Some(Placed { token: Token::Newline, .. }))
        {
            self.push(Token::Newline, 1);
        } else {
            self.at += 1;
        }
    }

    fn digit_follows_dot(&self) -> bool {
        self.rest().chars().nth(1).is_some_and(|c| c.is_ascii_digit())
    }

    fn word(&mut self) -> Result<(), SyntaxError> {
        let rest = self.rest();
        let length = rest.find(|c| !continues_name(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(length);
        if after.starts_with(['\'', '"']) && literal::is_prefix(word) {
            let prefix = word.to_ascii_lowercase();
            return self.text_literal(&prefix);
        }
        let word = word.to_owned();
        self.push(Token::Word(word), length);
        Ok(())
    }

    fn text_literal(&mut self, prefix: &str) -> Result<(), SyntaxError> {
        let (literal, length) = literal::read(self.rest(), prefix, self.at)?;
        self.push(Token::Text(literal), length);
        Ok(())
    }

    fn operator(&mut self) -> Result<(), SyntaxError> {
        let found = OPERATORS.iter().find(|operator| self.rest().starts_with(**operator));
        let operator = found.ok_or(SyntaxError::Unexpected(self.at))?;
        match *operator {
            "(" | "[" | "{" => self.brackets += 1,
            ")" | "]" | "}" => self.brackets = self.brackets.saturating_sub(1),
            _ => {}
        }
        self.push(Token::Operator(operator), operator.len());
        Ok(())
    }

    fn number(&mut self) -> Result<(), SyntaxError> {
        let rest = self.rest();
        let radix = match rest.get(..2) {
            Some("0x" | "0X") => 16,
            Some("0o" | "0O") => 8,
            Some("0b" | "0B") => 2,
            _ => return self.decimal(),
        };
        let digits = rest.get(2..).unwrap_or_default();
        let length = digits.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(digits.len());
        let digits: String = digits.chars().take(length).filter(|c| *c != '_').collect();
        let value = BigInt::parse_bytes(digits.as_bytes(), radix).ok_or(SyntaxError::BadNumber(self.at))?;
        self.push(Token::Number(Constant::Int(value)), 2 + length);
        Ok(())
    }

    fn decimal(&mut self) -> Result<(), SyntaxError> {
        let rest = self.rest();
        let length = decimal_length(rest);
        let (number, after) = rest.split_at(length);
        let digits: String = number.chars().filter(|c| *c != '_').collect();
        if after.starts_with(['j', 'J']) {
            self.push(Token::Number(Constant::Imaginary), length + 1);
            return Ok(());
        }
        let bad = || SyntaxError::BadNumber(self.at);
        if number.ends_with('_') || number.contains("__") {
            return Err(bad());
        }
        let constant = if digits.bytes().all(|b| b.is_ascii_digit()) {
            // Python refuses a decimal number with leading zeros, but not several zeros.
            if digits.len() > 1 && digits.starts_with('0') && digits.bytes().any(|b| b != b'0') {
                return Err(bad());
            }
            Constant::Int(BigInt::parse_bytes(digits.as_bytes(), 10).ok_or_else(bad)?)
        } else {
            Constant::Float(digits.parse().map_err(|_| bad())?)
        };
        self.push(Token::Number(constant), length);
        Ok(())
    }
}

/// How many bytes of `text` belong to the decimal number that it starts with.
fn decimal_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |mut at: usize| {
        while bytes.get(at).is_some_and(|b| b.is_ascii_digit() || *b == b'_') {
            at += 1;
        }
        at
    };
    let mut end = digits(0);
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let start = end + 1 + sign;
        if bytes.get(start).is_some_and(u8::is_ascii_digit) {
            end = digits(start);
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Token> {
        tokens(text).unwrap().into_iter().map(|placed| placed.token).collect()
    }

    #[test]
    fn line_ends_count_only_outside_brackets() {
        assert_eq!(read("(\n)").len(), 3);
        assert_eq!(read("a\nb")[1], Token::Newline);
    }

    #[test]
    fn numbers_are_read_as_python_reads_them() {
        let int = |n: i64| Token::Number(Constant::Int(n.into()));
        assert_eq!(
            read("0x1f 0b101 1_000 .5 1e3 2.")[..6],
            [
                int(31),
                int(5),
                int(1000),
                Token::Number(Constant::Float(0.5)),
                Token::Number(Constant::Float(1000.0)),
                Token::Number(Constant::Float(2.0)),
            ]
        );
        assert_eq!(tokens("007").unwrap_err(), SyntaxError::BadNumber(0));
    }

    #[test]
    fn characters_unknown_to_python_are_errors_with_a_place() {
        assert_eq!(tokens("a $ b").unwrap_err(), SyntaxError::Unexpected(2));
        assert_eq!(tokens("x!r").unwrap_err(), SyntaxError::Unexpected(1));
    }
}
