//! Says so when a connection ends with an answer.
//!
//! An answer may come before the body of its request has been read: a token is wrong, a limit is
//! met. The server then cannot use the connection again, and a client that does not know it would
//! lose its next request on it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::HttpBody;
use axum::http::header::CONNECTION;
use axum::http::{HeaderMap, HeaderValue, Request};
use http_body::Frame;

/// Whether the body of a request has been read to its end; `None` where it has none.
pub(super) struct Reading(Option<Arc<AtomicBool>>);

/// Begins to watch the body of a request.
pub(super) fn watch<B: HttpBody>(request: Request<B>) -> (Request<Watched<B>>, Reading) {
    let is_read = (!request.body().is_end_stream()).then(Arc::<AtomicBool>::default);
    let watched = |body| Watched { body, is_read: is_read.clone() };
    (request.map(watched), Reading(is_read))
}

impl Reading {
    /// Adds `Connection: close` to the headers of an answer that left part of its request unread.
    pub(super) fn mark(&self, headers: &mut HeaderMap) {
        if self.0.as_ref().is_some_and(|is_read| !is_read.load(Ordering::Acquire)) {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

/// A body that remembers whether it was read to its end.
pub(super) struct Watched<B> {
    body: B,
    is_read: Option<Arc<AtomicBool>>,
}

impl<B: HttpBody + Unpin> HttpBody for Watched<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(is_read) = &self.is_read
            && (frame.is_none() || self.body.is_end_stream())
        {
            is_read.store(true, Ordering::Release);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
