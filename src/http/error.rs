//! Errors as clients see them: `{"error": "…"}`, and the status of each.
//!
//! Tinybird's clients read `error` as a string, treat 403 as "bad token" (401 is unknown to them),
//! retry 429 and 503 after `Retry-After`, and read ClickHouse's code from `X-DB-Exception-Code`.

use std::num::NonZeroU32;
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::failures::Failure;
use crate::auth::{AuthError, TokenProblem};
use crate::ingest::idempotency::KeyError;
use crate::ingest::wal::WalError;
use crate::ingest::{BodyError, IngestError};
use crate::jobs::JobError;
use crate::query::{OutputFormat, QueryError, TemplateError};

/// Where ClickHouse's error code is told.
const EXCEPTION_CODE: HeaderName = HeaderName::from_static("x-db-exception-code");
/// Seconds after which a client may try again when the server is busy or the engine away.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// A failed request.
#[derive(Debug)]
pub enum ApiError {
    /// The caller's token.
    Auth(AuthError),
    /// The way in.
    Ingest(IngestError),
    /// The way out.
    Query(QueryError),
    /// A job.
    Job(JobError),
    /// The request itself.
    Request(RequestError),
}

/// What can be wrong with a request before any room sees it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// A required query parameter is not there.
    #[error("the parameter `{name}` is missing: {help}")]
    ParameterMissing {
        /// The parameter.
        name: &'static str,
        /// What to send.
        help: &'static str,
    },
    /// A query parameter has a value that it cannot have.
    #[error("the parameter `{name}` cannot be `{value}`: {help}")]
    ParameterInvalid {
        /// The parameter.
        name: &'static str,
        /// What was sent.
        value: String,
        /// What to send.
        help: &'static str,
    },
    /// The idempotency key cannot be one.
    #[error(transparent)]
    KeyInvalid(#[from] KeyError),
    /// The body is larger than the limit.
    #[error("the body is larger than {limit} bytes: send the events in several requests")]
    BodyTooLarge {
        /// The limit.
        limit: usize,
    },
    /// Only one form of an answer can be told again and again.
    #[error(
        "live answers are JSON of a megabyte at most: ask for /v0/pipes/<name>.json, or without `Accept: text/event-stream`"
    )]
    NotLive,
    /// The body is packed in a way that is not known here.
    #[error(
        "the content encoding `{0}` is not supported: send the body plain, or with gzip, zstd or deflate"
    )]
    EncodingUnknown(String),
    /// The body comes slower than it may.
    #[error(
        "the body came too slowly: it has {seconds} seconds, and one more for every {bytes} bytes that arrive (server.body_timeout_seconds)"
    )]
    BodyTooSlow {
        /// Seconds for an empty body.
        seconds: u64,
        /// Bytes that give another second.
        bytes: usize,
    },
    /// The body broke off, or is not what its headers say.
    #[error("the body cannot be read: {0}")]
    BodyUnreadable(String),
    /// The ending of a pipe's path names no format.
    #[error(
        "`{extension}` is no format of an endpoint: the path ends in one of {}",
        OutputFormat::extensions()
    )]
    FormatUnknown {
        /// The ending, without its dot.
        extension: String,
    },
    /// No pipe has this name, in the form without a format.
    #[error("Pipe '{0}' not found")]
    PipeUnknown(String),
    /// A part of Tinybird's API that is not here yet.
    #[error("{0}")]
    NotImplemented(&'static str),
    /// The path with its query string is longer than the limit.
    #[error(
        "the URL has {length} bytes, and the limit is {limit}: send the parameters in the body of a POST, or raise server.max_url_bytes"
    )]
    UrlTooLong {
        /// Its bytes.
        length: usize,
        /// The most that is read.
        limit: usize,
    },
    /// No such path. The text does not repeat it: a token could stand in it.
    #[error("no route answers this path: the API's paths begin with /v0/")]
    RouteUnknown,
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        Self::Auth(error)
    }
}

impl From<TokenProblem> for ApiError {
    fn from(error: TokenProblem) -> Self {
        Self::Auth(error.into())
    }
}

impl From<IngestError> for ApiError {
    fn from(error: IngestError) -> Self {
        Self::Ingest(error)
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        Self::Query(error)
    }
}

impl From<JobError> for ApiError {
    fn from(error: JobError) -> Self {
        Self::Job(error)
    }
}

impl From<RequestError> for ApiError {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl ApiError {
    /// The error in a word, for counting.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Auth(_) => "token",
            Self::Ingest(error) => error.reason(),
            Self::Query(_) | Self::Job(_) | Self::Request(_) => "request",
        }
    }

    /// The status of every error of the API.
    fn status(&self) -> StatusCode {
        match self {
            Self::Auth(error) => auth_status(error),
            Self::Ingest(error) => ingest_status(error),
            Self::Query(error) => query_status(error),
            Self::Job(error) => job_status(error),
            Self::Request(error) => request_status(error),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Auth(error) => error.to_string(),
            Self::Ingest(error) => error.to_string(),
            Self::Query(error) => error.to_string(),
            Self::Job(error) => error.to_string(),
            Self::Request(error) => error.to_string(),
        }
    }

    pub(super) fn body(&self) -> Value {
        match self {
            Self::Query(QueryError::Template(error)) => template_body(error),
            Self::Ingest(IngestError::Refused { counts, .. }) => json!({
                "error": self.text(),
                "successful_rows": counts.successful_rows,
                "quarantined_rows": counts.quarantined_rows,
            }),
            other => json!({ "error": other.text() }),
        }
    }

    fn exception_code(&self) -> Option<u32> {
        match self {
            Self::Query(QueryError::Engine { code, .. }) => Some(*code),
            _ => None,
        }
    }
}

/// Clients know 403 as "bad token"; 401 means nothing to them.
fn auth_status(error: &AuthError) -> StatusCode {
    match error {
        AuthError::TooFast { .. } => StatusCode::TOO_MANY_REQUESTS,
        AuthError::NotSaved => StatusCode::SERVICE_UNAVAILABLE,
        AuthError::SaveUnknown | AuthError::Refused(TokenProblem::AdminNotWritten) => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
        AuthError::Refused(_) => StatusCode::BAD_REQUEST,
        AuthError::Missing
        | AuthError::NotExpanded(_)
        | AuthError::Unknown
        | AuthError::Jwt(_)
        | AuthError::Forbidden { .. }
        | AuthError::Hidden
        | AuthError::AdminNeeded => StatusCode::FORBIDDEN,
    }
}

fn ingest_status(error: &IngestError) -> StatusCode {
    match error {
        IngestError::Body(BodyError::TooManyRows { .. } | BodyError::TooLarge { .. }) => {
            StatusCode::PAYLOAD_TOO_LARGE
        }
        IngestError::Body(_) | IngestError::NotForEvents { .. } | IngestError::ConditionRefused { .. } => {
            StatusCode::BAD_REQUEST
        }
        IngestError::NotFound { .. } => StatusCode::NOT_FOUND,
        IngestError::Log(WalError::TooLarge { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
        IngestError::Log(WalError::Unknown(_)) | IngestError::NotChanged { .. } => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
        IngestError::Refused { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        IngestError::TooFast { .. } => StatusCode::TOO_MANY_REQUESTS,
        IngestError::KeyReused => StatusCode::CONFLICT,
        IngestError::Log(_)
        | IngestError::Overloaded { .. }
        | IngestError::Crowded { .. }
        | IngestError::Behind { .. }
        | IngestError::NotCounted { .. }
        | IngestError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn query_status(error: &QueryError) -> StatusCode {
    match error {
        QueryError::PipeNotFound(_) | QueryError::NotPublished(_) | QueryError::NodeNotFound { .. } => {
            StatusCode::NOT_FOUND
        }
        QueryError::Template(error) => {
            let chosen = error.custom.as_ref().and_then(|custom| StatusCode::from_u16(custom.status).ok());
            chosen.filter(|status| !status.is_informational()).unwrap_or(StatusCode::BAD_REQUEST)
        }
        QueryError::Sql(_)
        | QueryError::Text(_)
        | QueryError::PipeBroken
        | QueryError::TextTooLong { .. }
        | QueryError::FormatUnknown { .. } => StatusCode::BAD_REQUEST,
        QueryError::Filter(_) | QueryError::OutOfReach(_) | QueryError::PlanRefused => StatusCode::FORBIDDEN,
        QueryError::Engine { code, .. } => engine_status(*code),
        QueryError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        QueryError::Lost(_) => StatusCode::INTERNAL_SERVER_ERROR,
        QueryError::Busy | QueryError::ListenersFull { .. } => StatusCode::TOO_MANY_REQUESTS,
    }
}

fn job_status(error: &JobError) -> StatusCode {
    match error {
        JobError::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
        JobError::NotFound(_) => StatusCode::NOT_FOUND,
        JobError::NotCancellable { .. } => StatusCode::BAD_REQUEST,
        JobError::NotSaved => StatusCode::SERVICE_UNAVAILABLE,
        JobError::SaveUnknown => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Tinybird's rule: 408 when the time ran out, 400 when the caller can mend the query, 500 when
/// only the operator can: broken disks, network, bugs, and tables that are gone, because a name
/// reaches the engine only once the workspace knows its table.
fn engine_status(code: u32) -> StatusCode {
    match code {
        159 => StatusCode::REQUEST_TIMEOUT,
        40
        | 49
        | 60
        | 74
        | 75
        | 76
        | 81
        | 86
        | 95
        | 107
        | 173
        | 198
        | 209
        | 210
        | 228
        | 236
        | 243
        | 246
        | 394
        | 999
        | 1000..=1002 => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    }
}

fn request_status(error: &RequestError) -> StatusCode {
    match error {
        RequestError::ParameterMissing { .. }
        | RequestError::ParameterInvalid { .. }
        | RequestError::KeyInvalid(_)
        | RequestError::EncodingUnknown(_)
        | RequestError::BodyUnreadable(_) => StatusCode::BAD_REQUEST,
        RequestError::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        RequestError::BodyTooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
        RequestError::UrlTooLong { .. } => StatusCode::URI_TOO_LONG,
        RequestError::NotLive => StatusCode::NOT_ACCEPTABLE,
        RequestError::FormatUnknown { .. } | RequestError::PipeUnknown(_) | RequestError::RouteUnknown => {
            StatusCode::NOT_FOUND
        }
        RequestError::NotImplemented(_) => StatusCode::NOT_IMPLEMENTED,
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, Json(self.body())).into_response();
        let headers = response.headers_mut();
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        if let Self::Auth(AuthError::TooFast { limit, retry_after })
        | Self::Ingest(IngestError::TooFast { limit, retry_after, .. }) = &self
        {
            rate_limit(headers, *limit, *retry_after);
        }
        if let Some(code) = self.exception_code() {
            headers.insert(EXCEPTION_CODE, HeaderValue::from(code));
        }
        if status.is_server_error() {
            response.extensions_mut().insert(Failure(format!("{status}: {}", self.text())));
        }
        response
    }
}

/// All three headers of a limit, or none: clients read the second when they see the first.
fn rate_limit(headers: &mut HeaderMap, limit: NonZeroU32, retry_after: Duration) {
    // A client that came back at the end of the begun second would be early.
    let seconds = HeaderValue::from(retry_after.as_secs() + 1);
    headers.insert("x-ratelimit-limit", HeaderValue::from(limit.get()));
    headers.insert("x-ratelimit-remaining", HeaderValue::from(0));
    headers.insert("x-ratelimit-reset", seconds.clone());
    headers.insert(header::RETRY_AFTER, seconds);
}

/// A template's own error: `custom_error` may bring a whole body; the engine's texts come with the
/// place in Tinybird's documentation that clients show.
fn template_body(error: &TemplateError) -> Value {
    match &error.custom {
        Some(custom) if custom.body.is_object() => custom.body.clone(),
        Some(custom) => json!({ "error": custom.body }),
        None => match error.documentation() {
            Some(documentation) => json!({ "error": error.message, "documentation": documentation }),
            None => json!({ "error": error.message }),
        },
    }
}
