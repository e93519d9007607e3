//! What a caller has already, and whether an answer that the server keeps will do: `If-None-Match`,
//! `Cache-Control`; and the headers with which an answer says what it is.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::query::{Answer, Freshness};

/// How a call came to its answer: `hit`, `miss` or `coalesced`.
pub(super) const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// A browser keeps an answer for one person, and asks each time whether it still holds.
const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// About so many headers are added to an answer, here and around: they are given room at once.
const ALL_HEADERS: usize = 12;

/// What a request says about answers that are there already.
pub(super) struct Conditions {
    pub(super) freshness: Freshness,
    /// `If-None-Match`, for requests that may be answered with 304.
    known: Option<String>,
}

impl Conditions {
    /// Reads the head of a request.
    pub(super) fn of(method: &Method, headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let says = |word: &str| {
            let mut words = text(CACHE_CONTROL).unwrap_or_default().split(',').map(str::trim);
            words.any(|said| said.eq_ignore_ascii_case(word))
        };
        let freshness = match (says("no-store"), says("no-cache")) {
            (true, _) => Freshness::Unkept,
            (false, true) => Freshness::Asked,
            (false, false) => Freshness::Kept,
        };
        let may_be_empty = matches!(*method, Method::GET | Method::HEAD);
        let known = text(IF_NONE_MATCH).filter(|_| may_be_empty).map(str::to_owned);
        Self { freshness, known }
    }

    /// True where the caller has this answer. Tags are compared weakly, as RFC 9110 13.1.2 says.
    fn knows(&self, tag: &str) -> bool {
        let is_it = |known: &str| known == "*" || opaque(known) == opaque(tag);
        self.known.as_ref().is_some_and(|known| known.split(',').map(str::trim).any(is_it))
    }

    /// The answer as a response: nothing where the caller has it, with its length where all of it is
    /// here, else with a body that follows as the engine writes it.
    pub(super) fn respond(&self, answer: Answer) -> Response {
        let content_type = [(CONTENT_TYPE, answer.format.content_type())];
        let origin = answer.origin.map(|origin| HeaderValue::from_static(origin.as_str()));
        let mut response = match answer.whole() {
            None => (content_type, Body::from_stream(answer.into_stream())).into_response(),
            Some(whole) if self.knows(whole.tag()) => {
                tagged(StatusCode::NOT_MODIFIED.into_response(), whole.tag())
            }
            Some(whole) => tagged((content_type, Body::from(whole.bytes())).into_response(), whole.tag()),
        };
        let headers = response.headers_mut();
        headers.reserve(ALL_HEADERS);
        headers.extend(origin.map(|origin| (X_CACHE, origin)));
        response
    }
}

/// A tag without its mark of being weak.
fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

fn tagged(mut response: Response, tag: &str) -> Response {
    let tag = HeaderValue::from_str(tag).ok().map(|tag| (ETAG, tag));
    response.headers_mut().extend(tag.into_iter().chain([(CACHE_CONTROL, PRIVATE)]));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(method: &Method, headers: &[(HeaderName, &'static str)]) -> Conditions {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        Conditions::of(method, &headers.collect())
    }

    #[test]
    fn a_caller_may_ask_for_an_answer_of_now() {
        let freshness = |value| conditions(&Method::GET, &[(CACHE_CONTROL, value)]).freshness;
        assert_eq!(freshness("max-age=0, No-Cache"), Freshness::Asked);
        assert_eq!(freshness("no-store, no-cache"), Freshness::Unkept);
        for other in ["max-age=0", "", "no-cached", "private=\"no-cache"] {
            assert_eq!(freshness(other), Freshness::Kept, "{other}");
        }
    }

    #[test]
    fn tags_are_compared_weakly_and_only_for_requests_that_read() {
        let knows = |method: Method, value| conditions(&method, &[(IF_NONE_MATCH, value)]).knows("W/\"a\"");
        for value in ["W/\"a\"", "\"a\"", "\"b\", W/\"a\"", "*"] {
            assert!(knows(Method::GET, value), "{value}");
            assert!(!knows(Method::POST, value), "{value}");
        }
        for value in ["a", "\"b\"", "", "W/", "\"a"] {
            assert!(!knows(Method::GET, value), "{value}");
        }
    }
}
