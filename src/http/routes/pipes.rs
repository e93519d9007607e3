//! `/v0/pipes/{name}…`: published pipes, and how they would run.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{Method, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::super::conditions::Conditions;
use super::super::error::RequestError;
use super::super::extract::{Caller, QueryPairs};
use super::super::parameters::Given;
use super::super::{ApiError, Rooms, parameters};
use super::descriptions::page;
use super::live::{Audience, listen};
use crate::auth::ReadPermit;
use crate::catalog::ResourceName;
use crate::query::{Call, Freshness, OutputFormat, Plan, PlanCall, QueryError};

/// The ending of the page about an endpoint.
const PAGE: &str = "html";

/// `GET|POST /v0/pipes/{name}.{format}?param=value…`
///
/// What few calls need is in boxes: the others would carry its room with them.
pub(super) async fn run_endpoint(
    State(rooms): State<Rooms>,
    Path(file): Path<String>,
    Caller(token): Caller,
    query: QueryPairs,
    request: Request,
) -> Result<Response, ApiError> {
    let (name, extension) = file.rsplit_once('.').ok_or_else(|| RequestError::PipeUnknown(file.clone()))?;
    if extension == PAGE && request.method() != Method::POST {
        let permit = token.read_pipe(pipe_name(name)?)?;
        return Box::pin(page(rooms, permit, request.headers())).await;
    }
    let format = OutputFormat::from_extension(extension)
        .ok_or_else(|| RequestError::FormatUnknown { extension: extension.to_owned() })?;
    let permit = token.read_pipe(pipe_name(name)?)?;
    let conditions = Conditions::of(request.method(), request.headers());
    let audience = Audience::of(&request, &query);
    // A body would be a part of it.
    let address = (*request.method() == Method::GET).then(|| request.uri().clone());
    let given = parameters::read(query, request).await?;
    if given.settings.wants_plan()? {
        let call = PlanCall { permit, node: None, arguments: given.arguments };
        return Ok(plan(&Box::pin(rooms.queries.plan(call)).await?).into_response());
    }
    let call = call((permit, format), given, conditions.freshness)?;
    if let Some(audience) = audience {
        return Box::pin(listen(rooms, audience, call)).await;
    }
    let answer = rooms.queries.run(call).await?;
    if let Some(address) = address.as_ref().and_then(Uri::path_and_query) {
        rooms.queries.remember(address.as_str(), &token, &answer);
    }
    Ok(conditions.respond(answer).await)
}

fn call(
    (permit, format): (ReadPermit, OutputFormat),
    given: Given,
    freshness: Freshness,
) -> Result<Call, RequestError> {
    let Given { arguments, settings } = given;
    let format = match format {
        OutputFormat::CsvWithNames if !settings.wants_csv_header()? => OutputFormat::Csv,
        format => format,
    };
    let (sql, output) = (settings.sql().map(str::to_owned), settings.output()?);
    Ok(Call { permit, sql, format, output, arguments, freshness })
}

/// `GET /v0/pipes/{name}/explain?param=value…`
pub(super) async fn explain_pipe(
    rooms: State<Rooms>,
    Path(name): Path<String>,
    caller: Caller,
    query: QueryPairs,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    explain(rooms, (name, None), caller, query, request).await
}

/// `GET /v0/pipes/{name}/nodes/{node}/explain?param=value…`
pub(super) async fn explain_node(
    rooms: State<Rooms>,
    Path((name, node)): Path<(String, String)>,
    caller: Caller,
    query: QueryPairs,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    explain(rooms, (name, Some(node)), caller, query, request).await
}

async fn explain(
    State(rooms): State<Rooms>,
    (name, node): (String, Option<String>),
    Caller(token): Caller,
    query: QueryPairs,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let permit = token.read_pipe(pipe_name(&name)?)?;
    let arguments = parameters::read(query, request).await?.arguments;
    Ok(plan(&rooms.queries.plan(PlanCall { permit, node, arguments }).await?))
}

fn plan(plan: &Plan) -> Json<Value> {
    Json(json!({ "debug_query": plan.sql, "query_explain": plan.explanation }))
}

fn pipe_name(name: &str) -> Result<ResourceName, QueryError> {
    ResourceName::parse(name).map_err(|_| QueryError::PipeNotFound(name.to_owned()))
}
