//! Where new rows are evaluated before they are put: the stages.
//!
//! A stage is a table in memory with the columns of a real one, alone in a database of its own, which
//! lives in memory, too: an engine that was started anew knows no stage, so that a statement which
//! needs one fails, and cannot take it for empty.
//!
//! A statement that nobody waits for any more may still happen: out of the buffers of a server that
//! stood still it comes minutes later. So whatever puts rows reads a stage or fills one, and a stage
//! that a failed attempt has left open is dropped before its batch is looked for, and no other ever
//! has its name. What comes after that finds no stage and fails; what has begun before that is in the
//! engine's list, where [`Tables::fence`](super::tables::Tables::fence) waits for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::cascade::Cascade;
use super::record::{FrozenPlan, TableKey, ViewStep};

/// The names of all databases of stages end in this.
pub(super) const SUFFIX: &str = "_stage";

/// What is known of the stages of one run. A clone speaks of the same ones.
#[derive(Debug, Clone)]
pub(super) struct Stages {
    /// Tells the stages of this run from those of all others.
    run: Arc<str>,
    next: Arc<AtomicU64>,
    known: Arc<Mutex<HashMap<TableKey, Stage>>>,
}

/// The stage of one table.
#[derive(Debug, Clone)]
struct Stage {
    /// No other stage of this run has had it.
    number: u64,
    state: State,
    /// What is known of its cascade, and the views that it was made for.
    cascade: Option<(Cascade, Vec<ViewStep>)>,
}

/// Whether statements that use a stage may be on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// None is: each was answered.
    Settled,
    Open,
}

impl Default for Stages {
    fn default() -> Self {
        let run = uuid::Uuid::new_v4().simple().to_string();
        Self { run: run[..12].into(), next: Arc::default(), known: Arc::default() }
    }
}

impl Stages {
    /// The stage of a table.
    pub(super) fn of(&self, table: &TableKey) -> TableKey {
        let number = self.stage(&mut self.known(), table).number;
        self.named(table, number, "")
    }

    /// Where rows lie as they came, while those that the engine refuses are looked for.
    pub(super) fn raw(&self, table: &TableKey, number: usize) -> TableKey {
        let stage = self.of(table);
        TableKey { table: format!("{}__raw_{number}", stage.table), ..stage }
    }

    /// A table that stands in for the real one while a batch is put again in part.
    pub(super) fn scratch(&self, table: &TableKey) -> TableKey {
        let number = self.stage(&mut self.known(), table).number;
        self.named(table, number, "_scratch")
    }

    /// Where rows for a table come in that are put by the cascade of a data source's table.
    pub(super) fn cascade(&self, rows: &TableKey, table: &TableKey) -> TableKey {
        TableKey { table: format!("cascade {}", table.table), ..self.of(rows) }
    }

    /// What is known of the cascade of a plan.
    pub(super) fn cascade_of(&self, plan: &FrozenPlan) -> Option<Cascade> {
        let known = self.known();
        let (cascade, steps) = known.get(&plan.rows)?.cascade.as_ref()?;
        (*steps == plan.steps).then_some(*cascade)
    }

    /// Notes what became of the cascade of a plan.
    pub(super) fn note_cascade(&self, plan: &FrozenPlan, cascade: Cascade) {
        self.stage(&mut self.known(), &plan.rows).cascade = Some((cascade, plan.steps.clone()));
    }

    /// The SQL of a view, over the stage of its source.
    pub(super) fn sql(&self, step: &ViewStep) -> String {
        let source = &step.source;
        step.sql.replace(&placeholder(source).name().to_string(), &self.of(source).name().to_string())
    }

    /// The stage of a table, in use from here on.
    pub(super) fn open(&self, table: &TableKey) -> TableKey {
        let mut known = self.known();
        let stage = self.stage(&mut known, table);
        stage.state = State::Open;
        self.named(table, stage.number, "")
    }

    /// Every statement that uses the stages of these tables was answered.
    pub(super) fn settle(&self, tables: &[TableKey]) {
        let mut known = self.known();
        for table in tables {
            if let Some(stage) = known.get_mut(table) {
                stage.state = State::Settled;
            }
        }
    }

    /// Those of some tables whose stages are in use.
    pub(super) fn left_open<'a>(&self, tables: &'a [TableKey]) -> Vec<&'a TableKey> {
        let known = self.known();
        let is_open = |table: &&TableKey| known.get(table).is_some_and(|stage| stage.state == State::Open);
        tables.iter().filter(is_open).collect()
    }

    /// The next stage of a table will be another.
    pub(super) fn forget(&self, table: &TableKey) {
        self.known().remove(table);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<TableKey, Stage>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stage<'a>(&self, known: &'a mut HashMap<TableKey, Stage>, table: &TableKey) -> &'a mut Stage {
        let new = || Stage {
            number: self.next.fetch_add(1, Ordering::Relaxed),
            state: State::Settled,
            cascade: None,
        };
        known.entry(table.clone()).or_insert_with(new)
    }

    fn named(&self, table: &TableKey, number: u64, purpose: &str) -> TableKey {
        let database = format!("{}_{}_{number}{purpose}{SUFFIX}", table.database, self.run);
        TableKey { database, table: table.table.clone() }
    }
}

/// What stands in the frozen SQL of a view for the stage of its source: no table has this name, and
/// no text of a project can name its database.
pub(super) fn placeholder(table: &TableKey) -> TableKey {
    TableKey { database: format!("{}{SUFFIX}", table.database), table: table.table.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> TableKey {
        TableKey { database: "w".to_owned(), table: name.to_owned() }
    }

    #[test]
    fn a_stage_that_was_left_open_is_never_used_again() {
        let (stages, tables) = (Stages::default(), [table("a"), table("b")]);
        let first = stages.open(&tables[0]);
        assert_eq!(stages.of(&tables[0]), first);
        assert_eq!(stages.left_open(&tables), [&tables[0]]);
        stages.forget(&tables[0]);
        assert!(stages.left_open(&tables).is_empty());
        assert_ne!(stages.of(&tables[0]), first);
    }

    #[test]
    fn a_stage_that_was_settled_is_used_again() {
        let (stages, tables) = (Stages::default(), [table("a"), table("b")]);
        let first = stages.open(&tables[0]);
        stages.settle(&tables);
        assert!(stages.left_open(&tables).is_empty());
        assert_eq!(stages.open(&tables[0]), first);
    }

    #[test]
    fn no_two_stages_share_a_database_and_no_two_runs_a_name() {
        let (stages, a) = (Stages::default(), table("a"));
        let databases = [stages.of(&a), stages.of(&table("b")), stages.scratch(&a), Stages::default().of(&a)];
        let names: std::collections::BTreeSet<_> = databases.iter().map(|it| it.database.clone()).collect();
        assert_eq!(names.len(), databases.len());
        assert!(names.iter().all(|name| name.starts_with("w_") && name.ends_with(SUFFIX)));
        assert_eq!(stages.raw(&a, 3).database, stages.of(&a).database, "they go with it");
    }

    #[test]
    fn the_sql_of_a_view_reads_the_present_stage() {
        let (stages, source) = (Stages::default(), table("a"));
        let step = ViewStep::between("w", "a>b");
        let stage = stages.of(&source).name();
        assert_eq!(stages.sql(&step), format!("SELECT x FROM {stage} AS rows"));
    }
}
