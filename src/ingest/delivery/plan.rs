//! Where the rows of each data source go: into its table, its quarantine, and the targets of the
//! materialized views that they set off, chains included.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::record::{FrozenPlan, Refusing, TableKey, ViewStep};
use super::stages::placeholder;
use super::tables::{Filled, Reach, Tables, TargetColumn};
use super::total;
use crate::catalog::{DataSource, NodeError, ResourceName, View, Workspace};
use crate::engine::EngineError;
use crate::schema::{EngineFamily, Expression, Table};

/// The plans of a workspace, by data source.
pub(super) type Plans = HashMap<String, Arc<FrozenPlan>>;

/// Why a workspace cannot be written to.
#[derive(Debug, thiserror::Error)]
pub enum PlanningError {
    /// A view that passed all checks cannot be composed.
    #[error("the materialized view of the pipe {pipe} cannot be composed: {reason}")]
    View {
        /// The pipe.
        pipe: ResourceName,
        /// Why.
        reason: Box<NodeError>,
    },
    /// The engine was asked about a view.
    #[error("the engine cannot prepare the materialized view of the pipe {pipe}: {reason}")]
    Engine {
        /// The pipe.
        pipe: ResourceName,
        /// What it said.
        reason: EngineError,
    },
}

/// Makes the plans of a workspace whose tables are there.
pub(super) async fn plans(tables: &Tables, workspace: &Workspace) -> Result<Plans, PlanningError> {
    let mut steps = BTreeMap::new();
    for (pipe, view) in &workspace.views {
        if let Some(step) = step(tables, workspace, pipe, view).await? {
            steps.insert(pipe.clone(), step);
        }
    }
    let plan = |data_source: &DataSource| plan(workspace, data_source, steps.values());
    let sources = workspace.data_sources.values();
    Ok(sources.map(|data_source| (data_source.name.to_string(), Arc::new(plan(data_source)))).collect())
}

/// The plan of a data source whose file is gone: its table, and no view.
pub(super) fn bare(database: &str, source: &str) -> FrozenPlan {
    let key = |table: String| TableKey { database: database.to_owned(), table };
    FrozenPlan {
        rows: key(source.to_owned()),
        quarantine: key(format!("{source}{}", crate::schema::quarantine::SUFFIX)),
        steps: Vec::new(),
        null_tables: BTreeSet::new(),
        history: None,
        keys: BTreeMap::new(),
        refused: None,
    }
}

async fn step(
    tables: &Tables,
    workspace: &Workspace,
    name: &ResourceName,
    view: &View,
) -> Result<Option<ViewStep>, PlanningError> {
    let Some(pipe) = workspace.pipes.get(name) else { return Ok(None) };
    let (Some(node), Some(target)) =
        (pipe.node(view.node.as_str()), workspace.data_sources.get(&view.target))
    else {
        return Ok(None);
    };
    let source = TableKey::from(&view.source);
    let staged = workspace.with_table_at(&view.source, &placeholder(&source).name());
    let composed = staged
        .compose_uncalled(pipe, node)
        .map_err(|reason| PlanningError::View { pipe: name.clone(), reason: Box::new(reason) })?;
    let failed = |reason| PlanningError::Engine { pipe: name.clone(), reason };
    let target = TableKey::from(&target.rows);
    let used = [source.clone(), target.clone()];
    tables.abandon_stages(&used).await.map_err(failed)?;
    tables.empty_stages(&used).await.map_err(failed)?;
    let mut step = ViewStep {
        pipe: name.to_string(),
        sql: composed.sql,
        columns: Vec::new(),
        source,
        target,
        refusing: Refusing::Perhaps,
    };
    step.columns = tables.describe(&tables.stages.sql(&step)).await.map_err(failed)?;
    // What a table in memory cannot do (PREWHERE, FINAL) is told at the start, not at the first row.
    tables.evaluate([(&step, Filled::Unknown)]).await.map_err(failed)?;
    step.refusing = refusing(tables, &step).await.map_err(failed)?;
    tables.stages.settle(&used);
    Ok(Some(step))
}

/// Whether a view, or a column of its target, may refuse a row. A server is not asked: nothing is put there
/// that was not evaluated.
async fn refusing(tables: &Tables, step: &ViewStep) -> Result<Refusing, EngineError> {
    if matches!(tables.reach, Reach::Server) {
        return Ok(Refusing::Perhaps);
    }
    let tree = tables.tree(step).await?;
    let Some(given) = total::total(&tree, &tables.stages.of(&step.source)) else {
        return Ok(Refusing::Perhaps);
    };
    let columns = tables.columns(&step.target).await?;
    let is_filled = |column: &TargetColumn| {
        let given = given.iter().find(|given| given.name == column.name);
        // What is not given is the default of the type, or an expression that may fail.
        given.map_or(column.default_kind.is_empty(), |given| total::fits(&given.data_type, &column.data_type))
    };
    Ok(if columns.iter().all(is_filled) { Refusing::Never } else { Refusing::Perhaps })
}

/// The steps that rows of a data source set off, each behind those whose target it reads.
fn plan<'a>(
    workspace: &Workspace,
    data_source: &DataSource,
    all: impl Iterator<Item = &'a ViewStep>,
) -> FrozenPlan {
    let (rows, quarantine) = (TableKey::from(&data_source.rows), TableKey::from(&data_source.quarantine));
    let steps = in_order(reached(&[rows.clone(), quarantine.clone()], all.collect()));
    let mut plan = FrozenPlan {
        rows,
        quarantine,
        steps,
        null_tables: BTreeSet::new(),
        history: None,
        keys: BTreeMap::new(),
        refused: None,
    };
    for table in plan.tables() {
        let Some(known) = workspace.data_sources.values().find(|it| TableKey::from(&it.rows) == table) else {
            continue;
        };
        if known.table.engine.family == EngineFamily::Null {
            plan.null_tables.insert(table);
        } else if let Some(keys) = computed_keys(&known.table) {
            plan.keys.insert(table, keys);
        }
    }
    plan
}

/// The plan that fills the target of a view from the rows that the view's source has, and the targets
/// of what that sets off in its turn, but for views that are `new` themselves: those are filled
/// after it. `None` where no plan holds the view.
pub(super) fn filling(plans: &Plans, pipe: &str, new: &BTreeSet<String>) -> Option<FrozenPlan> {
    let own_step = |plan: &FrozenPlan| {
        let own =
            |step: &&ViewStep| step.pipe == pipe && [&plan.rows, &plan.quarantine].contains(&&step.source);
        plan.steps.iter().find(own).cloned()
    };
    let (plan, own) = plans.values().find_map(|plan| Some((plan, own_step(plan)?)))?;
    let old = plan.steps.iter().filter(|step| !new.contains(&step.pipe)).collect();
    let mut steps = vec![own.clone()];
    steps.extend(in_order(reached(std::slice::from_ref(&own.target), old)));
    let mut plan = FrozenPlan { steps, ..(**plan).clone() };
    if own.source == plan.quarantine {
        std::mem::swap(&mut plan.rows, &mut plan.quarantine);
    }
    // What is history already is not put again.
    plan.null_tables.extend([plan.rows.clone(), plan.quarantine.clone()]);
    Some(plan)
}

/// The steps that new rows in these tables set off, directly or over other steps.
fn reached<'a>(tables: &[TableKey], mut left: Vec<&'a ViewStep>) -> Vec<&'a ViewStep> {
    let mut filled: BTreeSet<TableKey> = tables.iter().cloned().collect();
    let mut reached = Vec::new();
    loop {
        let (now, later): (Vec<_>, Vec<_>) = left.into_iter().partition(|step| filled.contains(&step.source));
        if now.is_empty() {
            return reached;
        }
        filled.extend(now.iter().map(|step| step.target.clone()));
        reached.extend(now);
        left = later;
    }
}

/// Puts a step behind all that write what it reads. There are no circles: the project was checked.
fn in_order(mut left: Vec<&ViewStep>) -> Vec<ViewStep> {
    let mut ordered = Vec::new();
    while !left.is_empty() {
        let targets: BTreeSet<&TableKey> = left.iter().map(|step| &step.target).collect();
        let (ready, later): (Vec<_>, Vec<_>) = left.iter().partition(|step| !targets.contains(&step.source));
        if ready.is_empty() {
            break;
        }
        ordered.extend(ready.into_iter().cloned());
        left = later;
    }
    ordered
}

/// The keys and indexes that may refuse a value, as the arguments of a function.
fn computed_keys(table: &Table) -> Option<String> {
    let type_of = |text: &str| {
        let column = table.columns.iter().find(|column| column.name.as_str() == text)?;
        column.data_type.as_ref().map(ToString::to_string)
    };
    let is_remainder = |item: &str| {
        let parts = item.rsplit_once(" % ").map(|(value, divisor)| (type_of(value), divisor.parse::<u32>()));
        matches!(parts, Some((Some(data_type), Ok(1..))) if total::is_integer(&data_type))
    };
    let is_total = |item: &str| {
        let call = item.split_once('(').and_then(|(name, rest)| Some((name.trim(), rest.strip_suffix(')')?)));
        call.is_some_and(|(name, arguments)| {
            let types: Option<Vec<String>> = arguments.split(',').map(|text| type_of(text.trim())).collect();
            types.is_some_and(|types| {
                total::takes(name, &types.iter().map(String::as_str).collect::<Vec<_>>())
            })
        })
    };
    let is_column = |item: &str| table.columns.iter().any(|column| column.name.as_str() == item);
    let is_harmless = |item: &&str| is_column(item) || is_remainder(item) || is_total(item);
    let keys = [&table.engine.partition_key, &table.engine.sorting_key].into_iter().flatten();
    let keys = keys.chain(table.indexes.iter().map(|index| &index.expression));
    let computed = keys.filter(|key| !key.items().iter().all(is_harmless));
    let keys: Vec<String> = computed.map(|key: &Expression| format!("({})", key.as_str())).collect();
    (!keys.is_empty()).then(|| keys.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(table: &str) -> TableKey {
        TableKey { database: "d".to_owned(), table: table.to_owned() }
    }

    fn order(source: &str, steps: &[&str]) -> Vec<String> {
        let steps: Vec<ViewStep> = steps.iter().map(|name| ViewStep::between("d", name)).collect();
        let ordered = in_order(reached(&[key(source)], steps.iter().collect()));
        ordered.into_iter().map(|step| step.pipe).collect()
    }

    #[test]
    fn keys_that_may_refuse_a_value_are_computed_before() {
        let table = |partition: &str, sorting: &str| {
            let key = |text: &str| Expression::parse(text).ok();
            let columns = ["a UInt8", "d Date"].map(|column| {
                let (name, data_type) = column.split_once(' ').unwrap();
                let (name, data_type) =
                    (crate::schema::ColumnName::new(name), crate::schema::DataType::parse(data_type).ok());
                crate::schema::Column { name, data_type, json_path: None, default: None, codec: None }
            });
            let engine = crate::schema::Engine {
                partition_key: key(partition),
                ..crate::schema::Engine::merge_tree(key(sorting))
            };
            Table { columns: columns.into(), engine, indexes: Vec::new() }
        };
        assert_eq!(computed_keys(&table("toYYYYMM(d)", "a, cityHash64(a), d")), None);
        assert_eq!(computed_keys(&table("intDiv(100, a)", "a")).as_deref(), Some("(intDiv(100, a))"));
        assert_eq!(
            computed_keys(&table("toDate(intDiv(1, a))", "a")).as_deref(),
            Some("(toDate(intDiv(1, a)))")
        );
        assert_eq!(computed_keys(&table("a % 3", "a, d")), None);
        assert_eq!(computed_keys(&table("d % 3", "a, d")).as_deref(), Some("(d % 3)"));
        assert_eq!(computed_keys(&table("a % 0", "a, d")).as_deref(), Some("(a % 0)"));
        assert_eq!(computed_keys(&table("a % a", "a, d")).as_deref(), Some("(a % a)"));
    }

    #[test]
    fn a_view_follows_every_view_that_fills_what_it_reads() {
        assert_eq!(order("a", &["b>c", "a>b", "x>b", "a>c", "c>d"]), ["a>b", "a>c", "b>c", "c>d"]);
        assert_eq!(order("x", &["a>b", "b>c"]), [""; 0]);
        assert_eq!(order("b", &["a>b", "b>c"]), ["b>c"]);
    }
}
