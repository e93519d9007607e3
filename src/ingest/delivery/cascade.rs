//! The short way of a batch into its tables: one insert for all of them.
//!
//! A cascade is a table of the engine `Null` with the columns of a data source, and ClickHouse's own
//! views from it into the data source's table and into the targets of its views. It serves where no view
//! refuses a row ([`total`](super::total)): then nothing has to be evaluated before anything is put,
//! which costs two more statements for each view. Each table gets one block, as from the stages; a batch
//! that breaks off on its way is in doubt and put again by way of the stages.
//!
//! It lies in the database of the data source's stage and is gone with it: an insert that comes late
//! finds no table.

use std::collections::BTreeSet;

use super::commit::Undone;
use super::record::{FrozenPlan, Refusing, TableKey};
use super::stages::{Stages, placeholder};
use super::tables::{Tables, commanding, list};
use crate::engine::{EngineError, Query};
use crate::ingest::Block;
use crate::schema::{TableName, quoting};

/// Whether the tables of a batch have a cascade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cascade {
    There,
    /// The engine makes none for them; it is asked once.
    Refused,
}

/// True where one insert can put every row of a batch: no view and no key refuses any, and each table is
/// written once, because a part of a table says that all of its rows are there.
pub(super) fn is_possible(plan: &FrozenPlan) -> bool {
    let mut written = BTreeSet::from([&plan.rows]);
    for step in &plan.steps {
        let is_fed = written.contains(&step.source);
        let is_kept = step.target != plan.quarantine && !plan.null_tables.contains(&step.target);
        if step.refusing == Refusing::Perhaps || !is_fed || !is_kept || !written.insert(&step.target) {
            return false;
        }
    }
    plan.own_keys().next().is_none()
}

/// The tables that a cascade writes to.
pub(super) fn reached(plan: &FrozenPlan) -> Vec<TableKey> {
    plan.kept_tables().into_iter().filter(|table| *table != plan.quarantine).collect()
}

/// The statements that make a cascade.
fn making(plan: &FrozenPlan, stages: &Stages) -> Vec<String> {
    let read: BTreeSet<&TableKey> = plan.steps.iter().map(|step| &step.source).collect();
    let place = |table: &TableKey| stages.cascade(&plan.rows, table).name();
    let database = quoting::identifier(place(&plan.rows).database());
    let mut statements = vec![format!("CREATE DATABASE IF NOT EXISTS {database} ENGINE = Memory")];
    statements.extend(
        read.iter().map(|table| format!("CREATE TABLE {} AS {} ENGINE = Null", place(table), table.name())),
    );
    let mut add_view = |target: &TableName, sql: &str| {
        let view = TableName::new(place(&plan.rows).database(), format!("view {}", statements.len()));
        statements.push(format!("CREATE MATERIALIZED VIEW {view} TO {target} AS {sql}"));
    };
    for table in read.iter().filter(|table| !plan.null_tables.contains(**table)) {
        add_view(&table.name(), &format!("SELECT * FROM {}", place(table)));
    }
    for step in &plan.steps {
        let target = if read.contains(&step.target) { place(&step.target) } else { step.target.name() };
        let source = placeholder(&step.source).name().to_string();
        let sql = step.sql.replace(&source, &place(&step.source).to_string());
        add_view(&target, &format!("SELECT {} FROM ({sql})", list(&step.columns)));
    }
    statements
}

/// The insert into a cascade. It names the tables that it reaches, for the fence.
fn inserting(plan: &FrozenPlan, stages: &Stages, block: &Block) -> Query {
    let columns: Vec<String> = block.columns().map(|(name, _)| name.to_string()).collect();
    let reached: Vec<String> = reached(plan).iter().map(|table| table.name().to_string()).collect();
    let sql = format!(
        "INSERT INTO {} ({}) /* {} */ FORMAT Native",
        stages.cascade(&plan.rows, &plan.rows).name(),
        list(&columns),
        reached.join(", ")
    );
    // One thread, so that rows keep their order.
    Query::new(sql, "").with_profile().with_insert_settings().with_setting("max_threads", 1)
}

impl Tables {
    /// Makes the cascade of a plan where there is none yet; open from here on.
    pub(super) async fn make_cascade(&self, plan: &FrozenPlan) -> Result<Cascade, Undone> {
        self.abandon_stages(&plan.tables()).await?;
        if let Some(known) = self.stages.cascade_of(plan) {
            self.stages.open(&plan.rows);
            return Ok(known);
        }
        self.drop_database(&self.stages.open(&plan.rows).database).await?;
        let made = self.run_all(&making(plan, &self.stages), commanding).await;
        let outcome = match made.map_err(Undone::from) {
            Ok(()) => Cascade::There,
            Err(Undone::Refused(reason)) => {
                tracing::error!(table = plan.rows.table, reason, "the engine makes no cascade: stages serve");
                // Every statement was answered: the stage stays, and with it what is known.
                self.stages.settle(std::slice::from_ref(&plan.rows));
                Cascade::Refused
            }
            Err(other) => return Err(other),
        };
        self.stages.note_cascade(plan, outcome);
        Ok(outcome)
    }

    /// Puts a block into the table of a plan, and what its views make of it into theirs.
    pub(super) async fn insert_cascade(&self, plan: &FrozenPlan, block: &Block) -> Result<(), EngineError> {
        let statement = inserting(plan, &self.stages, block);
        self.insert(statement, block).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::bare;
    use super::super::record::ViewStep;
    use super::*;

    fn key(table: &str) -> TableKey {
        TableKey { database: "w".to_owned(), table: table.to_owned() }
    }

    fn plan(steps: &[&str]) -> FrozenPlan {
        let step = |name: &&str| ViewStep { refusing: Refusing::Never, ..ViewStep::between("w", name) };
        FrozenPlan { steps: steps.iter().map(step).collect(), ..bare("w", "a") }
    }

    #[test]
    fn one_insert_reaches_tables_that_are_written_once_by_views_that_refuse_nothing() {
        assert!(is_possible(&plan(&["a>b", "b>c", "a>d"])));
        for steps in [
            ["a>b", "a>b"].as_slice(),
            &["a>a"],
            &["a>b", "b>a"],
            // The quarantine is put apart.
            &["a>b", "a_quarantine>c"],
            &["a>a_quarantine"],
            &["b>c"],
        ] {
            assert!(!is_possible(&plan(steps)), "{steps:?}");
        }
        let mut refusing = plan(&["a>b", "a>c"]);
        refusing.steps[1].refusing = Refusing::Perhaps;
        assert!(!is_possible(&refusing));
        for table in ["a", "b"] {
            let keys = [(key(table), "intDiv(1, x)".to_owned())].into();
            assert!(!is_possible(&FrozenPlan { keys, ..plan(&["a>b"]) }), "{table}");
        }
        let nothing_kept = |table| FrozenPlan { null_tables: [key(table)].into(), ..plan(&["a>b"]) };
        assert!(is_possible(&nothing_kept("a")));
        assert!(!is_possible(&nothing_kept("b")));
    }

    #[test]
    fn a_plan_that_was_read_back_is_evaluated_before_it_is_put() {
        let read: FrozenPlan =
            serde_json::from_str(&serde_json::to_string(&plan(&["a>b"])).unwrap()).unwrap();
        assert!(!is_possible(&read));
    }

    /// The statements without what differs from run to run.
    fn statements(plan: &FrozenPlan) -> String {
        let stages = Stages::default();
        let statements = making(plan, &stages).join("\n");
        statements.replace(&stages.of(&plan.rows).database, "stage")
    }

    #[test]
    fn a_cascade_has_a_table_for_each_that_is_read_and_a_view_for_each_that_is_written() {
        insta::assert_snapshot!(statements(&plan(&["a>b", "b>c"])), @"
        CREATE DATABASE IF NOT EXISTS `stage` ENGINE = Memory
        CREATE TABLE `stage`.`cascade a` AS `w`.`a` ENGINE = Null
        CREATE TABLE `stage`.`cascade b` AS `w`.`b` ENGINE = Null
        CREATE MATERIALIZED VIEW `stage`.`view 3` TO `w`.`a` AS SELECT * FROM `stage`.`cascade a`
        CREATE MATERIALIZED VIEW `stage`.`view 4` TO `w`.`b` AS SELECT * FROM `stage`.`cascade b`
        CREATE MATERIALIZED VIEW `stage`.`view 5` TO `stage`.`cascade b` AS SELECT `x` FROM (SELECT x FROM `stage`.`cascade a` AS rows)
        CREATE MATERIALIZED VIEW `stage`.`view 6` TO `w`.`c` AS SELECT `x` FROM (SELECT x FROM `stage`.`cascade b` AS rows)
        ");
        let nothing_kept = FrozenPlan { null_tables: [key("a")].into(), ..plan(&["a>b"]) };
        insta::assert_snapshot!(statements(&nothing_kept), @"
        CREATE DATABASE IF NOT EXISTS `stage` ENGINE = Memory
        CREATE TABLE `stage`.`cascade a` AS `w`.`a` ENGINE = Null
        CREATE MATERIALIZED VIEW `stage`.`view 2` TO `w`.`b` AS SELECT `x` FROM (SELECT x FROM `stage`.`cascade a` AS rows)
        ");
    }

    #[test]
    fn the_insert_names_every_table_that_it_reaches() {
        let (stages, plan) = (Stages::default(), plan(&["a>b", "b>c"]));
        let block = crate::ingest::fixtures::column("x | UInt8 | $.x");
        let body = crate::ingest::RowPlan::new(&[block]).unwrap().decode(
            b"{\"x\":1}",
            crate::ingest::BodyFormat::Ndjson,
            &crate::ingest::Limits::default(),
        );
        let query = inserting(&plan, &stages, &body.unwrap().blocks[0]);
        for table in ["`w`.`a`", "`w`.`b`", "`w`.`c`"] {
            assert!(query.sql.contains(table), "{}", query.sql);
        }
        let sql = query.sql.replace(&stages.of(&plan.rows).database, "stage");
        assert!(sql.starts_with("INSERT INTO `stage`.`cascade a` (`x`) /* "), "{sql}");
        assert!(sql.ends_with(" */ FORMAT Native"), "{sql}");
    }
}
