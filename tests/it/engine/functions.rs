//! The functions of the engine and the lists of the gate: nothing new passes unseen, and nothing is
//! listed that is not there.

use std::collections::BTreeSet;

use roost::sql::gate::functions::{self, Verdict};
use roost::sql::gate::{table_functions, varying};

use super::text;
use crate::harness::shared_engine;

/// One column of one of the engine's tables.
async fn names(sql: &str) -> BTreeSet<String> {
    let lines = text(&shared_engine(), sql, "TSVRaw").await;
    lines.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn every_function_of_the_engine_has_been_looked_at() {
    let known = names("SELECT DISTINCT lower(name) FROM system.functions").await;
    assert!(known.len() > 1_500);
    let is_new = |name: &&String| functions::verdict(name) == Verdict::Unknown;
    let newcomers: Vec<&String> = known.iter().filter(is_new).collect();
    assert!(
        newcomers.is_empty(),
        "read what they do and put each into src/sql/gate/functions.txt or refused_functions.txt: {newcomers:?}"
    );
    let gone: Vec<&str> = functions::listed().filter(|name| !known.contains(*name)).collect();
    assert!(gone.is_empty(), "listed, but the engine has no such functions: {gone:?}");
}

#[tokio::test]
async fn every_table_function_of_the_engine_has_been_looked_at() {
    let known = names("SELECT name FROM system.table_functions").await;
    let newcomers: Vec<&String> = known.iter().filter(|name| !table_functions::is_known(name)).collect();
    assert!(newcomers.is_empty(), "put them into src/sql/gate/refused_table_functions.txt: {newcomers:?}");
    let gone: Vec<&str> = table_functions::refused().filter(|name| !known.contains(*name)).collect();
    assert!(gone.is_empty(), "listed, but the engine has no such table functions: {gone:?}");
}

#[tokio::test]
async fn every_combinator_of_aggregate_functions_is_taken_off() {
    for combinator in names("SELECT name FROM system.aggregate_function_combinators").await {
        assert_eq!(functions::verdict(&format!("sum{combinator}")), Verdict::Allowed, "{combinator}");
    }
}

#[tokio::test]
async fn every_function_that_varies_is_known_to() {
    let varying = names("SELECT DISTINCT lower(name) FROM system.functions WHERE NOT deterministic").await;
    let is_callable = |name: &&String| functions::verdict(name) == Verdict::Allowed;
    let listed: BTreeSet<String> = varying::listed().chain(varying::STEADY).map(str::to_owned).collect();
    let callable: BTreeSet<String> = varying.iter().filter(is_callable).cloned().collect();
    assert_eq!(listed, callable, "read what they do and put each into varying_functions.txt or STEADY");
}
