//! Tokens stay with whoever sent them, even where the address holds one.
//!
//! `?token=…` is part of the API, and a token's text may stand in the path of `/v0/tokens/…`: such
//! answers are kept by no cache, no page hands its address on, and no log line holds it.

use std::fmt;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};

use super::extract::QueryPairs;

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
    pub(super) fn of(path: &str, query: &QueryPairs) -> Self {
        if query.last("token").is_some() || path.starts_with(TOKENS) { Self::Secret } else { Self::Plain }
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
pub(super) struct LoggedPath<'a> {
    path: &'a str,
    route: Option<&'static str>,
}

/// The paths of all routes, with parts in braces that a request fills.
pub(super) type Patterns = Arc<[&'static str]>;

impl<'a> LoggedPath<'a> {
    /// The path of a request, and the route that answers it.
    pub(super) fn of(uri: &'a Uri, patterns: &Patterns) -> Self {
        let path = uri.path();
        Self { path, route: patterns.iter().find(|pattern| fits(path, pattern)).copied() }
    }
}

/// True for the path of a route.
fn fits(path: &str, pattern: &str) -> bool {
    let parts = |text: &'_ str| text.split('/').count();
    let fits = |(part, known): (&str, &str)| {
        if known.starts_with('{') { !part.is_empty() } else { part == known }
    };
    parts(path) == parts(pattern) && path.split('/').zip(pattern.split('/')).all(fits)
}

impl fmt::Display for LoggedPath<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_token: fn(&str) -> bool = match self.route {
            Some(route) if route.starts_with(TOKENS) => return formatter.write_str(route),
            Some(_) => |segment| segment.starts_with("p.") || segment.starts_with("ey"),
            None => |segment| segment.len() >= SHORTEST_TOKEN,
        };
        for (place, segment) in self.path.split('/').enumerate() {
            formatter.write_str(if place > 0 { "/" } else { "" })?;
            formatter.write_str(if is_token(segment) { "…" } else { segment })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged(path: &'static str) -> String {
        let patterns: Patterns =
            ["/v0/tokens", "/v0/tokens/{token}", "/v0/pipes/{file}", "/v0/jobs/{id}/cancel"].into();
        LoggedPath::of(&Uri::from_static(path), &patterns).to_string()
    }

    #[test]
    fn a_path_without_a_route_is_logged_without_its_long_parts() {
        assert_eq!(logged("/v1/user/workspaces?token=x"), "/v1/user/workspaces");
        assert_eq!(logged("/v0/token/p.eyJ1Ijoi.x0123456789/refresh"), "/v0/token/…/refresh");
        assert_eq!(logged("/an_admin_token__"), "/…");
        assert_eq!(logged("/v0/pipes/a_long_name_of_a_pipe.json/more"), "/v0/pipes/…/more");
        assert_eq!(logged("/v0/jobs/0123456789abcdef"), "/v0/jobs/…");
    }

    #[test]
    fn a_path_of_a_route_is_logged_but_for_tokens() {
        assert_eq!(
            logged("/v0/pipes/a_long_name_of_a_pipe.json?token=x"),
            "/v0/pipes/a_long_name_of_a_pipe.json"
        );
        assert_eq!(logged("/v0/pipes/p.eyJ1Ijoi.x"), "/v0/pipes/…");
        assert_eq!(logged("/v0/tokens/short"), "/v0/tokens/{token}");
        assert_eq!(logged("/v0/jobs/0123456789abcdef/cancel"), "/v0/jobs/0123456789abcdef/cancel");
    }
}
