//! The parameters of a request: query string and body together.
//!
//! Clients of Tinybird send them in the query string, switch to a form body when the URL gets long,
//! and charts post a JSON object while some parameters stay in the URL. Where a name comes twice the
//! body wins. Names that Tinybird reserves are settings of the request and never reach a template.

mod body;

use axum::extract::Request;
use axum::http::Method;

use super::ApiError;
use super::error::RequestError;
use super::extract::QueryPairs;
use crate::query::{
    Aggregates, ArgumentValue, Arguments, Denormals, OutputSettings, ParquetTexts, WideIntegers,
};
use body::Sent;

/// Names that are no parameters of a template.
const RESERVED: [&str; 22] = [
    "__tb__client",
    CSV_HEADER,
    "__tb__deployment",
    "__tb__semver",
    "cli_version",
    "debug",
    "debug_source_tables",
    EXPLAIN,
    FINALIZE,
    "from",
    WIDE_INTEGERS,
    DENORMALS,
    PARQUET_TEXTS,
    SUBJECT,
    "playground",
    SQL,
    "query_id",
    "release_replacements",
    "replacements",
    "tag",
    "template_parameters",
    "token",
];
const CSV_HEADER: &str = "__tb__csv_header";
const EXPLAIN: &str = "explain";
const FINALIZE: &str = "finalize_aggregations";
const WIDE_INTEGERS: &str = "output_format_json_quote_64bit_integers";
const DENORMALS: &str = "output_format_json_quote_denormals";
const PARQUET_TEXTS: &str = "output_format_parquet_string_as_string";
const SUBJECT: &str = "pipeline";
const SQL: &str = "q";

/// What a caller sent.
pub(super) struct Given {
    /// Values for templates.
    pub(super) arguments: Arguments,
    /// Settings of the request.
    pub(super) settings: Settings,
}

/// The settings of a request: everything that was sent once, as text.
pub(super) struct Settings(QueryPairs);

/// Reads the parameters of an endpoint's call.
pub(super) async fn read(query: QueryPairs, request: Request) -> Result<Given, ApiError> {
    let sent =
        if request.method() == Method::POST { Box::pin(body::read(request)).await? } else { Sent::nothing() };
    Ok(Given::new(query, sent))
}

/// Reads the parameters of a query of the caller's own, whose body may be the SQL itself.
pub(super) async fn read_sql(query: QueryPairs, request: Request) -> Result<Given, ApiError> {
    let is_in_url = query.last(SQL).is_some();
    let sent = if request.method() == Method::POST {
        body::read_sql(request, is_in_url).await?
    } else {
        Sent::nothing()
    };
    Ok(Given::new(query, sent))
}

impl Given {
    fn new(query: QueryPairs, sent: Sent) -> Self {
        let mut arguments = Arguments::from_pairs(unreserved(&query));
        let mut settings = query;
        match sent {
            Sent::Pairs(pairs) => {
                for (name, value) in Arguments::from_pairs(unreserved(&pairs)).iter() {
                    arguments.insert(name, value.clone());
                }
                settings.0.extend(pairs.0);
            }
            Sent::Object(object) => {
                for (name, value) in object {
                    settings.0.extend(body::scalar(&value).map(|text| (name.clone(), text)));
                    if !is_reserved(&name) {
                        arguments.insert(name, ArgumentValue::Json(value));
                    }
                }
            }
            Sent::Sql(text) => settings.0.push((SQL.to_owned(), text)),
        }
        Self { arguments, settings: Settings(settings) }
    }
}

fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

fn unreserved(pairs: &QueryPairs) -> impl Iterator<Item = (String, String)> {
    pairs.0.iter().filter(|(name, _)| !is_reserved(name)).cloned()
}

impl Settings {
    /// A text that was sent under this name, unless it is empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.last(name).filter(|text| !text.trim().is_empty())
    }

    /// `q`: SQL of the caller's own.
    pub(super) fn sql(&self) -> Option<&str> {
        self.text(SQL)
    }

    /// `pipeline`: the pipe that the SQL is about.
    pub(super) fn subject(&self) -> Option<&str> {
        self.text(SUBJECT)
    }

    /// `explain`: the plan instead of the rows.
    pub(super) fn wants_plan(&self) -> Result<bool, RequestError> {
        Ok(self.switch(EXPLAIN)?.unwrap_or(false))
    }

    /// `__tb__csv_header`: false where the header of a CSV answer is not wanted.
    pub(super) fn wants_csv_header(&self) -> Result<bool, RequestError> {
        Ok(self.switch(CSV_HEADER)?.unwrap_or(true))
    }

    /// How values are printed.
    pub(super) fn output(&self) -> Result<OutputSettings, RequestError> {
        let is_on = |name| Ok::<_, RequestError>(self.switch(name)?.unwrap_or(false));
        Ok(OutputSettings {
            wide_integers: if is_on(WIDE_INTEGERS)? { WideIntegers::Strings } else { WideIntegers::Numbers },
            denormals: if is_on(DENORMALS)? { Denormals::Strings } else { Denormals::Null },
            parquet_texts: if is_on(PARQUET_TEXTS)? { ParquetTexts::Strings } else { ParquetTexts::Binary },
            aggregates: if is_on(FINALIZE)? { Aggregates::Finalized } else { Aggregates::States },
        })
    }

    /// A setting that is on or off.
    pub(super) fn switch(&self, name: &'static str) -> Result<Option<bool>, RequestError> {
        match self.text(name) {
            None => Ok(None),
            Some("0" | "false" | "False") => Ok(Some(false)),
            Some("1" | "true" | "True") => Ok(Some(true)),
            Some(other) => {
                Err(RequestError::ParameterInvalid { name, value: other.to_owned(), help: "it is 0 or 1" })
            }
        }
    }
}
