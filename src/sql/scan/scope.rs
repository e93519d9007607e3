//! What a name means at a place: a common table expression, a value, or a table.
//!
//! In FROM only common table expressions hide a table.  On the right of IN `ClickHouse` first looks
//! for a value: an alias of the SELECT (wherever it stands there), a WITH alias of an outer one, a
//! lambda parameter.  An alias of a bare name proves nothing: `WITH t AS z SELECT 1 IN z` reads `t`.

use std::ops::Range;

use super::TableName;
use super::expression::Shape;
use crate::syntax::Span;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A common table expression.
    CommonTable,
    /// One that may read itself: on the right of IN, `ClickHouse` takes its name for a table.
    RecursiveTable,
    /// An expression.
    Value,
    /// An alias that may lead to a table again.
    Unclear,
}

impl Meaning {
    pub(super) fn of_alias(shape: &Shape) -> Self {
        if matches!(shape, Shape::Name(_) | Shape::Lambda) { Self::Unclear } else { Self::Value }
    }
}

/// The names that are visible, the innermost last.
pub(super) struct Scopes {
    bindings: Vec<(String, Meaning)>,
    selects: Vec<Select>,
}

#[derive(Default)]
struct Select {
    aliases: Vec<(String, Meaning)>,
    sets: Vec<SetName>,
    /// How many lambda bodies are open: aliases in them are not seen outside.
    lambdas: usize,
}

/// A name on the right of IN that waits for the aliases of its SELECT.
struct SetName {
    name: TableName,
    span: Span,
    is_bound_outside: bool,
}

impl Scopes {
    pub(super) fn new() -> Self {
        Self { bindings: Vec::new(), selects: vec![Select::default()] }
    }

    pub(super) fn mark(&self) -> usize {
        self.bindings.len()
    }

    /// Forgets the bindings made since `mark`.
    pub(super) fn release(&mut self, mark: usize) {
        self.bindings.truncate(mark);
    }

    /// Takes bindings away for a while.
    pub(super) fn hide(&mut self, range: Range<usize>) -> Vec<(String, Meaning)> {
        if range.end <= self.bindings.len() { self.bindings.drain(range).collect() } else { Vec::new() }
    }

    /// Puts hidden bindings back to where they were.
    pub(super) fn unhide(&mut self, start: usize, hidden: Vec<(String, Meaning)>) {
        let start = start.min(self.bindings.len());
        self.bindings.splice(start..start, hidden);
    }

    pub(super) fn has_recursive_since(&self, mark: usize) -> bool {
        self.bindings.iter().skip(mark).any(|(_, meaning)| *meaning == Meaning::RecursiveTable)
    }

    pub(super) fn bind(&mut self, name: String, meaning: Meaning) {
        self.bindings.push((name, meaning));
    }

    pub(super) fn is_common_table(&self, name: &TableName) -> bool {
        let mut bound = self.bindings.iter().filter(|(bound, _)| *bound == name.table);
        let is_table = |meaning| matches!(meaning, Meaning::CommonTable | Meaning::RecursiveTable);
        name.database.is_none() && bound.any(|(_, meaning)| is_table(*meaning))
    }

    pub(super) fn open_select(&mut self) {
        self.selects.push(Select::default());
    }

    /// Ends a SELECT and hands out the names on the right of IN that are tables.
    pub(super) fn close_select(&mut self) -> Vec<(TableName, Span)> {
        let Some(Select { aliases, sets, .. }) = self.selects.pop() else { return Vec::new() };
        let is_table = |set: &SetName| {
            let mut own =
                aliases.iter().filter(|(alias, _)| set.name.database.is_none() && *alias == set.name.table);
            match own.next() {
                Some((_, first)) => {
                    *first != Meaning::Value || own.any(|(_, other)| *other != Meaning::Value)
                }
                None => !set.is_bound_outside,
            }
        };
        sets.into_iter().filter(is_table).map(|set| (set.name, set.span)).collect()
    }

    /// Notes an alias of the current SELECT.
    pub(super) fn alias(&mut self, name: String, meaning: Meaning) {
        if let Some(select) = self.selects.last_mut() {
            let meaning = if select.lambdas > 0 { Meaning::Unclear } else { meaning };
            select.aliases.push((name, meaning));
        }
    }

    /// Notes a name on the right of IN.
    pub(super) fn set(&mut self, name: TableName, span: Span) {
        let bound = self.bindings.iter().rev().find(|(bound, _)| *bound == name.table);
        let is_known =
            bound.is_some_and(|(_, meaning)| matches!(meaning, Meaning::CommonTable | Meaning::Value));
        let is_bound_outside = name.database.is_none() && is_known;
        if let Some(select) = self.selects.last_mut() {
            select.sets.push(SetName { name, span, is_bound_outside });
        }
    }

    pub(super) fn open_lambda(&mut self, parameters: Vec<String>) {
        self.bindings.extend(parameters.into_iter().map(|name| (name, Meaning::Value)));
        self.count_lambdas(|open| open + 1);
    }

    pub(super) fn close_lambda(&mut self) {
        self.count_lambdas(|open| open.saturating_sub(1));
    }

    fn count_lambdas(&mut self, count: impl Fn(usize) -> usize) {
        if let Some(select) = self.selects.last_mut() {
            select.lambdas = count(select.lambdas);
        }
    }
}
