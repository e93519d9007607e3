//! The clauses behind a SELECT list.

use super::expression::{Aliases, InKeyword};
use super::{Scanner, words};
use crate::sql::error::SqlError;
use crate::sql::token::{Symbol, TokenKind};
use crate::syntax::Span;

impl Scanner<'_> {
    /// Clauses, in whatever order; `ClickHouse` minds the order itself.
    pub(super) fn clauses(&mut self) -> Result<(), SqlError> {
        while let Some(word) = self.cursor.word(0) {
            let is_by = self.cursor.is_word(1, "BY");
            match word.to_ascii_uppercase().as_str() {
                "FROM" => {
                    self.cursor.advance(1);
                    self.sources()?;
                }
                "PREWHERE" | "WHERE" | "HAVING" | "QUALIFY" => {
                    self.cursor.advance(1);
                    self.expression(Aliases::WithAs)?;
                }
                "GROUP" if is_by => self.group_by()?,
                "ORDER" if is_by => self.order_by()?,
                "WITH" => self.with_modifier()?,
                "WINDOW" => self.windows()?,
                "LIMIT" => {
                    self.cursor.advance(1);
                    self.expressions()?;
                    self.limit_by()?;
                }
                "OFFSET" => {
                    self.cursor.advance(1);
                    self.expression(Aliases::WithAs)?;
                    self.cursor.eat_one_of(&["ROW", "ROWS"]);
                    self.limit_by()?;
                }
                "FETCH" => self.fetch()?,
                "SETTINGS" => self.settings()?,
                _ => break,
            }
        }
        Ok(())
    }

    fn limit_by(&mut self) -> Result<(), SqlError> {
        if self.cursor.eat_words(&["BY"]) { self.expressions() } else { Ok(()) }
    }

    fn group_by(&mut self) -> Result<(), SqlError> {
        self.cursor.advance(2);
        if self.cursor.is_word(0, "GROUPING") && self.cursor.is_word(1, "SETS") {
            self.cursor.advance(2);
        }
        self.expressions()
    }

    /// `WITH TOTALS` and the like.
    fn with_modifier(&mut self) -> Result<(), SqlError> {
        self.cursor.advance(1);
        if self.cursor.eat_one_of(&["TOTALS", "ROLLUP", "CUBE", "TIES"]) {
            return Ok(());
        }
        Err(self.cursor.unexpected("TOTALS, ROLLUP, CUBE or TIES"))
    }

    /// `FETCH FIRST 5 ROWS ONLY`.
    fn fetch(&mut self) -> Result<(), SqlError> {
        self.cursor.advance(1);
        self.cursor.eat_one_of(&["FIRST", "NEXT"]);
        self.expression(Aliases::WithAs)?;
        self.cursor.eat_one_of(&["ROW", "ROWS"]);
        if self.cursor.eat_words(&["ONLY"]) || self.cursor.eat_words(&["WITH", "TIES"]) {
            return Ok(());
        }
        Err(self.cursor.unexpected("ONLY or WITH TIES"))
    }

    fn order_by(&mut self) -> Result<(), SqlError> {
        self.cursor.advance(2);
        loop {
            self.expression(Aliases::WithAs)?;
            self.cursor.eat_one_of(&["ASC", "DESC", "ASCENDING", "DESCENDING"]);
            if self.cursor.eat_words(&["NULLS"]) && !self.cursor.eat_one_of(&["FIRST", "LAST"]) {
                return Err(self.cursor.unexpected("FIRST or LAST"));
            }
            if self.cursor.eat_words(&["COLLATE"]) {
                self.expression(Aliases::WithAs)?;
            }
            if self.cursor.eat_words(&["WITH", "FILL"]) {
                self.fill()?;
            }
            if !self.cursor.eat(Symbol::Comma) {
                break;
            }
        }
        if self.cursor.eat_words(&["INTERPOLATE"]) && self.cursor.is(0, Symbol::OpenParenthesis) {
            return self.interpolations();
        }
        Ok(())
    }

    /// `WITH FILL FROM a TO b STEP c STALENESS d`: this FROM names no table.
    fn fill(&mut self) -> Result<(), SqlError> {
        while self.cursor.eat_one_of(&["FROM", "TO", "STEP", "STALENESS"]) {
            self.expression(Aliases::WithAs)?;
        }
        Ok(())
    }

    /// `(a AS a + 1, b)`: here AS stands before the expression.
    fn interpolations(&mut self) -> Result<(), SqlError> {
        self.cursor.advance(1);
        while !self.cursor.is(0, Symbol::CloseParenthesis) {
            self.cursor.name("a column")?;
            if self.cursor.eat_words(&["AS"]) {
                self.bare_expression(InKeyword::Operator)?;
            }
            if !self.cursor.eat(Symbol::Comma) {
                break;
            }
        }
        self.close_parenthesis()
    }

    /// `WINDOW w AS (…), v AS (…)`.
    fn windows(&mut self) -> Result<(), SqlError> {
        self.cursor.advance(1);
        loop {
            self.cursor.name("the name of a window")?;
            self.cursor.expect_word("AS")?;
            self.window()?;
            if !self.cursor.eat(Symbol::Comma) {
                return Ok(());
            }
        }
    }

    /// A window in parentheses.
    pub(super) fn window(&mut self) -> Result<(), SqlError> {
        const FRAMES: &[&str] = &["ROWS", "RANGE", "GROUPS"];
        self.cursor.expect(Symbol::OpenParenthesis, "'('")?;
        let begins_clause =
            self.cursor.is_one_of(0, &["PARTITION", "ORDER"]) || self.cursor.is_one_of(0, FRAMES);
        if self.cursor.is_name(0) && !begins_clause {
            self.cursor.advance(1); // a window to start from
        }
        if self.cursor.eat_words(&["PARTITION", "BY"]) {
            self.expressions()?;
        }
        if self.cursor.is_word(0, "ORDER") && self.cursor.is_word(1, "BY") {
            self.order_by()?;
        }
        if self.cursor.eat_one_of(FRAMES) {
            if self.cursor.eat_words(&["BETWEEN"]) {
                self.frame_bound()?;
                self.cursor.expect_word("AND")?;
            }
            self.frame_bound()?;
        }
        self.close_parenthesis()
    }

    fn frame_bound(&mut self) -> Result<(), SqlError> {
        if self.cursor.eat_words(&["CURRENT", "ROW"]) {
            return Ok(());
        }
        if !self.cursor.eat_words(&["UNBOUNDED"]) {
            self.bare_expression(InKeyword::Operator)?;
        }
        if self.cursor.eat_one_of(&["PRECEDING", "FOLLOWING"]) {
            return Ok(());
        }
        Err(self.cursor.unexpected("PRECEDING or FOLLOWING"))
    }

    /// `SETTINGS a = 1, b`.
    pub(super) fn settings(&mut self) -> Result<(), SqlError> {
        let start = self.cursor.span().start;
        self.cursor.advance(1);
        loop {
            self.name_parts()?;
            if self.cursor.eat(Symbol::Comparison) {
                self.setting_value()?;
            }
            if !self.cursor.eat(Symbol::Comma) {
                break;
            }
        }
        self.found.settings.push(Span::new(start, self.cursor.end()));
        Ok(())
    }

    /// A literal, a word, or a collection of them; nothing here can name a table.
    fn setting_value(&mut self) -> Result<(), SqlError> {
        self.cursor.eat_sign();
        let mut open = 0_usize;
        loop {
            match self.cursor.kind(0) {
                Some(TokenKind::Symbol(
                    Symbol::OpenBrace | Symbol::OpenBracket | Symbol::OpenParenthesis,
                )) => open += 1,
                Some(TokenKind::Symbol(
                    Symbol::CloseBrace | Symbol::CloseBracket | Symbol::CloseParenthesis,
                )) if open > 0 => {
                    open -= 1;
                }
                Some(TokenKind::Symbol(Symbol::Comma | Symbol::Colon | Symbol::Plus | Symbol::Minus))
                    if open > 0 => {}
                Some(TokenKind::Word) if self.cursor.is_one_of(0, words::NO_OPERAND) => break,
                Some(TokenKind::Number | TokenKind::Text | TokenKind::Word) => {}
                _ => break,
            }
            self.cursor.advance(1);
            if open == 0 {
                return Ok(());
            }
        }
        Err(self.cursor.unexpected("the value of a setting"))
    }
}
