//! The jobs that can be asked about. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Job, JobState};
use crate::catalog::Moment;

/// How long an ended job can be asked about, as in Tinybird.
pub(super) const MEMORY: Duration = Duration::from_hours(48);
/// The most that one list holds, as in Tinybird.
const MAX_LISTED: usize = 100;

/// Which jobs a list is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// What they do.
    pub kind: Option<String>,
    /// How far they are.
    pub status: Option<String>,
    /// The pipe that they run.
    pub pipe: Option<String>,
    /// Accepted at this moment or later.
    pub created_after: Option<Moment>,
    /// Accepted at this moment or earlier.
    pub created_before: Option<Moment>,
}

impl JobFilter {
    fn passes(&self, job: &Job) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        is(&self.kind, Job::KIND)
            && is(&self.status, job.state.status())
            // No job runs a pipe.
            && self.pipe.is_none()
            && self.created_after.is_none_or(|moment| job.created_at >= moment)
            && self.created_before.is_none_or(|moment| job.created_at <= moment)
    }
}

/// Jobs by their ids.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<Uuid, Job>);

impl Known {
    pub(super) fn add(&mut self, job: Job) {
        self.0.insert(job.id, job);
    }

    pub(super) fn remove(&mut self, id: Uuid) {
        self.0.remove(&id);
    }

    pub(super) fn get(&self, id: Uuid) -> Option<&Job> {
        self.0.get(&id)
    }

    /// How many have not ended.
    pub(super) fn open(&self) -> usize {
        self.0.values().filter(|job| !job.state.is_over()).count()
    }

    /// Brings a job from one state to the next; `None` where it is in another.
    pub(super) fn enter(
        &mut self,
        id: Uuid,
        from: &JobState,
        to: JobState,
        now: DateTime<Utc>,
    ) -> Option<Job> {
        let job = self.0.get_mut(&id).filter(|job| job.state == *from)?;
        job.enter(to, now);
        Some(job.clone())
    }

    /// Jobs that pass, the latest first.
    pub(super) fn list(&self, filter: &JobFilter) -> Vec<Job> {
        let mut jobs: Vec<Job> = self.0.values().filter(|job| filter.passes(job)).cloned().collect();
        jobs.sort_by_key(|job| std::cmp::Reverse((job.created_at, job.id)));
        jobs.truncate(MAX_LISTED);
        jobs
    }

    /// Forgets jobs that ended too long ago, and the oldest of those that are too many.
    pub(super) fn forget(&mut self, now: DateTime<Utc>, most: usize) {
        let before = Moment(now - MEMORY);
        self.0.retain(|_, job| !job.state.is_over() || job.updated_at >= before);
        let over = self.0.values().filter(|job| job.state.is_over());
        let mut ended: Vec<(Moment, Uuid)> = over.map(|job| (job.updated_at, job.id)).collect();
        ended.sort_unstable();
        let surplus = ended.len().saturating_sub(most);
        ended.iter().take(surplus).for_each(|(_, id)| drop(self.0.remove(id)));
    }
}

#[cfg(test)]
mod tests {
    use super::super::job::tests::{job, moment};
    use super::*;

    const HOURS_48: i64 = 48 * 3600;

    fn left(jobs: &[Job], now: i64, most: usize) -> Vec<usize> {
        let mut known = Known::default();
        for job in jobs {
            known.add(job.clone());
        }
        known.forget(moment(now), most);
        (0..jobs.len()).filter(|place| known.get(jobs[*place].id).is_some()).collect()
    }

    #[test]
    fn ended_jobs_are_forgotten_by_age_and_number_and_open_ones_never() {
        let done = JobState::Done { rows_affected: 0 };
        let jobs =
            [job(0, JobState::Waiting), job(1, done.clone()), job(2, JobState::Cancelled), job(3, done)];
        assert_eq!(left(&jobs, 4, 3), [0, 1, 2, 3]);
        assert_eq!(left(&jobs, HOURS_48 + 1, 3), [0, 1, 2, 3]);
        assert_eq!(left(&jobs, HOURS_48 + 2, 3), [0, 2, 3]);
        assert_eq!(left(&jobs, 4, 1), [0, 3]);
        assert_eq!(left(&jobs, 4, 0), [0]);
    }

    #[test]
    fn a_list_is_about_what_was_asked_for_and_has_a_limit() {
        let mut known = Known::default();
        for second in 0..150 {
            known.add(job(second, JobState::Waiting));
        }
        let list = |filter: JobFilter| known.list(&filter);
        let all = list(JobFilter::default());
        assert_eq!((all.len(), all[0].created_at), (MAX_LISTED, Moment(moment(149))));
        let of_kind = |kind: &str| list(JobFilter { kind: Some(kind.to_owned()), ..JobFilter::default() });
        assert_eq!((of_kind("delete_data").len(), of_kind("import").len()), (MAX_LISTED, 0));
        let between = JobFilter {
            created_after: Some(Moment(moment(5))),
            created_before: Some(Moment(moment(9))),
            status: Some("waiting".to_owned()),
            ..JobFilter::default()
        };
        assert_eq!(list(between.clone()).len(), 5);
        assert_eq!(list(JobFilter { status: Some("done".to_owned()), ..between }).len(), 0);
        assert_eq!(list(JobFilter { pipe: Some("p".to_owned()), ..JobFilter::default() }).len(), 0);
    }

    #[test]
    fn a_job_goes_on_only_from_the_state_that_it_is_in() {
        let mut known = Known::default();
        let waiting = job(0, JobState::Waiting);
        known.add(waiting.clone());
        let mut enter = |from: &JobState, to| known.enter(waiting.id, from, to, moment(7));
        assert!(enter(&JobState::Waiting, JobState::Cancelled).is_some());
        assert_eq!(enter(&JobState::Waiting, JobState::Working), None, "what was called off does not begin");
        assert_eq!(known.open(), 0);
    }
}
