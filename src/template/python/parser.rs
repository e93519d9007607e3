//! Tokens to trees: a precedence parser with a bound on nesting.

use std::sync::Arc;

use super::SyntaxError;
use super::lexer::{self, Placed, Token};
use super::operators;
use super::tree::{
    Binary, Call, Clause, Collects, Comparison, Comprehension, Constant, Expression, Keyword, Kind, Lambda,
    Logical, Unary,
};

mod atom;
mod format;
mod reading;

/// How deep brackets, lambdas and the like may nest.
const MAX_NESTING: usize = 100;

type Parsed = Result<Expression, SyntaxError>;

/// A reader of tokens; [`super::statement`] holds the ways in.
pub(super) struct Parser {
    tokens: Vec<Placed>,
    next: usize,
    nesting: usize,
}

impl Parser {
    pub(super) fn new(text: &str) -> Result<Self, SyntaxError> {
        Self::nested(text, 0)
    }

    /// A parser for a text inside another one, such as a field of an f-string.
    fn nested(text: &str, nesting: usize) -> Result<Self, SyntaxError> {
        Ok(Self { tokens: lexer::tokens(text)?, next: 0, nesting })
    }

    /// Expressions with commas between them: one, or a tuple.
    pub(super) fn expressions(&mut self) -> Parsed {
        let first = self.expression_or_star()?;
        if !self.is_operator(",") {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.take(",") && self.starts_expression() {
            items.push(self.expression_or_star()?);
        }
        Expression::new(Kind::Tuple(items))
    }

    fn expression_or_star(&mut self) -> Parsed {
        if self.take("*") {
            let inside = self.arithmetic(0)?;
            return Expression::new(Kind::Starred(inside.into()));
        }
        self.named_expression()
    }

    /// True where an expression could start: after a trailing comma, none does.
    fn starts_expression(&self) -> bool {
        match self.peek() {
            Token::Word(word) => {
                !lexer::is_keyword(word)
                    || matches!(
                        word.as_str(),
                        "None" | "True" | "False" | "not" | "lambda" | "await" | "yield"
                    )
            }
            Token::Number(_) | Token::Text(_) => true,
            Token::Operator(symbol) => matches!(*symbol, "(" | "[" | "{" | "-" | "+" | "~" | "*" | "..."),
            Token::Newline | Token::End => false,
        }
    }

    /// `name := value`, or an expression.
    pub(super) fn named_expression(&mut self) -> Parsed {
        if matches!(self.peek_second(), Token::Operator(":=")) {
            let name = self.name()?;
            self.next += 1;
            let value = self.expression()?;
            return Expression::new(Kind::Walrus(name, value.into()));
        }
        self.expression()
    }

    /// One expression: a lambda, `a if b else c`, or anything tighter.
    pub(super) fn expression(&mut self) -> Parsed {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return Err(SyntaxError::TooDeep);
        }
        let parsed = if self.is_word("lambda") { self.lambda() } else { self.conditional() };
        self.nesting -= 1;
        parsed
    }

    fn conditional(&mut self) -> Parsed {
        let body = self.logical(Logical::Or)?;
        if !self.take_word("if") {
            return Ok(body);
        }
        let test = self.logical(Logical::Or)?;
        self.expect_word("else")?;
        let otherwise = self.expression()?;
        let (test, body, otherwise) = (test.into(), body.into(), otherwise.into());
        Expression::new(Kind::Conditional { test, body, otherwise })
    }

    fn lambda(&mut self) -> Parsed {
        self.expect_word("lambda")?;
        let mut parameters = Vec::new();
        while !self.is_operator(":") {
            let name = self.name()?;
            let default = if self.take("=") { Some(self.expression()?) } else { None };
            parameters.push((name, default));
            if !self.take(",") {
                break;
            }
        }
        self.expect(":")?;
        let body = self.expression()?;
        Expression::new(Kind::Lambda(Arc::new(Lambda { parameters, body })))
    }

    /// A chain of `or`, or of `and`: Python's tree has one node for the whole chain.
    pub(super) fn logical(&mut self, operator: Logical) -> Parsed {
        let (word, operand): (_, fn(&mut Self) -> Parsed) = match operator {
            Logical::Or => ("or", |parser| parser.logical(Logical::And)),
            Logical::And => ("and", Self::negation),
        };
        let first = operand(self)?;
        if !self.is_word(word) {
            return Ok(first);
        }
        let mut operands = vec![first];
        while self.take_word(word) {
            operands.push(operand(self)?);
        }
        Expression::new(Kind::Logical(operator, operands))
    }

    fn negation(&mut self) -> Parsed {
        let mut negations = 0;
        while self.take_word("not") {
            negations += 1;
        }
        let mut expression = self.comparison()?;
        for _ in 0..negations {
            expression = Expression::new(Kind::Unary(Unary::Not, expression.into()))?;
        }
        Ok(expression)
    }

    fn comparison(&mut self) -> Parsed {
        let first = self.arithmetic(0)?;
        let mut rest = Vec::new();
        while let Some(operator) = self.take_comparison() {
            rest.push((operator, self.arithmetic(0)?));
        }
        if rest.is_empty() { Ok(first) } else { Expression::new(Kind::Compare(first.into(), rest)) }
    }

    fn take_comparison(&mut self) -> Option<Comparison> {
        let second = matches!(self.peek_second(), Token::Word(word) if word == "in" || word == "not");
        let (operator, length) = match self.peek() {
            Token::Operator(symbol) => (operators::comparison(symbol)?, 1),
            Token::Word(word) => match word.as_str() {
                "in" => (Comparison::In, 1),
                "not" if second => (Comparison::NotIn, 2),
                "is" if second => (Comparison::IsNot, 2),
                "is" => (Comparison::Is, 1),
                _ => return None,
            },
            _ => return None,
        };
        self.next += length;
        Some(operator)
    }

    /// Binary operators which bind stronger than `power`.
    fn arithmetic(&mut self, power: u8) -> Parsed {
        let mut left = self.unary()?;
        while let Token::Operator(symbol) = self.peek() {
            let Some((operator, strength)) =
                operators::binary(symbol).filter(|(_, strength)| *strength > power)
            else {
                break;
            };
            self.next += 1;
            let right = self.arithmetic(strength)?;
            left = Expression::new(Kind::Binary(left.into(), operator, right.into()))?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed {
        let mut signs = Vec::new();
        while let Token::Operator(symbol) = self.peek() {
            let Some(sign) = operators::unary(symbol) else { break };
            signs.push(sign);
            self.next += 1;
        }
        let mut expression = self.power()?;
        for sign in signs.into_iter().rev() {
            expression = Expression::new(Kind::Unary(sign, expression.into()))?;
        }
        Ok(expression)
    }

    /// `base ** exponent`, where the exponent may have a sign and a further power.
    fn power(&mut self) -> Parsed {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return Err(SyntaxError::TooDeep);
        }
        let mut expression = self.primary()?;
        if self.take("**") {
            let exponent = self.unary()?;
            expression = Expression::new(Kind::Binary(expression.into(), Binary::Power, exponent.into()))?;
        }
        self.nesting -= 1;
        Ok(expression)
    }

    /// An atom with its calls, subscripts and attributes.
    pub(super) fn primary(&mut self) -> Parsed {
        if self.take_word("await") {
            let inside = self.primary()?;
            return Expression::new(Kind::Await(inside.into()));
        }
        let mut expression = self.atom()?;
        loop {
            let kind = if self.take("(") {
                Kind::Call(Box::new(self.call(expression)?))
            } else if self.take("[") {
                let index = self.index()?;
                self.expect("]")?;
                Kind::Subscript(expression.into(), index.into())
            } else if self.take(".") {
                Kind::Attribute(expression.into(), self.name()?)
            } else {
                return Ok(expression);
            };
            expression = Expression::new(kind)?;
        }
    }

    fn call(&mut self, function: Expression) -> Result<Call, SyntaxError> {
        let (mut positional, mut keywords) = (Vec::new(), Vec::<Keyword>::new());
        while !self.take(")") {
            let offset = self.offset();
            if self.take("**") {
                keywords.push(Keyword { name: None, value: self.expression()? });
            } else if matches!(self.peek_second(), Token::Operator("=")) {
                let name = self.name()?;
                self.next += 1;
                if keywords.iter().any(|keyword| keyword.name.as_ref() == Some(&name)) {
                    return Err(SyntaxError::RepeatedKeyword(offset));
                }
                keywords.push(Keyword { name: Some(name), value: self.expression()? });
            } else if keywords.is_empty() || self.is_operator("*") {
                let argument = self.expression_or_star()?;
                positional.push(self.generator(argument)?);
            } else {
                return self.unexpected();
            }
            if !self.take(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(Call { function, positional, keywords })
    }

    /// What stands between square brackets: an index, a slice, or several of them.
    fn index(&mut self) -> Parsed {
        let first = self.slice()?;
        if !self.is_operator(",") {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.take(",") && !self.is_operator("]") {
            items.push(self.slice()?);
        }
        Expression::new(Kind::Tuple(items))
    }

    fn slice(&mut self) -> Parsed {
        let start = if self.is_operator(":") { None } else { Some(self.expression_or_star()?) };
        if !self.take(":") {
            return start.map_or_else(|| self.unexpected(), Ok);
        }
        let stop = self.slice_part()?;
        let by = if self.take(":") { self.slice_part()? } else { None };
        Expression::new(Kind::Slice(Box::new([start, stop, by])))
    }

    fn slice_part(&mut self) -> Result<Option<Expression>, SyntaxError> {
        let absent = self.is_operator(":") || self.is_operator("]") || self.is_operator(",");
        if absent { Ok(None) } else { self.expression().map(Some) }
    }

    /// The clauses of a comprehension.
    fn clauses(&mut self) -> Result<Vec<Clause>, SyntaxError> {
        let mut clauses = Vec::new();
        while self.take_word("for") {
            let target = self.targets()?;
            self.expect_word("in")?;
            let iterable = self.logical(Logical::Or)?;
            let mut conditions = Vec::new();
            while self.take_word("if") {
                conditions.push(self.logical(Logical::Or)?);
            }
            clauses.push(Clause { target, iterable, conditions });
        }
        Ok(clauses)
    }

    /// The comprehension whose element has been read, up to its last clause.
    fn comprehension(
        &mut self,
        collects: Collects,
        element: Expression,
        value: Option<Expression>,
    ) -> Parsed {
        let clauses = self.clauses()?;
        Expression::new(Kind::Comprehension(Arc::new(Comprehension { collects, element, value, clauses })))
    }

    /// The generator that starts with `element`, or just `element` where no `for` follows.
    fn generator(&mut self, element: Expression) -> Parsed {
        if self.is_word("for") { self.comprehension(Collects::Iterator, element, None) } else { Ok(element) }
    }

    /// The targets of a loop: names, subscripts, or several in a tuple.
    pub(super) fn targets(&mut self) -> Parsed {
        let offset = self.offset();
        let first = self.target()?;
        if !self.is_operator(",") {
            return assignable(first, offset);
        }
        let mut items = vec![first];
        while self.take(",") && !self.is_word("in") {
            items.push(self.target()?);
        }
        assignable(Expression::new(Kind::Tuple(items))?, offset)
    }

    fn target(&mut self) -> Parsed {
        if self.take("*") {
            let inside = self.primary()?;
            return Expression::new(Kind::Starred(inside.into()));
        }
        self.primary()
    }

    fn constant(constant: Constant) -> Parsed {
        Expression::new(Kind::Constant(constant))
    }
}

/// The expression, if something can be assigned to it.
pub(super) fn assignable(expression: Expression, offset: usize) -> Parsed {
    if is_assignable(&expression) { Ok(expression) } else { Err(SyntaxError::NotAssignable(offset)) }
}

fn is_assignable(expression: &Expression) -> bool {
    match &expression.kind {
        Kind::Name(_) | Kind::Attribute(..) | Kind::Subscript(..) => true,
        Kind::Tuple(items) | Kind::List(items) => items.iter().all(is_assignable),
        Kind::Starred(inside) => is_assignable(inside),
        _ => false,
    }
}
