//! The parameters in the body of a POST.

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, Limited};
use serde_json::{Map, Value};

use super::super::error::RequestError;
use super::super::extract::QueryPairs;
use super::SQL;

/// Bytes of a body with parameters.
const MAX_BODY_BYTES: usize = 1 << 20;

/// What a body holds.
pub(super) enum Sent {
    /// A form.
    Pairs(QueryPairs),
    /// A JSON object.
    Object(Map<String, Value>),
    /// SQL and nothing else.
    Sql(String),
}

/// What a body says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ContentType {
    Json,
    PlainText,
    /// A form, or nothing in particular: `curl --data` says form whatever it sends.
    Form,
}

impl Sent {
    /// The body of a request that has none.
    pub(super) fn nothing() -> Self {
        Self::Pairs(QueryPairs::default())
    }
}

impl ContentType {
    fn of(headers: &HeaderMap) -> Self {
        let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json" => Self::Json,
            "text/plain" => Self::PlainText,
            _ => Self::Form,
        }
    }
}

/// Reads a form or a JSON object.
pub(super) async fn read(request: Request) -> Result<Sent, RequestError> {
    let content_type = ContentType::of(request.headers());
    let bytes = collect(request).await?;
    match content_type {
        ContentType::Json if !bytes.is_empty() => object(&bytes),
        _ => Ok(Sent::Pairs(QueryPairs::parse(text(&bytes)?))),
    }
}

/// Reads a form, a JSON object or a bare SQL text.
pub(super) async fn read_sql(request: Request, is_in_url: bool) -> Result<Sent, RequestError> {
    let content_type = ContentType::of(request.headers());
    let bytes = collect(request).await?;
    if bytes.is_empty() {
        return Ok(Sent::nothing());
    }
    match content_type {
        ContentType::Json => object(&bytes),
        ContentType::PlainText => Ok(Sent::Sql(text(&bytes)?.to_owned())),
        ContentType::Form => Ok(form_or_sql(text(&bytes)?, is_in_url)),
    }
}

/// A form begins with a plain name and brings the SQL as `q`, unless the URL does. Everything else
/// that calls itself a form is SQL that was sent without a content type of its own.
fn form_or_sql(text: &str, is_in_url: bool) -> Sent {
    let pairs = QueryPairs::parse(text);
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let begins_like_a_form = pairs.0.first().is_some_and(|(name, _)| is_name(name)) && text.contains('=');
    if begins_like_a_form && (is_in_url || pairs.last(SQL).is_some()) {
        Sent::Pairs(pairs)
    } else {
        Sent::Sql(text.to_owned())
    }
}

async fn collect(request: Request) -> Result<Bytes, RequestError> {
    let bytes = Limited::new(request.into_body(), MAX_BODY_BYTES).collect().await;
    Ok(bytes.map_err(|_| RequestError::BodyTooLarge { limit: MAX_BODY_BYTES })?.to_bytes())
}

fn object(bytes: &[u8]) -> Result<Sent, RequestError> {
    let object = serde_json::from_slice(bytes);
    object.map(Sent::Object).map_err(|error| {
        RequestError::BodyUnreadable(format!("{error}; a JSON body is an object of parameters"))
    })
}

fn text(bytes: &[u8]) -> Result<&str, RequestError> {
    std::str::from_utf8(bytes).map_err(|_| RequestError::BodyUnreadable("it is not UTF-8".to_owned()))
}

/// A JSON value as the text that a query string would hold.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(u8::from(*flag).to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_as(text: &str, is_in_url: bool) -> String {
        match form_or_sql(text, is_in_url) {
            Sent::Pairs(pairs) => format!("{:?}", pairs.0),
            Sent::Sql(sql) => sql,
            Sent::Object(_) => unreachable!("it is not JSON"),
        }
    }

    #[test]
    fn a_form_brings_its_sql_as_q() {
        assert_eq!(read_as("q=SELECT+1&n=2", false), r#"[("q", "SELECT 1"), ("n", "2")]"#);
        assert_eq!(read_as("n=2&q=SELECT%201", false), r#"[("n", "2"), ("q", "SELECT 1")]"#);
        assert_eq!(read_as("n=2", true), r#"[("n", "2")]"#);
    }

    #[test]
    fn sql_without_a_content_type_is_taken_as_it_is() {
        for sql in [
            "SELECT 1",
            "SELECT '100%25' AS a WHERE a = 'x&q=1'",
            "% SELECT {{ Int32(n) }} + 1",
            "WITH a AS (SELECT 1) SELECT * FROM a WHERE 1=1",
            "(SELECT 1)",
        ] {
            assert_eq!(read_as(sql, false), sql);
            assert_eq!(read_as(sql, true), sql, "the body wins");
        }
        assert_eq!(read_as("SELECT", false), "SELECT");
    }
}
