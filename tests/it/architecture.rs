//! The plan of the house, held against the code: which room may use which, and what no file holds.
//!
//! Reads every `.rs` file below `src`. Comments and the insides of text literals are taken out
//! first; then every path that starts with `crate::` or climbs with `super::` counts as an arrow,
//! in `use` lines (groups too) and elsewhere, in unit tests as well as in the code they test.

mod arrows;
mod plan;
mod tokens;

use std::path::{Path, PathBuf};

use arrows::{Arrow, arrows};
use plan::Room;
use tokens::{Token, tokens};

/// The longest file, in lines.
const MAX_LINES: usize = 500;
/// The one file with `unsafe`.
const UNSAFE_FILE: &str = "src/engine/embedded/ffi.rs";

struct Source {
    /// The path from the top of the repository.
    path: String,
    text: String,
}

/// All Rust files below some directories of the repository.
fn sources(directories: &[&str]) -> Vec<Source> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut waiting: Vec<PathBuf> = directories.iter().map(|directory| top.join(directory)).collect();
    let mut found = Vec::new();
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(top).unwrap().to_str().unwrap().to_owned();
                found.push(Source { path: name, text: std::fs::read_to_string(path).unwrap() });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The module of a file below `src`, as path segments; none for the crate's root.
fn module(path: &str) -> Vec<String> {
    let inner = path.strip_prefix("src/").unwrap().strip_suffix(".rs").unwrap();
    match inner {
        "lib" | "main" => Vec::new(),
        inner => inner.split('/').map(str::to_owned).collect(),
    }
}

/// What is wrong with the arrows of one file.
fn complaints(path: &str, text: &str) -> Vec<String> {
    let module = module(path);
    let Some(room) = module.first() else { return Vec::new() };
    let Some(room) = Room::named(room) else {
        return vec![format!("{path}: the plan of the house has no room `{room}`")];
    };
    let wrong = |arrow: &Arrow| {
        let target = arrow.path.join("::");
        (!room.may_use(&arrow.path))
            .then(|| format!("{path}:{}: `{}` may not use `{target}`", arrow.line, room.name))
    };
    arrows(&module, &tokens(text)).iter().filter_map(wrong).collect()
}

/// Places in a file where a sequence of tokens stands.
fn places(source: &Source, sequence: &[&str]) -> Vec<String> {
    let tokens: Vec<Token> = tokens(&source.text);
    let here =
        |window: &&[Token]| window.iter().map(|token| token.text.as_str()).eq(sequence.iter().copied());
    let place = |window: &[Token]| format!("{}:{}", source.path, window[0].line);
    tokens.windows(sequence.len()).filter(here).map(place).collect()
}

#[test]
fn every_arrow_is_in_the_plan() {
    let sources = sources(&["src"]);
    assert!(sources.iter().any(|source| source.path == "src/engine/client.rs"), "these are not our sources");
    let wrong: Vec<String> =
        sources.iter().flat_map(|source| complaints(&source.path, &source.text)).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn unsafe_code_is_in_one_file() {
    let found: Vec<String> =
        sources(&["src", "tests"]).iter().flat_map(|source| places(source, &["unsafe"])).collect();
    assert!(found.iter().any(|place| place.starts_with(UNSAFE_FILE)), "`unsafe` is not found any more");
    let elsewhere: Vec<&String> = found.iter().filter(|place| !place.starts_with(UNSAFE_FILE)).collect();
    assert_eq!(elsewhere, Vec::<&String>::new());
}

#[test]
fn no_file_is_too_long() {
    let long = |source: &Source| {
        let lines = source.text.lines().count();
        (lines > MAX_LINES).then(|| format!("{}: {lines} lines", source.path))
    };
    let found: Vec<String> = sources(&["src", "tests"]).iter().filter_map(long).collect();
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn nothing_is_left_for_later() {
    let unfinished: [&[&str]; 3] = [&["todo", "!"], &["unimplemented", "!"], &["#", "[", "ignore"]];
    let sources = sources(&["src", "tests"]);
    let found: Vec<String> = unfinished
        .iter()
        .flat_map(|sequence| sources.iter().flat_map(|source| places(source, sequence)))
        .collect();
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn a_wrong_arrow_is_found_wherever_it_hides() {
    for (line, text) in [
        (1, "use crate::engine::EngineClient;"),
        (2, "use crate::{\n    engine::{EngineClient, Query},\n    query::Call,\n};"),
        (1, "use crate::{query, engine as machine};"),
        (1, "fn f() -> crate::engine::EngineError { g() }"),
        (1, "use super::super::engine::EngineClient;"),
        (1, "mod tests { use super::super::super::engine::Query; }"),
        (3, "/* crate::nothing */\n// crate::nothing\nuse crate::engine;"),
        (1, "pub(crate) use ::std::fmt; use crate::engine::*;"),
    ] {
        let found = complaints("src/http/routes.rs", text);
        let expected = format!("src/http/routes.rs:{line}: `http` may not use `engine");
        assert!(!found.is_empty(), "{text}");
        assert!(found.iter().all(|complaint| complaint.starts_with(&expected)), "{text}: {found:?}");
    }
}

#[test]
fn arrows_of_the_plan_are_left_alone() {
    for (path, text) in [
        (
            "src/http/routes.rs",
            "use crate::query::Call; use crate::template::params::Parameter; use super::error;",
        ),
        (
            "src/http.rs",
            "mod tests { use super::*; use crate::http::Router; const S: &str = \"crate::engine\"; }",
        ),
        ("src/engine/client.rs", "use crate::schema::Type; use crate::config::Sandbox; // crate::http"),
        ("src/cli/serve.rs", "use crate::server; pub(crate) struct Serve; pub(in crate::cli) fn f() {}"),
        ("src/app.rs", "use crate::{http, engine, query};"),
        ("src/main.rs", "use crate::anything; fn main() { roost::cli::run() }"),
        ("src/sql/scan/tests.rs", "use super::super::gate; use crate::syntax::Span; 'a: loop { break 'a; }"),
    ] {
        assert_eq!(complaints(path, text), Vec::<String>::new());
    }
}

#[test]
fn a_room_that_is_not_in_the_plan_is_found() {
    assert_eq!(complaints("src/utils.rs", ""), ["src/utils.rs: the plan of the house has no room `utils`"]);
    let found = complaints("src/query.rs", "use crate::utils::trim;");
    assert_eq!(found, ["src/query.rs:1: `query` may not use `utils::trim`"]);
}

#[test]
fn a_room_uses_of_another_only_what_the_plan_says() {
    let found = complaints("src/http.rs", "use crate::template::parse;");
    assert_eq!(found, ["src/http.rs:1: `http` may not use `template::parse`"]);
    let pure = complaints("src/sql.rs", "use crate::clock::now;");
    assert_eq!(pure, ["src/sql.rs:1: `sql` may not use `clock::now`"]);
}
