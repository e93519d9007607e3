//! Texts of callers over a small workspace.

use std::sync::Arc;

use super::*;
use crate::catalog::model::Publication;
use crate::catalog::{DataSource, NodeName};
use crate::schema::{Column, ColumnName, Engine, Table as TableDefinition, TableName as Stored};
use crate::sql::RowFilter;

fn name(text: &str) -> ResourceName {
    ResourceName::parse(text).unwrap()
}

fn data_source(text: &str) -> Arc<DataSource> {
    let column = Column {
        name: ColumnName::new("tenant"),
        data_type: None,
        json_path: None,
        default: None,
        codec: None,
    };
    let table =
        TableDefinition { columns: vec![column], engine: Engine::merge_tree(None), indexes: Vec::new() };
    let stored = |suffix: &str| Stored::new("w", format!("{text}{suffix}"));
    Arc::new(DataSource { name: name(text), table, rows: stored(""), quarantine: stored("_quarantine") })
}

fn pipe(text: &str, publication: Publication, nodes: &[(&str, &str)]) -> Arc<Pipe> {
    let node = |(name, sql): &(&str, &str)| Node {
        name: NodeName::parse(name).unwrap(),
        description: None,
        template: Template::compile(sql).unwrap(),
    };
    let nodes: Vec<Node> = nodes.iter().map(node).collect();
    Arc::new(Pipe { name: name(text), description: None, output: nodes.len() - 1, nodes, publication })
}

/// Two data sources, an endpoint over one of them, and a pipe that nobody reads.
fn workspace() -> Workspace {
    let nodes = [("first", "SELECT tenant, 1 AS n FROM sales"), ("last", "SELECT sum(n) AS n FROM first")];
    let pipes = [
        pipe("report", Publication::Endpoint, &nodes),
        pipe("copying", Publication::Nobody, &[("every", "SELECT * FROM other")]),
    ];
    let data_sources = [data_source("sales"), data_source("other")];
    Workspace {
        data_sources: data_sources.into_iter().map(|it| (it.name.clone(), it)).collect(),
        pipes: pipes.into_iter().map(|it| (it.name.clone(), it)).collect(),
        ..Workspace::default()
    }
}

/// What a text becomes for a caller, or why it becomes nothing.
fn composed(sql: &str, subject: Option<&str>, access: &Access) -> String {
    let workspace = workspace();
    let template = Template::compile(sql).unwrap();
    let subject = subject.map(|text| &*workspace.pipes[&name(text)]);
    let (arguments, environment) = (Arguments::new(), Environment::default());
    let caller = Caller { arguments: &arguments, environment: &environment, access };
    match workspace.compose_text(OwnText { template: &template, subject }, caller) {
        Ok(text) => text.composed.sql,
        Err(error) => error.to_string(),
    }
}

fn filtered() -> Access {
    let filter = RowFilter::parse("tenant = 'a'").unwrap();
    Access::nothing()
        .with_data_source(name("sales"))
        .with_pipe(name("report"))
        .with_filter(name("sales"), filter)
}

#[test]
fn a_filter_holds_in_the_callers_text_and_inside_of_pipes() {
    let rows = "(SELECT * FROM `w`.`sales` WHERE (tenant = 'a')) AS `sales`";
    assert_eq!(composed("SELECT * FROM sales", None, &filtered()), format!("SELECT * FROM {rows}"));
    let report = composed("SELECT * FROM report", None, &filtered());
    assert!(report.contains(rows), "{report}");
    assert!(composed("SELECT * FROM _", Some("report"), &filtered()).contains(rows));
}

#[test]
fn a_quarantine_is_out_of_reach_for_who_may_read_some_rows_only() {
    let refusal = composed("SELECT * FROM sales_quarantine", None, &filtered());
    assert_eq!(
        refusal,
        "the token may not read `sales_quarantine`: it needs the scope `DATASOURCES:READ:sales`"
    );
    assert_eq!(
        refusal.replace("sales", "nope"),
        composed("SELECT * FROM nope_quarantine", None, &filtered())
    );
    let whole = Access::nothing().with_data_source(name("sales"));
    assert_eq!(
        composed("SELECT * FROM sales_quarantine", None, &whole),
        "SELECT * FROM `w`.`sales_quarantine` AS `sales_quarantine`"
    );
}

#[test]
fn nodes_of_the_subject_are_for_who_reads_everything() {
    let (sql, everything) = ("SELECT * FROM first", Access::everything());
    assert!(composed(sql, Some("report"), &everything).contains("`w`.`sales`"));
    assert_eq!(composed(sql, None, &everything), "Resource 'first' not found");
    assert!(composed(sql, Some("report"), &filtered()).starts_with("the token may not read `first`"));
    assert!(composed("SELECT * FROM _", Some("copying"), &everything).contains("`w`.`other`"));
    assert_eq!(
        composed("SELECT * FROM copying", Some("copying"), &everything),
        "Resource 'copying' not found"
    );
}

#[test]
fn a_name_that_is_covered_but_gone_is_said_to_be_gone() {
    let access = filtered().with_data_source(name("gone"));
    assert_eq!(composed("SELECT * FROM gone", None, &access), "Resource 'gone' not found");
    assert!(composed("SELECT * FROM w.sales", None, &access).starts_with("the token may not read `w.sales`"));
}
