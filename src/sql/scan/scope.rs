//! What a name means at a place: a common table expression, a value, or a table.
//!
//! In FROM only common table expressions hide a table.  On the right of IN `ClickHouse` first looks
//! for a value: an alias of the SELECT (wherever it stands there), a WITH alias of an outer one, a
//! lambda parameter.  But while an alias is being worked out its own name means the table again, so
//! `SELECT 1 IN t AS t` reads `t`, and so does `WITH t AS z SELECT 1 IN z`: an alias counts only if
//! it is more than a name and nothing that it mentions leads back to a name on the right of IN.

use std::collections::HashSet;
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
    /// A WITH alias whose SELECT is still open.
    Promised,
    /// An alias that may lead to a table again.
    Unclear,
}

impl Meaning {
    pub(super) fn of_alias(shape: &Shape) -> Self {
        if matches!(shape, Shape::Name(_) | Shape::Lambda) { Self::Unclear } else { Self::Value }
    }

    fn is_alias(self) -> bool {
        matches!(self, Self::Value | Self::Unclear)
    }
}

/// The names that are visible, the innermost last.
pub(super) struct Scopes {
    bindings: Vec<(String, Meaning)>,
    selects: Vec<Select>,
    /// Every name and function that an expression mentions, in the order of the text.
    mentions: Vec<String>,
}

#[derive(Default)]
struct Select {
    /// How many bindings there were before.
    mark: usize,
    definitions: Vec<Definition>,
    sets: Vec<SetName>,
    /// How many lambda bodies are open: aliases in them are not seen outside.
    lambdas: usize,
    /// The table that leads its FROM.
    leading: Option<TableName>,
}

/// An alias or a common table expression, with what stands in it.
struct Definition {
    name: String,
    meaning: Meaning,
    sets: Range<usize>,
    mentions: Range<usize>,
}

/// A name on the right of IN that waits for the aliases of its SELECT.
struct SetName {
    name: TableName,
    span: Span,
    /// What it is bound to outside of its SELECT.
    outside: Meaning,
}

/// Where a definition begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beginning {
    sets: usize,
    mentions: usize,
}

impl Scopes {
    pub(super) fn new() -> Self {
        Self { bindings: Vec::new(), selects: vec![Select::default()], mentions: Vec::new() }
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

    /// Binds an alias of WITH.
    pub(super) fn promise(&mut self, name: String, meaning: Meaning) {
        self.bind(name, if meaning == Meaning::Value { Meaning::Promised } else { meaning });
    }

    pub(super) fn is_common_table(&self, name: &TableName) -> bool {
        let mut bound = self.bindings.iter().filter(|(bound, _)| *bound == name.table);
        let is_table = |meaning| matches!(meaning, Meaning::CommonTable | Meaning::RecursiveTable);
        name.database.is_none() && bound.any(|(_, meaning)| is_table(*meaning))
    }

    /// Notes that an expression or a FROM uses a name.
    pub(super) fn mention(&mut self, name: &str) {
        self.mentions.push(name.to_owned());
    }

    pub(super) fn beginning(&self) -> Beginning {
        let sets = self.selects.last().map_or(0, |select| select.sets.len());
        Beginning { sets, mentions: self.mentions.len() }
    }

    /// Notes an alias or a common table expression of the current SELECT.
    pub(super) fn define(&mut self, name: String, meaning: Meaning, from: Beginning) {
        let mentions = from.mentions..self.mentions.len();
        if let Some(select) = self.selects.last_mut() {
            let is_hidden = select.lambdas > 0 && meaning.is_alias();
            let meaning = if is_hidden { Meaning::Unclear } else { meaning };
            let sets = from.sets..select.sets.len();
            select.definitions.push(Definition { name, meaning, sets, mentions });
        }
    }

    /// Notes a name on the right of IN.
    pub(super) fn set(&mut self, name: TableName, span: Span) {
        self.mention(&name.table);
        let bound =
            self.bindings.iter().rev().find(|(bound, _)| name.database.is_none() && *bound == name.table);
        let outside = bound.map_or(Meaning::Unclear, |(_, meaning)| *meaning);
        if let Some(select) = self.selects.last_mut() {
            select.sets.push(SetName { name, span, outside });
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

    pub(super) fn open_select(&mut self) {
        self.selects.push(Select { mark: self.bindings.len(), ..Select::default() });
    }

    /// Notes the table that leads the FROM of the current SELECT.
    pub(super) fn lead(&mut self, table: Option<TableName>) {
        if let Some(select) = self.selects.last_mut() {
            select.leading = table;
        }
    }

    /// The table that leads the current SELECT.
    pub(super) fn take_leading(&mut self) -> Option<TableName> {
        self.selects.last_mut().and_then(|select| select.leading.take())
    }

    /// Ends a SELECT and hands out the names on the right of IN that are tables.
    pub(super) fn close_select(&mut self) -> Vec<(TableName, Span)> {
        let Some(mut select) = self.selects.pop() else { return Vec::new() };
        select.doubt(&self.mentions);
        for (name, meaning) in self.bindings.iter_mut().skip(select.mark) {
            if *meaning == Meaning::Promised {
                *meaning = select.alias(name).unwrap_or(Meaning::Unclear);
            }
        }
        let mut tables = Vec::new();
        for set in std::mem::take(&mut select.sets) {
            let own = if set.name.database.is_none() { select.alias(&set.name.table) } else { None };
            match (own.unwrap_or(set.outside), self.selects.last_mut()) {
                (Meaning::Value | Meaning::CommonTable, _) => {}
                (Meaning::Promised, Some(outer)) => outer.sets.push(set),
                _ => tables.push((set.name, set.span)),
            }
        }
        tables
    }
}

impl Select {
    /// What an alias of this SELECT stands for.
    fn alias(&self, name: &str) -> Option<Meaning> {
        let mut meanings = self.definitions.iter().filter(|it| it.name == name && it.meaning.is_alias());
        let first = meanings.next()?.meaning;
        Some(if meanings.all(|it| it.meaning == first) { first } else { Meaning::Unclear })
    }

    /// Makes every alias unclear that leads to a name on the right of IN, over whatever definitions.
    fn doubt(&mut self, mentions: &[String]) {
        const ENOUGH_ROUNDS: usize = 16;
        let mut doubtful = HashSet::new();
        let mut is_settled = false;
        for _ in 0..ENOUGH_ROUNDS {
            let known = doubtful.len();
            for definition in &self.definitions {
                let mut mentioned = mentions.get(definition.mentions.clone()).unwrap_or_default().iter();
                if !definition.sets.is_empty() || mentioned.any(|name| doubtful.contains(name)) {
                    doubtful.insert(definition.name.clone());
                }
            }
            is_settled = doubtful.len() == known;
            if is_settled {
                break;
            }
        }
        for definition in &mut self.definitions {
            let is_doubtful = !is_settled || doubtful.contains(&definition.name);
            if is_doubtful && definition.meaning == Meaning::Value {
                definition.meaning = Meaning::Unclear;
            }
        }
    }
}
