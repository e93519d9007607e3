//! Any text is the head of an events request: a target and header lines. It is understood or refused,
//! and what is understood stays inside its bounds.
#![no_main]

use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use libfuzzer_sys::fuzz_target;
use roost::http::events_head::EventsHead;
use roost::http::extract::{QueryPairs, presented};

fuzz_target!(|head: &[u8]| {
    let mut lines = head.split(|byte| *byte == b'\n');
    let Some(target) = lines.next().and_then(|line| Uri::try_from(line).ok()) else { return };
    let mut headers = HeaderMap::new();
    for line in lines {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let name = parts.next().and_then(|name| HeaderName::from_bytes(name).ok());
        let value = parts.next().and_then(|value| HeaderValue::from_bytes(value.trim_ascii()).ok());
        if let (Some(name), Some(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let query = QueryPairs::parse(target.query().unwrap_or_default());
    if let Some(token) = presented(&headers, &query) {
        assert!(token.len() <= head.len());
    }
    if let Ok(understood) = EventsHead::read(&query, &headers) {
        let name = understood.data_source.as_str();
        assert_eq!(query.last("name"), Some(name));
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)), "{name}");
    }
});
