//! The parameters of an endpoint: query string and body together.
//!
//! Clients of Tinybird send them in the query string, switch to a form body when the URL gets long,
//! and charts post a JSON object while some parameters stay in the URL. Where a name comes twice the
//! body wins. Names that Tinybird reserves are settings of the request and never reach a template.

use axum::body::Body;
use axum::extract::Request;
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, Limited};
use serde_json::{Map, Value};

use super::ApiError;
use super::error::RequestError;
use super::extract::QueryPairs;
use crate::query::{ArgumentValue, Arguments, Denormals, OutputSettings, WideIntegers};

/// Bytes of a body with parameters.
const MAX_BODY_BYTES: usize = 1 << 20;

/// Names that are no parameters of a template.
const RESERVED: [&str; 20] = [
    "__tb__client",
    "__tb__csv_header",
    "__tb__deployment",
    "__tb__semver",
    "cli_version",
    "debug",
    "debug_source_tables",
    "explain",
    "finalize_aggregations",
    "from",
    WIDE_INTEGERS,
    DENORMALS,
    "output_format_parquet_string_as_string",
    "pipeline",
    "playground",
    "q",
    "query_id",
    "release_replacements",
    "tag",
    "token",
];
const WIDE_INTEGERS: &str = "output_format_json_quote_64bit_integers";
const DENORMALS: &str = "output_format_json_quote_denormals";

/// What a caller sent to an endpoint.
pub(super) struct Given {
    /// Values for the template.
    pub(super) arguments: Arguments,
    /// How the answer is printed.
    pub(super) output: OutputSettings,
}

/// Reads the parameters of a request.
pub(super) async fn read(query: QueryPairs, request: Request) -> Result<Given, ApiError> {
    let mut arguments = Arguments::from_pairs(query.0.clone());
    let mut settings = query;
    if request.method() == Method::POST {
        match read_body(request).await? {
            Sent::Pairs(pairs) => {
                for (name, value) in Arguments::from_pairs(pairs.0.clone()).iter() {
                    arguments.insert(name, value.clone());
                }
                settings.0.extend(pairs.0);
            }
            Sent::Object(object) => {
                settings
                    .0
                    .extend(object.iter().filter_map(|(name, value)| Some((name.clone(), scalar(value)?))));
                for (name, value) in object {
                    arguments.insert(name, ArgumentValue::Json(value));
                }
            }
        }
    }
    let given = arguments.iter().filter(|(name, _)| !RESERVED.contains(name));
    let mut kept = Arguments::new();
    for (name, value) in given {
        kept.insert(name, value.clone());
    }
    Ok(Given { arguments: kept, output: output_settings(&settings)? })
}

/// The parameters in a body.
enum Sent {
    Pairs(QueryPairs),
    Object(Map<String, Value>),
}

async fn read_body(request: Request) -> Result<Sent, RequestError> {
    let is_json = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("application/json"));
    let body: Body = request.into_body();
    let bytes = Limited::new(body, MAX_BODY_BYTES).collect().await;
    let bytes = bytes.map_err(|_| RequestError::BodyTooLarge { limit: MAX_BODY_BYTES })?.to_bytes();
    if bytes.is_empty() {
        return Ok(Sent::Pairs(QueryPairs::default()));
    }
    if is_json {
        let object = serde_json::from_slice(&bytes);
        return object.map(Sent::Object).map_err(|error| {
            RequestError::BodyUnreadable(format!("{error}; a JSON body is an object of parameters"))
        });
    }
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| RequestError::BodyUnreadable("it is not UTF-8".to_owned()))?;
    Ok(Sent::Pairs(QueryPairs::parse(text)))
}

/// A JSON value as the text that a query string would hold.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(u8::from(*flag).to_string()),
        _ => None,
    }
}

fn output_settings(pairs: &QueryPairs) -> Result<OutputSettings, RequestError> {
    let wide_integers =
        if switch(pairs, WIDE_INTEGERS)? { WideIntegers::Strings } else { WideIntegers::Numbers };
    let denormals = if switch(pairs, DENORMALS)? { Denormals::Strings } else { Denormals::Null };
    Ok(OutputSettings { wide_integers, denormals })
}

fn switch(pairs: &QueryPairs, name: &'static str) -> Result<bool, RequestError> {
    match pairs.last(name) {
        None | Some("0" | "false") => Ok(false),
        Some("1" | "true") => Ok(true),
        Some(other) => {
            Err(RequestError::ParameterInvalid { name, value: other.to_owned(), help: "it is 0 or 1" })
        }
    }
}
