//! `POST /v0/events`: newline-delimited JSON into a data source.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, LengthLimitError};
use serde_json::json;
use tower::ServiceBuilder;
use tower_http::decompression::RequestDecompressionLayer;
use tower_http::limit::RequestBodyLimitLayer;

use super::super::error::RequestError;
use super::super::extract::{Caller, QueryPairs};
use super::super::{ApiError, RequestLimits, Rooms};
use crate::catalog::ResourceName;
use crate::ingest::{Admission, BodyFormat, Counts, IngestError};

/// The route with its own limits: one on the bytes that arrive, one on what they unpack to.
pub(super) fn route(limits: RequestLimits) -> MethodRouter<Rooms> {
    let layers = ServiceBuilder::new()
        .layer(axum::extract::DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(limits.body_bytes))
        .layer(RequestDecompressionLayer::new().gzip(true).zstd(true).deflate(true));
    post(append_events).layer(layers)
}

/// `POST /v0/events?name=…[&wait=true][&format=json]`
async fn append_events(
    State(rooms): State<Rooms>,
    Caller(token): Caller,
    query: QueryPairs,
    body: Body,
) -> Result<Response, ApiError> {
    let name = query.last("name").filter(|name| !name.is_empty()).ok_or(NAME_MISSING)?;
    let format = body_format(&query)?;
    let name =
        ResourceName::parse(name).map_err(|_| IngestError::NotFound { data_source: name.to_owned() })?;
    let permit = token.append(name)?;
    let mut admission = rooms.ingest.admission();
    let body = read(body, &mut admission, rooms.limits).await?;
    let counts = rooms.ingest.append(&permit, body, format, admission).await?;
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

/// Reads a body, piece by piece, inside the limits and the byte budget.
async fn read(mut body: Body, admission: &mut Admission, limits: RequestLimits) -> Result<Bytes, ApiError> {
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| unreadable(&error, limits))?;
        let Ok(data) = frame.into_data() else { continue };
        if all.len() + data.len() > limits.decoded_body_bytes {
            return Err(RequestError::BodyTooLarge { limit: limits.decoded_body_bytes }.into());
        }
        admission.grow(data.len())?;
        all.extend_from_slice(&data);
    }
    Ok(all.freeze())
}

/// The limit on arriving bytes shows as an error inside the body.
fn unreadable(error: &axum::Error, limits: RequestLimits) -> ApiError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return RequestError::BodyTooLarge { limit: limits.body_bytes }.into();
        }
        cause = error.source();
    }
    RequestError::BodyUnreadable(error.to_string()).into()
}
