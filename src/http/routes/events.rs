//! `POST /v0/events`: newline-delimited JSON into a data source.

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::super::events_head::EventsHead;
use super::super::extract::{Caller, QueryPairs};
use super::super::{ApiError, REPLAYED, Rooms, body};
use crate::auth::Token;
use crate::ingest::{Counts, Order, Reached, Receipt, When};

/// `POST /v0/events?name=…[&wait=true][&format=json]`, with an `Idempotency-Key` or without.
pub(super) async fn append_events(
    State(rooms): State<Rooms>,
    Caller(token): Caller,
    query: QueryPairs,
    request: Request,
) -> Result<Response, ApiError> {
    let (head, body) = request.into_parts();
    let outcome = take(&rooms, &token, &query, (&head.headers, body)).await;
    let receipt = outcome.inspect_err(|error| rooms.ingest.refused(error.reason()))?;
    Ok(answer(receipt))
}

async fn take(
    rooms: &Rooms,
    token: &Token,
    query: &QueryPairs,
    (headers, body): (&HeaderMap, Body),
) -> Result<Receipt, ApiError> {
    let head = EventsHead::read(query, headers)?;
    let permit = token.append(head.data_source)?;
    let mut admission = rooms.ingest.admission(&permit)?;
    let events = body::read(headers, body, &mut |bytes| admission.grow(bytes), rooms.limits).await?;
    let (format, wait, key) = (head.format, head.wait, head.key);
    Ok(rooms.ingest.append(&permit, Order { events, format, key, wait }, admission).await?)
}

/// What a request is answered with.
#[derive(Serialize)]
struct Taken {
    successful_rows: usize,
    quarantined_rows: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
}

/// The counts; whoever waited in vain is told that the rows are safe, so that nobody sends them again.
fn answer(receipt: Receipt) -> Response {
    let Receipt { counts: Counts { successful_rows, quarantined_rows }, reached, stored } = receipt;
    let (status, message) = match reached {
        Reached::Tables => (StatusCode::OK, None),
        Reached::Log => (StatusCode::ACCEPTED, None),
        Reached::LogOnly => (StatusCode::ACCEPTED, Some(IN_THE_LOG)),
    };
    let mut response = (status, Json(Taken { successful_rows, quarantined_rows, message })).into_response();
    if stored == When::Before {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// Said where a request waited for its rows and the time ran out.
const IN_THE_LOG: &str =
    "the events are safe on disk and on their way into the table: do not send them again";
