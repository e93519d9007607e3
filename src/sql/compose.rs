//! Joins nodes, pipes and tables into one query.
//!
//! In: a text, and a [`Resolver`] that says what a name is.  Out: the same text with every table
//! name replaced by a subquery or a fully qualified physical table.  Promise: no name that the
//! resolver was not asked for reaches the engine, except common table expressions; circles, chains
//! and sizes without end are errors; each text passes the [`Gate`].  May use: `statement`, `gate`.
//!
//! Subqueries stand in place of their names and not in one WITH, so that equal names of nodes in
//! different pipes never meet; and no WITH of an outer query can catch a physical table, because
//! `ClickHouse` looks for common table expressions under bare names only.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use super::error::{Situation, SqlError};
use super::filter::RowFilter;
use super::gate::{Author, Constancy, Gate};
use super::quote;
use super::scan::{Alias, Place, TableName, TableReference};
use super::statement::{Format, Kind, Statement};
use crate::syntax::Span;

/// Knows what table names stand for.
pub trait Resolver {
    /// Where a name is read: the pipe whose nodes are visible there, for instance.
    type Scope: Clone;

    /// Says what `name` is in `scope`.
    fn resolve(&mut self, scope: &Self::Scope, name: &TableName) -> Resolution<Self::Scope>;
}

/// What a table name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution<Scope> {
    /// Another node or pipe.
    Query(Query<Scope>),
    /// A table of the engine.
    Table(Table),
    /// Nothing that may be read.
    Unknown,
}

/// The text of a node or pipe, its template rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query<Scope> {
    /// Names it in messages; within one composition equal identities have equal texts.
    pub identity: String,
    /// The SQL, composed in its turn.
    pub sql: String,
    /// Where its own names are read.
    pub scope: Scope,
}

/// A table of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Where it is.
    pub name: PhysicalName,
    /// The rows that may be read.
    pub filter: Option<RowFilter>,
}

/// The name that the engine knows a table by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhysicalName {
    /// The database.
    pub database: String,
    /// The table.
    pub table: String,
}

/// What a composition may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// For the text that is composed; the texts it reads are the project's.
    pub gate: Gate,
    /// How many queries may stand inside each other.
    pub max_chain: usize,
    /// How many bytes may come out.
    pub max_bytes: usize,
}

/// The one query that comes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// The query, without FORMAT.
    pub sql: String,
    /// What it does.
    pub kind: Kind,
    /// Its FORMAT clause.
    pub format: Option<Format>,
    /// The physical tables it reads.
    pub tables: BTreeSet<PhysicalName>,
    /// Whether it has the same result as long as the tables are the same.
    pub constancy: Constancy,
}

/// A problem in one of the texts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct ComposeError {
    /// The identities from the first query read down to the text with the problem; empty for the
    /// text that was to be composed.
    pub path: Vec<String>,
    /// The problem, with its place in that text.
    #[source]
    pub error: SqlError,
}

/// Composes `text`, whose names are read in `scope`.
pub fn compose<R: Resolver>(
    text: &str,
    scope: &R::Scope,
    resolver: &mut R,
    rules: Rules,
) -> Result<Composed, ComposeError> {
    let mut composer = Composer {
        resolver,
        rules,
        chain: Vec::new(),
        done: HashMap::new(),
        tables: BTreeSet::new(),
        constancy: Constancy::Constant,
    };
    let statement = composer.checked(text, rules.gate)?;
    let sql = composer.spliced(text, &statement, scope)?;
    let format = statement.format().cloned();
    let Composer { tables, constancy, .. } = composer;
    Ok(Composed { sql, kind: statement.kind(), format, tables, constancy })
}

struct Composer<'r, R> {
    resolver: &'r mut R,
    rules: Rules,
    /// The queries that are open, the outermost first.
    chain: Vec<String>,
    /// Composed texts by identity: a query that is read often is composed once.
    done: HashMap<String, Rc<str>>,
    tables: BTreeSet<PhysicalName>,
    constancy: Constancy,
}

impl<R: Resolver> Composer<'_, R> {
    fn checked<'a>(&mut self, text: &'a str, gate: Gate) -> Result<Statement<'a>, ComposeError> {
        let statement = Statement::parse(text).map_err(|error| self.inside(error))?;
        if let Some(problem) = gate.problems(&statement).into_iter().next() {
            return Err(self.inside(problem));
        }
        self.note(Constancy::of(statement.functions(), statement.table_functions()));
        Ok(statement)
    }

    fn note(&mut self, constancy: Constancy) {
        self.constancy = self.constancy.and(constancy);
    }

    fn inside(&self, error: SqlError) -> ComposeError {
        ComposeError { path: self.chain.clone(), error }
    }

    fn fail<T>(&self, span: Span, situation: Situation) -> Result<T, ComposeError> {
        Err(self.inside(SqlError::new(span, situation)))
    }

    /// The body of a statement with all its table names replaced.
    fn spliced(
        &mut self,
        text: &str,
        statement: &Statement<'_>,
        scope: &R::Scope,
    ) -> Result<String, ComposeError> {
        let body = statement.body_span();
        let mut out = String::with_capacity(body.end - body.start);
        let mut copied = body.start;
        for reference in statement.tables() {
            let (replacement, dropped) = self.replacement(text, reference, scope)?;
            out.push_str(Span::new(copied, reference.span.start).of(text));
            out.push_str(&replacement);
            copied = reference.span.end;
            if let Some(dropped) = dropped {
                out.push_str(Span::new(copied, dropped.start).of(text));
                copied = dropped.end;
            }
            if text[copied..body.end].starts_with(['`', '"', '\'']) {
                // Two quotes in a row would be one of the name.
                out.push(' ');
            }
            self.check_size(&out, reference.span)?;
        }
        out.push_str(Span::new(copied, body.end).of(text));
        self.check_size(&out, body)?;
        Ok(out)
    }

    fn check_size(&self, out: &str, span: Span) -> Result<(), ComposeError> {
        let limit = self.rules.max_bytes;
        if out.len() <= limit { Ok(()) } else { self.fail(span, Situation::ComposedTooLarge { limit }) }
    }

    /// What stands in place of a name, and the modifiers that moved into it.
    fn replacement(
        &mut self,
        text: &str,
        reference: &TableReference,
        scope: &R::Scope,
    ) -> Result<(String, Option<Span>), ComposeError> {
        let name = reference.name.to_string();
        match self.resolver.resolve(scope, &reference.name) {
            Resolution::Unknown => self.fail(reference.span, Situation::ResourceNotFound { name }),
            Resolution::Query(query) => Ok((self.query_in_place(reference, query)?, None)),
            Resolution::Table(table) => {
                let replaced = table_in_place(text, reference, &table).map_err(|error| self.inside(error))?;
                self.note(table.filter.as_ref().map_or(Constancy::Constant, RowFilter::constancy));
                self.tables.insert(table.name);
                Ok(replaced)
            }
        }
    }

    fn query_in_place(
        &mut self,
        reference: &TableReference,
        query: Query<R::Scope>,
    ) -> Result<String, ComposeError> {
        let name = reference.name.to_string();
        match reference.place {
            Place::JoinGet => self.fail(reference.span, Situation::JoinGetOnQuery { name }),
            Place::From { modifiers: Some(span), .. } => self.fail(span, Situation::ModifierOnQuery { name }),
            Place::Set | Place::From { .. } => {
                let composed = self.query(reference.span, query)?;
                Ok(format!("({composed}){}", added_alias(reference)))
            }
        }
    }

    /// The composed text of a query that is read at `span`.
    fn query(&mut self, span: Span, query: Query<R::Scope>) -> Result<Rc<str>, ComposeError> {
        if let Some(composed) = self.done.get(&query.identity) {
            return Ok(Rc::clone(composed));
        }
        let mut path = self.chain.clone();
        path.push(query.identity.clone());
        if let Some(start) = self.chain.iter().position(|open| *open == query.identity) {
            return self.fail(span, Situation::Circle { path: path.split_off(start) });
        }
        if self.chain.len() == self.rules.max_chain {
            return self.fail(span, Situation::ChainTooLong { limit: self.rules.max_chain, path });
        }
        self.chain = path;
        let gate = Gate { author: Author::Project, ..self.rules.gate };
        let statement = self.checked(&query.sql, gate)?;
        if statement.kind() != Kind::Select {
            return self.fail(statement.body_span(), Situation::NotReadable);
        }
        let composed: Rc<str> = self.spliced(&query.sql, &statement, &query.scope)?.into();
        self.chain.pop();
        self.done.insert(query.identity, Rc::clone(&composed));
        Ok(composed)
    }
}

/// A physical table in place of a name; with a filter, modifiers move beside the table.
fn table_in_place(
    text: &str,
    reference: &TableReference,
    table: &Table,
) -> Result<(String, Option<Span>), SqlError> {
    let name = quote::qualified(&table.name.database, &table.name.table);
    let filtered = |modifiers: &str| match &table.filter {
        Some(filter) => format!("(SELECT * FROM {name}{modifiers} WHERE ({}))", filter.as_str()),
        None => format!("(SELECT * FROM {name}{modifiers})"),
    };
    match reference.place {
        Place::From { modifiers: Some(modifiers), .. } if table.filter.is_some() => {
            let inner = filtered(&format!(" {}", modifiers.of(text)));
            Ok((inner + &added_alias(reference), Some(modifiers)))
        }
        Place::From { .. } => {
            let plain = if table.filter.is_some() { filtered("") } else { name };
            Ok((plain + &added_alias(reference), None))
        }
        Place::Set => Ok((filtered(""), None)),
        Place::JoinGet => join_table(reference, table).map(|name| (name, None)),
    }
}

/// A table for `joinGet`: a text, because a bare name could be a column there. It is cut at its
/// dot, so that the parts must have none.
fn join_table(reference: &TableReference, table: &Table) -> Result<String, SqlError> {
    let PhysicalName { database, table: name } = &table.name;
    if table.filter.is_some() || database.contains('.') || name.contains('.') {
        let name = reference.name.to_string();
        return Err(SqlError::new(reference.span, Situation::JoinGetOnQuery { name }));
    }
    Ok(quote::string(&format!("{database}.{name}")))
}

/// Keeps `name.column` working where the name has no alias of its own.
fn added_alias(reference: &TableReference) -> String {
    match reference.place {
        Place::From { alias: Alias::Absent, .. } => {
            format!(" AS {}", quote::identifier(&reference.name.table))
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
