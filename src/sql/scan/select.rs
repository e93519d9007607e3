//! Queries: SELECTs joined by UNION and its relatives, with their WITH and their lists.

use std::ops::Range;

use super::expression::Aliases;
use super::scope::Meaning;
use super::{Scanner, words};
use crate::sql::error::{Situation, SqlError};
use crate::sql::token::{Symbol, TokenKind};

/// What may stand between two SELECTs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SetOperations {
    Any,
    /// All that `ClickHouse` follows into recursion; behind the others it reads a table instead.
    UnionAll,
}

/// The depth of the query that a statement consists of.
const OUTERMOST: usize = 1;

/// Whether the definition of a common table expression sees its own name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Definition {
    Plain,
    Recursive,
}

impl Scanner<'_> {
    /// True if a query begins `ahead` of the next token, the first one inside parentheses.
    pub(super) fn begins_query(&self, ahead: usize) -> bool {
        let after = self.cursor.kind(ahead + 1);
        if self.cursor.is_word(ahead, "SELECT") {
            let is_name = matches!(
                after,
                None | Some(TokenKind::Symbol(Symbol::CloseParenthesis | Symbol::Comma | Symbol::Dot))
            );
            return !is_name;
        }
        if self.cursor.is_word(ahead, "VALUES") {
            return after == Some(TokenKind::Symbol(Symbol::OpenParenthesis));
        }
        if self.cursor.is_word(ahead, "WITH") {
            return self.begins_operand(ahead + 1);
        }
        self.begins_from(ahead)
    }

    /// True if `ahead` stands a FROM clause and not a column of that name.
    fn begins_from(&self, ahead: usize) -> bool {
        let after = ahead + 1;
        let begins_table = match self.cursor.kind(after) {
            Some(TokenKind::Word) => !self.continues_column(after),
            Some(TokenKind::QuotedName | TokenKind::Text) => true,
            Some(TokenKind::Symbol(symbol)) => matches!(symbol, Symbol::OpenParenthesis | Symbol::OpenBrace),
            _ => false,
        };
        self.cursor.is_word(ahead, "FROM") && begins_table
    }

    /// True if the word `ahead` shows that the FROM before it is a column.
    fn continues_column(&self, ahead: usize) -> bool {
        if self.cursor.is_word(ahead, "IS") {
            return self
                .cursor
                .is_one_of(ahead + 1, &["NULL", "NOT", "TRUE", "FALSE", "UNKNOWN", "DISTINCT"]);
        }
        self.cursor.is_word(ahead, "FROM") || self.cursor.is_one_of(ahead, words::OPERATORS)
    }

    /// One or more SELECTs.
    pub(in crate::sql) fn query(&mut self) -> Result<(), SqlError> {
        self.nested(|scanner| scanner.chain(None))
    }

    /// SELECTs with UNION and its relatives between them; from the second one on they see the name
    /// of the recursive definition that they are.
    ///
    /// `ClickHouse` hands the WITH of the first SELECT to those later ones that have none of their
    /// own, but not if it is recursive; the WITH that begins a later group serves only its SELECT.
    fn chain(&mut self, recursive: Option<&str>) -> Result<(), SqlError> {
        let outer = self.inherited.clone();
        let mark = self.scopes.mark();
        self.query_term()?;
        if outer.is_some() || self.scopes.has_recursive_since(mark) {
            self.scopes.release(mark);
        }
        let leading = self.leading.take();
        let inherited = outer.clone().unwrap_or(mark..self.scopes.mark());
        if let Some(name) = recursive {
            self.scopes.bind(name.to_owned(), Meaning::RecursiveTable);
        }
        let allowed = if recursive.is_some() { SetOperations::UnionAll } else { SetOperations::Any };
        self.set_operations(&inherited, allowed)?;
        self.leading = leading;
        self.inherited = outer;
        self.scopes.release(mark);
        Ok(())
    }

    /// UNION, EXCEPT, INTERSECT and what they add.
    pub(super) fn set_operations(
        &mut self,
        inherited: &Range<usize>,
        allowed: SetOperations,
    ) -> Result<(), SqlError> {
        while self.at_set_operation() {
            let is_union_all = self.cursor.is_word(0, "UNION") && self.cursor.is_word(1, "ALL");
            if allowed == SetOperations::UnionAll && !is_union_all {
                return Err(self.cursor.unexpected("UNION ALL in a recursive definition"));
            }
            if self.depth == OUTERMOST {
                self.found.set_operations.push(self.cursor.span());
            }
            self.cursor.advance(1);
            self.cursor.eat_one_of(&["ALL", "DISTINCT"]);
            let mark = self.scopes.mark();
            self.inherited = Some(inherited.clone());
            self.query_term()?;
            self.scopes.release(mark);
        }
        Ok(())
    }

    /// True where UNION, EXCEPT or INTERSECT comes next.
    pub(super) fn at_set_operation(&self) -> bool {
        self.cursor.is_one_of(0, words::SET_OPERATIONS)
    }

    fn query_term(&mut self) -> Result<(), SqlError> {
        if self.cursor.eat(Symbol::OpenParenthesis) {
            self.query()?;
            return self.close_parenthesis();
        }
        if self.cursor.is_word(0, "VALUES") && self.cursor.is(1, Symbol::OpenParenthesis) {
            self.cursor.advance(1);
            self.expressions()?;
            self.leading = None;
            return Ok(());
        }
        let inherited = std::mem::take(&mut self.inherited);
        let has_with = self.cursor.is_word(0, "WITH");
        let hidden = self.scopes.hide(inherited.clone().filter(|_| has_with).unwrap_or_default());
        self.scopes.open_select();
        self.select()?;
        self.leading = self.scopes.take_leading();
        self.close_select();
        self.scopes.unhide(inherited.as_ref().map_or(0, |range| range.start), hidden);
        self.inherited = inherited;
        Ok(())
    }

    fn select(&mut self) -> Result<(), SqlError> {
        if self.cursor.eat_words(&["WITH"]) {
            self.with()?;
        }
        if self.cursor.eat_words(&["FROM"]) {
            self.sources()?;
        }
        self.cursor.expect_word("SELECT")?;
        self.select_head()?;
        self.select_list()?;
        self.clauses()
    }

    /// DISTINCT and TOP.
    fn select_head(&mut self) -> Result<(), SqlError> {
        if self.cursor.eat_words(&["DISTINCT", "ON"]) {
            self.cursor.expect(Symbol::OpenParenthesis, "'('")?;
            self.expressions()?;
            self.close_parenthesis()?;
        } else {
            self.cursor.eat_one_of(&["ALL", "DISTINCT"]);
        }
        if self.cursor.eat_words(&["TOP"]) {
            let is_group = self.cursor.eat(Symbol::OpenParenthesis);
            self.number("a number after TOP")?;
            if is_group {
                self.close_parenthesis()?;
            }
            self.cursor.eat_words(&["WITH", "TIES"]);
        }
        Ok(())
    }

    pub(super) fn number(&mut self, expected: &'static str) -> Result<(), SqlError> {
        if self.cursor.kind(0) != Some(TokenKind::Number) {
            return Err(self.cursor.unexpected(expected));
        }
        self.cursor.advance(1);
        Ok(())
    }

    fn select_list(&mut self) -> Result<(), SqlError> {
        let begins_call = self.cursor.is(1, Symbol::OpenParenthesis);
        if self.begins_from(0) && !begins_call {
            return Err(self.cursor.unexpected("an expression"));
        }
        loop {
            self.expression(Aliases::Bare)?;
            if !self.cursor.eat(Symbol::Comma) || self.begins_from(0) {
                return Ok(()); // a comma may trail before FROM
            }
        }
    }

    fn with(&mut self) -> Result<(), SqlError> {
        let is_keyword = self.cursor.is_name(1) && !self.cursor.is_word(1, "AS");
        let is_recursive = is_keyword && self.cursor.eat_words(&["RECURSIVE"]);
        let definition = if is_recursive { Definition::Recursive } else { Definition::Plain };
        loop {
            if self.at_common_table() {
                self.common_table(definition)?;
            } else {
                let element = self.expression(Aliases::WithAs)?;
                if let Some(name) = element.alias {
                    self.scopes.promise(name, Meaning::of_alias(&element.shape));
                }
            }
            if !self.cursor.eat(Symbol::Comma) || self.cursor.is_word(0, "SELECT") {
                return Ok(());
            }
        }
    }

    /// `name AS (…)`, `name (columns) AS (…)`, `name AS MATERIALIZED (…)`.
    fn at_common_table(&self) -> bool {
        let mut ahead = 1;
        if self.cursor.is(ahead, Symbol::OpenParenthesis) {
            ahead += 1;
            while self.cursor.is_name(ahead) || self.cursor.is(ahead, Symbol::Comma) {
                ahead += 1;
            }
            ahead += 1;
        }
        let body = ahead + 1 + usize::from(self.cursor.is_word(ahead + 1, "MATERIALIZED"));
        self.cursor.is_name(0)
            && self.cursor.is_word(ahead, "AS")
            && self.cursor.is(body, Symbol::OpenParenthesis)
    }

    /// A name is bound behind its own definition: inside it, it means the table. In a recursive
    /// definition it means itself, but not in the first SELECT.
    fn common_table(&mut self, definition: Definition) -> Result<(), SqlError> {
        let span = self.cursor.span();
        let name = self.cursor.name("a name")?;
        if name.contains('.') {
            return Err(SqlError::new(span, Situation::DottedCommonTable { name }));
        }
        if self.cursor.is(0, Symbol::OpenParenthesis) {
            self.column_names()?;
        }
        self.cursor.expect_word("AS")?;
        self.cursor.eat_words(&["MATERIALIZED"]);
        self.cursor.expect(Symbol::OpenParenthesis, "'('")?;
        let (own_name, meaning) = match definition {
            Definition::Plain => (None, Meaning::CommonTable),
            Definition::Recursive => (Some(name.as_str()), Meaning::RecursiveTable),
        };
        let from = self.scopes.beginning();
        self.nested(|scanner| scanner.chain(own_name))?;
        self.close_parenthesis()?;
        self.leading_of_common_tables.push((name.clone(), self.leading.take()));
        self.scopes.define(name.clone(), meaning, from);
        self.scopes.bind(name, meaning);
        Ok(())
    }

    /// `(a, b)`.
    pub(super) fn column_names(&mut self) -> Result<(), SqlError> {
        self.cursor.advance(1);
        loop {
            self.cursor.name("a column name")?;
            if !self.cursor.eat(Symbol::Comma) {
                return self.close_parenthesis();
            }
        }
    }
}
