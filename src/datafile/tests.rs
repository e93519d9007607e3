//! Every file below `tests/fixtures/datafile/files` is read at both levels; what becomes of it
//! stands in a snapshot of the same name.

use std::fmt::Write;
use std::path::Path;

use proptest::prelude::*;

use super::pipe::{NodeKind, Publication};
use super::*;
use crate::schema::ddl::{TableName, create_table};
use crate::syntax::{Sources, render};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/datafile");

fn options(strictness: Strictness) -> Options {
    let secrets = [("password", "s3cr3t"), ("empty", ""), ("topic", "orders")];
    Options { strictness, secrets: secrets.map(|(name, value)| (name.into(), value.into())).into() }
}

/// What becomes of a file: its definition or its problems, then what the strict level says.
fn outcome(path: &Path) -> String {
    let kind = Kind::from_extension(path.extension().unwrap().to_str().unwrap()).unwrap();
    let stem = path.file_stem().unwrap().to_str().unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    let mut sources = Sources::new();
    let source = sources.add(path.file_name().unwrap().to_str().unwrap(), &text);
    let parse = |strictness| parse(kind, stem, source, &text, &options(strictness));
    let tolerant = parse(Strictness::Tolerant);
    let mut outcome = String::new();
    for diagnostic in &tolerant.diagnostics {
        writeln!(outcome, "{}", render::plain(&sources, diagnostic)).unwrap();
    }
    match &tolerant.definition {
        Some(Datafile::Datasource(datasource)) => describe_datasource(&mut outcome, datasource),
        Some(Datafile::Pipe(pipe)) => describe_pipe(&mut outcome, pipe),
        Some(Datafile::Connection(connection)) => writeln!(outcome, "{connection:#?}").unwrap(),
        None => outcome.push_str("refused\n"),
    }
    let strict = parse(Strictness::Strict);
    let errors = strict.diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
    let errors: Vec<_> = errors.map(|error| format!("strict: {}", error.message)).collect();
    let same = errors.is_empty() == tolerant.definition.is_some();
    if !same {
        writeln!(outcome, "{}", errors.join("\n")).unwrap();
    }
    outcome
}

fn describe_datasource(out: &mut String, datasource: &DatasourceDefinition) {
    let DatasourceDefinition { name, table, ingestion, tokens, tags, .. } = datasource;
    writeln!(
        out,
        "{:?} {}",
        datasource.row_format(),
        create_table(&TableName::new("d", name.as_str()), table)
    )
    .unwrap();
    for column in &table.columns {
        if let Some(path) = &column.json_path {
            writeln!(out, "path: {} <- {path}", column.name).unwrap();
        }
    }
    for grant in tokens {
        writeln!(out, "token: {} {:?}", grant.token, grant.permission).unwrap();
    }
    if let Some(description) = &datasource.description {
        writeln!(out, "description: {description:?}").unwrap();
    }
    if *tags != Tags::default() {
        writeln!(out, "{tags:?}").unwrap();
    }
    if !datasource.shared_with.is_empty() {
        writeln!(out, "shared with: {:?}", datasource.shared_with).unwrap();
    }
    if let Some(query) = &datasource.forward_query {
        writeln!(out, "forward query: {:?}, {:?}", query.as_str(), datasource.backfill).unwrap();
    }
    if let Some(ingestion) = ingestion {
        writeln!(out, "{ingestion:?}").unwrap();
    }
    if let Some(name) = datasource.versioned_name() {
        writeln!(out, "also: {name}").unwrap();
    }
}

fn describe_pipe(out: &mut String, pipe: &PipeDefinition) {
    if let Some(description) = &pipe.description {
        writeln!(out, "description: {description:?}").unwrap();
    }
    for grant in &pipe.tokens {
        writeln!(out, "token: {} {:?}", grant.token, grant.permission).unwrap();
    }
    if pipe.tags != Tags::default() {
        writeln!(out, "{:?}", pipe.tags).unwrap();
    }
    for node in &pipe.nodes {
        let template = if node.sql.is_template() { " template" } else { "" };
        writeln!(out, "node {}{template}: {:?}", node.name, node.sql.as_str()).unwrap();
        if let Some(description) = &node.description {
            writeln!(out, "  description: {description:?}").unwrap();
        }
        if node.kind != NodeKind::Standard {
            writeln!(out, "  {:?}", node.kind).unwrap();
        }
    }
    let publication = match pipe.publication() {
        Publication::Endpoint(node) => format!("the endpoint {}", node.name),
        Publication::LastNode(node) => format!("the last node {}", node.name),
        Publication::Nothing => "nothing".to_owned(),
    };
    writeln!(out, "publishes {publication}").unwrap();
    if let Some(name) = pipe.versioned_name() {
        writeln!(out, "also: {name}").unwrap();
    }
}

fn fixtures() -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(Path::new(FIXTURES).join("files")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn every_fixture_reads_as_its_snapshot_says() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(Path::new(FIXTURES).join("snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for path in fixtures() {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        settings.bind(|| insta::assert_snapshot!(name, outcome(&path)));
    }
}

#[test]
fn the_strict_level_gives_no_second_name() {
    let read = |strictness| {
        let text = "VERSION 3\nNODE n\nSQL >\n    SELECT 1\n";
        let source = Sources::new().add("x.pipe", text);
        match parse(Kind::Pipe, "x", source, text, &options(strictness)).definition {
            Some(Datafile::Pipe(pipe)) => pipe.versioned_name(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(read(Strictness::Tolerant).as_deref(), Some("x__v3"));
    assert_eq!(read(Strictness::Strict), None);
}

#[test]
fn a_third_of_the_fixtures_fail_on_purpose() {
    let all = fixtures();
    let failing = all.iter().filter(|path| outcome(path).contains("\nrefused\n")).count();
    assert!(failing * 3 >= all.len(), "{failing} of {} fail", all.len());
}

proptest! {
    #[test]
    fn no_datafile_makes_the_parser_panic(
        text in "((SCHEMA >|ENGINE|SQL >|NODE n|TYPE copy|DESCRIPTION >|TOKEN a READ|INDEXES >|TAGS|KAFKA_TOPIC|EXPORT_SCHEDULE|COPY_SCHEDULE|  a Int8,|  i a TYPE set|\\{\\{ tb_secret\\('x'\\)|'|ñ)[ \n]{0,2}){0,12}"
    ) {
        for kind in [Kind::Datasource, Kind::Pipe, Kind::Connection] {
            for strictness in [Strictness::Tolerant, Strictness::Strict] {
                let mut sources = Sources::new();
                let source = sources.add("x", &text);
                let parsed = parse(kind, "x", source, &text, &options(strictness));
                for diagnostic in &parsed.diagnostics {
                    prop_assert!(text.get(diagnostic.primary.span.range()).is_some(), "{diagnostic:?}");
                    render::plain(&sources, diagnostic);
                }
            }
        }
    }
}
