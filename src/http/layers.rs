//! What happens to every request before and after its handler.

use std::any::Any;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{BoxError, Router};
use hyper::body::Incoming;
use tower::layer::layer_fn;
use tower::util::BoxCloneSyncService;
use tower::{Service as _, ServiceBuilder};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{AllowHeaders, Any as AnyOrigin, CorsLayer};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::normalize_path::NormalizePathLayer;
use tower_http::request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer};
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;
use tracing::Span;

use super::error::RequestError;
use super::privacy::{self, Privacy};
use super::{ApiError, RequestLimits, unread};

/// The API as one service, for requests as they come from a connection.
#[derive(Clone)]
pub struct Service(BoxCloneSyncService<Request<Incoming>, Response, Infallible>);

impl Service {
    /// Answers a request. The service is not cloned for it, as it is not small.
    pub fn answer(
        &mut self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response, Infallible>> + Send + use<> {
        let ready = self.0.poll_ready(&mut Context::from_waker(Waker::noop()));
        debug_assert!(ready.is_ready(), "no layer holds requests up");
        self.0.call(request)
    }
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Response headers that scripts in browsers may read.
const EXPOSED: [HeaderName; 9] = [
    REQUEST_ID,
    header::ETAG,
    super::conditions::X_CACHE,
    HeaderName::from_static("x-db-exception-code"),
    HeaderName::from_static("x-ratelimit-limit"),
    HeaderName::from_static("x-ratelimit-remaining"),
    HeaderName::from_static("x-ratelimit-reset"),
    header::RETRY_AFTER,
    super::REPLAYED,
];

/// Puts the layers around the router; the first listed sees a request first.
///
/// They stand around it once: what axum puts into the router, it boxes for each route and clones for
/// each request. Inside is only what has to know the route, or to stand next to the handler.
pub(super) fn wrap(router: Router, limits: RequestLimits) -> Service {
    let inside = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http().make_span_with(span).on_request(()).on_eos(()).on_failure(()))
        // The events route counts its own limit, and the layer below is for every route.
        .layer(axum::extract::DefaultBodyLimit::disable())
        .layer(CatchPanicLayer::custom(panicked));
    let stack = ServiceBuilder::new()
        .layer(NormalizePathLayer::trim_trailing_slash())
        .layer(layer_fn(Frame))
        .layer(SetRequestIdLayer::new(REQUEST_ID, NewRequestId))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(cors())
        .layer(CompressionLayer::new())
        .layer(layer_fn(move |inner| Check { inner, url_bytes: limits.url_bytes }))
        .layer(RequestBodyLimitLayer::new(limits.body_bytes.saturating_mul(2)))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, limits.request_timeout))
        .service(router.layer(inside));
    Service(BoxCloneSyncService::new(stack))
}

/// What a layer of ours waits for.
type Answer = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

/// What holds for every answer, whoever made it.
#[derive(Clone)]
struct Frame<S>(S);

impl<S, B, R> tower::Service<Request<B>> for Frame<S>
where
    S: tower::Service<Request<unread::Watched<B>>, Response = Response<R>, Error = Infallible>,
    S::Future: Send + 'static,
    B: HttpBody,
    R: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Answer {
        let privacy = Privacy::of(&request);
        let (request, reading) = unread::watch(request);
        let response = self.0.call(request);
        Box::pin(async move {
            let mut response = response.await?.map(Body::new);
            privacy.mark(response.headers_mut());
            reading.mark(response.headers_mut());
            Ok(response)
        })
    }
}

/// Refuses a path and query string over the limit before anything reads them; sees to it that every
/// error has a body.
#[derive(Clone)]
struct Check<S> {
    inner: S,
    url_bytes: usize,
}

impl<S, B, R> tower::Service<Request<B>> for Check<S>
where
    S: tower::Service<Request<B>, Response = Response<R>, Error = Infallible>,
    S::Future: Send + 'static,
    R: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Answer {
        let (length, limit) =
            (request.uri().path_and_query().map_or(0, |url| url.as_str().len()), self.url_bytes);
        if length > limit {
            let refusal = ApiError::from(RequestError::UrlTooLong { length, limit }).into_response();
            return Box::pin(std::future::ready(Ok(refusal)));
        }
        let response = self.inner.call(request);
        Box::pin(async move { Ok(with_json_errors(response.await?.map(Body::new))) })
    }
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
fn span(request: &Request<Body>) -> Span {
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
