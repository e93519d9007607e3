//! `POST /v0/events`: newline-delimited JSON into a data source.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::super::error::RequestError;
use super::super::extract::{Caller, QueryPairs};
use super::super::{ApiError, Rooms, body};
use crate::catalog::ResourceName;
use crate::ingest::{BodyFormat, Counts, IngestError};

/// `POST /v0/events?name=…[&wait=true][&format=json]`
pub(super) async fn append_events(
    State(rooms): State<Rooms>,
    Caller(token): Caller,
    query: QueryPairs,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let name = query.last("name").filter(|name| !name.is_empty()).ok_or(NAME_MISSING)?;
    let format = body_format(&query)?;
    let name =
        ResourceName::parse(name).map_err(|_| IngestError::NotFound { data_source: name.to_owned() })?;
    let permit = token.append(name)?;
    let mut admission = rooms.ingest.admission();
    let events = body::read(&headers, body, &mut admission, rooms.limits).await?;
    let counts = rooms.ingest.append(&permit, events, format, admission).await?;
    let status = match query.last("wait") {
        Some("true" | "1") => StatusCode::OK,
        _ => StatusCode::ACCEPTED,
    };
    Ok(answer(status, counts))
}

const NAME_MISSING: RequestError = RequestError::ParameterMissing {
    name: "name",
    help: "say which data source the events are for, as in /v0/events?name=clickstream_events",
};

fn body_format(query: &QueryPairs) -> Result<BodyFormat, RequestError> {
    match query.last("format").unwrap_or("ndjson") {
        "ndjson" => Ok(BodyFormat::Ndjson),
        "json" => Ok(BodyFormat::Json),
        other => Err(RequestError::ParameterInvalid {
            name: "format",
            value: other.to_owned(),
            help: "ndjson takes one JSON object per line, json one object or an array",
        }),
    }
}

fn answer(status: StatusCode, counts: Counts) -> Response {
    let body =
        json!({ "successful_rows": counts.successful_rows, "quarantined_rows": counts.quarantined_rows });
    (status, Json(body)).into_response()
}
