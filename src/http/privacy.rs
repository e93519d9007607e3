//! Tokens stay with whoever sent them, even where the address holds one.
//!
//! `?token=…` is part of the API, and a token's text may stand in the path of `/v0/tokens/…`: such
//! answers are kept by no cache, no page hands its address on, and no log line holds it.

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

const REFERRER_POLICY: HeaderName = HeaderName::from_static("referrer-policy");
/// Where tokens are named in paths, and shown in answers.
const TOKENS: &str = "/v0/tokens";

/// Whether the request or its answer has to do with the text of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Privacy {
    /// It has.
    Secret,
    /// It has not.
    Plain,
}

impl Privacy {
    /// Looks at the address.
    pub(super) fn of<B>(request: &axum::http::Request<B>) -> Self {
        let query = request.uri().query().unwrap_or_default();
        let has_token = form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "token");
        if has_token || request.uri().path().starts_with(TOKENS) { Self::Secret } else { Self::Plain }
    }

    /// Adds `Referrer-Policy` to the headers of the answer, and `Cache-Control: no-store` to those of
    /// a secret one.
    pub(super) fn mark(self, headers: &mut HeaderMap) {
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        if self == Self::Secret {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }
}

/// No token is as short as this: settings take admin tokens of 16 characters or more.
const SHORTEST_TOKEN: usize = 16;

/// A request's path as the log may hold it: where it can hold a token, the pattern of its route, and
/// where no route answers, its short parts.
pub(super) fn logged_path(request: &Request) -> String {
    let path = request.uri().path();
    match request.extensions().get::<MatchedPath>() {
        Some(route) if route.as_str().starts_with(TOKENS) => route.as_str().to_owned(),
        Some(_) => without(path, |segment| segment.starts_with("p.") || segment.starts_with("ey")),
        None => without(path, |segment| segment.len() >= SHORTEST_TOKEN),
    }
}

fn without(path: &str, is_token: impl Fn(&str) -> bool) -> String {
    let shown = |segment| if is_token(segment) { "…" } else { segment };
    path.split('/').map(shown).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_without_a_route_is_logged_without_its_long_parts() {
        let logged =
            |path: &str| logged_path(&Request::builder().uri(path).body(axum::body::Body::empty()).unwrap());
        assert_eq!(logged("/v1/user/workspaces?token=x"), "/v1/user/workspaces");
        assert_eq!(logged("/v0/token/p.eyJ1Ijoi.x0123456789/refresh"), "/v0/token/…/refresh");
        assert_eq!(logged("/an_admin_token__"), "/…");
    }
}
