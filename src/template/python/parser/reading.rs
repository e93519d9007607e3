//! Reading tokens one by one.

use super::Parser;
use crate::template::python::SyntaxError;
use crate::template::python::lexer::{self, Token};
use crate::template::python::tree::Name;

impl Parser {
    pub(in crate::template::python) fn peek(&self) -> &Token {
        self.tokens.get(self.next).map_or(&Token::End, |placed| &placed.token)
    }

    pub(super) fn peek_second(&self) -> &Token {
        self.tokens.get(self.next + 1).map_or(&Token::End, |placed| &placed.token)
    }

    /// Where the next token starts, in bytes from the start of the text.
    pub(in crate::template::python) fn offset(&self) -> usize {
        self.tokens.get(self.next).or(self.tokens.last()).map_or(0, |placed| placed.start)
    }

    /// Where the last token that was read ends.
    pub(in crate::template::python) fn end_of_last(&self) -> usize {
        self.next.checked_sub(1).and_then(|last| self.tokens.get(last)).map_or(0, |placed| placed.end)
    }

    pub(in crate::template::python) fn advance(&mut self) -> Token {
        let token = self.peek().clone();
        self.next += 1;
        token
    }

    pub(in crate::template::python) fn unexpected<T>(&self) -> Result<T, SyntaxError> {
        Err(SyntaxError::Unexpected(self.offset()))
    }

    pub(super) fn is_operator(&self, symbol: &str) -> bool {
        matches!(self.peek(), Token::Operator(found) if *found == symbol)
    }

    pub(in crate::template::python) fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Word(found) if found == word)
    }

    /// Reads the operator if it is the next token.
    pub(in crate::template::python) fn take(&mut self, symbol: &str) -> bool {
        let found = self.is_operator(symbol);
        self.next += usize::from(found);
        found
    }

    /// Reads the keyword if it is the next token.
    pub(in crate::template::python) fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.next += usize::from(found);
        found
    }

    pub(in crate::template::python) fn expect(&mut self, symbol: &str) -> Result<(), SyntaxError> {
        if self.take(symbol) { Ok(()) } else { self.unexpected() }
    }

    pub(in crate::template::python) fn expect_word(&mut self, word: &str) -> Result<(), SyntaxError> {
        if self.take_word(word) { Ok(()) } else { self.unexpected() }
    }

    pub(in crate::template::python) fn expect_end(&self) -> Result<(), SyntaxError> {
        if *self.peek() == Token::End { Ok(()) } else { self.unexpected() }
    }

    pub(in crate::template::python) fn name(&mut self) -> Result<Name, SyntaxError> {
        match self.peek() {
            Token::Word(word) if !lexer::is_keyword(word) => {
                let name = Name::from(word.as_str());
                self.next += 1;
                Ok(name)
            }
            _ => self.unexpected(),
        }
    }
}
