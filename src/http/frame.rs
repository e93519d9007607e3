//! What happens to every request before and after its handler.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Version, header,
};
use axum::response::{IntoResponse, Response};
use futures_util::poll;
use http_body_util::Limited;
use hyper::body::Incoming;
use tower::{Layer, Service as _, service_fn};
use tower_http::compression::Compression;
use tower_http::compression::predicate::{DefaultPredicate, Predicate};
use tower_http::cors::{AllowHeaders, Any as AnyOrigin, Cors, CorsLayer};
use tower_http::normalize_path::NormalizePath;

use super::conditions::Finished;
use super::error::RequestError;
use super::extract::QueryPairs;
use super::failures::{self, Name};
use super::privacy::{Patterns, Privacy};
use super::unread::{self, Watched};
use super::{ApiError, Rooms, polls, routes};

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const ANY_ORIGIN: HeaderValue = HeaderValue::from_static("*");
const ACCEPT_ENCODING: HeaderValue = HeaderValue::from_static("accept-encoding");

/// Response headers that scripts in browsers may read.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "x-request-id,etag,x-cache,x-db-exception-code,x-ratelimit-limit,x-ratelimit-remaining,\
     x-ratelimit-reset,retry-after,idempotent-replayed",
);

/// The API as one service, for requests as they come from a connection. A clone is the same one.
#[derive(Clone)]
pub struct Service(Arc<Frame>);

impl Service {
    /// Answers a request. Slashes at the end of its path change nothing.
    pub fn answer(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response, Infallible>> + Send + use<> {
        let frame = Arc::clone(&self.0);
        async move {
            let answer = service_fn(|request| frame.answer(request));
            NormalizePath::trim_trailing_slash(answer).call(request).await
        }
    }
}

/// Puts the frame around the routes.
pub(super) fn frame(router: Router, rooms: Rooms) -> Service {
    let preflight = cors().layer(router.clone());
    let patterns = routes::declared().iter().map(|declared| declared.path).collect();
    Service(Arc::new(Frame { router, preflight, patterns, rooms }))
}

/// The routes, and what holds for every answer of them.
///
/// It is one function after the other and no stack of layers: a kept answer costs less than the stack.
struct Frame {
    router: Router,
    preflight: Cors<Router>,
    patterns: Patterns,
    rooms: Rooms,
}

impl Frame {
    /// The answer as it goes out: packed where its client takes that, and for scripts of every origin.
    async fn answer(&self, request: Request<Incoming>) -> Result<Response, Infallible> {
        if request.method() == Method::OPTIONS {
            return self.preflight.clone().call(request).await;
        }
        let mut response = if request.headers().contains_key(header::ACCEPT_ENCODING) {
            let plain = Compression::new(service_fn(|request| self.plain(request)));
            let worth_packing = DefaultPredicate::new().and(is_unfinished);
            // In a box: a caller who takes nothing packed would carry its room, too.
            Box::pin(plain.compress_when(worth_packing).call(request)).await?.map(Body::new)
        } else {
            self.plain(request).await?
        };
        let headers = response.headers_mut();
        headers.insert(header::VARY, ACCEPT_ENCODING);
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY_ORIGIN);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        Ok(response)
    }

    /// The answer itself. It names its request, an error has a body, its headers say what caches and
    /// the connection may do with it, and what failed is told to the log.
    async fn plain(&self, request: Request<Incoming>) -> Result<Response, Infallible> {
        let query = QueryPairs::parse(request.uri().query().unwrap_or_default());
        let privacy = Privacy::of(request.uri().path(), &query);
        let name = Name::of(&request, Arc::clone(&self.patterns));
        let (request, reading) = unread::watch(request);
        let mut response = failures::told(pin!(self.limited(request, query)), name).await;
        give_json_error(&mut response);
        let headers = response.headers_mut();
        privacy.mark(headers);
        reading.mark(headers);
        Ok(response)
    }

    /// What the routes answer, within the limits of requests.
    async fn limited(&self, mut request: Request<Watched<Incoming>>, query: QueryPairs) -> Response {
        let limits = self.rooms.limits;
        let length = request.uri().path_and_query().map_or(0, |url| url.as_str().len());
        let limit = limits.url_bytes;
        if length > limit {
            return ApiError::from(RequestError::UrlTooLong { length, limit }).into_response();
        }
        let body_limit = limits.body_bytes.saturating_mul(2);
        if request.body().size_hint().lower() > body_limit as u64 {
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        }
        if let Some(response) = polls::recall(&self.rooms, &mut request, &query).await {
            return response;
        }
        request.extensions_mut().insert(query);
        let request = request.map(|body| Limited::new(body, body_limit));
        let mut answer = pin!(self.router.clone().call(request));
        // Many are there at once, and need no clock.
        if let Poll::Ready(Ok(response)) = poll!(answer.as_mut()) {
            return response;
        }
        match tokio::time::timeout(limits.request_timeout, answer).await {
            Ok(Ok(response)) => response,
            Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
        }
    }
}

fn is_unfinished(_: StatusCode, _: Version, _: &HeaderMap, extensions: &Extensions) -> bool {
    extensions.get::<Finished>().is_none()
}

/// What a browser is told that asks before it calls. Every origin may call: the right to do anything comes
/// from the token, never from a cookie. The asked headers are named one by one, because `*` does not
/// cover `Authorization`.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AnyOrigin)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS])
        .allow_headers(AllowHeaders::mirror_request())
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
