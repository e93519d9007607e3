//! `/v0/sql…`: SQL of the caller's own, run or looked at.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::super::error::RequestError;
use super::super::extract::{Caller, QueryPairs};
use super::super::parameters::Settings;
use super::super::{ApiError, Rooms, parameters};
use super::pipes::stream;
use crate::catalog::ResourceName;
use crate::query::inspect::{self, BrokenText, TableFunctions, TableListing, TextPurpose};
use crate::query::{QueryError, SqlCall};

/// `GET|POST /v0/sql?q=…`: the SQL in the query string, a form, a JSON object or bare in the body.
pub(super) async fn run_sql(
    State(rooms): State<Rooms>,
    Caller(token): Caller,
    query: QueryPairs,
    request: Request,
) -> Result<Response, ApiError> {
    let permit = token.read_sql()?;
    let given = parameters::read_sql(query, request).await?;
    let sql = sql(&given.settings)?.to_owned();
    let subject = given.settings.subject().map(subject).transpose()?;
    let output = given.settings.output()?;
    let call = SqlCall { permit, sql, subject, output, arguments: given.arguments };
    Ok(stream(rooms.queries.run_sql(call).await?))
}

/// `GET /v0/sql_format?q=…`
pub(super) async fn format_sql(
    State(rooms): State<Rooms>,
    Caller(_): Caller,
    query: QueryPairs,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let given = parameters::read_sql(query, request).await?;
    let formatted = rooms.queries.formatted(sql(&given.settings)?).await?;
    Ok(Json(json!({ "q": formatted })))
}

/// `POST /v0/sql_tables` with `q`, `raising`, `table_functions`, `is_copy`
pub(super) async fn list_tables(
    State(rooms): State<Rooms>,
    Caller(_): Caller,
    query: QueryPairs,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let given = parameters::read_sql(query, request).await?;
    let text = sql(&given.settings)?;
    rooms.queries.check_length(text)?;
    let is_on = |name| Ok::<_, RequestError>(given.settings.switch(name)?.unwrap_or(false));
    let listing = TableListing {
        functions: if is_on("table_functions")? { TableFunctions::Listed } else { TableFunctions::Omitted },
        broken: if is_on("raising")? { BrokenText::Refused } else { BrokenText::Empty },
        purpose: if is_on("is_copy")? { TextPurpose::Copying } else { TextPurpose::Reading },
    };
    Ok(Json(json!({ "tables": inspect::tables(text, listing)? })))
}

/// `POST /v0/sql_replace` with `q` and `replacements`, a JSON object of names
pub(super) async fn replace_tables(
    State(rooms): State<Rooms>,
    Caller(_): Caller,
    query: QueryPairs,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let given = parameters::read_sql(query, request).await?;
    let text = sql(&given.settings)?;
    rooms.queries.check_length(text)?;
    let names = replacements(given.settings.text("replacements").unwrap_or("{}"))?;
    Ok(Json(json!({ "query": inspect::replace_tables(text, &names)? })))
}

fn sql(settings: &Settings) -> Result<&str, RequestError> {
    settings.sql().ok_or(RequestError::ParameterMissing {
        name: "q",
        help: "send the SQL as /v0/sql?q=SELECT…, or as the body of a POST",
    })
}

fn subject(name: &str) -> Result<ResourceName, QueryError> {
    ResourceName::parse(name).map_err(|_| QueryError::PipeNotFound(name.to_owned()))
}

fn replacements(text: &str) -> Result<BTreeMap<String, String>, RequestError> {
    serde_json::from_str(text).map_err(|_| RequestError::ParameterInvalid {
        name: "replacements",
        value: text.to_owned(),
        help: "it is a JSON object with a new name for each old one",
    })
}
