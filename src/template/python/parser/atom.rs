//! Atoms: names, literals, and whatever stands in brackets.

use super::{Parsed, Parser};
use crate::template::python::SyntaxError;
use crate::template::python::lexer::Token;
use crate::template::python::literal::Literal;
use crate::template::python::tree::{Collects, Constant, Expression, Kind, Piece};

impl Parser {
    pub(super) fn atom(&mut self) -> Parsed {
        match self.peek() {
            Token::Number(constant) => {
                let constant = constant.clone();
                self.advance();
                Self::constant(constant)
            }
            Token::Text(_) => self.text(),
            Token::Word(word) => match word.as_str() {
                "None" => self.keyword_constant(Constant::None),
                "True" => self.keyword_constant(Constant::Bool(true)),
                "False" => self.keyword_constant(Constant::Bool(false)),
                _ => Expression::new(Kind::Name(self.name()?)),
            },
            Token::Operator(_) => self.bracketed(),
            Token::Newline | Token::End => self.unexpected(),
        }
    }

    fn keyword_constant(&mut self, constant: Constant) -> Parsed {
        self.advance();
        Self::constant(constant)
    }

    fn bracketed(&mut self) -> Parsed {
        if self.take("(") {
            self.parenthesised()
        } else if self.take("[") {
            self.list()
        } else if self.take("{") {
            self.set_or_dict()
        } else if self.take("...") {
            Self::constant(Constant::Ellipsis)
        } else {
            self.unexpected()
        }
    }

    fn parenthesised(&mut self) -> Parsed {
        if self.take(")") {
            return Expression::new(Kind::Tuple(Vec::new()));
        }
        if self.is_word("yield") {
            return self.produce();
        }
        let inside = self.expressions()?;
        let inside = self.generator(inside)?;
        self.expect(")")?;
        Ok(inside)
    }

    /// `(yield)`: no template may say it, but the message should name it.
    fn produce(&mut self) -> Parsed {
        self.expect_word("yield")?;
        let inside = if self.is_operator(")") { None } else { Some(self.expressions()?.into()) };
        self.expect(")")?;
        Expression::new(Kind::Yield(inside))
    }

    fn list(&mut self) -> Parsed {
        let mut items = self.items("]")?;
        let list = match items.pop() {
            Some(element) if items.is_empty() && self.is_word("for") => {
                self.comprehension(Collects::List, element, None)?
            }
            last => {
                items.extend(last);
                Expression::new(Kind::List(items))?
            }
        };
        self.expect("]")?;
        Ok(list)
    }

    /// Expressions up to the closing bracket, or up to a `for`.
    fn items(&mut self, close: &str) -> Result<Vec<Expression>, SyntaxError> {
        let mut items = Vec::new();
        while !self.is_operator(close) {
            items.push(self.expression_or_star()?);
            if !self.take(",") {
                break;
            }
        }
        Ok(items)
    }

    fn set_or_dict(&mut self) -> Parsed {
        if self.take("}") {
            return Expression::new(Kind::Dict(Vec::new()));
        }
        if self.is_operator("**") {
            return self.dict(Vec::new());
        }
        let first = self.expression_or_star()?;
        if self.take(":") {
            let value = self.expression()?;
            if self.is_word("for") {
                let comprehension = self.comprehension(Collects::Dict, first, Some(value))?;
                self.expect("}")?;
                return Ok(comprehension);
            }
            self.take(",");
            return self.dict(vec![(Some(first), value)]);
        }
        if self.is_word("for") {
            let comprehension = self.comprehension(Collects::Set, first, None)?;
            self.expect("}")?;
            return Ok(comprehension);
        }
        self.take(",");
        let mut items = vec![first];
        items.extend(self.items("}")?);
        self.expect("}")?;
        Expression::new(Kind::Set(items))
    }

    /// The remaining entries of a dict.
    fn dict(&mut self, mut entries: Vec<(Option<Expression>, Expression)>) -> Parsed {
        while !self.take("}") {
            if self.take("**") {
                entries.push((None, self.expression()?));
            } else {
                let key = self.expression()?;
                self.expect(":")?;
                entries.push((Some(key), self.expression()?));
            }
            if !self.take(",") {
                self.expect("}")?;
                break;
            }
        }
        Expression::new(Kind::Dict(entries))
    }

    /// String literals standing side by side are one.
    fn text(&mut self) -> Parsed {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut bytes: Option<Vec<u8>> = None;
        let mut formatted = false;
        while let Token::Text(literal) = self.peek() {
            let offset = self.offset();
            match literal.clone() {
                Literal::Plain(Constant::Bytes(more)) if pieces.is_empty() => {
                    bytes.get_or_insert_default().extend_from_slice(&more);
                }
                Literal::Plain(Constant::Text(text)) if bytes.is_none() => pieces.push(Piece::Text(text)),
                Literal::Formatted { content, start, escapes } if bytes.is_none() => {
                    formatted = true;
                    pieces.extend(self.format_pieces(&content, start, escapes)?);
                }
                // Bytes and text do not mix.
                _ => return Err(SyntaxError::Unexpected(offset)),
            }
            self.advance();
        }
        if let Some(bytes) = bytes {
            return Self::constant(Constant::Bytes(bytes.into()));
        }
        if formatted {
            return Expression::new(Kind::Formatted(pieces));
        }
        let texts = pieces.iter().map(|piece| match piece {
            Piece::Text(text) => &**text,
            Piece::Field { .. } => "",
        });
        Self::constant(Constant::Text(texts.collect::<String>().into()))
    }
}
