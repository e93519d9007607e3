//! What happens to every request before and after its handler.

use std::convert::Infallible;
use std::pin::Pin;
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
use tower_http::compression::CompressionLayer;
use tower_http::cors::{AllowHeaders, Any as AnyOrigin, CorsLayer};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::normalize_path::NormalizePathLayer;
use tower_http::timeout::TimeoutLayer;

use super::error::RequestError;
use super::failures::Told;
use super::privacy::Privacy;
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
    let inside = ServiceBuilder::new()
        // The events route counts its own limit, and the layer below is for every route.
        .layer(axum::extract::DefaultBodyLimit::disable())
        .layer(layer_fn(Told));
    let stack = ServiceBuilder::new()
        .layer(NormalizePathLayer::trim_trailing_slash())
        .layer(layer_fn(Frame))
        .layer(cors())
        .layer(CompressionLayer::new())
        .layer(RequestBodyLimitLayer::new(limits.body_bytes.saturating_mul(2)))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, limits.request_timeout))
        .layer(layer_fn(move |inner| Check { inner, url_bytes: limits.url_bytes }))
        .service(router.layer(inside));
    Service(BoxCloneSyncService::new(stack))
}

/// What holds for every answer, whoever made it: it names its request, an error has a body, and its
/// headers say what caches and the connection may do with it.
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
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let id = name(request.headers_mut());
        let privacy = Privacy::of(&request);
        let (request, reading) = unread::watch(request);
        let response = self.0.call(request);
        Box::pin(async move {
            let mut response = response.await?.map(Body::new);
            give_json_error(&mut response);
            let headers = response.headers_mut();
            headers.extend(id.map(|id| (REQUEST_ID, id)));
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
