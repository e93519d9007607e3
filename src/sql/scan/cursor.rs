//! A place in the tokens that matter, with looks ahead.

use crate::sql::error::{Situation, SqlError};
use crate::sql::lexer::tokenize;
use crate::sql::quote::unquote;
use crate::sql::token::{Symbol, Token, TokenKind};
use crate::syntax::Span;

/// Walks over the tokens that are neither blank nor comment.
pub(in crate::sql) struct Cursor<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Fails on the first token that is broken in itself.
    pub(in crate::sql) fn new(text: &'a str) -> Result<Self, SqlError> {
        let mut tokens = tokenize(text);
        tokens.retain(|token| !matches!(token.kind, TokenKind::Whitespace | TokenKind::Comment));
        for token in &tokens {
            if let TokenKind::Broken(fault) = token.kind {
                return Err(SqlError::new(token.span, Situation::Lexical(fault)));
            }
        }
        Ok(Self { text, tokens, at: 0 })
    }

    fn token(&self, ahead: usize) -> Option<Token> {
        self.tokens.get(self.at + ahead).copied()
    }

    /// The kind of the token `ahead` of the next one.
    pub(super) fn kind(&self, ahead: usize) -> Option<TokenKind> {
        self.token(ahead).map(|token| token.kind)
    }

    /// The span of the next token, empty at the end.
    pub(in crate::sql) fn span(&self) -> Span {
        self.token(0).map_or(Span::at(self.text.len()), |token| token.span)
    }

    /// Where the last token that was taken ends.
    pub(in crate::sql) fn end(&self) -> usize {
        let previous = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        previous.map_or(0, |token| token.span.end)
    }

    pub(in crate::sql) fn is_at_end(&self) -> bool {
        self.at >= self.tokens.len()
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    pub(super) fn rewind(&mut self, position: usize) {
        self.at = position;
    }

    pub(super) fn advance(&mut self, tokens: usize) {
        self.at += tokens;
    }

    pub(super) fn is(&self, ahead: usize, symbol: Symbol) -> bool {
        self.kind(ahead) == Some(TokenKind::Symbol(symbol))
    }

    /// Takes `symbol` if it comes next.
    pub(in crate::sql) fn eat(&mut self, symbol: Symbol) -> bool {
        let found = self.is(0, symbol);
        self.at += usize::from(found);
        found
    }

    /// Takes a sign.
    pub(super) fn eat_sign(&mut self) {
        if !self.eat(Symbol::Plus) {
            self.eat(Symbol::Minus);
        }
    }

    pub(super) fn expect(&mut self, symbol: Symbol, expected: &'static str) -> Result<(), SqlError> {
        if self.eat(symbol) { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    /// The bare word `ahead` of the next token; quoted names are no words.
    pub(in crate::sql) fn word(&self, ahead: usize) -> Option<&'a str> {
        let token = self.token(ahead).filter(|token| token.kind == TokenKind::Word)?;
        Some(token.span.of(self.text))
    }

    pub(in crate::sql) fn is_word(&self, ahead: usize, keyword: &str) -> bool {
        self.word(ahead).is_some_and(|word| word.eq_ignore_ascii_case(keyword))
    }

    pub(super) fn is_one_of(&self, ahead: usize, keywords: &[&str]) -> bool {
        let Some(word) = self.word(ahead) else { return false };
        keywords.iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
    }

    /// Takes a sequence of keywords, all or none.
    pub(in crate::sql) fn eat_words(&mut self, keywords: &[&str]) -> bool {
        let found = keywords.iter().enumerate().all(|(ahead, keyword)| self.is_word(ahead, keyword));
        self.at += if found { keywords.len() } else { 0 };
        found
    }

    /// Takes the next word if it is one of `keywords`.
    pub(in crate::sql) fn eat_one_of(&mut self, keywords: &[&str]) -> bool {
        let found = self.is_one_of(0, keywords);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect_word(&mut self, keyword: &'static str) -> Result<(), SqlError> {
        if self.eat_words(&[keyword]) { Ok(()) } else { Err(self.unexpected(keyword)) }
    }

    pub(super) fn is_name(&self, ahead: usize) -> bool {
        matches!(self.kind(ahead), Some(TokenKind::Word | TokenKind::QuotedName))
    }

    /// Takes a name, quoted or bare, and says it unquoted.
    pub(in crate::sql) fn name(&mut self, expected: &'static str) -> Result<String, SqlError> {
        if !self.is_name(0) {
            return Err(self.unexpected(expected));
        }
        let span = self.span();
        let name = self.unquoted().filter(|name| !name.is_empty());
        self.at += 1;
        name.ok_or_else(|| SqlError::new(span, Situation::UnreadableName))
    }

    /// What the next token says, if it is a name or a text.
    pub(super) fn unquoted(&self) -> Option<String> {
        let token = self.token(0)?;
        unquote(token.kind, token.span.of(self.text))
    }

    /// Takes `name = value`, an option of EXPLAIN.
    pub(in crate::sql) fn eat_option(&mut self) -> bool {
        let is_value = matches!(self.kind(2), Some(TokenKind::Number | TokenKind::Text | TokenKind::Word));
        let found = self.is_name(0) && self.is(1, Symbol::Comparison) && is_value;
        self.at += if found { 3 } else { 0 };
        found
    }

    /// The error for the next token.
    pub(in crate::sql) fn unexpected(&self, expected: &'static str) -> SqlError {
        let span = self.span();
        let found = if self.is_at_end() {
            "the end".to_owned()
        } else {
            format!("'{}'", shortened(span.of(self.text)))
        };
        SqlError::new(span, Situation::Unexpected { expected, found })
    }
}

/// Enough of a token to know it again.
fn shortened(token: &str) -> String {
    const ENOUGH: usize = 40;
    if token.chars().count() <= ENOUGH {
        return token.to_owned();
    }
    token.chars().take(ENOUGH).chain(['…']).collect()
}
