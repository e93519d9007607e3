//! Expressions: operands, operators between them, aliases behind them.

use super::scope::{Beginning, Meaning};
use super::{NamedLambda, Scanner, TableName, words};
use crate::sql::error::{Situation, SqlError};
use crate::sql::token::{Symbol, TokenKind};
use crate::syntax::Span;

/// What an expression is, as far as table names care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// A name and nothing else, its parts apart.
    Name(Vec<String>),
    /// Several names in parentheses: perhaps the parameters of a lambda.
    Names(Vec<String>),
    /// A lambda.
    Lambda,
    /// Everything else.
    Other,
}

/// An expression with its alias.
pub(super) struct Element {
    pub(super) shape: Shape,
    pub(super) alias: Option<String>,
}

/// Which aliases an expression may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aliases {
    /// `x AS y`.
    WithAs,
    /// `x AS y` and `x y`: in a SELECT list.
    Bare,
}

/// What IN means on the level of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InKeyword {
    /// An operator, with a set on its right.
    Operator,
    /// A comma, as in `position('x' IN y)`.
    Separator,
}

/// Something that continues an expression; the number counts its tokens.
enum Operator {
    Infix(usize),
    Postfix(usize),
    Set(usize),
    Choice,
    Alternative,
    Cast,
    Member,
    Index,
    Arrow,
}

impl Scanner<'_> {
    /// An expression with its alias.
    pub(super) fn expression(&mut self, aliases: Aliases) -> Result<Element, SqlError> {
        let from = self.scopes.beginning();
        let shape = self.bare_expression(InKeyword::Operator)?;
        self.aliased(shape, aliases, from)
    }

    /// The alias behind an expression, if there is one.
    pub(super) fn aliased(
        &mut self,
        shape: Shape,
        aliases: Aliases,
        from: Beginning,
    ) -> Result<Element, SqlError> {
        let may_be_bare = aliases == Aliases::Bare && self.cursor.is_name(0);
        let is_bare = may_be_bare && !self.cursor.is_one_of(0, words::NO_ALIAS_OF_EXPRESSION);
        let has_alias = self.cursor.eat_words(&["AS"]) || is_bare;
        if !has_alias {
            return Ok(Element { shape, alias: None });
        }
        let span = self.cursor.span();
        let name = self.cursor.name("an alias")?;
        if shape == Shape::Lambda {
            self.found.lambdas.push(NamedLambda { name: name.clone(), span });
        }
        self.scopes.define(name.clone(), Meaning::of_alias(&shape), from);
        Ok(Element { shape, alias: Some(name) })
    }

    /// Expressions with commas between them.
    pub(super) fn expressions(&mut self) -> Result<(), SqlError> {
        loop {
            self.expression(Aliases::WithAs)?;
            if !self.cursor.eat(Symbol::Comma) {
                return Ok(());
            }
        }
    }

    /// An expression up to its alias.
    pub(super) fn bare_expression(&mut self, in_keyword: InKeyword) -> Result<Shape, SqlError> {
        let mut shape = self.operand()?;
        let mut open_choices = 0_usize;
        while let Some(operator) = self.operator() {
            match operator {
                Operator::Set(1) if in_keyword == InKeyword::Separator => break,
                Operator::Alternative if open_choices == 0 => break,
                Operator::Member => {
                    shape = self.member(shape)?;
                    continue;
                }
                Operator::Arrow => {
                    shape = self.lambda(shape)?;
                    continue;
                }
                Operator::Infix(tokens) => self.infix(tokens)?,
                Operator::Postfix(tokens) => self.cursor.advance(tokens),
                Operator::Set(tokens) => self.set(tokens)?,
                Operator::Choice => {
                    open_choices += 1;
                    self.infix(1)?;
                }
                Operator::Alternative => {
                    open_choices -= 1;
                    self.infix(1)?;
                }
                Operator::Cast => {
                    self.cursor.advance(1);
                    self.data_type()?;
                }
                Operator::Index => self.index()?,
            }
            shape = Shape::Other;
        }
        if open_choices > 0 {
            return Err(self.cursor.unexpected("':'"));
        }
        Ok(shape)
    }

    fn infix(&mut self, tokens: usize) -> Result<(), SqlError> {
        self.cursor.advance(tokens);
        self.operand().map(|_| ())
    }

    fn operator(&self) -> Option<Operator> {
        match self.cursor.kind(0)? {
            TokenKind::Symbol(symbol) => match symbol {
                Symbol::Plus | Symbol::Minus | Symbol::Star | Symbol::Arithmetic | Symbol::Comparison => {
                    Some(Operator::Infix(1))
                }
                Symbol::Question => Some(Operator::Choice),
                Symbol::Colon => Some(Operator::Alternative),
                Symbol::DoubleColon => Some(Operator::Cast),
                Symbol::Dot => Some(Operator::Member),
                Symbol::OpenBracket => Some(Operator::Index),
                Symbol::Arrow => Some(Operator::Arrow),
                _ => None,
            },
            TokenKind::Word => self.word_operator(),
            _ => None,
        }
    }

    fn word_operator(&self) -> Option<Operator> {
        const COMPARING: &[&str] = &["LIKE", "ILIKE", "REGEXP", "BETWEEN"];
        let word = self.cursor.word(0)?.to_ascii_uppercase();
        let second_is = |keyword| self.cursor.is_word(1, keyword);
        match word.as_str() {
            "AND" | "OR" | "DIV" | "MOD" | "LIKE" | "ILIKE" | "REGEXP" | "BETWEEN" => {
                Some(Operator::Infix(1))
            }
            "ESCAPE" if self.cursor.kind(1) == Some(TokenKind::Text) => Some(Operator::Infix(1)),
            "IN" => Some(Operator::Set(1)),
            "NOT" | "GLOBAL" if second_is("IN") => Some(Operator::Set(2)),
            "GLOBAL" if second_is("NOT") && self.cursor.is_word(2, "IN") => Some(Operator::Set(3)),
            "NOT" if self.cursor.is_one_of(1, COMPARING) => Some(Operator::Infix(2)),
            "IS" => self.is_operator(),
            _ => None,
        }
    }

    /// `IS [NOT] NULL` and its relatives.
    fn is_operator(&self) -> Option<Operator> {
        let negation = usize::from(self.cursor.is_word(1, "NOT"));
        let test = 1 + negation;
        if self.cursor.is_one_of(test, &["NULL", "TRUE", "FALSE", "UNKNOWN"]) {
            return Some(Operator::Postfix(test + 1));
        }
        let is_distinct = self.cursor.is_word(test, "DISTINCT") && self.cursor.is_word(test + 1, "FROM");
        is_distinct.then_some(Operator::Infix(test + 2))
    }

    /// What follows a dot.
    fn member(&mut self, of: Shape) -> Result<Shape, SqlError> {
        self.cursor.advance(1);
        if self.cursor.eat(Symbol::Star) {
            self.column_modifiers()?;
        } else if self.cursor.is_word(0, "COLUMNS") && self.cursor.is(1, Symbol::OpenParenthesis) {
            self.operand()?;
        } else if self.cursor.eat(Symbol::Colon) {
            self.data_type()?; // `json.path.:Int64`
        } else if self.cursor.eat(Symbol::Caret) {
            self.cursor.name("a JSON path")?; // `json.^path`
        } else if self.cursor.kind(0) == Some(TokenKind::Number) {
            self.cursor.advance(1);
        } else {
            let part = self.cursor.name("a name after '.'")?;
            if let Shape::Name(mut parts) = of {
                parts.push(part);
                return Ok(Shape::Name(parts));
            }
        }
        Ok(Shape::Other)
    }

    /// `[i]`, or `[]` in a JSON path.
    fn index(&mut self) -> Result<(), SqlError> {
        self.cursor.advance(1);
        if self.cursor.eat(Symbol::CloseBracket) {
            return Ok(());
        }
        self.expressions()?;
        self.cursor.expect(Symbol::CloseBracket, "']'")
    }

    fn lambda(&mut self, parameters: Shape) -> Result<Shape, SqlError> {
        let names = match parameters {
            Shape::Name(names) if names.len() == 1 => names,
            Shape::Names(names) => names,
            _ => return Err(self.cursor.unexpected("the parameters of a lambda before '->'")),
        };
        self.cursor.advance(1);
        let mark = self.scopes.mark();
        self.scopes.open_lambda(names);
        self.nested(|scanner| scanner.bare_expression(InKeyword::Operator))?;
        self.scopes.close_lambda();
        self.scopes.release(mark);
        Ok(Shape::Lambda)
    }

    /// IN with what stands on its right.
    fn set(&mut self, tokens: usize) -> Result<(), SqlError> {
        self.cursor.advance(tokens);
        if self.lone_name_as_set()? { Ok(()) } else { self.operand().map(|_| ()) }
    }

    /// Takes a name that is the whole right side of IN, in any number of parentheses; notes it as
    /// a table, unless the aliases of the SELECT say otherwise.
    pub(super) fn lone_name_as_set(&mut self) -> Result<bool, SqlError> {
        let position = self.cursor.position();
        let Some((name, span)) = self.lone_name()? else {
            self.cursor.rewind(position);
            return Ok(false);
        };
        self.scopes.set(name, span);
        Ok(true)
    }

    fn lone_name(&mut self) -> Result<Option<(TableName, Span)>, SqlError> {
        let start = self.cursor.span();
        let mut open = 0_usize;
        loop {
            if self.cursor.eat(Symbol::OpenParenthesis) {
                open += 1;
            } else if !self.cursor.eat(Symbol::Plus) {
                break;
            }
        }
        if !self.cursor.is_name(0) || self.cursor.is_one_of(0, words::LITERALS) {
            return Ok(None);
        }
        let mut parts = self.name_parts()?;
        let mut alias = None;
        for _ in 0..open {
            if self.cursor.is_word(0, "AS") && self.cursor.is_name(1) {
                alias = Some(self.cursor.span());
                self.cursor.advance(2);
            }
            if !self.cursor.eat(Symbol::CloseParenthesis) {
                return Ok(None);
            }
        }
        let (Some(table), true) = (parts.pop(), parts.len() <= 1 && !self.continues_operand()) else {
            return Ok(None);
        };
        if let Some(span) = alias {
            return Err(SqlError::new(span, Situation::AliasInSet));
        }
        let span = Span::new(start.start, self.cursor.end());
        Ok(Some((TableName { database: parts.pop(), table }, span)))
    }

    /// True before something that binds more tightly than IN.
    fn continues_operand(&self) -> bool {
        match self.cursor.kind(0) {
            Some(TokenKind::Symbol(symbol)) => matches!(
                symbol,
                Symbol::Dot
                    | Symbol::OpenBracket
                    | Symbol::OpenParenthesis
                    | Symbol::DoubleColon
                    | Symbol::Plus
                    | Symbol::Minus
                    | Symbol::Star
                    | Symbol::Arithmetic
                    | Symbol::Arrow
            ),
            Some(TokenKind::Text | TokenKind::Number) => true,
            _ => self.cursor.is_one_of(0, &["DIV", "MOD"]),
        }
    }

    /// A name with the parts behind its dots.
    pub(super) fn name_parts(&mut self) -> Result<Vec<String>, SqlError> {
        let mut parts = vec![self.cursor.name("a name")?];
        while self.cursor.is(0, Symbol::Dot) && self.cursor.is_name(1) {
            self.cursor.advance(1);
            parts.push(self.cursor.name("a name")?);
        }
        Ok(parts)
    }
}
