//! `POST /v0/events`: newline-delimited JSON into a data source.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::super::error::RequestError;
use super::super::extract::{Caller, QueryPairs};
use super::super::{ApiError, REPLAYED, Rooms, body};
use crate::auth::Token;
use crate::catalog::ResourceName;
use crate::ingest::{BodyFormat, IdempotencyKey, IngestError, Order, Reached, Receipt, Wait, When};

/// `POST /v0/events?name=…[&wait=true][&format=json]`, with an `Idempotency-Key` or without.
pub(super) async fn append_events(
    State(rooms): State<Rooms>,
    Caller(token): Caller,
    query: QueryPairs,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let outcome = take(&rooms, &token, &query, (&headers, body)).await;
    let receipt = outcome.inspect_err(|error| rooms.ingest.refused(error.reason()))?;
    Ok(answer(receipt))
}

async fn take(
    rooms: &Rooms,
    token: &Token,
    query: &QueryPairs,
    (headers, body): (&HeaderMap, Body),
) -> Result<Receipt, ApiError> {
    let name = query.last("name").filter(|name| !name.is_empty()).ok_or(NAME_MISSING)?;
    let format = body_format(query)?;
    let key = idempotency_key(headers)?;
    let name =
        ResourceName::parse(name).map_err(|_| IngestError::NotFound { data_source: name.to_owned() })?;
    let permit = token.append(name)?;
    let mut admission = rooms.ingest.admission(&permit)?;
    let events = body::read(headers, body, &mut admission, rooms.limits).await?;
    let wait = match query.last("wait") {
        Some("true" | "1") => Wait::Tables,
        _ => Wait::Log,
    };
    Ok(rooms.ingest.append(&permit, Order { events, format, key, wait }, admission).await?)
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, RequestError> {
    let key = headers.get("idempotency-key").map(|value| IdempotencyKey::parse(value.as_bytes()));
    Ok(key.transpose()?)
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

/// The counts; whoever waited in vain is told that the rows are safe, so that nobody sends them again.
fn answer(receipt: Receipt) -> Response {
    let Receipt { counts, reached, stored } = receipt;
    let mut body =
        json!({ "successful_rows": counts.successful_rows, "quarantined_rows": counts.quarantined_rows });
    let status = match reached {
        Reached::Tables => StatusCode::OK,
        Reached::Log => StatusCode::ACCEPTED,
        Reached::LogOnly => {
            body["message"] = IN_THE_LOG.into();
            StatusCode::ACCEPTED
        }
    };
    let mut response = (status, Json(body)).into_response();
    if stored == When::Before {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// Said where a request waited for its rows and the time ran out.
const IN_THE_LOG: &str =
    "the events are safe on disk and on their way into the table: do not send them again";
