//! Jobs: work that was asked for over the API and goes on by itself.
//!
//! In: a checked piece of work.  Out: a [`Job`] that tells how far it is, for two days.
//! Promise: a job is on disk before anybody is told of it, and what was accepted is done, also where the
//! server dies in between. Its end is recorded before the log says that its statement is done, so that no
//! statement is run again when later rows are there. So many are open at once, and so many run.
//! May use: `ingest`, `catalog`.

mod job;
mod known;
mod metrics;
mod queue;

pub use job::{Job, JobState};
pub use known::JobFilter;
pub use metrics::JobMetrics;
pub use queue::{JobError, Jobs, JobsParts, record_found};
