//! Statements that nobody thought of: a grammar with hostile words, and crosses of known attempts.

use std::collections::BTreeSet;

use roost::sql::Statement;
use roost::sql::lexer::tokenize;
use roost::sql::scan::TableName;

use super::bypass::attempts;
use super::world::{CANARY, Outcome};
use super::{Dice, World, effort, seed, tell};

/// Statements of an ordinary run; `make torture` multiplies them to a million.
const STATEMENTS: u64 = 20_000;
/// Statements of an ordinary run that reach the engine.
const EXECUTED: u64 = 600;

/// What the composed text may read.
const IN_REACH: [&str; 3] = ["open_rows", "open_rows_quarantine", "filtered_rows"];

const TABLES: &[&str] = &[
    "open_rows",
    "open_rows",
    "open_rows",
    "filtered_rows",
    "filtered_rows",
    "secret_rows",
    "open_pipe",
    "filtered_pipe",
    "secret_pipe",
    "`open_rows`",
    "{vault}.canary",
    "{db}.secret_rows",
    "system.tables",
    "numbers(3)",
    "file('{file}', 'LineAsString')",
    "view(SELECT * FROM secret_rows)",
    "loop(open_rows)",
    "merge('{vault}', '.*')",
    "values('v String', 'a')",
    "filtered_rows_quarantine",
    "secret_rows_quarantine",
];
const COLUMNS: &[&str] =
    &["id", "v", "tenant", "tags", "*", "1", "'x'", "t.v", "a", "b", "secret_rows", "count()", "tags[1]"];
const FUNCTIONS: &[&str] = &[
    "length",
    "toString",
    "max",
    "groupArray",
    "any",
    "file",
    "hostName",
    "upper",
    "arrayJoin",
    "toTypeName",
    "throwIf",
    "materialize",
    "getSetting",
    "joinGet",
    "ignore",
    "isNull",
    "hex",
    "toUInt8OrZero",
    "identity",
];
const ALIASES: &[&str] = &["a", "b", "t", "open_rows", "secret_rows", "tenant", "v", "numbers", "file"];
const JOINS: &[&str] =
    &[", ", " JOIN ", " LEFT JOIN ", " ANY JOIN ", " CROSS JOIN ", " GLOBAL JOIN ", " ASOF JOIN "];
const BLANKS: &[&str] = &[" ", "\n", "/* x */", " -- x\n", "\t", " # x\n", " /* /* */ */ "];

/// Writes statements down a grammar, less and less deep.
struct Writer<'d> {
    dice: &'d mut Dice,
}

impl Writer<'_> {
    fn pick(&mut self, from: &[&str]) -> String {
        self.dice.pick(from).to_owned()
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.dice.roll(100) < percent
    }

    fn query(&mut self, depth: usize) -> String {
        let with = if depth > 0 && self.chance(25) { self.with(depth) } else { String::new() };
        let list: Vec<String> = (0..=self.dice.roll(3)).map(|_| self.element(depth)).collect();
        let (blank, list) = (self.pick(BLANKS), list.join(", "));
        let mut text = format!("{with}SELECT{blank}{list}");
        if self.chance(90) {
            let source = self.source(depth);
            text = format!("{text} FROM{blank}{source}");
            self.clauses(depth, &mut text);
        }
        if depth > 0 && self.chance(12) {
            let joined = self.pick(&[" UNION ALL ", " EXCEPT ", " INTERSECT ", " UNION DISTINCT "]);
            text.push_str(&(joined + &self.query(depth - 1)));
        }
        text
    }

    fn with(&mut self, depth: usize) -> String {
        let name = self.pick(ALIASES);
        let inside = if self.chance(70) { self.query(depth - 1) } else { self.expression(depth - 1) };
        match self.dice.roll(3) {
            0 => format!("WITH ({inside}) AS {name} "),
            1 => format!("WITH {name} AS ({inside}) "),
            _ => format!("WITH RECURSIVE {name} AS ({inside}) "),
        }
    }

    fn clauses(&mut self, depth: usize, text: &mut String) {
        for (chance, clause) in [
            (15, " PREWHERE "),
            (35, " WHERE "),
            (15, " GROUP BY "),
            (8, " HAVING "),
            (8, " QUALIFY "),
            (15, " ORDER BY "),
        ] {
            if self.chance(chance) {
                text.push_str(&(clause.to_owned() + &self.expression(depth)));
            }
        }
        if self.chance(20) {
            text.push_str(" LIMIT 5");
        }
        if self.chance(4) {
            text.push_str(" SETTINGS readonly = 0");
        }
        if self.chance(3) {
            text.push_str(" FORMAT JSON");
        }
    }

    fn source(&mut self, depth: usize) -> String {
        let mut text = self.table(depth);
        while self.chance(25) {
            let (join, table) = (self.pick(JOINS), self.table(depth));
            text.push_str(&(join.clone() + &table));
            if join != ", " && !join.contains("CROSS") {
                text.push_str(&self.pick(&[" USING id", " USING (id)", " ON 1 = 1", " ON a.id = b.id"]));
            }
        }
        text
    }

    fn table(&mut self, depth: usize) -> String {
        let table = match self.dice.roll(10) {
            0 | 1 if depth > 0 => format!("({})", self.query(depth - 1)),
            2 if depth > 0 => format!("({})", self.source(depth - 1)),
            3 => self.pick(ALIASES),
            _ => self.pick(TABLES),
        };
        let alias = if self.chance(40) { format!(" AS {}", self.pick(ALIASES)) } else { String::new() };
        let modifier = if self.chance(5) { " FINAL" } else { "" };
        format!("{table}{alias}{modifier}")
    }

    fn element(&mut self, depth: usize) -> String {
        let expression = self.expression(depth);
        match self.dice.roll(12) {
            0..=3 => format!("{expression} AS {}", self.pick(ALIASES)),
            4 => format!("* APPLY({})", self.pick(FUNCTIONS)),
            5 => format!("* EXCEPT ({})", self.pick(COLUMNS)),
            6 => format!("* REPLACE ({expression} AS {})", self.pick(COLUMNS)),
            _ => expression,
        }
    }

    fn expression(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.pick(COLUMNS);
        }
        match self.dice.roll(12) {
            0 => format!("({})", self.query(depth - 1)),
            1 => format!("{} IN {}", self.pick(COLUMNS), self.pick(TABLES)),
            2 => format!("{} IN ({})", self.pick(COLUMNS), self.query(depth - 1)),
            3 => format!("EXISTS({})", self.query(depth - 1)),
            4 => format!("{}({})", self.pick(FUNCTIONS), self.expression(depth - 1)),
            5 => format!("arrayMap(x -> {}, [1])", self.expression(depth - 1)),
            6 => format!("{} = {}", self.expression(depth - 1), self.expression(depth - 1)),
            7 => format!("if(1, {}, {})", self.expression(depth - 1), self.expression(depth - 1)),
            8 => format!("joinGet('{}', 'v', 1)", self.pick(&["secret_rows", "open_rows", "{vault}.canary"])),
            _ => self.pick(COLUMNS),
        }
    }
}

/// Two known attempts, cut between tokens and put together crosswise.
fn cross(dice: &mut Dice, corpus: &[(&str, String)]) -> String {
    let mut half = |is_front: bool| {
        let text = &corpus[dice.roll(corpus.len())].1;
        let tokens = tokenize(text);
        let cut = tokens.get(dice.roll(tokens.len().max(1))).map_or(0, |token| token.span.start);
        if is_front { text[..cut].to_owned() } else { text[cut..].to_owned() }
    };
    half(true) + &half(false)
}

fn statement(dice: &mut Dice, corpus: &[(&str, String)]) -> String {
    if dice.roll(3) == 0 {
        return cross(dice, corpus);
    }
    let depth = dice.roll(4);
    Writer { dice }.query(depth)
}

/// Tables of the composed text that the caller may not read, as the scanner finds them.
fn out_of_reach(composed: &str) -> BTreeSet<TableName> {
    let statement = Statement::parse(composed).expect("what is composed is a statement");
    let is_in_reach = |name: &TableName| match name.database.as_deref() {
        Some("w_gate") => IN_REACH.contains(&name.table.as_str()),
        Some("system") => ["functions", "numbers", "numbers_mt", "one"].contains(&name.table.as_str()),
        _ => false,
    };
    let tables = statement.tables().iter().map(|table| table.name.clone());
    tables.filter(|name| !is_in_reach(name)).collect()
}

/// Those of them that are really read.
///
/// The scanner takes a bare name on the right of IN for a table wherever an alias might lead back to it,
/// and in the composed text a row filter mentions names of its own: `tenant` of the filter, say, where
/// the caller has an alias `tenant` that holds the IN. So bare names are put to the engine, with
/// the database where they would be found.
async fn really_read(world: &World, composed: &str) -> BTreeSet<TableName> {
    let (bare, mut read): (BTreeSet<_>, BTreeSet<_>) =
        out_of_reach(composed).into_iter().partition(|name| name.database.is_none());
    if !bare.is_empty() {
        // What fails reads nothing.
        let tree = world.unguarded(&format!("EXPLAIN QUERY TREE {composed}")).await;
        let tree = if let Outcome::Answered(tree) = tree { tree } else { String::new() };
        read.extend(bare.into_iter().filter(|name| tree.contains(&format!("w_gate.{}", name.table))));
    }
    read
}

#[tokio::test]
async fn an_alias_that_a_row_filter_seems_to_lead_back_to_stays_a_value() {
    let world = World::new().await;
    let text =
        "WITH (SELECT v FROM filtered_rows LIMIT 1) AS secret_rows SELECT 'x' IN secret_rows AS tenant";
    let composed = world.compose(text).unwrap();
    assert_eq!(out_of_reach(&composed).len(), 1, "the scanner is careful");
    assert!(really_read(&world, &composed).await.is_empty());
    let read = "SELECT (1, 1, 'x', ['y']) IN secret_rows";
    assert_eq!(really_read(&world, read).await.len(), 1, "the engine shows what it reads");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_of_the_grammar_reads_what_is_out_of_reach() {
    let world = World::new().await;
    let mut dice = Dice::new(seed());
    let corpus = attempts();
    let (statements, mut executed, mut passed) = (STATEMENTS * effort(), 0, 0);
    for _ in 0..statements {
        let text = world.named(&statement(&mut dice, &corpus));
        let Ok(composed) = world.compose(&text) else { continue };
        passed += 1;
        let beyond = really_read(&world, &composed).await;
        assert!(beyond.is_empty(), "{text}\nbecame {composed}\nwhich reads {beyond:?}");
        if executed < EXECUTED * effort() {
            executed += 1;
            let outcome = world.attempt(&text).await;
            assert!(!outcome.text().contains(CANARY), "{text}\nshows {}", outcome.text());
            assert!(!matches!(outcome, Outcome::Refused(_)));
        }
    }
    tell(format_args!("{statements} statements, {passed} passed the gate, {executed} were executed"));
    assert_eq!(world.connections(), 0);
    assert!(passed > statements / 100, "too little passes to say anything");
}
