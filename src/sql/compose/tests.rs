//! Compositions over a small world of tables, nodes and pipes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::sql::gate::Purpose;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sql/compose");

/// Names are read as the catalog reads them: node of the pipe, table, pipe.
#[derive(Default)]
struct World {
    tables: BTreeMap<String, Option<RowFilter>>,
    nodes: BTreeMap<(String, String), String>,
    pipes: BTreeMap<String, String>,
}

impl World {
    fn node(&self, pipe: &str, node: &str) -> Option<Query<String>> {
        let sql = self.nodes.get(&(pipe.to_owned(), node.to_owned()))?;
        Some(Query { identity: format!("{pipe}.{node}"), sql: sql.clone(), scope: pipe.to_owned() })
    }
}

impl Resolver for World {
    type Scope = String;

    fn resolve(&mut self, scope: &String, name: &TableName) -> Resolution<String> {
        if let (None, Some(query)) = (&name.database, self.node(scope, &name.table)) {
            return Resolution::Query(query);
        }
        let full = name.to_string();
        if let Some(filter) = self.tables.get(&full) {
            let name = PhysicalName { database: "db".into(), table: format!("t_{full}") };
            return Resolution::Table(Table { name, filter: filter.clone() });
        }
        let endpoint = self.pipes.get(&full).and_then(|node| self.node(&full, node));
        endpoint.map_or(Resolution::Unknown, Resolution::Query)
    }
}

fn rules(author: Author) -> Rules {
    Rules { gate: Gate { author, purpose: Purpose::Read }, max_chain: 16, max_bytes: 100_000 }
}

/// A fixture: lines of the world, then what is asked, after `ask`.
fn read_case(case: &str) -> (World, String, &str) {
    let (world_text, question) = case.split_once("ask ").expect("a line with ask");
    let mut world = World::default();
    for line in world_text.lines() {
        let (kind, rest) = line.split_once(' ').unwrap();
        let (name, text) = rest.split_once(' ').unwrap_or((rest, ""));
        match kind {
            "table" => {
                let filter = (!text.is_empty()).then(|| RowFilter::parse(text).unwrap());
                world.tables.insert(name.into(), filter);
            }
            "node" => {
                let (pipe, node) = name.split_once('.').unwrap();
                world.nodes.insert((pipe.into(), node.into()), text.into());
            }
            "pipe" => {
                world.pipes.insert(name.into(), text.into());
            }
            _ => panic!("{line}"),
        }
    }
    match question.strip_prefix("p ") {
        Some(question) => (world, "p".into(), question),
        None => (world, String::new(), question),
    }
}

/// The text in which an error lies.
fn text_of<'a>(world: &'a World, path: &[String], question: &'a str) -> &'a str {
    path.last().map_or(question, |identity| {
        let (pipe, node) = identity.split_once('.').unwrap();
        &world.nodes[&(pipe.to_owned(), node.to_owned())]
    })
}

fn report(case: &str) -> String {
    let (mut world, scope, question) = read_case(case);
    match compose(question, &scope, &mut world, rules(Author::Caller)) {
        Ok(composed) => composed.sql,
        Err(error) => {
            let place = error.error.span.of(text_of(&world, &error.path, question));
            format!("error [{}] {error} @ {place}", error.path.join(" "))
        }
    }
}

#[test]
fn every_fixture_composes_to_what_it_says() {
    let mut failures = String::new();
    let mut cases = 0;
    for file in std::fs::read_dir(FIXTURES).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        for case in text.split("=== ").filter(|case| !case.trim().is_empty()) {
            let (title, case) = case.split_once('\n').unwrap();
            let (input, expected) = case.split_once("\n---\n").unwrap_or_else(|| panic!("{title}: no ---"));
            let found = report(input);
            if found.trim_end() != expected.trim_end() {
                writeln!(failures, "{}: {title}\n{input}\n-- found\n{found}\n", path.display()).unwrap();
            }
            cases += 1;
        }
    }
    assert!(cases > 30, "only {cases} fixtures found");
    assert!(failures.is_empty(), "{failures}");
}

/// A pipe whose nodes read each other in a row, each one `times` times.
fn chain(length: usize, times: usize) -> World {
    let mut world = World::default();
    world.tables.insert("n0".into(), None);
    for index in 1..=length {
        let from = vec![format!("n{}", index - 1); times].join(", ");
        world.nodes.insert(("p".into(), format!("n{index}")), format!("SELECT {index} FROM {from}"));
    }
    world
}

fn ask(world: &mut World, question: &str) -> Result<Composed, ComposeError> {
    compose(question, &"p".to_owned(), world, rules(Author::Project))
}

#[test]
fn chains_have_a_limit() {
    assert!(ask(&mut chain(16, 1), "SELECT * FROM n16").is_ok());
    let error = ask(&mut chain(17, 1), "SELECT * FROM n17").unwrap_err();
    assert!(matches!(error.error.situation, Situation::ChainTooLong { limit: 16, .. }), "{error}");
    assert!(
        error.to_string().starts_with("the chain of resources is longer than 16: p.n17 → p.n16 → "),
        "{error}"
    );
}

#[test]
fn texts_that_double_at_every_step_have_a_limit() {
    assert!(ask(&mut chain(10, 2), "SELECT * FROM n10").is_ok());
    let error = ask(&mut chain(16, 2), "SELECT * FROM n16").unwrap_err();
    assert_eq!(error.error.situation, Situation::ComposedTooLarge { limit: 100_000 });
}

#[test]
fn a_composition_says_what_it_reads_and_in_which_format() {
    let mut world = chain(2, 2);
    world.tables.insert("other".into(), None);
    let composed = ask(&mut world, "SELECT * FROM n2, other FORMAT CSV").unwrap();
    let names: Vec<_> = composed.tables.iter().map(|name| name.table.as_str()).collect();
    assert_eq!(names, ["t_n0", "t_other"]);
    assert_eq!(composed.format.unwrap().name, "CSV");
}

/// Ways to read a name, with room for common table expressions that try to catch it.
fn reading(name: &str, style: usize) -> String {
    match style % 9 {
        0 => format!("SELECT * FROM {name}"),
        1 => format!("SELECT 1 WHERE 1 IN ({name})"),
        2 => format!("WITH {name} AS (SELECT * FROM {name}) SELECT * FROM {name}"),
        3 => format!("WITH n1 AS (SELECT 1), n2 AS (SELECT * FROM {name}) SELECT * FROM n2"),
        4 => format!("SELECT * FROM (SELECT 1 FROM {name} AS n1) AS n2 JOIN {name} ON 1"),
        5 => format!("SELECT 1 UNION ALL SELECT (SELECT 1 FROM {name}) -- {name}"),
        6 => format!("SELECT [1] AS n1, 1 IN n1 FROM {name} WHERE x IN (SELECT 1 FROM {name});"),
        7 => format!("SELECT 1 FROM {name}`n1` JOIN {name}\"n2\" ON 1"),
        _ => format!("FROM {name} SELECT 1 SETTINGS max_threads = 1"),
    }
}

proptest! {
    #[test]
    fn no_name_of_a_random_world_reaches_the_engine(
        nodes in prop::collection::vec((0_usize..2, 0_usize..6, 0_usize..6, 0_usize..9), 1..12),
        style in 0_usize..9,
    ) {
        let mut world = World::default();
        world.tables.insert("n0".into(), None);
        world.tables.insert("n5".into(), RowFilter::parse("tenant = 1").ok());
        world.pipes.insert("n4".into(), "n1".into());
        for (pipe, node, read, style) in nodes {
            let pipe = ["p", "n4"][pipe];
            world.nodes.insert((pipe.into(), format!("n{node}")), reading(&format!("n{read}"), style));
        }
        if let Ok(composed) = ask(&mut world, &reading("n1", style)) {
            let again = Statement::parse(&composed.sql).unwrap();
            for table in again.tables() {
                prop_assert_eq!(table.name.database.as_deref(), Some("db"), "{}", composed.sql);
            }
            let names: BTreeSet<_> = again.tables().iter().map(|table| table.name.table.clone()).collect();
            let told: BTreeSet<_> = composed.tables.iter().map(|name| name.table.clone()).collect();
            prop_assert_eq!(names, told);
        }
    }
}
