//! The materialized views of a project, as far as its files alone tell. Pure.
//!
//! In: the project and the snapshot made of it.  Out: the views, with what sets each off; targets
//! that exist only because a Classic pipe describes their engine; and every view that could not
//! work.  Whether the columns fit is asked of the engine later: see `rehearsal`.

use std::collections::{BTreeMap, BTreeSet};

use super::Problems;
use crate::catalog::{NodeError, Pipe, ResourceName, View, Workspace};
use crate::datafile::pipe::{Materialization, Node, NodeKind};
use crate::datafile::project::Project;
use crate::schema::{EngineOptions, TableName};
use crate::sql::Statement;
use crate::syntax::{Diagnostic, SourceId, Span};

/// A materialized node where its file declares it.
#[derive(Clone, Copy)]
pub(super) struct Declared<'a> {
    pub(super) pipe: &'a ResourceName,
    pub(super) node: &'a Node,
    pub(super) materialization: &'a Materialization,
    pub(super) source: SourceId,
}

/// A target that no file describes: its columns are those of the query.
#[derive(Debug, Clone)]
pub(super) struct InferredTarget {
    /// The pipe that describes its engine.
    pub(super) pipe: ResourceName,
    /// The engine as written there.
    pub(super) engine: EngineOptions,
}

/// The place of a view in the project, for problems that show later.
#[derive(Debug, Clone, Copy)]
pub(super) struct ViewPlace {
    pub(super) source: SourceId,
    pub(super) span: Span,
}

/// Why a view cannot work.
struct Refusal {
    message: String,
    help: Option<String>,
}

impl Refusal {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

impl Declared<'_> {
    fn problem(&self, refusal: Refusal) -> Diagnostic {
        let message = format!("node {}: {}", self.node.name, refusal.message);
        let problem = Diagnostic::error("view", self.source, self.node.span, message);
        match refusal.help {
            Some(help) => problem.with_help(help),
            None => problem,
        }
    }

    pub(super) fn place(&self) -> ViewPlace {
        ViewPlace { source: self.source, span: self.node.span }
    }
}

/// Every materialized node of the project, in the order of the pipes.
pub(super) fn declared(project: &Project) -> impl Iterator<Item = Declared<'_>> {
    project.pipes.values().flat_map(|file| {
        file.definition.nodes.iter().filter_map(|node| match &node.kind {
            NodeKind::Materialized(materialization) => {
                Some(Declared { pipe: &file.definition.name, node, materialization, source: file.source })
            }
            _ => None,
        })
    })
}

/// The targets that Classic pipes describe and no data source file does.
pub(super) fn inferred_targets(project: &Project) -> BTreeMap<ResourceName, InferredTarget> {
    let mut targets = BTreeMap::new();
    for view in declared(project) {
        let target = &view.materialization.target;
        if let Some(engine) = &view.materialization.target_engine
            && !project.datasources.contains_key(target)
        {
            let inferred = InferredTarget { pipe: view.pipe.clone(), engine: engine.clone() };
            targets.entry(target.clone()).or_insert(inferred);
        }
    }
    targets
}

/// Reads the views; `is_declared` tells whether some file, perhaps a broken one, has that name.
pub(super) fn read(
    workspace: &Workspace,
    project: &Project,
    is_declared: impl Fn(&str) -> bool,
    problems: &mut Problems,
) -> BTreeMap<ResourceName, View> {
    let mut views = BTreeMap::new();
    for declared in declared(project) {
        let target = &declared.materialization.target;
        if !workspace.data_sources.contains_key(target) {
            if !is_declared(target.as_str()) {
                problems.add(declared.problem(unknown_target(target)));
            }
            continue;
        }
        let Some(pipe) = workspace.pipes.get(declared.pipe) else { continue };
        match source(workspace, pipe, &declared) {
            Ok(Some(source)) => {
                let view = View { node: declared.node.name.clone(), source, target: target.clone() };
                views.insert(declared.pipe.clone(), view);
            }
            Ok(None) => {}
            Err(refusal) => problems.add(declared.problem(refusal)),
        }
    }
    report_circles(workspace, project, &views, problems);
    views
}

fn unknown_target(target: &ResourceName) -> Refusal {
    Refusal::new(format!("the data source `{target}` does not exist"))
        .with_help(format!("declare its columns and its engine in {target}.datasource"))
}

/// The table whose new rows set a view off; `None` where the query has a problem that is reported
/// already.
fn source(workspace: &Workspace, pipe: &Pipe, declared: &Declared<'_>) -> Result<Option<TableName>, Refusal> {
    let Some(node) = pipe.node(declared.node.name.as_str()) else { return Ok(None) };
    if let Some(missing) = node.template.parameters().iter().find(|parameter| parameter.default.is_null()) {
        let name = &missing.name;
        return Err(Refusal::new(format!(
            "a materialized view is called by nobody: the parameter `{name}` needs a default"
        )));
    }
    let composed = match workspace.compose_uncalled(pipe, node) {
        Ok(composed) => composed,
        // What the check of all nodes has found is reported there.
        Err(NodeError::Sql(_)) if workspace.check_node(pipe, node).is_err() => return Ok(None),
        Err(error) => return Err(Refusal::new(error.to_string())),
    };
    // What was composed of statements is one.
    let Ok(statement) = Statement::parse(&composed.sql) else { return Ok(None) };
    if !statement.set_operations().is_empty() {
        return Err(Refusal::new("UNION is not supported for MATERIALIZED VIEW")
            .with_help("make one materialized view of each SELECT, with the same target"));
    }
    let leading = statement.leading().and_then(|table| table_of(workspace, &table.table));
    leading.map(Some).ok_or_else(|| {
        Refusal::new("no data source leads this query, so that no row would ever set it off")
            .with_help("begin FROM with the data source whose new rows the view is for")
    })
}

/// The table, or the quarantine, with this physical name.
fn table_of(workspace: &Workspace, table: &str) -> Option<TableName> {
    let tables = workspace.data_sources.values().flat_map(|it| [&it.rows, &it.quarantine]);
    tables.into_iter().find(|known| known.table() == table).cloned()
}

/// Views that feed each other in a circle would never come to rest.
fn report_circles(
    workspace: &Workspace,
    project: &Project,
    views: &BTreeMap<ResourceName, View>,
    problems: &mut Problems,
) {
    for declared in declared(project) {
        let Some(view) = views.get(declared.pipe) else { continue };
        if let Some(path) = path_back(workspace, views, view) {
            let message = format!("materialized views feed each other in a circle: {}", path.join(" → "));
            problems.add(declared.problem(Refusal::new(message)));
        }
    }
}

/// The data sources on the way from a view's source, over its target, back to its source.
fn path_back(
    workspace: &Workspace,
    views: &BTreeMap<ResourceName, View>,
    start: &View,
) -> Option<Vec<String>> {
    let rows_of = |target: &ResourceName| workspace.data_sources.get(target).map(|it| it.rows.clone());
    let mut seen = BTreeSet::new();
    let mut open = vec![vec![start.source.clone(), rows_of(&start.target)?]];
    while let Some(path) = open.pop() {
        let Some(last) = path.last().filter(|last| seen.insert((*last).clone())) else { continue };
        if *last == start.source {
            return Some(path.iter().map(|table| table.table().to_owned()).collect());
        }
        for view in views.values().filter(|view| view.source == *last) {
            open.extend(rows_of(&view.target).map(|next| [path.as_slice(), &[next]].concat()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::Candidate;
    use super::super::files::ProjectFile;
    use crate::catalog::Workspace;
    use crate::datafile::Options;

    const HITS: (&str, &str) = ("hits.datasource", "SCHEMA >\n    a UInt8,\n    b String\n");
    const SUMS: (&str, &str) = ("sums.datasource", "SCHEMA >\n    a UInt8,\n    n UInt64\n");

    fn build(files: &[(&str, &str)]) -> Result<Candidate, String> {
        let file =
            |&(path, text): &(&str, &str)| ProjectFile { path: path.to_owned(), text: Ok(text.to_owned()) };
        let files: Vec<ProjectFile> = files.iter().map(file).collect();
        let workspace = Workspace { database: "w".to_owned(), ..Workspace::default() };
        Candidate::build(&files, &Options::default(), workspace).map_err(|problems| problems.to_string())
    }

    fn view(target: &str, sql: &str) -> String {
        format!("NODE rows\nSQL >\n    {sql}\nTYPE materialized\nDATASOURCE {target}\n")
    }

    /// The sources of the views of a project with two data sources and these pipes.
    fn sources(pipes: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let candidate = build(&[&[HITS, SUMS], pipes].concat())?;
        let views = candidate.workspace.views.iter();
        Ok(views.map(|(pipe, view)| format!("{pipe}: {} → {}", view.source, view.target)).collect())
    }

    #[test]
    fn a_view_is_set_off_by_the_table_that_leads_its_query() {
        let joined = view("sums", "SELECT a, n FROM step JOIN sums USING a");
        let joined = format!("NODE step\nSQL >\n    SELECT a, 1 AS n FROM hits_quarantine\n{joined}");
        let plain = view("sums", "SELECT a, count() AS n FROM hits GROUP BY a");
        assert_eq!(
            sources(&[("joined.pipe", &joined), ("plain.pipe", &plain)]).unwrap(),
            ["joined: `w`.`hits_quarantine` → sums", "plain: `w`.`hits` → sums"]
        );
    }

    #[test]
    fn a_view_that_could_never_work_is_refused_where_it_stands() {
        for (target, sql, message) in [
            ("nowhere", "SELECT a FROM hits", "the data source `nowhere` does not exist"),
            ("sums", "SELECT a FROM hits UNION ALL SELECT a FROM hits", "UNION is not supported"),
            ("sums", "SELECT number AS a FROM numbers(3)", "no data source leads this query"),
            ("sums", "%\n    SELECT a FROM hits WHERE a = {{UInt8(x)}}", "the parameter `x` needs a default"),
            ("sums", "SELECT a FROM sums", "in a circle: sums → sums"),
        ] {
            let problems = sources(&[("v.pipe", &view(target, sql))]).unwrap_err();
            assert!(problems.contains(message) && problems.contains("v.pipe:1:6"), "{problems}");
        }
        assert!(
            sources(&[("v.pipe", &view("sums", "%\n    SELECT a FROM hits WHERE a = {{UInt8(x, 1)}}"))])
                .is_ok()
        );
    }

    #[test]
    fn views_that_feed_each_other_are_a_circle() {
        let there = view("sums", "SELECT a, 1 AS n FROM hits");
        let back = view("hits", "SELECT a, 'x' AS b FROM sums");
        let problems = sources(&[("back.pipe", &back), ("there.pipe", &there)]).unwrap_err();
        assert!(problems.contains("circle: sums → hits → sums"), "{problems}");
        assert!(problems.contains("circle: hits → sums → hits"), "{problems}");
    }

    #[test]
    fn engine_lines_make_a_target_that_other_pipes_may_read() {
        let classic = view("made", "SELECT a, count() AS n FROM hits GROUP BY a");
        let classic = format!("{classic}ENGINE MergeTree\nENGINE_SORTING_KEY a\n");
        let reader = ("reader.pipe", "NODE x\nSQL >\n    SELECT * FROM made\n");
        let candidate = build(&[HITS, ("v.pipe", &classic), reader]).unwrap();
        assert_eq!(candidate.inferred.len(), 1);
        assert!(
            build(&[HITS, SUMS, ("v.pipe", &classic.replace("made", "sums"))]).unwrap().inferred.is_empty()
        );
    }
}
