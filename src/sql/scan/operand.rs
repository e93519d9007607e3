//! Operands: literals, names, parentheses, arrays, CASE, INTERVAL, `*`.

use super::expression::{Aliases, InKeyword, Shape};
use super::select::SetOperations;
use super::{FunctionUse, Scanner, words};
use crate::sql::error::{Situation, SqlError};
use crate::sql::token::{Symbol, TokenKind};
use crate::syntax::Span;

impl Scanner<'_> {
    /// One operand with the signs and NOTs before it.
    pub(super) fn operand(&mut self) -> Result<Shape, SqlError> {
        let mut has_prefix = false;
        loop {
            let is_plus = self.cursor.eat(Symbol::Plus); // ClickHouse drops it: `IN + t` reads `t`
            let is_other = self.cursor.eat(Symbol::Minus) || self.cursor.eat_words(&["NOT"]);
            has_prefix |= is_other;
            if !is_plus && !is_other {
                break;
            }
        }
        let shape = self.nested(Self::plain_operand)?;
        Ok(if has_prefix { Shape::Other } else { shape })
    }

    fn plain_operand(&mut self) -> Result<Shape, SqlError> {
        match self.cursor.kind(0) {
            Some(TokenKind::Number | TokenKind::Text) => {
                self.cursor.advance(1);
                Ok(Shape::Other)
            }
            Some(TokenKind::QuotedName) => self.name_or_call(),
            Some(TokenKind::Word) => self.word(),
            Some(TokenKind::Symbol(Symbol::OpenParenthesis)) => self.group(),
            Some(TokenKind::Symbol(Symbol::OpenBracket)) => self.array(),
            Some(TokenKind::Symbol(Symbol::OpenBrace)) => self.parameter(),
            Some(TokenKind::Symbol(Symbol::Star)) => {
                self.cursor.advance(1);
                self.column_modifiers()?;
                Ok(Shape::Other)
            }
            _ => Err(self.cursor.unexpected("an expression")),
        }
    }

    /// True if an operand can begin `ahead` of the next token, seen from a keyword before it.
    pub(super) fn begins_operand(&self, ahead: usize) -> bool {
        match self.cursor.kind(ahead) {
            Some(TokenKind::Number | TokenKind::Text | TokenKind::QuotedName) => true,
            Some(TokenKind::Word) => !self.cursor.is_one_of(ahead, words::NO_OPERAND),
            Some(TokenKind::Symbol(symbol)) => matches!(
                symbol,
                Symbol::OpenParenthesis
                    | Symbol::OpenBracket
                    | Symbol::OpenBrace
                    | Symbol::Plus
                    | Symbol::Minus
            ),
            _ => false,
        }
    }

    /// A bare word is a keyword only where its construct follows; otherwise it is a name.
    fn word(&mut self) -> Result<Shape, SqlError> {
        if self.cursor.is_word(0, "CASE") && self.begins_operand(1) {
            self.cursor.advance(1);
            return self.case();
        }
        if self.cursor.is_word(0, "INTERVAL") && self.begins_operand(1) {
            self.cursor.advance(1);
            return self.interval();
        }
        let is_literal = self.cursor.is_one_of(0, words::LITERALS);
        if is_literal && !self.cursor.is(1, Symbol::OpenParenthesis) && !self.cursor.is(1, Symbol::Dot) {
            self.cursor.advance(1);
            return Ok(Shape::Other);
        }
        if self.cursor.is_one_of(0, &["DATE", "TIMESTAMP"]) && self.cursor.kind(1) == Some(TokenKind::Text) {
            self.cursor.advance(2);
            return Ok(Shape::Other);
        }
        self.name_or_call()
    }

    fn name_or_call(&mut self) -> Result<Shape, SqlError> {
        let span = self.cursor.span();
        let name = self.cursor.name("a name")?;
        if !self.cursor.is(0, Symbol::OpenParenthesis) {
            self.found.names.push(span);
            self.scopes.mention(&name);
            return Ok(Shape::Name(vec![name]));
        }
        self.call(FunctionUse { name, span })?;
        Ok(Shape::Other)
    }

    /// Parentheses: a subquery, one expression, or a tuple.
    fn group(&mut self) -> Result<Shape, SqlError> {
        self.cursor.advance(1);
        if self.begins_query(0) {
            self.query()?;
            self.close_parenthesis()?;
            return Ok(Shape::Other);
        }
        let may_be_query = self.cursor.is(0, Symbol::OpenParenthesis);
        let mut shapes = Vec::new();
        let mut has_comma = false;
        while !self.cursor.is(0, Symbol::CloseParenthesis) {
            shapes.push(self.expression(Aliases::WithAs)?.shape);
            if may_be_query && shapes.len() == 1 && self.cursor.is_one_of(0, words::SET_OPERATIONS) {
                self.set_operations(&(0..0), SetOperations::Any)?; // `((SELECT 1) UNION ALL (SELECT 2))`
                shapes = vec![Shape::Other];
            }
            if !self.cursor.eat(Symbol::Comma) {
                break;
            }
            has_comma = true;
        }
        self.close_parenthesis()?;
        Ok(if has_comma || shapes.is_empty() { tuple_shape(shapes) } else { shapes.remove(0) })
    }

    pub(super) fn close_parenthesis(&mut self) -> Result<(), SqlError> {
        self.cursor.expect(Symbol::CloseParenthesis, "')'")
    }

    fn array(&mut self) -> Result<Shape, SqlError> {
        self.cursor.advance(1);
        if !self.cursor.eat(Symbol::CloseBracket) {
            self.expressions()?;
            self.cursor.expect(Symbol::CloseBracket, "']'")?;
        }
        Ok(Shape::Other)
    }

    /// `{name:Type}`.
    fn parameter(&mut self) -> Result<Shape, SqlError> {
        let start = self.cursor.span().start;
        self.cursor.advance(1);
        self.cursor.name("the name of a parameter")?;
        self.cursor.expect(Symbol::Colon, "':'")?;
        let is_name = self.cursor.is_word(0, "Identifier");
        self.data_type()?;
        self.cursor.expect(Symbol::CloseBrace, "'}'")?;
        if is_name {
            return Err(SqlError::new(Span::new(start, self.cursor.end()), Situation::ParameterAsName));
        }
        Ok(Shape::Other)
    }

    fn case(&mut self) -> Result<Shape, SqlError> {
        if !self.cursor.is_word(0, "WHEN") {
            self.expression(Aliases::WithAs)?;
        }
        self.cursor.expect_word("WHEN")?;
        loop {
            self.expression(Aliases::WithAs)?;
            self.cursor.expect_word("THEN")?;
            self.expression(Aliases::WithAs)?;
            if !self.cursor.eat_words(&["WHEN"]) {
                break;
            }
        }
        if self.cursor.eat_words(&["ELSE"]) {
            self.expression(Aliases::WithAs)?;
        }
        self.cursor.expect_word("END")?;
        Ok(Shape::Other)
    }

    /// `INTERVAL 1 DAY`, `INTERVAL '1 day'`; in `interval - 1` a column of that name comes out right too.
    fn interval(&mut self) -> Result<Shape, SqlError> {
        self.bare_expression(InKeyword::Operator)?;
        self.cursor.eat_one_of(words::INTERVAL_UNITS);
        Ok(Shape::Other)
    }

    /// A type's name, which may be one of standard SQL: `DOUBLE PRECISION`, `NATIONAL CHAR VARYING`.
    fn type_name(&mut self) -> Result<(), SqlError> {
        let is_national = self.cursor.is_word(0, "NATIONAL") && self.cursor.is_one_of(1, words::CHARACTER);
        self.cursor.advance(usize::from(is_national));
        let is_double = self.cursor.is_word(0, "DOUBLE");
        let is_character = self.cursor.is_one_of(0, words::CHARACTER) || self.cursor.is_word(0, "BINARY");
        self.cursor.name("a type")?;
        if is_double {
            self.cursor.eat_words(&["PRECISION"]);
        } else if is_character && !self.cursor.eat_words(&["VARYING"]) {
            self.cursor.eat_words(&["LARGE", "OBJECT"]);
        }
        self.cursor.eat_one_of(&["UNSIGNED", "SIGNED"]);
        Ok(())
    }

    /// A type after `::` or AS, with its arguments.
    pub(super) fn data_type(&mut self) -> Result<(), SqlError> {
        self.type_name()?;
        let mut open = 0_usize;
        loop {
            match self.cursor.kind(0) {
                Some(TokenKind::Symbol(Symbol::OpenParenthesis)) => open += 1,
                Some(TokenKind::Symbol(Symbol::CloseParenthesis)) if open > 1 => open -= 1,
                Some(TokenKind::Symbol(Symbol::CloseParenthesis)) if open == 1 => {
                    self.cursor.advance(1);
                    return Ok(());
                }
                _ if open == 0 => return Ok(()),
                Some(TokenKind::Word) if self.cursor.is_one_of(0, &["SELECT", "FROM"]) => break,
                Some(
                    TokenKind::Word
                    | TokenKind::QuotedName
                    | TokenKind::Text
                    | TokenKind::Number
                    | TokenKind::Symbol(
                        Symbol::Comma | Symbol::Dot | Symbol::Comparison | Symbol::Plus | Symbol::Minus,
                    ),
                ) => {}
                _ => break,
            }
            self.cursor.advance(1);
        }
        Err(self.cursor.unexpected("the arguments of a type"))
    }
}

/// The shape of several expressions in parentheses.
fn tuple_shape(shapes: Vec<Shape>) -> Shape {
    let names = shapes.into_iter().map(|shape| match shape {
        Shape::Name(mut parts) if parts.len() == 1 => parts.pop(),
        _ => None,
    });
    names.collect::<Option<_>>().map_or(Shape::Other, Shape::Names)
}
