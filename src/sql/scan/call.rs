//! Function calls: arguments, what may follow them, and the functions that read tables by name.

use super::expression::{Aliases, InKeyword, Shape};
use super::{DictionaryUse, FunctionUse, Place, Scanner, TableName, TableReference};
use crate::sql::error::{Situation, SqlError};
use crate::sql::token::{Symbol, TokenKind};
use crate::syntax::Span;

/// How a function reads its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Callee {
    Plain,
    /// `CAST(x AS Type)`
    Cast,
    /// `position('x' IN y)`
    Position,
    /// `trim(BOTH 'x' FROM y)`
    Trim,
    /// `in(x, y)`: the function behind the operator
    Set,
    JoinGet,
    Dictionary,
    /// `EXISTS(SELECT …)`
    Subquery,
    /// `view(SELECT …)`, an argument of other table functions
    View,
    /// `arrayMap(f, …)`: a function by name
    HigherOrder,
}

impl Callee {
    fn of(name: &str) -> Self {
        const SETS: &[&str] = &[
            "in",
            "notin",
            "nullin",
            "notnullin",
            "globalin",
            "globalnotin",
            "globalnullin",
            "globalnotnullin",
        ];
        let lowered = name.to_ascii_lowercase();
        match lowered.as_str() {
            "cast" | "try_cast" => Self::Cast,
            "position" => Self::Position,
            "trim" => Self::Trim,
            "exists" | "any" | "all" | "some" => Self::Subquery,
            "view" => Self::View,
            "joinget" | "joingetornull" => Self::JoinGet,
            set if SETS.contains(&set.strip_suffix("ignoreset").unwrap_or(set)) => Self::Set,
            dictionary if dictionary.starts_with("dict") => Self::Dictionary,
            higher if higher.starts_with("array") || higher.starts_with("map") => Self::HigherOrder,
            _ => Self::Plain,
        }
    }
}

impl Scanner<'_> {
    /// A call, from the parenthesis behind its name to the end of its window.
    pub(super) fn call(&mut self, function: FunctionUse) -> Result<(), SqlError> {
        let callee = Callee::of(&function.name);
        let reads_columns = function.name.eq_ignore_ascii_case("COLUMNS");
        self.arguments(callee, &function.name)?;
        self.scopes.mention(&function.name);
        self.found.functions.push(function);
        if self.cursor.is(0, Symbol::OpenParenthesis) {
            self.arguments(Callee::Plain, "")?; // `quantile(0.5)(x)`
        }
        if reads_columns {
            self.column_modifiers()?;
        }
        self.call_suffix()
    }

    /// `RESPECT NULLS`, `FILTER (WHERE …)`, `OVER …`.
    fn call_suffix(&mut self) -> Result<(), SqlError> {
        loop {
            if self.cursor.eat_words(&["RESPECT", "NULLS"]) || self.cursor.eat_words(&["IGNORE", "NULLS"]) {
                continue;
            }
            if self.cursor.is_word(0, "FILTER") && self.cursor.is(1, Symbol::OpenParenthesis) {
                self.cursor.advance(2);
                self.cursor.expect_word("WHERE")?;
                self.expression(Aliases::WithAs)?;
                self.close_parenthesis()?;
                continue;
            }
            if self.cursor.is_word(0, "OVER") && self.cursor.is(1, Symbol::OpenParenthesis) {
                self.cursor.advance(1);
                return self.window();
            }
            if self.cursor.is_word(0, "OVER") && self.cursor.is_name(1) {
                self.cursor.advance(2);
            }
            return Ok(());
        }
    }

    fn arguments(&mut self, callee: Callee, name: &str) -> Result<(), SqlError> {
        self.cursor.expect(Symbol::OpenParenthesis, "'('")?;
        if self.cursor.eat(Symbol::CloseParenthesis) {
            return Ok(());
        }
        if callee == Callee::Subquery && self.begins_query(0) {
            self.query()?;
            return self.close_parenthesis();
        }
        if callee == Callee::View && self.begins_query(0) {
            self.view()?;
            return self.close_parenthesis();
        }
        let prefixes: &[&str] =
            if callee == Callee::Trim { &["BOTH", "LEADING", "TRAILING"] } else { &["DISTINCT", "ALL"] };
        if self.cursor.is_one_of(0, prefixes) && self.begins_operand(1) {
            self.cursor.advance(1);
        }
        for index in 0_usize.. {
            self.argument(callee, index, name)?;
            if self.cursor.eat(Symbol::CloseParenthesis) {
                return Ok(());
            }
            // FROM, FOR and PLACING separate arguments: `substring(x FROM 1 FOR 2)`.
            let has_next = self.cursor.eat(Symbol::Comma)
                || self.cursor.eat_one_of(&["FROM", "FOR", "PLACING"])
                || (callee == Callee::Position && index == 0 && self.cursor.eat_words(&["IN"]));
            if !has_next {
                return Err(self.cursor.unexpected("',' or ')'"));
            }
        }
        Ok(())
    }

    fn argument(&mut self, callee: Callee, index: usize, name: &str) -> Result<(), SqlError> {
        if callee == Callee::Set && index == 1 && self.lone_name_as_set()? {
            return Ok(());
        }
        match (callee, index) {
            (Callee::JoinGet, 0) => return self.join_table(name),
            (Callee::Dictionary, 0) => return self.dictionary(),
            (Callee::Position, 0) => {
                let from = self.scopes.beginning();
                let shape = self.bare_expression(InKeyword::Separator)?;
                return self.aliased(shape, Aliases::WithAs, from).map(|_| ());
            }
            (Callee::Cast, _) => {
                self.bare_expression(InKeyword::Operator)?;
                while self.cursor.eat_words(&["AS"]) {
                    self.data_type()?;
                }
                return Ok(());
            }
            (Callee::HigherOrder, 0) => return self.function_argument(),
            _ => {}
        }
        self.expression(Aliases::WithAs).map(|_| ())
    }

    /// `arrayMap(toString, …)`: the name may be a function's.
    fn function_argument(&mut self) -> Result<(), SqlError> {
        let span = self.cursor.span();
        if let Shape::Name(mut parts) = self.expression(Aliases::WithAs)?.shape
            && let (Some(name), true) = (parts.pop(), parts.is_empty())
        {
            self.found.functions.push(FunctionUse { name, span });
        }
        Ok(())
    }

    fn ends_argument(&self) -> bool {
        self.cursor.is(0, Symbol::Comma) || self.cursor.is(0, Symbol::CloseParenthesis)
    }

    /// The first argument of `joinGet`: `'table'`, `'db.table'`, `table` or `db.table`.
    fn join_table(&mut self, function: &str) -> Result<(), SqlError> {
        let mut span = self.cursor.span();
        let mut parts: Vec<String> = match self.cursor.kind(0) {
            Some(TokenKind::Text) => {
                let text = self.cursor.unquoted();
                self.cursor.advance(1);
                text.map(|text| text.split('.').map(str::to_owned).collect()).unwrap_or_default()
            }
            Some(TokenKind::Word | TokenKind::QuotedName) => self.name_parts()?,
            _ => Vec::new(),
        };
        span.end = span.end.max(self.cursor.end());
        let table = parts.pop().filter(|name| !name.is_empty() && parts.len() <= 1 && self.ends_argument());
        let Some(table) = table else {
            return Err(SqlError::new(span, Situation::ComputedTableName { function: function.to_owned() }));
        };
        let name = TableName { database: parts.pop(), table };
        self.found.tables.push(TableReference { span, name, place: Place::JoinGet });
        Ok(())
    }

    fn dictionary(&mut self) -> Result<(), SqlError> {
        let span = self.cursor.span();
        let is_literal = self.cursor.kind(0) == Some(TokenKind::Text);
        let literal = self.cursor.unquoted().filter(|_| is_literal);
        self.expression(Aliases::WithAs)?;
        let span = Span::new(span.start, self.cursor.end());
        self.found.dictionaries.push(DictionaryUse { name: literal, span });
        Ok(())
    }

    /// What may follow `*` and `COLUMNS(…)`: EXCEPT, REPLACE and APPLY.
    pub(super) fn column_modifiers(&mut self) -> Result<(), SqlError> {
        loop {
            if self.cursor.is_word(0, "EXCEPT") && !self.set_operation_follows() {
                self.cursor.advance(1);
                self.cursor.eat_words(&["STRICT"]);
                self.excepted_columns()?;
            } else if self.cursor.eat_words(&["REPLACE"]) {
                self.cursor.eat_words(&["STRICT"]);
                self.replaced_columns()?;
            } else if self.cursor.eat_words(&["APPLY"]) {
                self.applied_function()?;
            } else {
                return Ok(());
            }
        }
    }

    /// Tells `* EXCEPT (SELECT 1)` from `* EXCEPT (column)`.
    fn set_operation_follows(&self) -> bool {
        let is_all = self.cursor.is_one_of(1, &["ALL", "DISTINCT"]);
        let query = 1 + usize::from(is_all);
        let is_group = self.cursor.is(query, Symbol::OpenParenthesis);
        self.cursor.is_word(query, "SELECT")
            || (is_group
                && (is_all
                    || self.cursor.is(query + 1, Symbol::OpenParenthesis)
                    || self.begins_query(query + 1)))
    }

    fn excepted_columns(&mut self) -> Result<(), SqlError> {
        if self.cursor.eat(Symbol::OpenParenthesis) {
            self.expressions()?;
            return self.close_parenthesis();
        }
        if self.cursor.kind(0) == Some(TokenKind::Text) {
            self.cursor.advance(1);
            return Ok(());
        }
        self.cursor.name("a column").map(|_| ())
    }

    fn replaced_columns(&mut self) -> Result<(), SqlError> {
        if self.cursor.eat(Symbol::OpenParenthesis) {
            self.expressions()?;
            return self.close_parenthesis();
        }
        self.expression(Aliases::WithAs).map(|_| ())
    }

    fn applied_function(&mut self) -> Result<(), SqlError> {
        if self.cursor.eat(Symbol::OpenParenthesis) {
            self.function_argument()?;
            return self.close_parenthesis();
        }
        let span = self.cursor.span();
        if let Shape::Name(mut parts) = self.bare_expression(InKeyword::Operator)?
            && let Some(name) = parts.pop()
        {
            self.found.functions.push(FunctionUse { name, span });
        }
        Ok(())
    }
}
