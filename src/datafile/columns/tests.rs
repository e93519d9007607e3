use proptest::prelude::*;

use super::*;
use crate::schema::ddl;
use crate::syntax::Sources;

/// The columns as DDL with their paths, and the problems with what they point at.
fn columns_with(text: &str, strictness: Strictness) -> Vec<String> {
    let mut problems = Problems::new(Sources::new().add("x", text), strictness);
    let columns = read(&MappedText::of_file(text), &mut problems);
    let shown = columns.iter().map(|column| {
        let path = column.json_path.as_ref().map_or_else(String::new, |path| format!(" <{path}>"));
        format!("{}{path}", ddl::column(column))
    });
    let problems = problems.into_diagnostics();
    let problems =
        problems.iter().map(|problem| format!("{} @{}", problem.message, problem.primary.span.of(text)));
    shown.chain(problems).collect()
}

fn columns(text: &str) -> Vec<String> {
    columns_with(text, Strictness::Tolerant)
}

#[test]
fn columns_are_separated_by_commas_and_newlines_are_blanks() {
    assert_eq!(
        columns(
            "`a` Int32 `json:$.a`,\nb\n LowCardinality( String )\n,2c DateTime64(3) -- note, with comma\n, d.e Map(String, Int8),"
        ),
        ["`a` Int32 <$.a>", "`b` LowCardinality(String)", "`2c` DateTime64(3)", "`d.e` Map(String, Int8)",]
    );
}

#[test]
fn the_json_path_may_stand_anywhere_behind_the_type() {
    assert_eq!(columns("a String `json:$.a` DEFAULT 'x'"), ["`a` String DEFAULT 'x' <$.a>"]);
    assert_eq!(
        columns("a String DEFAULT 'x' CODEC(ZSTD(1)) `JSON:$.a.b`"),
        ["`a` String DEFAULT 'x' CODEC(ZSTD(1)) <$.a.b>"]
    );
    assert_eq!(columns("a String `json:$.a` `json:$.b`"), ["`a` String <$.b>"]);
    assert_eq!(columns("a String `json:`"), ["`a` String"]);
    assert_eq!(columns("a String `json:$.a--b` -- note"), ["`a` String <$.a--b>"]);
}

#[test]
fn defaults_are_kept_as_written() {
    assert_eq!(columns("a default now()"), ["`a` DEFAULT now()"]);
    assert_eq!(
        columns("a Array(String) DEFAULT ['a','b'], b Int8"),
        ["`a` Array(String) DEFAULT ['a','b']", "`b` Int8"]
    );
    assert_eq!(columns("a String DEFAULT 'x -- y, ''z'"), ["`a` String DEFAULT 'x -- y, ''z'"]);
    assert_eq!(columns("a Nullable(String) DEFAULT null"), ["`a` Nullable(String)"]);
    assert_eq!(columns("a Bool DEFAULT b IS NOT NULL"), ["`a` Bool DEFAULT b IS NOT NULL"]);
    assert_eq!(columns("a Int8 DEFAULT ttl + 1"), ["`a` Int8 DEFAULT ttl + 1"]);
}

#[test]
fn clauses_that_tinybird_has_not_are_refused_at_their_place() {
    assert_eq!(
        columns("a Date MATERIALIZED now()"),
        ["MATERIALIZED columns are not supported @MATERIALIZED"]
    );
    assert_eq!(columns("a alias now()"), ["ALIAS columns are not supported @alias"]);
    assert_eq!(columns("a Date DEFAULT now() TTL a + 1"), ["column TTL is not supported @TTL"]);
    assert_eq!(columns("a Int8 NULL"), ["NULL column syntax not supported @NULL"]);
    assert_eq!(columns("a Int8 NOT NULL"), ["NOT NULL column syntax not supported @NOT"]);
    assert_eq!(columns("INDEX i a TYPE minmax"), ["Forbidden INDEX definition @INDEX"]);
    assert_eq!(columns("index UInt8"), ["`index` UInt8"]);
}

#[test]
fn names_are_checked() {
    assert_eq!(
        columns("a Int8,, b Int8"),
        ["`a` Int8", "`b` Int8", "Column name contains invalid character ',' @,"]
    );
    assert_eq!(columns("a:b Int8"), ["Column name contains invalid character ':' @:"]);
    assert_eq!(columns("`a b` Int8"), ["Expected closing backtick @`"]);
    assert_eq!(columns("a Int8, a String"), ["`a` Int8", "`a` String", "column `a` is declared twice @a"]);
}

#[test]
fn incomplete_columns_say_what_is_missing() {
    assert_eq!(columns("a"), ["Column name and either type or DEFAULT are required @a"]);
    assert_eq!(columns("a Int8 DEFAULT"), ["Missing mandatory value for DEFAULT @DEFAULT"]);
    assert_eq!(columns("a Int8 CODEC"), ["Missing mandatory value for CODEC @CODEC"]);
    assert_eq!(columns("a Int8 CODEC(ZSTD) DEFAULT 1"), ["Unexpected DEFAULT after CODEC @DEFAULT"]);
    assert_eq!(columns("a Array(Int8, b String"), ["`b` String", "Expected closing ) @("]);
    assert_eq!(
        columns("a Int8\nb Int8"),
        ["Error parsing type: Syntax error: found `b`. Expected the end of the type @b"]
    );
    assert_eq!(
        columns("a Int8 `json:$.a`\nb Int8"),
        ["Error parsing type: Syntax error: found b. Expected a comma @b"]
    );
    assert_eq!(
        columns("a Int8\nENGIN MergeTree"),
        ["Error parsing type: Syntax error: found `ENGIN`. Expected the end of the type @ENGIN"]
    );
}

#[test]
fn paths_are_checked_against_the_type() {
    assert_eq!(columns("a Array(String) `json:$.a[:]`"), ["`a` Array(String) <$.a[:]>"]);
    assert_eq!(
        columns("a String `json:$.a[:]`"),
        ["`$.a[:]` takes all elements of an array, so the column must be an Array(...) @$.a[:]"]
    );
    assert_eq!(columns("a String `json:a`"), ["a JSON path begins with `$`, as in `$.user.id` @a"]);
}

#[test]
fn the_strict_level_cuts_lists_at_their_commas() {
    let strict = columns_with("a Array(String) DEFAULT ['a','b']", Strictness::Strict);
    assert_eq!(strict, ["`a` Array(String) DEFAULT ['a'", "Column name contains invalid character ']' @]"]);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "((a|`b`|Int8|Array\\(|\\)|DEFAULT|CODEC|`json:\\$.a`|'|,|--|ñ|\n|`|NULL|\\[)[ ,]?){0,14}") {
        columns(&text);
        columns_with(&text, Strictness::Strict);
    }
}
