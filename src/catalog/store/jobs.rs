//! Jobs as they were accepted, and how they ended.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::de::{Deserialize, Deserializer, Error};
use serde::{Deserialize as Read, Serialize, Serializer};
use uuid::Uuid;

use super::{Store, StoreError};

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Read)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// Deletes rows of a data source.
    DeleteData,
}

/// How far a job is known to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Read)]
#[serde(rename_all = "lowercase")]
pub enum JobEnd {
    /// It has not ended.
    Waiting,
    /// It has done its work.
    Done,
    /// It has failed.
    Error,
    /// It was called off before it began.
    Cancelled,
}

/// A moment as ClickHouse and Tinybird's clients write it: `2026-01-10 09:00:00.123456`, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub DateTime<Utc>);

/// Records of so many jobs are removed at one start.
const FORGOTTEN_AT_ONCE: usize = 10_000;

const FORM: &str = "%Y-%m-%d %H:%M:%S%.6f";

impl Moment {
    /// Reads a time in UTC, with or without a fraction, a `T` and a `Z`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_end_matches('Z');
        let forms = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"];
        let read = |form| NaiveDateTime::parse_from_str(text, form).ok();
        Some(Self(forms.into_iter().find_map(read)?.and_utc()))
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.0.format(FORM))
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("expected a time"))
    }
}

/// One job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Read)]
pub struct StoredJob {
    /// Its identifier.
    pub id: Uuid,
    /// What it does.
    pub kind: JobKind,
    /// How far it is.
    pub status: JobEnd,
    /// The data source that it changes, or its quarantine.
    pub data_source: String,
    /// Which rows it deletes.
    pub condition: String,
    /// The partition that it keeps to; empty: any.
    pub partition: String,
    /// Rows that it has deleted.
    pub rows_affected: u64,
    /// Why it has failed; empty where it has not.
    pub error: String,
    /// When it was accepted.
    pub created_at: Moment,
    /// When it began.
    pub started_at: Option<Moment>,
    /// When it changed last.
    pub updated_at: Moment,
}

impl Store {
    /// The jobs of a workspace that changed after a moment, and all that have not ended, the oldest first.
    pub async fn jobs(&self, workspace: Uuid, after: Moment) -> Result<Vec<StoredJob>, StoreError> {
        let sql = format!(
            "SELECT id, kind, status, data_source, condition, partition, rows_affected, error, created_at, started_at, updated_at \
             FROM {}.jobs FINAL WHERE workspace_id = '{workspace}' AND (updated_at > '{after}' OR status = 'waiting') \
             ORDER BY created_at, id",
            self.quoted(),
        );
        self.engine.rows(sql).await.map_err(|reason| self.failed("read the jobs", reason))
    }

    /// Removes the records of jobs that ended before a moment, all of a job together.
    pub async fn forget_jobs(&self, workspace: Uuid, before: Moment) -> Result<(), StoreError> {
        #[derive(Read)]
        struct Old {
            id: Uuid,
        }
        let action = "remove old jobs";
        let table = format!("{}.jobs", self.quoted());
        let of_workspace = format!("workspace_id = '{workspace}'");
        let sql = format!(
            "SELECT id FROM {table} FINAL WHERE {of_workspace} AND updated_at <= '{before}' AND status != 'waiting' LIMIT {FORGOTTEN_AT_ONCE}"
        );
        let old: Vec<Old> = self.engine.rows(sql).await.map_err(|reason| self.failed(action, reason))?;
        let ids: Vec<String> = old.iter().map(|old| format!("'{}'", old.id)).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let ids = ids.join(", ");
        self.execute(action, &format!("ALTER TABLE {table} DELETE WHERE {of_workspace} AND id IN ({ids})"))
            .await
    }

    /// Records a job; it is on disk when this returns.
    pub async fn save_job(&self, workspace: Uuid, job: &StoredJob) -> Result<(), StoreError> {
        let columns = "(workspace_id, id, kind, status, data_source, condition, partition, rows_affected, error, created_at, started_at, updated_at)";
        self.insert("record a job", &format!("jobs {columns}"), workspace, [job]).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_as_it_is_written() {
        let moment: Moment = serde_json::from_str("\"2026-01-10 09:00:00.120000\"").unwrap();
        assert_eq!(moment.to_string(), "2026-01-10 09:00:00.120000");
        assert!(serde_json::from_str::<Moment>("\"yesterday\"").is_err());
        for text in ["2026-01-10 09:00:00", "2026-01-10T09:00:00.12Z"] {
            assert!(Moment::parse(text).unwrap() <= moment, "{text}");
        }
    }
}
