//! What a caller has already, whether an answer that the server keeps will do, and how it may be packed:
//! `If-None-Match`, `Cache-Control`, `Accept-Encoding`; and the headers with which an answer says what
//! it is.

use axum::Extension;
use axum::body::Body;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::query::{Answer, Freshness, Packing, WholeAnswer};

/// How a call came to its answer: `hit`, `miss` or `coalesced`.
pub(super) const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// A browser keeps an answer for one person, and asks each time whether it still holds.
const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// About so many headers are added to an answer, here and around: they are given room at once.
const ALL_HEADERS: usize = 12;

/// Goes with a body that is sent as it is: it is packed, or packing it was not worth it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Finished;

/// What a request says about answers that are there already.
pub(super) struct Conditions {
    pub(super) freshness: Freshness,
    /// `If-None-Match`, for requests that may be answered with 304.
    known: Option<HeaderValue>,
    packing: Option<Packing>,
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
        let known = headers.get(IF_NONE_MATCH).filter(|_| may_be_empty).cloned();
        Self { freshness, known, packing: text(ACCEPT_ENCODING).and_then(packing) }
    }

    /// True where the caller has this answer. Tags are compared weakly, as RFC 9110 13.1.2 says.
    fn knows(&self, tag: &str) -> bool {
        let is_it = |known: &str| known == "*" || opaque(known) == opaque(tag);
        let known = self.known.as_ref().and_then(|known| known.to_str().ok());
        known.is_some_and(|known| known.split(',').map(str::trim).any(is_it))
    }

    /// The answer as a response: nothing where the caller has it, with its length where all of it is
    /// here, else with a body that follows as the engine writes it.
    pub(super) async fn respond(&self, answer: Answer) -> Response {
        let (content_type, whole) = (answer.format.content_type(), answer.whole());
        let origin = answer.origin.map(|origin| HeaderValue::from_static(origin.as_str()));
        let mut response = match &whole {
            None => Body::from_stream(answer.into_stream()).into_response(),
            Some(whole) if self.knows(whole.tag()) => StatusCode::NOT_MODIFIED.into_response(),
            Some(whole) => self.body(whole).await,
        };
        let is_empty = response.status() == StatusCode::NOT_MODIFIED;
        let headers = response.headers_mut();
        headers.reserve(ALL_HEADERS);
        if !is_empty {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if let Some(tag) = whole.and_then(|whole| HeaderValue::from_str(whole.tag()).ok()) {
            headers.insert(ETAG, tag);
            headers.insert(CACHE_CONTROL, PRIVATE);
        }
        headers.extend(origin.map(|origin| (X_CACHE, origin)));
        response
    }

    /// The bytes of an answer, packed where its caller takes that and it is worth it.
    async fn body(&self, whole: &WholeAnswer) -> Response {
        let Some(packing) = self.packing else { return Body::from(whole.bytes()).into_response() };
        match whole.packed(packing).await {
            Some(packed) => {
                let coding = [(CONTENT_ENCODING, packing.as_str())];
                (Extension(Finished), coding, Body::from(packed)).into_response()
            }
            None => (Extension(Finished), Body::from(whole.bytes())).into_response(),
        }
    }
}

/// The packing that a caller takes, `zstd` where both are as welcome; `None` leaves it to the frame
/// around all answers, as what the caller says is unusual.
fn packing(accepted: &str) -> Option<Packing> {
    let items = || accepted.split(',').map(|item| item.split_once(';').unwrap_or((item, "q=1")));
    let names = |coding: &str, name: &str| coding.trim().eq_ignore_ascii_case(name);
    if items().any(|(coding, _)| names(coding, "identity") || names(coding, "*")) {
        return None;
    }
    let weight = |packing: Packing| {
        let (_, weight) = items().find(|(coding, _)| names(coding, packing.as_str()))?;
        weight.trim().strip_prefix("q=")?.parse::<f32>().ok().filter(|weight| *weight > 0.0)
    };
    match (weight(Packing::Zstd), weight(Packing::Gzip)) {
        (Some(zstd), Some(gzip)) if gzip > zstd => Some(Packing::Gzip),
        (Some(_), _) => Some(Packing::Zstd),
        (None, gzip) => gzip.map(|_| Packing::Gzip),
    }
}

/// A tag without its mark of being weak.
fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
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
    fn the_packing_is_what_the_caller_likes_best() {
        for (accepted, expected) in [
            ("gzip", Some(Packing::Gzip)),
            ("gzip, deflate, br, zstd", Some(Packing::Zstd)),
            ("GZip;q=0.9,zstd;q=0.8", Some(Packing::Gzip)),
            ("zstd;q=0, gzip;q=0.1", Some(Packing::Gzip)),
            ("zstd; q=0.5", Some(Packing::Zstd)),
            ("gzip;q=0", None),
            ("gzip;q=much", None),
            ("br", None),
            ("*", None),
            ("gzip;q=0.5, identity", None),
            ("", None),
        ] {
            assert_eq!(packing(accepted), expected, "{accepted}");
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
