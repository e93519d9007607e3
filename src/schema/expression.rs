//! SQL expressions that become a part of a table's definition: keys, TTL, index expressions.
//!
//! They are not understood, only looked at: quotes and brackets are closed, nothing in them ends
//! the statement, and the names in them are known. ClickHouse does the rest.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::quoting;

/// An expression that can stand inside a `CREATE TABLE` without breaking out of its place.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Expression(Box<str>);

/// Why a text is no expression that may stand in a definition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// Nothing but blanks.
    #[error("the expression is empty")]
    Empty,
    /// A quote without its partner.
    #[error("a {0} is never closed")]
    OpenQuote(char),
    /// A bracket without its partner.
    #[error("the bracket {0} has no partner")]
    Bracket(char),
    /// A comment would swallow what follows the expression.
    #[error("comments are not allowed in an expression")]
    Comment,
    /// A character that no expression has, or that ends the statement.
    #[error("{0} is not allowed in an expression")]
    Character(char),
}

/// One word or sign of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    /// What it is.
    pub kind: TokenKind,
    /// As written, quotes included.
    pub text: &'a str,
    /// Where it begins, in bytes of the expression.
    pub offset: usize,
}

/// The kinds of [`Token`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A bare word, dots included: `timestamp`, `toDate`, `data.id`.
    Word,
    /// A name in backticks or double quotes.
    QuotedName,
    /// A text in single quotes.
    Text,
    /// A number.
    Number,
    /// `(` or `[`.
    Open,
    /// `)` or `]`.
    Close,
    /// Any other sign.
    Sign,
}

/// A function with its arguments, as it stands in an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call<'a> {
    /// The name of the function.
    pub function: &'a str,
    /// The whole call.
    pub text: &'a str,
}

impl Expression {
    /// Checks that `text` can stand alone. Blanks and newlines outside quotes become single blanks.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let tokens = tokens(text)?;
        if tokens.is_empty() {
            return Err(ExpressionError::Empty);
        }
        let mut open = Vec::new();
        for token in &tokens {
            let sign = token.text.chars().next().unwrap_or_default();
            match token.kind {
                TokenKind::Open => open.push(sign),
                TokenKind::Close if open.pop() != Some(partner(sign)) => {
                    return Err(ExpressionError::Bracket(sign));
                }
                _ => {}
            }
        }
        open.pop().map_or_else(|| Ok(Self(tidy(&tokens).into())), |sign| Err(ExpressionError::Bracket(sign)))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The words and signs.
    pub fn tokens(&self) -> Vec<Token<'_>> {
        tokens(&self.0).unwrap_or_default()
    }

    /// The names that are not called like functions; keywords are among them.
    pub fn names(&self) -> Vec<String> {
        let tokens = self.tokens();
        let next = tokens.iter().skip(1).map(Some).chain([None]);
        let pairs = tokens.iter().zip(next);
        pairs
            .filter(|(_, next)| next.is_none_or(|next| next.text != "("))
            .filter_map(|(token, _)| token.name())
            .collect()
    }

    /// All calls of functions, the outer ones before those in their arguments.
    pub fn calls(&self) -> Vec<Call<'_>> {
        let tokens = self.tokens();
        let pairs = tokens.iter().zip(tokens.iter().skip(1)).enumerate();
        let called = pairs.filter(|(_, (name, open))| name.kind == TokenKind::Word && open.text == "(");
        called
            .filter_map(|(position, (name, _))| {
                let close = closing(&tokens, position + 1)?;
                let end = close.offset + close.text.len();
                Some(Call { function: name.text, text: self.0.get(name.offset..end)? })
            })
            .collect()
    }

    /// The same without one pair of parentheses around the whole.
    #[must_use]
    pub fn without_parentheses(&self) -> Self {
        let tokens = self.tokens();
        let wrapped = closing(&tokens, 0).is_some_and(|close| close.offset + 1 == self.0.len());
        let inner = self.0.strip_prefix('(').and_then(|text| text.strip_suffix(')')).filter(|_| wrapped);
        inner.and_then(|inner| Self::parse(inner).ok()).unwrap_or_else(|| self.clone())
    }

    /// The parts between the commas that stand outside brackets.
    pub fn items(&self) -> Vec<&str> {
        let mut items = Vec::new();
        let mut start = 0;
        let mut depth = 0usize;
        for token in self.tokens() {
            match (token.kind, token.text) {
                (TokenKind::Open, _) => depth += 1,
                (TokenKind::Close, _) => depth = depth.saturating_sub(1),
                (_, ",") if depth == 0 => {
                    items.push(self.0.get(start..token.offset).unwrap_or_default().trim());
                    start = token.offset + 1;
                }
                _ => {}
            }
        }
        items.push(self.0.get(start..).unwrap_or_default().trim());
        items
    }
}

impl Token<'_> {
    /// The name that this token is, without quotes.
    pub fn name(&self) -> Option<String> {
        match self.kind {
            TokenKind::Word => Some(self.text.to_owned()),
            TokenKind::QuotedName => {
                let quote = self.text.chars().next()?;
                quoting::read(self.text, quote).map(|(name, _)| name)
            }
            _ => None,
        }
    }
}

/// The tokens as text, with one blank wherever there were some.
fn tidy(tokens: &[Token<'_>]) -> String {
    let mut text = String::new();
    let mut end = tokens.first().map_or(0, |token| token.offset);
    for token in tokens {
        if token.offset > end {
            text.push(' ');
        }
        text.push_str(token.text);
        end = token.offset + token.text.len();
    }
    text
}

/// The bracket that closes the one at `position`.
fn closing<'a>(tokens: &[Token<'a>], position: usize) -> Option<Token<'a>> {
    let mut depth = 0usize;
    for token in tokens.get(position..)? {
        match token.kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close if depth == 1 => return Some(*token),
            TokenKind::Close => depth -= 1,
            _ if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

fn partner(close: char) -> char {
    if close == ']' { '[' } else { '(' }
}

/// Cuts an expression into words and signs.
fn tokens(text: &str) -> Result<Vec<Token<'_>>, ExpressionError> {
    let mut tokens = Vec::new();
    let mut offset = 0;
    while let Some(rest) = text.get(offset..).filter(|rest| !rest.is_empty()) {
        let blanks = rest.len() - rest.trim_start().len();
        if blanks > 0 {
            offset += blanks;
            continue;
        }
        let (kind, length) = first_token(rest)?;
        tokens.push(Token { kind, text: rest.get(..length).unwrap_or_default(), offset });
        offset += length;
    }
    Ok(tokens)
}

fn first_token(rest: &str) -> Result<(TokenKind, usize), ExpressionError> {
    let first = rest.chars().next().unwrap_or_default();
    let run = |allowed: fn(char) -> bool| rest.find(|c| !allowed(c)).unwrap_or(rest.len());
    if rest.starts_with("--") || rest.starts_with("/*") {
        return Err(ExpressionError::Comment);
    }
    match first {
        '\'' | '"' | '`' => {
            let kind = if first == '\'' { TokenKind::Text } else { TokenKind::QuotedName };
            let (_, length) = quoting::read(rest, first).ok_or(ExpressionError::OpenQuote(first))?;
            Ok((kind, length))
        }
        '(' | '[' => Ok((TokenKind::Open, 1)),
        ')' | ']' => Ok((TokenKind::Close, 1)),
        first if first.is_ascii_digit() => Ok((TokenKind::Number, run(in_word))),
        first if first.is_alphabetic() || first == '_' => Ok((TokenKind::Word, run(in_word))),
        first if "+-*/%,.<>=!?:|&^@".contains(first) => Ok((TokenKind::Sign, 1)),
        other => Err(ExpressionError::Character(other)),
    }
}

fn in_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_' || character == '.'
}

impl fmt::Display for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl From<Expression> for String {
    fn from(expression: Expression) -> Self {
        expression.0.into()
    }
}

impl TryFrom<String> for Expression {
    type Error = ExpressionError;

    fn try_from(text: String) -> Result<Self, ExpressionError> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Expression {
        Expression::parse(text).unwrap()
    }

    #[test]
    fn texts_that_would_break_out_of_their_place_are_refused() {
        assert_eq!(Expression::parse(" "), Err(ExpressionError::Empty));
        assert_eq!(Expression::parse("a) SETTINGS (b"), Err(ExpressionError::Bracket(')')));
        assert_eq!(Expression::parse("(a]"), Err(ExpressionError::Bracket(']')));
        assert_eq!(Expression::parse("f(a"), Err(ExpressionError::Bracket('(')));
        assert_eq!(Expression::parse("a; DROP TABLE b"), Err(ExpressionError::Character(';')));
        assert_eq!(Expression::parse("a -- b"), Err(ExpressionError::Comment));
        assert_eq!(Expression::parse("a /* b"), Err(ExpressionError::Comment));
        assert_eq!(Expression::parse("'a"), Err(ExpressionError::OpenQuote('\'')));
    }

    #[test]
    fn blanks_outside_quotes_say_nothing() {
        assert_eq!(parse(" a,\n\t b  + 'x  y' ").as_str(), "a, b + 'x  y'");
    }

    #[test]
    fn names_are_told_from_functions() {
        let expression = parse("toDate(`my ts`), cityHash64(user_id) % 10, 'text'");
        assert_eq!(expression.names(), ["my ts", "user_id"]);
        let calls: Vec<_> = expression.calls().iter().map(|call| call.text).collect();
        assert_eq!(calls, ["toDate(`my ts`)", "cityHash64(user_id)"]);
    }

    #[test]
    fn only_a_pair_around_the_whole_is_taken_away() {
        assert_eq!(parse("(a, b)").without_parentheses().as_str(), "a, b");
        assert_eq!(parse("((a, b))").without_parentheses().as_str(), "(a, b)");
        assert_eq!(parse("(a) + (b)").without_parentheses().as_str(), "(a) + (b)");
        assert_eq!(parse("()").without_parentheses().as_str(), "()");
        assert_eq!(parse("tuple(a)").without_parentheses().as_str(), "tuple(a)");
    }

    #[test]
    fn items_are_split_outside_brackets() {
        assert_eq!(parse("a, f(b, c), [1, 2]").items(), ["a", "f(b, c)", "[1, 2]"]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a-z0-9(),'`\\\\ \\[\\]\\PC-]{0,40}") {
            if let Ok(expression) = Expression::parse(&text) {
                expression.names();
                expression.calls();
                expression.items();
                prop_assert_eq!(Expression::parse(expression.as_str()), Ok(expression.clone()));
            }
        }
    }
}
