//! What the log says of requests: of one that failed always, of any at the level `debug`. A handler that
//! panics fails its request, and nothing else.
//!
//! A request is named by its id and its path only: query strings hold tokens, and some paths too.
//! What is formatted for every request costs more than all else that happens around a kept answer, so
//! that nothing is before there is something to say.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use axum::Extension;
use axum::body::{Body, HttpBody};
use axum::http::{HeaderValue, Method, Request, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http_body_util::BodyExt;
use tracing::Instrument;

use super::frame::REQUEST_ID;
use super::privacy::{LoggedPath, Patterns};

/// Goes with an answer whose failure is none of the caller's: what the log says of it.
#[derive(Debug, Clone)]
pub(super) struct Failure(pub(super) String);

/// What a request is called in the log.
pub(super) struct Name {
    id: Option<HeaderValue>,
    method: Method,
    uri: Uri,
    patterns: Patterns,
}

impl Name {
    pub(super) fn of<B>(request: &Request<B>, patterns: Patterns) -> Self {
        let id = request.headers().get(REQUEST_ID).cloned().or_else(fresh_id);
        Self { id, method: request.method().clone(), uri: request.uri().clone(), patterns }
    }

    fn id(&self) -> &str {
        self.id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or_default()
    }

    fn path(&self) -> LoggedPath<'_> {
        LoggedPath::of(&self.uri, &self.patterns)
    }

    fn span(&self) -> tracing::Span {
        tracing::debug_span!("request", id = self.id(), method = %self.method, path = %self.path())
    }

    fn tell(&self, failure: &dyn std::fmt::Display, what: &'static str) {
        let (id, method, path) = (self.id(), &self.method, self.path());
        tracing::warn!(id, %method, %path, error = %failure, "{what}");
    }
}

/// An id for a request whose client has chosen none: a ULID, as Tinybird's are.
fn fresh_id() -> Option<HeaderValue> {
    HeaderValue::from_str(ulid::Ulid::new().array_to_str(&mut [0; ulid::ULID_LEN])).ok()
}

/// The answer that is on its way, with the name of its request; what fails of it is told to the log.
pub(super) async fn told(response: impl Future<Output = Response>, name: Name) -> Response {
    let span = name.span();
    let response = AssertUnwindSafe(response).catch_unwind().instrument(span.clone()).await;
    let mut response = response.unwrap_or_else(|panic| panicked(&*panic));
    tracing::debug!(parent: &span, status = response.status().as_u16(), "answered");
    if let Some(failure) = response.extensions().get::<Failure>() {
        name.tell(&failure.0, "request failed");
    }
    response.headers_mut().extend(name.id.clone().map(|id| (REQUEST_ID, id)));
    watched(response, name)
}

/// A panic is a bug: its text goes to the log, not to the caller.
fn panicked(panic: &(dyn Any + Send)) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    let failure = Failure(format!("a handler panicked: {text}"));
    (StatusCode::INTERNAL_SERVER_ERROR, Extension(failure)).into_response()
}

/// The answer; what breaks it off once it has begun is told.
fn watched(response: Response, name: Name) -> Response {
    if response.body().size_hint().exact().is_some() {
        return response;
    }
    let tell = move |error: axum::Error| {
        name.tell(&error, "an answer broke off");
        error
    };
    response.map(|body| Body::new(body.map_err(tell)))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(panic: &'static str) -> Response {
        let handler =
            async move { if panic.is_empty() { StatusCode::OK.into_response() } else { panic!("{panic}") } };
        told(handler, Name::of(&Request::new(()), Patterns::default())).await
    }

    #[tokio::test]
    async fn a_panic_fails_its_request_and_is_told_to_the_log_alone() {
        let response = answer("a bug").await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.extensions().get::<Failure>().unwrap().0, "a handler panicked: a bug");
        assert_eq!(response.body().size_hint().exact(), Some(0));

        let response = answer("").await;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(response.extensions().get::<Failure>().is_none());
    }
}
