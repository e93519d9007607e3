//! Rows that the engine refuses: found by halves, and moved to the quarantine with its reason.
//!
//! The rows lie in raw tables as they came. A run of them is tried by evaluating it in the stages
//! alone; a run that is refused is halved, down to single rows. Nothing real is written meanwhile.

use std::collections::BTreeMap;

use super::commit::{Undone, evaluate};
use super::content::Content;
use super::record::{FrozenPlan, TableKey};
use super::tables::Tables;
use crate::schema::{quarantine, quoting};

/// Tries before the runs that are left are taken as refused whole.
const MAX_TRIES: usize = 2_000;
/// Tries without any success before that: a view that refuses everything is not looked into row by
/// row.
const MAX_VAIN_TRIES: usize = 64;
/// The number of a row in a raw table: no name that a column has by accident.
const ROW: &str = "`roost.row`";
/// Bytes of a reason that are kept with a row.
const MAX_REASON: usize = 1_024;

/// What was moved to the quarantine, by request.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusals {
    by_request: BTreeMap<usize, Refused>,
}

/// Rows of one request that the engine refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) rows: usize,
    /// Why the first of them was.
    pub(super) reason: String,
}

impl Refusals {
    /// The refused rows of a request.
    pub(super) fn of(&self, request: usize) -> Option<&Refused> {
        self.by_request.get(&request)
    }

    /// How many rows were moved.
    pub(super) fn rows(&self) -> u64 {
        self.by_request.values().map(|refused| refused.rows as u64).sum()
    }

    fn add(&mut self, request: usize, reason: &str) {
        let refused = || Refused { rows: 0, reason: reason.to_owned() };
        self.by_request.entry(request).or_insert_with(refused).rows += 1;
    }
}

/// Rows of one raw table, from the first to before the second.
#[derive(Debug, Clone, Copy)]
struct Run {
    table: usize,
    from: usize,
    to: usize,
}

impl Run {
    /// True in SQL for its rows.
    fn condition(self) -> String {
        format!("({ROW} >= {} AND {ROW} < {})", self.from, self.to)
    }
}

/// Leaves the stages with the rows that the engine takes, all evaluated, and with those that it does
/// not in the quarantine's.
pub(super) async fn sift(
    tables: &Tables,
    plan: &FrozenPlan,
    content: &Content,
    reason: String,
) -> Result<Refusals, Undone> {
    let mut sieve = Sieve::over(tables, plan, content).await?;
    sieve.search(reason).await?;
    match sieve.settle().await {
        // Each row alone is taken and all of them together are not: nobody can say which is wrong.
        Err(Undone::Refused(reason)) => sieve.refuse_all(&reason).await?,
        outcome => outcome?,
    }
    sieve.finish().await
}

/// Leaves the stages with every row in the quarantine's.
pub(super) async fn refuse(
    tables: &Tables,
    plan: &FrozenPlan,
    content: &Content,
    reason: &str,
) -> Result<Refusals, Undone> {
    let mut sieve = Sieve::over(tables, plan, content).await?;
    sieve.refuse_all(reason).await?;
    sieve.finish().await
}

struct Sieve<'a> {
    tables: &'a Tables,
    plan: &'a FrozenPlan,
    content: &'a Content,
    tries: usize,
    passed: usize,
    refused: Vec<(Run, String)>,
}

impl<'a> Sieve<'a> {
    /// Lays the rows out as they came.
    async fn over(tables: &'a Tables, plan: &'a FrozenPlan, content: &'a Content) -> Result<Self, Undone> {
        for (number, merged) in content.rows.iter().enumerate() {
            tables.make_raw(&tables.stages.raw(&plan.rows, number), &merged.block).await?;
        }
        Ok(Self { tables, plan, content, tries: 0, passed: 0, refused: Vec::new() })
    }

    async fn refuse_all(&mut self, reason: &str) -> Result<(), Undone> {
        self.refused = self.runs().into_iter().map(|run| (run, reason.to_owned())).collect();
        self.settle().await
    }

    /// Takes the raw tables away; tells whose rows were moved.
    async fn finish(self) -> Result<Refusals, Undone> {
        let mut refusals = Refusals::default();
        for (run, reason) in &self.refused {
            for row in run.from..run.to {
                refusals.add(self.content.rows[run.table].owner(row), reason);
            }
        }
        for number in 0..self.content.rows.len() {
            self.tables.drop(&self.raw(number)).await?;
        }
        Ok(refusals)
    }

    /// All rows.
    fn runs(&self) -> Vec<Run> {
        let run = |(table, merged): (usize, &super::content::Merged)| Run {
            table,
            from: 0,
            to: merged.block.rows(),
        };
        self.content.rows.iter().enumerate().map(run).collect()
    }

    /// Finds the refused rows.
    async fn search(&mut self, reason: String) -> Result<(), Undone> {
        let mut open: Vec<Run> = self.runs().into_iter().rev().collect();
        let mut last = reason;
        while let Some(run) = open.pop() {
            if self.is_exhausted() {
                self.refused.push((run, last.clone()));
                continue;
            }
            match self.attempt(run).await {
                Ok(()) => self.passed += 1,
                Err(Undone::Refused(reason)) if run.to - run.from <= 1 => {
                    last.clone_from(&reason);
                    self.refused.push((run, reason));
                }
                Err(Undone::Refused(_)) => {
                    let middle = run.from + (run.to - run.from) / 2;
                    open.extend([Run { from: middle, ..run }, Run { to: middle, ..run }]);
                }
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    fn is_exhausted(&self) -> bool {
        self.tries >= MAX_TRIES || (self.passed == 0 && self.tries >= MAX_VAIN_TRIES)
    }

    async fn attempt(&mut self, run: Run) -> Result<(), Undone> {
        self.tries += 1;
        self.tables.empty_stages(&self.plan.tables()).await?;
        self.load(run.table, &run.condition()).await?;
        evaluate(self.tables, self.plan, ((run.to - run.from) as u64, 0)).await
    }

    /// Fills the stages for good.
    async fn settle(&self) -> Result<(), Undone> {
        self.tables.empty_stages(&self.plan.tables()).await?;
        for table in 0..self.content.rows.len() {
            self.load(table, &format!("NOT ({})", self.condition(table))).await?;
        }
        for merged in &self.content.quarantine {
            self.tables.insert_block(&self.tables.stages.of(&self.plan.quarantine), &merged.block).await?;
        }
        for (run, reason) in &self.refused {
            self.quarantine(*run, reason).await?;
        }
        let refused: u64 = self.refused.iter().map(|(run, _)| (run.to - run.from) as u64).sum();
        let rows = self.content.row_count().saturating_sub(refused);
        evaluate(self.tables, self.plan, (rows, self.content.quarantine_count() + refused)).await
    }

    /// True in SQL for the refused rows of a raw table.
    fn condition(&self, table: usize) -> String {
        let refused = self.refused.iter().filter(|(run, _)| run.table == table);
        let runs: Vec<String> = refused.map(|(run, _)| run.condition()).collect();
        if runs.is_empty() { "0".to_owned() } else { runs.join(" OR ") }
    }

    async fn load(&self, table: usize, condition: &str) -> Result<(), Undone> {
        let columns = self.columns(table);
        let listed: Vec<String> = columns.iter().map(|column| quoting::identifier(column)).collect();
        let query = format!("SELECT {} FROM ({}) WHERE {condition}", listed.join(", "), self.numbered(table));
        Ok(self.tables.stage_from(&self.plan.rows, &columns, &query).await?)
    }

    fn columns(&self, table: usize) -> Vec<String> {
        self.content.rows[table].block.columns().map(|(name, _)| name.to_string()).collect()
    }

    /// A raw table with the number of each row.
    fn numbered(&self, table: usize) -> String {
        format!("SELECT *, rowNumberInAllBlocks() AS {ROW} FROM {}", self.raw(table).name())
    }

    fn raw(&self, table: usize) -> TableKey {
        self.tables.stages.raw(&self.plan.rows, table)
    }

    /// Moves rows to the quarantine's stage, every value as text.
    async fn quarantine(&self, run: Run, reason: &str) -> Result<(), Undone> {
        let own =
            [quarantine::ERROR_COLUMN, quarantine::ERROR, quarantine::IMPORT_ID, quarantine::INSERTION_DATE];
        let reason = quoting::string(&reason[..reason.floor_char_boundary(MAX_REASON)]);
        let mut columns = own[..2].iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut values = vec!["['$']".to_owned(), format!("[{reason}]")];
        for (name, declared) in self.content.rows[run.table].block.columns() {
            if !own.contains(&name.as_str()) {
                columns.push(name.to_string());
                values.push(as_text(&quoting::identifier(name.as_str()), declared));
            }
        }
        columns.push(quarantine::INSERTION_DATE.to_owned());
        values.push(format!("toDateTime({})", self.content.arrival));
        let query = format!(
            "SELECT {} FROM ({}) WHERE {}",
            values.join(", "),
            self.numbered(run.table),
            run.condition()
        );
        Ok(self.tables.stage_from(&self.plan.quarantine, &columns, &query).await?)
    }
}

/// A value as the quarantine keeps it: text as it is, what holds several as JSON.
fn as_text(column: &str, declared: &str) -> String {
    let several = ["Array(", "Map(", "Tuple("].iter().any(|kind| declared.starts_with(kind));
    if several { format!("toJSONString({column})") } else { format!("toString({column})") }
}
