//! Any text is cut into tokens without loss; what is a statement is composed, and what comes out
//! of that is a statement again that reads physical tables only.
#![no_main]

use libfuzzer_sys::fuzz_target;
use roost::sql::compose::{PhysicalName, Query, Resolution, Resolver, Rules, Table, compose};
use roost::sql::gate::{Author, Gate, Purpose};
use roost::sql::lexer::tokenize;
use roost::sql::scan::TableName;
use roost::sql::{RowFilter, Situation, SqlError, Statement};

/// Every name is a table, but for one node, which reads a filtered table.
struct Names;

const DATABASE: &str = "physical";

impl Resolver for Names {
    type Scope = ();

    fn resolve(&mut self, (): &(), name: &TableName) -> Resolution<()> {
        if name.database.is_some() {
            return Resolution::Unknown;
        }
        if name.table == "node" {
            let (identity, sql) = ("node".to_owned(), "SELECT * FROM filtered".to_owned());
            return Resolution::Query(Query { identity, sql, scope: () });
        }
        let filter = if name.table == "filtered" { RowFilter::parse("tenant = 1").ok() } else { None };
        let name = PhysicalName { database: DATABASE.to_owned(), table: name.table.clone() };
        Resolution::Table(Table { name, filter })
    }
}

fuzz_target!(|text: &str| {
    let again: String = tokenize(text).iter().map(|token| token.span.of(text)).collect();
    assert_eq!(again, text, "the lexer loses nothing");
    let _ = RowFilter::parse(text);
    let Ok(statement) = Statement::parse(text) else { return };
    assert!(statement.body_span().end <= text.len());
    for author in [Author::Project, Author::Caller] {
        let rules = Rules { gate: Gate { author, purpose: Purpose::Read }, max_chain: 8, max_bytes: 1 << 20 };
        if let Ok(composed) = compose(text, &(), &mut Names, rules) {
            let second = match Statement::parse(&composed.sql) {
                Err(SqlError { situation: Situation::NestedTooDeep { .. }, .. }) => continue,
                second => second.expect("what is composed is a statement"),
            };
            for table in second.tables() {
                let database = table.name.database.as_deref();
                assert_eq!(database, Some(DATABASE), "{text:?} became {:?}", composed.sql);
            }
        }
    }
});
