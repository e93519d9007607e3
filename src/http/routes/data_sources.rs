//! What is done to whole data sources.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::super::error::RequestError;
use super::super::extract::{Caller, QueryPairs, origin};
use super::super::parameters::{self, Settings};
use super::super::{ApiError, Rooms};
use super::jobs;
use crate::auth::{RemovePermit, Token};
use crate::catalog::ResourceName;
use crate::ingest::{Deletion, IngestError, Side};

/// `POST /v0/datasources/<name>/truncate`: 205 when the rows are gone, as in Tinybird.
pub(super) async fn truncate(
    State(rooms): State<Rooms>,
    Caller(token): Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    let (permit, side) = permit(&token, &name)?;
    rooms.ingest.truncate(&permit, side).await?;
    Ok(StatusCode::RESET_CONTENT)
}

/// `POST /v0/datasources/<name>/delete` with `delete_condition`: a job, or with `dry_run` the number of
/// rows that it would delete.
pub(super) async fn begin_deletion(
    State(rooms): State<Rooms>,
    Caller(token): Caller,
    Path(name): Path<String>,
    query: QueryPairs,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let asked = Asked::read(&rooms, permit(&token, &name)?, query, request).await?;
    if asked.settings.switch("dry_run")?.unwrap_or(false) {
        let matched = rooms.ingest.count_deletion(&asked.deletion).await?;
        return Ok(Json(json!({ "rows_to_be_deleted": matched.rows })));
    }
    asked.begin(&rooms).await
}

/// `POST /v1/datasources/<name>/delete` with `delete_condition`, `partition`: answers when the rows are gone,
/// or with `wait=false` with a job.
pub(super) async fn delete_rows(
    State(rooms): State<Rooms>,
    Caller(token): Caller,
    Path(name): Path<String>,
    query: QueryPairs,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let asked = Asked::read(&rooms, permit(&token, &name)?, query, request).await?;
    if !asked.settings.switch("wait")?.unwrap_or(true) {
        return asked.begin(&rooms).await;
    }
    let matched = rooms.ingest.delete(&asked.deletion).await?;
    let partitions = matched.partitions;
    let mutation = json!({ "partitions_scanned": partitions, "partitions_done": partitions, "partitions_in_progress": 0 });
    Ok(Json(json!({ "rows_affected": matched.rows, "mutation": mutation })))
}

/// A deletion as it was asked for.
struct Asked {
    deletion: Deletion,
    settings: Settings,
    /// Where the caller found this server.
    origin: String,
}

impl Asked {
    async fn read(
        rooms: &Rooms,
        (permit, side): (RemovePermit, Side),
        query: QueryPairs,
        request: Request,
    ) -> Result<Self, ApiError> {
        let origin = origin(request.headers());
        let settings = parameters::read(query, request).await?.settings;
        let condition = settings.text("delete_condition").ok_or(RequestError::ParameterMissing {
            name: "delete_condition",
            help: "send an expression that is true for the rows to be deleted, such as `country = 'ES'`",
        })?;
        let deletion = rooms.ingest.deletion(&permit, side, (condition, settings.text("partition")))?;
        Ok(Self { deletion, settings, origin })
    }

    /// The answer about a job that was accepted.
    async fn begin(self, rooms: &Rooms) -> Result<Json<Value>, ApiError> {
        let job = rooms.jobs.delete(self.deletion).await?;
        let shown = jobs::shown(&self.origin, &job);
        Ok(Json(json!({
            "id": job.id,
            "job_id": job.id,
            "delete_id": job.id,
            "job_url": shown["job_url"],
            "status": job.state.status(),
            "job": shown,
        })))
    }
}

/// The right to remove rows of the table that a path names: a data source, or its quarantine.
fn permit(token: &Token, name: &str) -> Result<(RemovePermit, Side), ApiError> {
    let (data_source, side) = Side::of(name);
    let unknown = |_| IngestError::NotFound { data_source: name.to_owned() };
    let data_source = ResourceName::parse(data_source).map_err(unknown)?;
    Ok((token.remove_rows(data_source)?, side))
}
