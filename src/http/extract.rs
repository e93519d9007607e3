//! What handlers take out of a request.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use std::borrow::Cow;
use std::sync::Arc;

use super::{ApiError, Rooms};
use crate::auth::Token;

/// The token of the caller: every handler of data takes one.
///
/// From `Authorization: Bearer …` or, where that is missing, `?token=…`; clients of Tinybird send
/// either, and the command line both.
pub struct Caller(pub Arc<Token>);

/// Goes with a request whose caller is known already: it is counted once.
#[derive(Debug, Clone)]
pub(super) struct Identified(pub(super) Arc<Token>);

impl FromRequestParts<Rooms> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, rooms: &Rooms) -> Result<Self, ApiError> {
        if let Some(Identified(token)) = parts.extensions.remove() {
            return Ok(Self(token));
        }
        let read = parts.extensions.get::<QueryPairs>();
        let query = read.map_or_else(|| Cow::Owned(QueryPairs::of(parts)), Cow::Borrowed);
        Ok(Self(rooms.keyring.identify(presented(&parts.headers, &query))?))
    }
}

/// The text of the token that a request presents.
pub fn presented<'a>(headers: &'a HeaderMap, query: &'a QueryPairs) -> Option<&'a str> {
    bearer(headers).or_else(|| query.last("token"))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The pairs of the query string, in order, decoded; keys may repeat.
///
/// They are read once, before any handler, and go with the request until somebody takes them.
#[derive(Debug, Clone, Default)]
pub struct QueryPairs(pub Vec<(String, String)>);

impl QueryPairs {
    fn of(parts: &Parts) -> Self {
        Self::parse(parts.uri.query().unwrap_or_default())
    }

    /// Reads a query string or a form body.
    pub fn parse(text: &str) -> Self {
        Self(form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// The last value of a key.
    pub fn last(&self, key: &str) -> Option<&str> {
        self.0.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

impl<S: Sync> FromRequestParts<S> for QueryPairs {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let read = parts.extensions.remove::<Self>();
        Ok(read.unwrap_or_else(|| Self::of(parts)))
    }
}

/// Where the caller found this server. A name that could not be one is not repeated.
pub(super) fn origin(headers: &HeaderMap) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_name = |host: &&str| {
        host.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']'))
    };
    let host = text("host").filter(is_name).unwrap_or("localhost");
    let scheme = if text("x-forwarded-proto") == Some("https") { "https" } else { "http" };
    format!("{scheme}://{host}")
}
