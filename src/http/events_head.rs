//! The head of an events request: everything that it says before its body comes.

use axum::http::HeaderMap;

use super::ApiError;
use super::error::RequestError;
use super::extract::QueryPairs;
use crate::catalog::ResourceName;
use crate::ingest::{BodyFormat, IdempotencyKey, IngestError, Wait};

/// What the events of a request are for, and how they are to be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventsHead {
    /// The data source: `name`.
    pub data_source: ResourceName,
    /// How the events stand in the body: `format`, NDJSON where nothing is said.
    pub format: BodyFormat,
    /// When the request is answered: `wait`.
    pub wait: Wait,
    /// What the request is known by, should it be sent again: the `Idempotency-Key` header.
    pub key: Option<IdempotencyKey>,
}

impl EventsHead {
    /// Reads the query string and the headers of `POST /v0/events`; keys that mean nothing to it are
    /// passed over, as Tinybird does.
    pub fn read(query: &QueryPairs, headers: &HeaderMap) -> Result<Self, ApiError> {
        let name = query.last("name").filter(|name| !name.is_empty()).ok_or(NAME_MISSING)?;
        let format = body_format(query)?;
        let key = idempotency_key(headers)?;
        let unknown = || IngestError::NotFound { data_source: name.to_owned() };
        let data_source = ResourceName::parse(name).map_err(|_| unknown())?;
        let wait = match query.last("wait") {
            Some("true" | "1") => Wait::Tables,
            _ => Wait::Log,
        };
        Ok(Self { data_source, format, wait, key })
    }
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
