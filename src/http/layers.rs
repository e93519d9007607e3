//! What happens to every request before and after its handler.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{BoxError, Router};
use futures_util::future::{Either, Ready, ready};
use hyper::body::Incoming;
use tower::layer::layer_fn;
use tower::util::BoxCloneSyncService;
use tower::{Service as _, ServiceBuilder};
use tower_http::compression::{CompressionBody, CompressionLayer};
use tower_http::cors::{AllowHeaders, Any as AnyOrigin, CorsLayer};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::normalize_path::NormalizePathLayer;
use tower_http::timeout::TimeoutLayer;

use super::error::RequestError;
use super::extract::QueryPairs;
use super::failures::{self, Name};
use super::privacy::{Patterns, Privacy};
use super::{ApiError, RequestLimits, routes, unread};

/// The API as one service, for requests as they come from a connection.
#[derive(Clone)]
pub struct Service(BoxCloneSyncService<Request<Incoming>, Packed, Infallible>);

/// An answer, packed where its client takes that.
type Packed = Response<CompressionBody<Body>>;

impl Service {
    /// Answers a request. The service is not cloned for it, as it is not small.
    pub fn answer(
        &mut self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Packed, Infallible>> + Send + use<> {
        let ready = self.0.poll_ready(&mut Context::from_waker(Waker::noop()));
        debug_assert!(ready.is_ready(), "no layer holds requests up");
        self.0.call(request)
    }
}

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

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
    let patterns: Patterns = routes::declared().iter().map(|declared| declared.path).collect();
    let stack = ServiceBuilder::new()
        .layer(NormalizePathLayer::trim_trailing_slash())
        .layer(cors())
        .layer(CompressionLayer::new())
        .layer(layer_fn(move |inner| Frame { inner, patterns: Arc::clone(&patterns) }))
        .layer(RequestBodyLimitLayer::new(limits.body_bytes.saturating_mul(2)))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, limits.request_timeout))
        .layer(layer_fn(move |inner| Check { inner, url_bytes: limits.url_bytes }))
        .service(router);
    Service(BoxCloneSyncService::new(stack))
}

/// What holds for every answer: it names its request, an error has a body, its headers say what
/// caches and the connection may do with it, and what failed is told to the log.
///
/// All of it is one layer, because what stands between layers costs more than what they do.
#[derive(Clone)]
struct Frame<S> {
    inner: S,
    patterns: Patterns,
}

impl<S, B, R> tower::Service<Request<B>> for Frame<S>
where
    S: tower::Service<Request<unread::Watched<B>>, Response = Response<R>, Error = Infallible>,
    S::Future: Send + 'static,
    B: HttpBody,
    R: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let id = name(request.headers_mut());
        let query = QueryPairs::parse(request.uri().query().unwrap_or_default());
        let privacy = Privacy::of(request.uri().path(), &query);
        request.extensions_mut().insert(query);
        let name = Name::of(&request, id, Arc::clone(&self.patterns));
        let (request, reading) = unread::watch(request);
        let response = self.inner.call(request);
        Box::pin(async move {
            let mut response = failures::told(response, name).await;
            give_json_error(&mut response);
            let headers = response.headers_mut();
            privacy.mark(headers);
            reading.mark(headers);
            Ok(response)
        })
    }
}

/// Refuses a path and query string over the limit before anything reads them.
#[derive(Clone)]
struct Check<S> {
    inner: S,
    url_bytes: usize,
}

impl<S, B> tower::Service<Request<B>> for Check<S>
where
    S: tower::Service<Request<B>, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response, Infallible>>, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (length, limit) =
            (request.uri().path_and_query().map_or(0, |url| url.as_str().len()), self.url_bytes);
        if length > limit {
            let refusal = ApiError::from(RequestError::UrlTooLong { length, limit });
            return Either::Left(ready(Ok(refusal.into_response())));
        }
        Either::Right(self.inner.call(request))
    }
}

/// The name of a request, which the log and its answer bear: the one that the client chose, else a ULID,
/// as Tinybird's are.
fn name(headers: &mut HeaderMap) -> Option<HeaderValue> {
    if let Some(id) = headers.get(REQUEST_ID) {
        return Some(id.clone());
    }
    let id = ulid::Ulid::new();
    let id = HeaderValue::from_str(id.array_to_str(&mut [0; ulid::ULID_LEN])).ok()?;
    headers.insert(REQUEST_ID, id.clone());
    Some(id)
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

/// Gives a JSON body to an error that a layer or the router made without one.
fn give_json_error(response: &mut Response) {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| *kind == JSON) {
        return;
    }
    let text = match status {
        StatusCode::METHOD_NOT_ALLOWED => "this path does not answer that method".to_owned(),
        StatusCode::REQUEST_TIMEOUT => "the request took too long: the time limit ran out".to_owned(),
        StatusCode::PAYLOAD_TOO_LARGE => {
            "the body is larger than the limit: send it in several requests".to_owned()
        }
        other => other.canonical_reason().unwrap_or("the request failed").to_lowercase(),
    };
    *response.body_mut() = Body::from(serde_json::json!({ "error": text }).to_string());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, JSON);
    headers.remove(header::CONTENT_ENCODING);
    headers.remove(header::CONTENT_LENGTH);
}
