//! `/v0/sql…`: SQL of the caller's own, run or looked at.

use std::collections::BTreeMap;

use axum::extract::{FromRequest, Request, State};
use axum::response::Response;
use axum::{Json, RequestExt};
use serde_json::{Value, json};

use super::super::conditions::Conditions;
use super::super::error::RequestError;
use super::super::extract::{Caller, QueryPairs};
use super::super::parameters::{Given, Settings};
use super::super::{ApiError, Rooms, parameters};
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
    let conditions = Conditions::of(request.method(), request.headers());
    let given = parameters::read_sql(query, request).await?;
    let sql = sql(&given.settings)?.to_owned();
    let subject = given.settings.subject().map(subject).transpose()?;
    let output = given.settings.output()?;
    let freshness = conditions.freshness;
    let call = SqlCall { permit, sql, subject, output, arguments: given.arguments, freshness };
    Ok(conditions.respond(rooms.queries.run_sql(call).await?).await)
}

/// SQL that is looked at and not run, within the limit of its length.
pub(super) struct GivenText {
    sql: String,
    settings: Settings,
}

impl FromRequest<Rooms> for GivenText {
    type Rejection = ApiError;

    async fn from_request(mut request: Request, rooms: &Rooms) -> Result<Self, ApiError> {
        let Ok(query) = request.extract_parts::<QueryPairs>().await;
        let Given { settings, .. } = parameters::read_sql(query, request).await?;
        let sql = sql(&settings)?.to_owned();
        rooms.queries.check_length(&sql)?;
        Ok(Self { sql, settings })
    }
}

/// `GET /v0/sql_format?q=…`
pub(super) async fn format_sql(
    State(rooms): State<Rooms>,
    Caller(token): Caller,
    text: GivenText,
) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!({ "q": rooms.queries.formatted(&text.sql, token.holder()).await? })))
}

/// `POST /v0/sql_tables` with `q`, `raising`, `table_functions`, `is_copy`
pub(super) async fn list_tables(Caller(_): Caller, text: GivenText) -> Result<Json<Value>, ApiError> {
    let is_on = |name| Ok::<_, RequestError>(text.settings.switch(name)?.unwrap_or(false));
    let listing = TableListing {
        functions: if is_on("table_functions")? { TableFunctions::Listed } else { TableFunctions::Omitted },
        broken: if is_on("raising")? { BrokenText::Refused } else { BrokenText::Empty },
        purpose: if is_on("is_copy")? { TextPurpose::Copying } else { TextPurpose::Reading },
    };
    Ok(Json(json!({ "tables": inspect::tables(&text.sql, listing)? })))
}

/// `POST /v0/sql_replace` with `q` and `replacements`, a JSON object of names
pub(super) async fn replace_tables(Caller(_): Caller, text: GivenText) -> Result<Json<Value>, ApiError> {
    let names = replacements(text.settings.text("replacements").unwrap_or("{}"))?;
    Ok(Json(json!({ "query": inspect::replace_tables(&text.sql, &names)? })))
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
