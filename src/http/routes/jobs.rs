//! `/v0/jobs`: work that goes on by itself, listed, looked at, called off.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::super::error::RequestError;
use super::super::extract::{Caller, QueryPairs, origin};
use super::super::{ApiError, Rooms};
use crate::catalog::Moment;
use crate::jobs::{Job, JobFilter, JobState};

/// `GET /v0/jobs`: the jobs of the last 48 hours, at most 100.
pub(super) async fn list(
    State(rooms): State<Rooms>,
    Caller(caller): Caller,
    query: QueryPairs,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    caller.see_jobs()?;
    let (jobs, origin) = (rooms.jobs.list(&filter(&query)?), origin(&headers));
    let shown: Vec<Value> = jobs.iter().map(|job| shown(&origin, job)).collect();
    Ok(Json(json!({ "jobs": shown })))
}

/// `GET /v0/jobs/<id>`
pub(super) async fn show(
    State(rooms): State<Rooms>,
    Caller(caller): Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    caller.see_jobs()?;
    Ok(Json(shown(&origin(&headers), &rooms.jobs.find(&id)?)))
}

/// `POST /v0/jobs/<id>/cancel`: calls a job off that waits.
pub(super) async fn cancel(
    State(rooms): State<Rooms>,
    Caller(caller): Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    caller.see_jobs()?;
    Ok(Json(shown(&origin(&headers), &rooms.jobs.cancel(&id).await?)))
}

/// A job in the API's form.
pub(super) fn shown(origin: &str, job: &Job) -> Value {
    let mut shown = json!({
        "kind": Job::KIND,
        "id": job.id,
        "job_id": job.id,
        "status": job.state.status(),
        "created_at": job.created_at,
        "updated_at": job.updated_at,
        "started_at": job.started_at,
        "is_cancellable": job.state == JobState::Waiting,
        "job_url": format!("{origin}/v0/jobs/{}", job.id),
        "datasource": { "id": job.data_source, "name": job.data_source },
        "delete_condition": job.condition,
    });
    if let Some(partition) = &job.partition {
        shown["partition"] = partition.as_str().into();
    }
    match &job.state {
        JobState::Done { rows_affected } => shown["rows_affected"] = (*rows_affected).into(),
        JobState::Failed { error } => shown["error"] = error.as_str().into(),
        JobState::Waiting | JobState::Working | JobState::Cancelled => {}
    }
    shown
}

fn text<'a>(query: &'a QueryPairs, name: &str) -> Option<&'a str> {
    query.last(name).filter(|text| !text.is_empty())
}

fn filter(query: &QueryPairs) -> Result<JobFilter, RequestError> {
    let owned = |name| text(query, name).map(str::to_owned);
    let moment = |name: &'static str| {
        let invalid = |value: &str| RequestError::ParameterInvalid {
            name,
            value: value.to_owned(),
            help: "it is a time in UTC such as `2026-01-10 09:00:00`",
        };
        text(query, name).map(|value| Moment::parse(value).ok_or_else(|| invalid(value))).transpose()
    };
    Ok(JobFilter {
        kind: owned("kind"),
        status: owned("status"),
        pipe: owned("pipe_name").or_else(|| owned("pipe_id")),
        created_after: moment("created_after")?,
        created_before: moment("created_before")?,
    })
}
