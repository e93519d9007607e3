use super::*;
use crate::syntax::render;

const EVENTS: &str = "TOKEN tracker APPEND\nSCHEMA >\n    a Int32 `json:$.a`\n";
const TOP: &str =
    "TOKEN reader READ\nTOKEN tracker READ\nNODE n\nSQL >\n    SELECT a FROM events\nTYPE endpoint\n";

fn assembled(files: &[(&str, &str)]) -> (Project, Vec<String>) {
    let files: Vec<_> = files.iter().map(|&(path, text)| ProjectFile { path, text }).collect();
    let (project, sources, diagnostics) = assemble(&files, &Options::default());
    let drawn = diagnostics.iter().map(|diagnostic| render::plain(&sources, diagnostic)).collect();
    (project, drawn)
}

#[test]
fn a_project_holds_its_resources_by_name() {
    let (project, problems) = assembled(&[
        ("datasources/events.datasource", EVENTS),
        ("endpoints/top.pipe", TOP),
        ("connections/broker.connection", "TYPE dynamodb\nDYNAMODB_ARN a\nDYNAMODB_REGION b\n"),
        ("vendor/acme/datasources/orders.datasource", EVENTS),
        ("fixtures/events.csv", ""),
        ("fixtures/events.ndjson", ""),
        ("tests/top.yaml", ""),
        ("README.md", "# read me"),
    ]);
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(project.datasources.keys().map(ResourceName::as_str).collect::<Vec<_>>(), ["events"]);
    assert_eq!(project.pipes.keys().map(ResourceName::as_str).collect::<Vec<_>>(), ["top"]);
    assert_eq!(project.connections.keys().map(ResourceName::as_str).collect::<Vec<_>>(), ["broker"]);
    assert_eq!(project.vendored.keys().map(ResourceName::as_str).collect::<Vec<_>>(), ["acme.orders"]);
    assert_eq!(
        project.fixtures.values().map(|fixture| fixture.path.as_str()).collect::<Vec<_>>(),
        ["fixtures/events.ndjson"]
    );
    assert_eq!(project.tests, [TestFile { pipe: "top".into(), path: "tests/top.yaml".into() }]);
}

#[test]
fn a_file_that_may_be_a_token_is_named_but_not_shown() {
    let (_, problems) = assembled(&[("admin.token", "p.secret.text")]);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].contains("admin.token") && !problems[0].contains("secret"), "{}", problems[0]);
}

#[test]
fn the_rights_of_a_token_are_collected_from_all_files() {
    let (project, _) = assembled(&[("events.datasource", EVENTS), ("top.pipe", TOP)]);
    let tokens = project.tokens();
    let rights = |name: &str| {
        let rights = tokens.iter().find(|(token, _)| token.as_str() == name).unwrap().1;
        rights.iter().map(|right| format!("{} {:?}", right.resource, right.permission)).collect::<Vec<_>>()
    };
    assert_eq!(rights("tracker"), ["events Append", "top Read"]);
    assert_eq!(rights("reader"), ["top Read"]);
}

#[test]
fn data_sources_and_pipes_share_their_names() {
    let (project, problems) = assembled(&[
        ("datasources/events.datasource", EVENTS),
        ("more/events.datasource", EVENTS),
        ("pipes/events.pipe", TOP),
        ("events.connection", "TYPE dynamodb\nDYNAMODB_ARN a\nDYNAMODB_REGION b\n"),
    ]);
    assert_eq!((project.datasources.len(), project.pipes.len(), project.connections.len()), (1, 0, 1));
    insta::assert_snapshot!(problems.join("\n"), @"
    error[duplicate-name]: two files define the data source `events`
     --> more/events.datasource:1:1
      |
    1 | TOKEN tracker APPEND
      | ^
      |
     ::: datasources/events.datasource:1:1
      |
    1 | TOKEN tracker APPEND
      | ^ the other file
      |
    help: rename one of the files: a resource is called like its file
    error[duplicate-name]: `events` is a data source and a pipe at once
     --> pipes/events.pipe:1:1
      |
    1 | TOKEN reader READ
      | ^
      |
     ::: datasources/events.datasource:1:1
      |
    1 | TOKEN tracker APPEND
      | ^ the other file
      |
    help: rename one of the files: a resource is called like its file
    ");
}

#[test]
fn a_broken_file_hides_no_problem_of_another() {
    let (project, problems) = assembled(&[
        ("a.datasource", "SCHEMA >\n    a Strin\n"),
        ("b.pipe", "NODE n\n"),
        ("select.pipe", TOP),
        ("c.incl", ""),
        ("fixtures/a.ndjson", ""),
        ("fixtures/nobody.ndjson", ""),
        ("d.datasource", EVENTS),
    ]);
    assert_eq!(project.datasources.len(), 1);
    insta::assert_snapshot!(problems.join("\n"), @r#"
    error[schema]: Unknown data type family: Strin. Maybe you meant: ['String'].
     --> a.datasource:2:7
      |
    2 |     a Strin
      |       ^^^^^
    error[sql]: error parsing node "n" from pipe "b": Empty query
     --> b.pipe:1:6
      |
    1 | NODE n
      |      ^
    warning[classic]: files of this kind belong to Classic and are ignored
     --> c.incl:1:1
      |
    1 |
      | ^
    error[name]: `select` is a reserved word
     --> select.pipe:1:1
      |
    1 | TOKEN reader READ
      | ^
    warning[fixture]: there is no data source `nobody` for this fixture
     --> fixtures/nobody.ndjson:1:1
      |
    1 |
      | ^
    "#);
}

#[test]
fn a_fixture_with_a_suffix_is_for_the_longest_name_that_fits() {
    let (project, problems) = assembled(&[
        ("events.datasource", EVENTS),
        ("events_raw.datasource", EVENTS),
        ("fixtures/events_raw_today.ndjson", ""),
    ]);
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(project.fixtures.keys().map(ResourceName::as_str).collect::<Vec<_>>(), ["events_raw"]);
}
