//! One batch on its way into its tables, exactly once.
//!
//! First everything that may be refused is evaluated, then the heights are written down, then one block
//! is put into each table. What fails before the heights are written has changed nothing; what fails
//! behind them leaves the batch in doubt, and [`Committer::redo`] puts what is not there yet.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::cascade::{self, Cascade};
use super::content::Content;
use super::directories::was_noted;
use super::heights::seen_in;
use super::journal::Journal;
use super::ledger::Batch;
use super::locks::Locks;
use super::poison::{self, Refusals};
use super::record::{BatchId, Control, Freeze, FrozenPlan, Seen, TableKey, ViewStep};
use super::tables::{Filled, Reach, Tables};
use crate::catalog::Versions;
use crate::engine::EngineError;
use crate::ingest::Block;
use crate::ingest::wal::{Sequence, WalError};

/// The pause before a failed step is tried again; it doubles up to the second number.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Codes of ClickHouse that say nothing about the rows: memory, disks, time, load, a table that is
/// being changed, a server that stops. The same rows may be taken later.
const NOT_ABOUT_ROWS: [u32; 20] =
    [60, 74, 75, 76, 81, 198, 202, 209, 210, 218, 236, 242, 243, 252, 394, 473, 999, 1000, 1001, 1002];
/// Codes that a smaller batch may avoid.
const TOO_MUCH: [u32; 3] = [159, 241, 306];

/// What commits batches.
#[derive(Clone)]
pub(super) struct Committer {
    pub(super) tables: Tables,
    pub(super) journal: Arc<Journal>,
    pub(super) locks: Arc<Locks>,
    pub(super) versions: Arc<Versions>,
}

/// Why a step did not succeed.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Undone {
    /// The engine refuses the rows, in ClickHouse's words.
    #[error("{0}")]
    Refused(String),
    /// The batch asks for more than the engine has.
    #[error("{0}")]
    TooMuch(String),
    /// It has nothing to do with the rows; to be tried again.
    #[error("{0}")]
    Later(String),
}

impl From<EngineError> for Undone {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Exception { code, message } if TOO_MUCH.contains(&code) => Self::TooMuch(message),
            EngineError::Exception { code, message } if !NOT_ABOUT_ROWS.contains(&code) => {
                Self::Refused(message)
            }
            other => Self::Later(other.to_string()),
        }
    }
}

impl From<WalError> for Undone {
    fn from(error: WalError) -> Self {
        Self::Later(error.to_string())
    }
}

/// One insert of a batch.
enum Put<'a> {
    /// A block as it came, into one table.
    Block(TableKey, &'a Block),
    /// The same into the cascade of the batch, which reaches these tables.
    Cascade(Vec<TableKey>, &'a Block),
    /// The rows of the table's stage, if there are any.
    Stage(TableKey),
}

impl Put<'_> {
    fn tables(&self) -> &[TableKey] {
        match self {
            Self::Block(table, _) | Self::Stage(table) => std::slice::from_ref(table),
            Self::Cascade(tables, _) => tables,
        }
    }
}

/// Everything that a batch puts. Nothing of it is refused.
struct Prepared<'a> {
    puts: Vec<Put<'a>>,
    refusals: Refusals,
}

impl Prepared<'_> {
    fn tables(&self) -> BTreeSet<TableKey> {
        self.puts.iter().flat_map(Put::tables).cloned().collect()
    }
}

/// Waits longer after each failure.
pub(super) struct Pause(Duration);

impl Pause {
    pub(super) fn new() -> Self {
        Self(FIRST_PAUSE)
    }

    pub(super) async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
    }
}

impl Committer {
    /// Commits the rows of some requests as a batch. On an error nothing has happened.
    pub(super) async fn commit(
        &self,
        batch: (BatchId, Sequence),
        plan: &FrozenPlan,
        content: &Content,
    ) -> Result<Refusals, Undone> {
        let _locks = self.locks.take(plan.tables()).await;
        self.commit_locked(batch, plan, content).await
    }

    /// The same for a caller that holds the locks.
    pub(super) async fn commit_locked(
        &self,
        (id, to): (BatchId, Sequence),
        plan: &FrozenPlan,
        content: &Content,
    ) -> Result<Refusals, Undone> {
        let prepared = self.prepare(plan, content).await?;
        let heights = self.tables.heights(&prepared.tables()).await?;
        let freeze = Control::Freeze(Box::new(Freeze { batch: id.clone(), to, plan: plan.clone(), heights }));
        self.journal.say(freeze).await?;
        match self.put_all(plan, &prepared, &Seen::new()).await {
            Ok(()) => {
                self.tables.stages.settle(&plan.tables());
                self.say_done(&id).await;
            }
            Err(undone) => {
                self.journal.metrics().doubted();
                tracing::warn!(source = id.source, %undone, "a batch is in doubt");
                return Ok(self.redo(&id, content).await);
            }
        }
        Ok(prepared.refusals)
    }

    async fn prepare<'a>(&self, plan: &FrozenPlan, content: &'a Content) -> Result<Prepared<'a>, Undone> {
        let Some(puts) = direct(&self.tables.reach, plan, content) else {
            return self.prepare_stages(plan, content).await;
        };
        let cascades = puts.iter().any(|put| matches!(put, Put::Cascade(..)));
        if cascades && self.tables.make_cascade(plan).await? == Cascade::Refused {
            return self.prepare_stages(plan, content).await;
        }
        Ok(Prepared { puts, refusals: Refusals::default() })
    }

    /// Evaluates a batch in the stages; rows that the engine refuses are moved to the quarantine.
    async fn prepare_stages<'a>(&self, plan: &FrozenPlan, content: &Content) -> Result<Prepared<'a>, Undone> {
        self.tables.abandon_stages(&plan.tables()).await?;
        let mut stages = plan.tables();
        // The quarantine's is emptied where it is filled.
        stages
            .retain(|table| *table != plan.quarantine || !content.quarantine.is_empty() || plan.reads(table));
        self.tables.empty_stages(&stages).await?;
        let rows = match &plan.history {
            Some(chunk) => self.tables.count_history(&plan.rows, chunk).await?,
            None => content.row_count(),
        };
        let refusals = self.fill_stages(plan, content, rows).await?;
        let quarantined = content.quarantine_count() + refusals.rows();
        let mut tables = plan.tables();
        tables.retain(|table| {
            !plan.null_tables.contains(table) && (quarantined > 0 || *table != plan.quarantine)
        });
        let is_empty = rows.saturating_sub(refusals.rows()) == 0 && quarantined == 0;
        let puts = if is_empty { Vec::new() } else { tables };
        let puts = puts.into_iter().map(Put::Stage).collect();
        Ok(Prepared { puts, refusals })
    }

    /// Fills the stages with what is to be put; tells what was moved to the quarantine's.
    async fn fill_stages(&self, plan: &FrozenPlan, content: &Content, rows: u64) -> Result<Refusals, Undone> {
        if let Some(reason) = &plan.refused {
            return poison::refuse(&self.tables, plan, content, reason).await;
        }
        match self.load_and_evaluate(plan, content, rows).await {
            Ok(()) => Ok(Refusals::default()),
            Err(Undone::Refused(reason)) if plan.history.is_none() => {
                tracing::warn!(
                    table = plan.rows.table,
                    reason,
                    "the engine refuses rows: they are looked for"
                );
                poison::sift(&self.tables, plan, content, reason).await
            }
            Err(other) => Err(other),
        }
    }

    async fn load_and_evaluate(&self, plan: &FrozenPlan, content: &Content, rows: u64) -> Result<(), Undone> {
        if let Some(chunk) = &plan.history {
            self.tables.stage_history(&plan.rows, chunk).await?;
        }
        for merged in &content.rows {
            self.tables.insert_block(&self.tables.stages.of(&plan.rows), &merged.block).await?;
        }
        for merged in &content.quarantine {
            self.tables.insert_block(&self.tables.stages.of(&plan.quarantine), &merged.block).await?;
        }
        evaluate(&self.tables, plan, (rows, content.quarantine_count())).await
    }

    /// Puts what has not been seen, into all tables side by side: each has heights of its own. Every put
    /// comes to its end, whatever becomes of the others.
    async fn put_all(&self, plan: &FrozenPlan, prepared: &Prepared<'_>, seen: &Seen) -> Result<(), Undone> {
        let puts = prepared.puts.iter().map(|put| self.put(plan, put, seen));
        let outcomes = futures_util::future::join_all(puts).await;
        // Whatever the outcome: of what failed, some may be there. A batch that was in doubt comes here
        // once more before anybody hears of it.
        self.versions.changed(prepared.tables().iter().map(TableKey::physical));
        outcomes.into_iter().collect()
    }

    async fn put(&self, plan: &FrozenPlan, put: &Put<'_>, seen: &Seen) -> Result<(), Undone> {
        match put {
            Put::Block(table, block) => self.tables.insert_block(table, block).await?,
            Put::Cascade(_, block) => {
                self.tables.insert_cascade(plan, block).await?;
                self.journal.metrics().cascaded();
            }
            Put::Stage(table) => match seen.get(table).filter(|partitions| !partitions.is_empty()) {
                None => self.tables.put_stage(table).await?,
                Some(seen) => self.tables.put_rest(table, seen).await?,
            },
        }
        Ok(())
    }

    /// Brings a batch in doubt to its end, however long it takes. Its tables are locked.
    pub(super) async fn redo(&self, id: &BatchId, content: &Content) -> Refusals {
        let mut pause = Pause::new();
        loop {
            let Some(batch) = self.journal.ledger().batch(id).cloned() else { return Refusals::default() };
            match self.redo_once(&batch, content).await {
                Ok(refusals) => {
                    self.say_done(id).await;
                    return refusals;
                }
                Err(undone) => {
                    tracing::warn!(source = id.source, %undone, "a batch stays in doubt");
                    pause.wait().await;
                }
            }
        }
    }

    async fn redo_once(&self, batch: &Batch, content: &Content) -> Result<Refusals, Undone> {
        let seen = self.look(batch).await?;
        let prepared = self.prepare_stages(&batch.plan, content).await?;
        let heights = self.tables.heights(&prepared.tables()).await?;
        self.journal.say(Control::Retry { batch: batch.id.clone(), heights, seen: seen.clone() }).await?;
        self.put_all(&batch.plan, &prepared, &seen).await?;
        self.tables.stages.settle(&batch.plan.tables());
        Ok(prepared.refusals)
    }

    /// Where a batch in doubt is, once nothing can change that any more.
    pub(super) async fn look(&self, batch: &Batch) -> Result<Seen, EngineError> {
        // In this order: what begins after the fence must find no stage.
        self.tables.abandon_stages(&batch.plan.tables()).await?;
        self.tables.fence(&batch.plan.tables()).await?;
        let mut parts = self.tables.parts(&batch.plan.kept_tables()).await?;
        let ledger = self.journal.ledger();
        parts.retain(|part| match ledger.parts() {
            Some(noted) => was_noted(noted, &part.path),
            None => self.tables.is_on_disk(part),
        });
        Ok(seen_in(&parts, &ledger.evidence(&batch.id), batch.seen.clone()))
    }

    /// Says that a batch is in its tables. Not being able to say so costs a look at the next start.
    async fn say_done(&self, id: &BatchId) {
        if let Err(error) = self.journal.say(Control::Done { batch: id.clone() }).await {
            tracing::error!(source = id.source, %error, "the log cannot say that a batch is done");
        }
    }
}

/// Evaluates the views of a batch whose rows are in their stages, so many in the data source's and in
/// its quarantine's, and every key.
pub(super) async fn evaluate(
    tables: &Tables,
    plan: &FrozenPlan,
    (rows, quarantined): (u64, u64),
) -> Result<(), Undone> {
    let filled = |step: &ViewStep| {
        let filled_by_a_view = plan.steps.iter().any(|other| other.target == step.source);
        match &step.source {
            _ if filled_by_a_view => Filled::Unknown,
            source if *source == plan.rows => Filled::with(rows),
            source if *source == plan.quarantine => Filled::with(quarantined),
            _ => Filled::Unknown,
        }
    };
    tables.evaluate(plan.steps.iter().map(|step| (step, filled(step)))).await?;
    Ok(tables.check_keys(plan).await?)
}

/// The puts of a batch that need no stage: at most one block for the data source's table and one for its
/// quarantine, and no view, or views that refuse nothing. A server might take such a block after it was
/// given up on.
fn direct<'a>(reach: &Reach, plan: &FrozenPlan, content: &'a Content) -> Option<Vec<Put<'a>>> {
    let is_simple = matches!(reach, Reach::Child(_))
        && plan.history.is_none()
        && plan.refused.is_none()
        && content.rows.len() <= 1
        && content.quarantine.len() <= 1
        && (plan.steps.is_empty() || cascade::is_possible(plan));
    if !is_simple {
        return None;
    }
    let put_rows = |block| match plan.steps.as_slice() {
        [] => (!plan.null_tables.contains(&plan.rows)).then(|| Put::Block(plan.rows.clone(), block)),
        _ => Some(Put::Cascade(cascade::reached(plan), block)),
    };
    let rows = content.rows.first().and_then(|merged| put_rows(&merged.block));
    let quarantine = content.quarantine.first().map(|merged| &merged.block);
    let quarantine = quarantine.map(|block| Put::Block(plan.quarantine.clone(), block));
    Some(rows.into_iter().chain(quarantine).collect())
}
