//! The jobs of one workspace: accepted, listed, called off, and run in turn.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::known::{JobFilter, Known, MEMORY};
use super::metrics::JobMetrics;
use super::{Job, JobState};
use crate::catalog::{Moment, Store, StoreError};
use crate::clock::Clock;
use crate::config;
use crate::ingest::{Deletion, Ingest, IngestError, JobMark, Matched};

/// Why a job is not there, or not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// So many are open already.
    #[error("{limit} jobs are waiting or running (jobs.max_open): wait until some have ended")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// No job has this id, or it ended too long ago.
    #[error("the job `{0}` does not exist, or it ended more than 48 hours ago")]
    NotFound(String),
    /// It has begun, or ended.
    #[error("the job `{id}` cannot be cancelled: its status is `{status}`")]
    NotCancellable {
        /// Which one.
        id: Uuid,
        /// How far it is.
        status: &'static str,
    },
    /// It cannot be recorded now; nothing was accepted.
    #[error("the job cannot be recorded now: nothing was accepted, try again")]
    NotSaved,
    /// It may be recorded or not.
    #[error("the job may have been recorded or not: after the next start it is done if it was")]
    SaveUnknown,
}

/// The pause before the end of a job is recorded once more.
const SAVE_PAUSE: Duration = Duration::from_millis(500);

/// Records how the work of a job ended that a start has brought to its end, before anything else is done.
pub async fn record_found(
    store: &Store,
    workspace: Uuid,
    found: JobMark,
    outcome: Result<(), String>,
) -> Result<(), StoreError> {
    let now = Moment(Clock::System.now());
    let stored = store.jobs(workspace, now).await?;
    let Some(stored) = stored.into_iter().find(|stored| stored.id == found.id) else { return Ok(()) };
    let mut job = Job::from(stored);
    job.enter(JobState::ended(outcome.map(|()| found.rows)), now.0);
    store.save_job(workspace, &job.stored()).await
}

/// What the room is made of.
pub struct JobsParts<'a> {
    /// Where jobs are recorded.
    pub store: Store,
    /// Whose jobs they are.
    pub workspace: Uuid,
    /// What runs them.
    pub ingest: Arc<Ingest>,
    /// How many there may be.
    pub settings: &'a config::Jobs,
    /// The time.
    pub clock: Clock,
    /// Where they run.
    pub tasks: TaskTracker,
    /// When no further one begins.
    pub stop: CancellationToken,
}

/// The jobs of one workspace.
pub struct Jobs {
    store: Store,
    workspace: Uuid,
    ingest: Arc<Ingest>,
    clock: Clock,
    tasks: TaskTracker,
    stop: CancellationToken,
    max_open: usize,
    max_kept: usize,
    turns: Semaphore,
    known: Mutex<Known>,
    metrics: JobMetrics,
}

impl Jobs {
    /// Knows the jobs of earlier lives again, and begins those that had not ended.
    pub async fn open(parts: JobsParts<'_>) -> Result<Arc<Self>, StoreError> {
        let JobsParts { store, workspace, ingest, settings, clock, tasks, stop } = parts;
        let memory = Moment(clock.now() - MEMORY);
        store.forget_jobs(workspace, memory).await?;
        let stored = store.jobs(workspace, memory).await?;
        let jobs = Arc::new(Self {
            store,
            workspace,
            ingest,
            clock,
            tasks,
            stop,
            max_open: settings.max_open.get(),
            max_kept: settings.max_kept.get(),
            turns: Semaphore::new(settings.concurrent.get()),
            known: Mutex::default(),
            metrics: JobMetrics::default(),
        });
        for job in stored.into_iter().map(Job::from) {
            let (id, is_open) = (job.id, !job.state.is_over());
            jobs.known().add(job);
            if is_open {
                tracing::info!(job = %id, "a job of the last run is begun again");
                jobs.begin(id);
            }
        }
        Ok(jobs)
    }

    /// What is counted.
    pub fn metrics(&self) -> &JobMetrics {
        &self.metrics
    }

    /// Accepts a deletion; the job is on disk when this returns.
    pub async fn delete(self: &Arc<Self>, deletion: Deletion) -> Result<Job, JobError> {
        let jobs = Arc::clone(self);
        // A caller that goes away must not leave a job that is recorded and not begun.
        let accepted = self.tasks.spawn(async move { jobs.accept(&deletion).await });
        accepted.await.unwrap_or(Err(JobError::SaveUnknown))
    }

    async fn accept(self: Arc<Self>, deletion: &Deletion) -> Result<Job, JobError> {
        let job = Job::new(deletion, self.clock.now());
        self.reserve(&job)?;
        if let Err(error) = self.store.save_job(self.workspace, &job.stored()).await {
            self.known().remove(job.id);
            tracing::warn!(code = error.code(), unsent = error.is_unsent(), "a job was not recorded");
            return Err(if error.is_unsent() { JobError::NotSaved } else { JobError::SaveUnknown });
        }
        self.begin(job.id);
        Ok(job)
    }

    /// Takes a place for a job among the open ones, before it is recorded.
    fn reserve(&self, job: &Job) -> Result<(), JobError> {
        let mut known = self.known();
        known.forget(self.clock.now(), self.max_kept);
        if known.open() >= self.max_open {
            return Err(JobError::TooMany { limit: self.max_open });
        }
        known.add(job.clone());
        Ok(())
    }

    fn begin(self: &Arc<Self>, id: Uuid) {
        self.metrics.opened();
        let jobs = Arc::clone(self);
        self.tasks.spawn(async move {
            // What is cut off here is begun again at the next start.
            jobs.stop.run_until_cancelled(jobs.run(id)).await;
        });
    }

    async fn run(self: &Arc<Self>, id: Uuid) {
        // It is never closed.
        let Ok(_turn) = self.turns.acquire().await else { return };
        let Some(job) = self.enter(id, &JobState::Waiting, JobState::Working) else { return };
        // Read anew, because the data source may be another one than when the job was accepted.
        let rows = (job.condition.as_str(), job.partition.as_deref());
        match self.ingest.accepted_deletion(&job.data_source, rows) {
            Ok(deletion) => self.delete_rows(id, &deletion).await,
            Err(error) => self.end(id, Err(error)).await,
        }
    }

    async fn delete_rows(self: &Arc<Self>, id: Uuid, deletion: &Deletion) {
        let jobs = Arc::clone(self);
        let tell = move |outcome| async move { jobs.end(id, outcome).await }.boxed();
        if let Err(error) = self.ingest.delete_as(id, deletion, tell).await {
            // Where it was told of the outcome it has ended already.
            let error = format!("{error}; what has become of it is looked at after the next start");
            let failed = self.enter(id, &JobState::Working, JobState::Failed { error });
            if let Some(job) = failed {
                self.metrics.ended(&job.state);
            }
        }
    }

    /// Records how a job has ended, however long the engine is away.
    async fn end(&self, id: Uuid, outcome: Result<Matched, IngestError>) {
        let state = JobState::ended(outcome.map(|matched| matched.rows));
        if let Some(job) = self.enter(id, &JobState::Working, state) {
            self.record(&job).await;
        }
    }

    async fn record(&self, job: &Job) {
        self.metrics.ended(&job.state);
        while let Err(error) = self.store.save_job(self.workspace, &job.stored()).await {
            tracing::warn!(job = %job.id, code = error.code(), "the end of a job cannot be recorded now");
            tokio::time::sleep(SAVE_PAUSE).await;
        }
    }

    fn enter(&self, id: Uuid, from: &JobState, to: JobState) -> Option<Job> {
        self.known().enter(id, from, to, self.clock.now())
    }

    /// A job by its id.
    pub fn find(&self, id: &str) -> Result<Job, JobError> {
        let found = Uuid::parse_str(id).ok().and_then(|id| self.known().get(id).cloned());
        found.ok_or_else(|| JobError::NotFound(id.to_owned()))
    }

    /// Jobs, the latest first.
    pub fn list(&self, filter: &JobFilter) -> Vec<Job> {
        let mut known = self.known();
        known.forget(self.clock.now(), self.max_kept);
        known.list(filter)
    }

    /// Calls a job off that has not begun; that is on disk when this returns.
    pub async fn cancel(self: &Arc<Self>, id: &str) -> Result<Job, JobError> {
        let Job { id, .. } = self.find(id)?;
        let Some(job) = self.enter(id, &JobState::Waiting, JobState::Cancelled) else {
            let status = self.find(&id.to_string())?.state.status();
            return Err(JobError::NotCancellable { id, status });
        };
        let jobs = Arc::clone(self);
        // It is called off already, also where its caller goes away.
        let recorded = self.tasks.spawn(async move {
            jobs.record(&job).await;
            job
        });
        recorded.await.map_err(|_| JobError::SaveUnknown)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
