//! Tokens stay with whoever sent them, even where the address holds one.
//!
//! `?token=…` is part of the API, and a token's text may stand in the path of `/v0/tokens/…`: such
//! answers are kept by no cache, no page hands its address on, and no log line holds it.

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

const REFERRER_POLICY: HeaderName = HeaderName::from_static("referrer-policy");
/// Where tokens are named in paths, and shown in answers.
const TOKENS: &str = "/v0/tokens";

/// Adds `Referrer-Policy` to every answer, and `Cache-Control: no-store` where the request or the
/// answer has to do with the text of a token.
pub(super) async fn keep_private(request: Request, next: Next) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let has_token = form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "token");
    let is_secret = has_token || request.uri().path().starts_with(TOKENS);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if is_secret {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// A request's path as the log may hold it: where it can hold a token, the pattern of its route.
pub(super) fn logged_path(request: &Request) -> String {
    match request.extensions().get::<MatchedPath>() {
        Some(route) if route.as_str().starts_with(TOKENS) => route.as_str().to_owned(),
        Some(_) => shown_path(request.uri().path()),
        None => "(no route)".to_owned(),
    }
}

/// A path without the segments that look like tokens.
fn shown_path(path: &str) -> String {
    let shown = |segment: &str| {
        let is_token = segment.starts_with("p.") || segment.starts_with("ey") || segment.len() > 64;
        if is_token { "…".to_owned() } else { segment.to_owned() }
    };
    path.split('/').map(shown).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_without_what_looks_like_a_token() {
        assert_eq!(shown_path("/v0/pipes/top_pages.json"), "/v0/pipes/top_pages.json");
        assert_eq!(shown_path("/v0/token/p.eyJ1Ijoi.x/refresh"), "/v0/token/…/refresh");
        assert_eq!(shown_path("/eyJh.eyJ3.x"), "/…");
        assert_eq!(shown_path(&format!("/{}", "x".repeat(65))), "/…");
    }
}
