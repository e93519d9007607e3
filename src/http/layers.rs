//! What happens to every request before and after its handler.

use std::any::Any;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower::{Layer, ServiceBuilder};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{AllowHeaders, Any as AnyOrigin, CorsLayer};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::normalize_path::{NormalizePath, NormalizePathLayer};
use tower_http::request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer};
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;
use tracing::Span;

use super::error::RequestError;
use super::privacy::{self, Privacy};
use super::{ApiError, RequestLimits, unread};

/// The API as one service: a router whose paths may end in a slash.
pub type Service = NormalizePath<Router>;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Response headers that scripts in browsers may read.
const EXPOSED: [HeaderName; 7] = [
    REQUEST_ID,
    HeaderName::from_static("x-db-exception-code"),
    HeaderName::from_static("x-ratelimit-limit"),
    HeaderName::from_static("x-ratelimit-remaining"),
    HeaderName::from_static("x-ratelimit-reset"),
    header::RETRY_AFTER,
    super::REPLAYED,
];

/// Puts the layers around the routes; the first listed sees a request first.
///
/// They are one stack, not layer on layer: axum boxes every route anew for each of its own.
pub(super) fn wrap(router: Router, limits: RequestLimits) -> Service {
    let stack = ServiceBuilder::new()
        .layer(axum::middleware::from_fn(frame))
        .layer(SetRequestIdLayer::new(REQUEST_ID, NewRequestId))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(TraceLayer::new_for_http().make_span_with(span).on_request(()).on_eos(()).on_failure(()))
        .layer(cors())
        .layer(CompressionLayer::new())
        .layer(axum::middleware::from_fn_with_state(limits.url_bytes, check))
        // The events route counts its own limit; this one is for every route and twice as wide.
        .layer(RequestBodyLimitLayer::new(limits.body_bytes.saturating_mul(2)))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, limits.request_timeout))
        .layer(CatchPanicLayer::custom(panicked));
    NormalizePathLayer::trim_trailing_slash().layer(router.layer(stack))
}

/// What holds for every answer, whoever made it.
async fn frame(request: Request, next: Next) -> Response {
    let privacy = Privacy::of(&request);
    let (request, body) = unread::watch(request);
    let mut response = next.run(request).await;
    privacy.mark(response.headers_mut());
    body.mark(response.headers_mut());
    response
}

/// Request ids are ULIDs, as Tinybird's are. One that the client chose is kept.
#[derive(Clone, Copy)]
struct NewRequestId;

impl MakeRequestId for NewRequestId {
    fn make_request_id<B>(&mut self, _request: &axum::http::Request<B>) -> Option<RequestId> {
        HeaderValue::from_str(&ulid::Ulid::new().to_string()).ok().map(RequestId::new)
    }
}

/// Names a request in the log by its path only: query strings hold tokens, and some paths too.
fn span(request: &Request) -> Span {
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    tracing::info_span!("request", %id, method = %request.method(), path = privacy::logged_path(request))
}

/// Every origin may call: the right to do anything comes from the token, never from a cookie. The
/// asked headers are named one by one, because `*` does not cover `Authorization`.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AnyOrigin)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(EXPOSED)
        .max_age(std::time::Duration::from_hours(24))
}

/// Refuses a path and query string over the limit before anything reads them; sees to it that every
/// error has a body.
async fn check(State(limit): State<usize>, request: Request, next: Next) -> Response {
    let length = request.uri().path_and_query().map_or(0, |url| url.as_str().len());
    if length > limit {
        return ApiError::from(RequestError::UrlTooLong { length, limit }).into_response();
    }
    with_json_errors(next.run(request).await)
}

/// Gives a JSON body to errors that a layer or the router made without one.
fn with_json_errors(response: Response) -> Response {
    let status = response.status();
    let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if !(status.is_client_error() || status.is_server_error()) || is_json {
        return response;
    }
    let text = match status {
        StatusCode::METHOD_NOT_ALLOWED => "this path does not answer that method".to_owned(),
        StatusCode::REQUEST_TIMEOUT => "the request took too long: the time limit ran out".to_owned(),
        StatusCode::PAYLOAD_TOO_LARGE => {
            "the body is larger than the limit: send it in several requests".to_owned()
        }
        other => other.canonical_reason().unwrap_or("the request failed").to_lowercase(),
    };
    let mut answer = (status, axum::Json(serde_json::json!({ "error": text }))).into_response();
    if let Some(allow) = response.headers().get(header::ALLOW) {
        answer.headers_mut().insert(header::ALLOW, allow.clone());
    }
    answer
}

#[expect(clippy::needless_pass_by_value, reason = "the layer hands over the box")]
/// A panic is a bug: its text goes to the log, not to the caller.
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    tracing::error!(panic = text, "a handler panicked");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
