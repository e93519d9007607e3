//! One job and its states. Pure.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::catalog::{JobEnd, JobKind, Moment, StoredJob};
use crate::ingest::Deletion;

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// It waits for its turn.
    Waiting,
    /// It runs.
    Working,
    /// It has done its work.
    Done {
        /// Rows that it has deleted.
        rows_affected: u64,
    },
    /// It has failed.
    Failed {
        /// Why.
        error: String,
    },
    /// It was called off before it began.
    Cancelled,
}

/// One job: it deletes rows of a data source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its identifier.
    pub id: Uuid,
    /// The data source that it changes, or its quarantine.
    pub data_source: String,
    /// Which rows it deletes.
    pub condition: String,
    /// The partition that it keeps to.
    pub partition: Option<String>,
    /// How far it is.
    pub state: JobState,
    /// When it was accepted.
    pub created_at: Moment,
    /// When it began.
    pub started_at: Option<Moment>,
    /// When it changed last.
    pub updated_at: Moment,
}

impl JobState {
    /// How a job has ended that deleted so many rows, or failed.
    pub(super) fn ended<E: std::fmt::Display>(outcome: Result<u64, E>) -> Self {
        match outcome {
            Ok(rows_affected) => Self::Done { rows_affected },
            Err(error) => Self::Failed { error: error.to_string() },
        }
    }

    /// The state in Tinybird's words.
    pub fn status(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Working => "working",
            Self::Done { .. } => "done",
            Self::Failed { .. } => "error",
            Self::Cancelled => "cancelled",
        }
    }

    /// True where nothing more happens.
    pub fn is_over(&self) -> bool {
        !matches!(self, Self::Waiting | Self::Working)
    }
}

impl Job {
    /// What jobs do, in Tinybird's words.
    pub const KIND: &'static str = "delete_data";

    pub(super) fn new(deletion: &Deletion, now: DateTime<Utc>) -> Self {
        let now = Moment(now);
        Self {
            id: Uuid::new_v4(),
            data_source: deletion.name(),
            condition: deletion.condition().to_owned(),
            partition: deletion.partition().map(str::to_owned),
            state: JobState::Waiting,
            created_at: now,
            started_at: None,
            updated_at: now,
        }
    }

    /// The latest record of a job counts, so that its times grow whatever the clock does.
    pub(super) fn enter(&mut self, state: JobState, now: DateTime<Utc>) {
        self.updated_at = Moment(now.max(self.updated_at.0 + TimeDelta::microseconds(1)));
        if state == JobState::Working {
            self.started_at = Some(self.updated_at);
        }
        self.state = state;
    }

    pub(super) fn stored(&self) -> StoredJob {
        let (status, rows_affected, error) = match &self.state {
            JobState::Waiting | JobState::Working => (JobEnd::Waiting, 0, ""),
            JobState::Done { rows_affected } => (JobEnd::Done, *rows_affected, ""),
            JobState::Failed { error } => (JobEnd::Error, 0, error.as_str()),
            JobState::Cancelled => (JobEnd::Cancelled, 0, ""),
        };
        StoredJob {
            id: self.id,
            kind: JobKind::DeleteData,
            status,
            data_source: self.data_source.clone(),
            condition: self.condition.clone(),
            partition: self.partition.clone().unwrap_or_default(),
            rows_affected,
            error: error.to_owned(),
            created_at: self.created_at,
            started_at: self.started_at,
            updated_at: self.updated_at,
        }
    }
}

/// A job of an earlier life: one that had not ended waits again.
impl From<StoredJob> for Job {
    fn from(stored: StoredJob) -> Self {
        let state = match stored.status {
            JobEnd::Waiting => JobState::Waiting,
            JobEnd::Done => JobState::Done { rows_affected: stored.rows_affected },
            JobEnd::Error => JobState::Failed { error: stored.error },
            JobEnd::Cancelled => JobState::Cancelled,
        };
        let StoredJob { id, data_source, condition, partition, created_at, started_at, updated_at, .. } =
            stored;
        let partition = Some(partition).filter(|partition| !partition.is_empty());
        Self { id, data_source, condition, partition, state, created_at, started_at, updated_at }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::jobs) fn moment(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap()
    }

    /// A job that was accepted and entered this state at a second.
    pub(in crate::jobs) fn job(second: i64, state: JobState) -> Job {
        let mut job = Job {
            id: Uuid::new_v4(),
            data_source: "hits".to_owned(),
            condition: "a = 1".to_owned(),
            partition: None,
            state: JobState::Waiting,
            created_at: Moment(moment(second)),
            started_at: None,
            updated_at: Moment(moment(second)),
        };
        job.enter(state, moment(second));
        job
    }

    #[test]
    fn what_has_ended_is_the_same_after_a_restart() {
        let failed = JobState::Failed { error: "no".to_owned() };
        for state in [JobState::Done { rows_affected: 3 }, failed, JobState::Cancelled] {
            let mut job = job(0, JobState::Working);
            job.partition = Some("202401".to_owned());
            job.enter(state, moment(2));
            assert!(job.state.is_over());
            assert_eq!(Job::from(job.stored()), job);
        }
    }

    #[test]
    fn a_clock_that_goes_back_leaves_the_order_of_records() {
        let mut job = job(5, JobState::Working);
        let before = job.updated_at;
        job.enter(JobState::Cancelled, moment(1));
        assert!(job.updated_at > before);
    }

    #[test]
    fn what_has_not_ended_waits_again_after_a_restart() {
        let working = job(1, JobState::Working);
        // It was accepted in the same moment.
        assert_eq!(working.started_at, Some(Moment(moment(1) + TimeDelta::microseconds(1))));
        assert_eq!(Job::from(working.stored()), Job { state: JobState::Waiting, ..working });
    }
}
