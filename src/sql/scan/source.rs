//! FROM and JOIN: the places of tables.

use super::expression::Aliases;
use super::select::SetOperations;
use super::{Alias, Place, Scanner, TableFunction, TableName, TableReference, words};
use crate::sql::error::{Situation, SqlError};
use crate::sql::token::{Symbol, TokenKind};
use crate::syntax::Span;

impl Scanner<'_> {
    /// Everything between FROM and the next clause.
    pub(super) fn sources(&mut self) -> Result<(), SqlError> {
        self.source()?;
        self.joins()?;
        self.scopes.lead(self.leading.take());
        Ok(())
    }

    /// What is joined to a source, which goes on leading.
    fn joins(&mut self) -> Result<(), SqlError> {
        let leading = self.leading.take();
        loop {
            if self.cursor.eat(Symbol::Comma) {
                self.source()?;
            } else if self.cursor.is_one_of(0, words::JOIN) {
                self.join()?;
            } else {
                self.leading = leading;
                return Ok(());
            }
        }
    }

    fn join(&mut self) -> Result<(), SqlError> {
        while !self.cursor.is_one_of(0, &["JOIN", "ARRAY"]) {
            if !self.cursor.eat_one_of(words::JOIN) {
                return Err(self.cursor.unexpected("JOIN"));
            }
        }
        if self.cursor.eat_words(&["ARRAY"]) {
            self.cursor.expect_word("JOIN")?;
            return self.expressions(); // arrays, not tables
        }
        self.cursor.advance(1);
        self.source()?;
        if self.cursor.eat_words(&["ON"]) {
            self.expression(Aliases::WithAs)?;
        } else if self.cursor.eat_words(&["USING"]) {
            self.using()?;
        }
        Ok(())
    }

    /// In parentheses the list ends with them: `USING (a), t` goes on with a table.
    fn using(&mut self) -> Result<(), SqlError> {
        if self.cursor.eat(Symbol::OpenParenthesis) {
            self.expressions()?;
            return self.close_parenthesis();
        }
        self.expressions()
    }

    /// A table, a table function, a subquery, or joined tables in parentheses.
    pub(in crate::sql) fn source(&mut self) -> Result<(), SqlError> {
        self.nested(|scanner| match scanner.cursor.kind(0) {
            Some(TokenKind::Symbol(Symbol::OpenParenthesis)) => {
                scanner.source_group()?;
                scanner.table_suffix().map(|_| ())
            }
            Some(TokenKind::Symbol(Symbol::OpenBrace)) => {
                Err(SqlError::new(scanner.cursor.span(), Situation::ParameterAsName))
            }
            Some(TokenKind::Text) => Err(SqlError::new(scanner.cursor.span(), Situation::TextAsTable)),
            _ => scanner.table(),
        })
    }

    fn source_group(&mut self) -> Result<(), SqlError> {
        self.cursor.advance(1);
        if self.begins_query(0) {
            self.query()?;
            return self.close_parenthesis();
        }
        self.source()?;
        if self.at_set_operation() {
            self.set_operations(&(0..0), SetOperations::Any)?; // `((SELECT 1) UNION ALL (SELECT 2))`
        } else {
            self.joins()?;
        }
        self.close_parenthesis()
    }

    fn table(&mut self) -> Result<(), SqlError> {
        let start = self.cursor.span();
        let mut parts = self.name_parts()?;
        let span = Span::new(start.start, self.cursor.end());
        if self.cursor.is(0, Symbol::Dot) {
            return Err(self.cursor.unexpected("a plain table name"));
        }
        if self.cursor.is(0, Symbol::OpenParenthesis) {
            return self.table_function(parts.join("."), span);
        }
        if parts.len() > 2 {
            return Err(SqlError::new(span, Situation::TooManyNameParts { name: parts.join(".") }));
        }
        let name = TableName { table: parts.pop().unwrap_or_default(), database: parts.pop() };
        let (alias, modifiers) = self.table_suffix()?;
        self.scopes.mention(&name.table);
        self.leading = Some(name.clone());
        if self.scopes.is_common_table(&name) {
            self.leading = self.leading_of_common_table(&name.table);
        } else {
            self.found.tables.push(TableReference { span, name, place: Place::From { alias, modifiers } });
        }
        Ok(())
    }

    fn leading_of_common_table(&self, name: &str) -> Option<TableName> {
        let mut known = self.leading_of_common_tables.iter().rev();
        known.find(|(known, _)| known == name).and_then(|(_, leading)| leading.clone())
    }

    fn table_function(&mut self, name: String, span: Span) -> Result<(), SqlError> {
        let start = self.cursor.span().start;
        self.cursor.advance(1);
        if self.begins_query(0) {
            self.view()?;
        } else {
            self.table_function_arguments()?;
            self.leading = None;
        }
        self.close_parenthesis()?;
        let arguments = Span::new(start, self.cursor.end());
        self.found.table_functions.push(TableFunction { name, span, arguments });
        self.table_suffix().map(|_| ())
    }

    /// The query of a `view(…)`, which sees no name from outside.
    pub(super) fn view(&mut self) -> Result<(), SqlError> {
        let hidden = self.scopes.hide(0..self.scopes.mark());
        self.query()?;
        self.scopes.unhide(0, hidden);
        Ok(())
    }

    fn table_function_arguments(&mut self) -> Result<(), SqlError> {
        while !self.cursor.is(0, Symbol::CloseParenthesis) {
            if self.cursor.is_word(0, "SETTINGS") && self.cursor.is_name(1) {
                return self.settings();
            }
            self.expression(Aliases::WithAs)?;
            if !self.cursor.eat(Symbol::Comma) {
                break;
            }
        }
        Ok(())
    }

    /// Alias, FINAL and SAMPLE.
    fn table_suffix(&mut self) -> Result<(Alias, Option<Span>), SqlError> {
        let alias = self.table_alias()?;
        let start = self.cursor.span().start;
        let is_final = self.cursor.eat_words(&["FINAL"]);
        let is_sample = self.cursor.eat_words(&["SAMPLE"]);
        if is_sample {
            self.ratio()?;
            if self.cursor.eat_words(&["OFFSET"]) {
                self.ratio()?;
            }
        }
        let modifiers = (is_final || is_sample).then(|| Span::new(start, self.cursor.end()));
        Ok((alias, modifiers))
    }

    fn table_alias(&mut self) -> Result<Alias, SqlError> {
        let has_as = self.cursor.eat_words(&["AS"]);
        let is_bare = self.cursor.is_name(0) && !self.cursor.is_one_of(0, words::NO_ALIAS_OF_TABLE);
        if !has_as && !is_bare {
            return Ok(Alias::Absent);
        }
        self.cursor.name("an alias")?;
        if self.cursor.is(0, Symbol::OpenParenthesis) {
            self.column_names()?;
        }
        Ok(Alias::Given)
    }

    /// `0.1` or `1/10`.
    fn ratio(&mut self) -> Result<(), SqlError> {
        self.number("a number")?;
        if self.cursor.eat(Symbol::Arithmetic) {
            self.number("a number")?;
        }
        Ok(())
    }
}
