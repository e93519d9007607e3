//! What is done to whole data sources.

use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::super::extract::Caller;
use super::super::{ApiError, Rooms};
use crate::catalog::ResourceName;
use crate::ingest::IngestError;

/// `POST /v0/datasources/<name>/truncate`: 205 when the rows are gone, as in Tinybird.
pub(super) async fn truncate(
    State(rooms): State<Rooms>,
    Caller(token): Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    let name = ResourceName::parse(&name).map_err(|_| IngestError::NotFound { data_source: name })?;
    rooms.ingest.truncate(&token.truncate(name)?).await?;
    Ok(StatusCode::RESET_CONTENT)
}
