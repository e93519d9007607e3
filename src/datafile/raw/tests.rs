use proptest::prelude::*;

use super::*;
use crate::syntax::{Sources, render};

/// The directives as text, one per line, and then the problems.
fn directives(kind: Kind, text: &str) -> String {
    let mut sources = Sources::new();
    let source = sources.add("x", text);
    let mut problems = Problems::new(source, Strictness::Tolerant);
    let raw = read(kind, &MappedText::of_file(text), &mut problems);
    let line = |raw: &RawDirective| match &raw.value {
        RawValue::Inline(words) => {
            format!("{} {:?}", raw.rule.name, words.iter().map(MappedText::as_str).collect::<Vec<_>>())
        }
        RawValue::Block(body) => format!("{} > {:?}", raw.rule.name, body.as_str()),
    };
    let problems = problems.into_diagnostics();
    let problems = problems.iter().map(|problem| render::plain(&sources, problem));
    raw.directives.iter().map(line).chain(problems).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_block_ends_only_where_a_directive_begins_a_line() {
    let text = "NODE n\nSQL >\n  SELECT 1\n\n# gone\n  TYPE endpoint\nFROM a # kept\nTYPE endpoint\n";
    insta::assert_snapshot!(directives(Kind::Pipe, text), @r#"
    NODE ["n"]
    SQL > "  SELECT 1\n  TYPE endpoint\nFROM a # kept\n"
    TYPE ["endpoint"]
    "#);
}

#[test]
fn all_line_ends_are_line_ends() {
    let text = "NODE n\r\nSQL >\rSELECT 1\r\n\r\nFROM a\nTYPE endpoint";
    insta::assert_snapshot!(directives(Kind::Pipe, text), @r#"
    NODE ["n"]
    SQL > "SELECT 1\nFROM a\n"
    TYPE ["endpoint"]
    "#);
}

#[test]
fn a_column_that_is_called_like_a_directive_ends_the_sql() {
    insta::assert_snapshot!(directives(Kind::Pipe, "NODE n\nSQL >\nSELECT\ntype as t\nFROM a\n"), @r#"
    NODE ["n"]
    SQL > "SELECT\n"
    TYPE ["as", "t"]
    warning[directive-ends-block]: `type` at the start of a line is a directive and ends the block above
     --> x:4:1
      |
    4 | type as t
      | ^^^^
      |
    help: indent the line if it belongs to the block
    error[unknown-directive]: `FROM` is not a valid option in pipe files.
     --> x:5:1
      |
    5 | FROM a
      | ^^^^
    "#);
}

#[test]
fn directives_may_be_indented_where_no_block_is_open() {
    assert_eq!(directives(Kind::Datasource, "   engine MergeTree\n"), r#"ENGINE ["MergeTree"]"#);
}

#[test]
fn values_keep_their_quotes_and_lose_their_comments() {
    assert_eq!(
        directives(Kind::Datasource, "TOKEN \"read api token\" READ # who reads\n"),
        r#"TOKEN ["\"read api token\"", "READ"]"#
    );
}

#[test]
fn an_opener_without_its_blank_still_opens_the_block() {
    insta::assert_snapshot!(directives(Kind::Pipe, "NODE n\nSQL>\nSELECT 1\nFROM a\nTYP endpoint\n"), @r#"
    NODE ["n"]
    SQL > "SELECT 1\nFROM a\nTYP endpoint\n"
    error[unknown-directive]: `SQL>` is not a valid option in pipe files.
     --> x:2:1
      |
    2 | SQL>
      | ^^^^
      |
    help: a block begins with a blank and `>`: SQL >
    "#);
}

#[test]
fn unknown_names_are_reported_once_for_a_run_of_lines() {
    insta::assert_snapshot!(directives(Kind::Pipe, "SELECT 1\nFROM a\nTYP endpoint\nMAX_THREADS 1\nNODE n\n"), @r#"
    NODE ["n"]
    error[unknown-directive]: `SELECT` is not a valid option in pipe files.
     --> x:1:1
      |
    1 | SELECT 1
      | ^^^^^^
    error[unknown-directive]: `TYP` is not a valid option in pipe files.
     --> x:3:1
      |
    3 | TYP endpoint
      | ^^^
      |
    help: did you mean TYPE?
    error[unknown-directive]: `MAX_THREADS` is not a valid option in pipe files.
     --> x:4:1
      |
    4 | MAX_THREADS 1
      | ^^^^^^^^^^^
    "#);
}

#[test]
fn blocks_are_refused_and_required_by_directive() {
    insta::assert_snapshot!(directives(Kind::Pipe, "NODE n\nSQL SELECT 1\nTYPE >\n  endpoint\n"), @r#"
    NODE ["n"]
    SQL > " SELECT 1\n"
    warning[block-required]: SQL must be multiline
     --> x:2:1
      |
    2 | SQL SELECT 1
      | ^^^
      |
    help: Use > to start a multiline SQL block
    error[no-block]: `TYPE` does not support multiline arguments
     --> x:3:1
      |
    3 | TYPE >
      | ^^^^
    "#);
}

#[test]
fn two_directives_on_a_line_are_told_apart() {
    insta::assert_snapshot!(directives(Kind::Datasource, "SCHEMA > a String ENGINE MergeTree\n"), @"
    error[directive-inside-line]: each directive starts a line, and ENGINE stands behind SCHEMA
     --> x:1:19
      |
    1 | SCHEMA > a String ENGINE MergeTree
      |                   ^^^^^^
      |
    help: put ENGINE on a line of its own
    ");
    insta::assert_snapshot!(directives(Kind::Pipe, "NODE x SQL > SELECT 1 TYPE endpoint"), @"
    error[directive-inside-line]: each directive starts a line, and SQL stands behind NODE
     --> x:1:8
      |
    1 | NODE x SQL > SELECT 1 TYPE endpoint
      |        ^^^
      |
    help: put SQL on a line of its own
    ");
    insta::assert_snapshot!(directives(Kind::Datasource, "TOKEN t READ SCHEMA >\n a String"), @"
    error[directive-inside-line]: each directive starts a line, and SCHEMA stands behind TOKEN
     --> x:1:14
      |
    1 | TOKEN t READ SCHEMA >
      |              ^^^^^^
      |
    help: put SCHEMA on a line of its own
    ");
    insta::assert_snapshot!(directives(Kind::Datasource, "ENGINE MergeTree ENGINE_SORTING_KEY a"), @"
    error[directive-inside-line]: each directive starts a line, and ENGINE_SORTING_KEY stands behind ENGINE
     --> x:1:18
      |
    1 | ENGINE MergeTree ENGINE_SORTING_KEY a
      |                  ^^^^^^^^^^^^^^^^^^
      |
    help: put ENGINE_SORTING_KEY on a line of its own
    ");
    assert_eq!(
        directives(Kind::Pipe, "DESCRIPTION the TYPE of a NODE and its COPY_MODE\n"),
        r#"DESCRIPTION ["the", "TYPE", "of", "a", "NODE", "and", "its", "COPY_MODE"]"#
    );
}

proptest! {
    #[test]
    fn no_text_makes_the_machine_panic(text in "((SQL|NODE|>|#|'|\"|ENGINE|TYPE|DESCRIPTION|a|ñ|\\{\\{)[ \n\r\t]{0,2}){0,20}") {
        for kind in [Kind::Datasource, Kind::Pipe, Kind::Connection] {
            directives(kind, &text);
        }
    }
}
