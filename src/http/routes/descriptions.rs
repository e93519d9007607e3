//! What an endpoint is, for tools and for people.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use serde_json::Value;

use super::super::extract::{self, Caller};
use super::super::{ApiError, Rooms, openapi, page};
use crate::auth::{ReadPermit, Token};
use crate::catalog::{Pipe, Workspace};

/// `GET /v0/pipes/openapi.json`: the endpoints that the token may read.
pub(super) async fn openapi(State(rooms): State<Rooms>, Caller(token): Caller) -> Json<Value> {
    let workspace = rooms.catalog.workspace();
    let subject = openapi::Subject { workspace: &workspace.name, pipes: readable(&workspace, &token) };
    Json(openapi::document(&subject))
}

/// The endpoints that a token may read, each once, by name.
fn readable<'a>(workspace: &'a Workspace, token: &Token) -> Vec<&'a Pipe> {
    let named = workspace.pipes.iter().filter(|(name, pipe)| **name == pipe.name && pipe.is_endpoint());
    let may_read = |pipe: &&Pipe| token.read_pipe(pipe.name.clone()).is_ok();
    named.map(|(_, pipe)| &**pipe).filter(may_read).collect()
}

/// `GET /v0/pipes/{name}.html`: the page about an endpoint.
pub(super) async fn page(
    rooms: Rooms,
    permit: ReadPermit,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let columns = rooms.queries.endpoint_columns(&permit).await?;
    let workspace = rooms.catalog.workspace();
    let Some(pipe) = workspace.pipes.get(permit.pipe()) else {
        return Err(crate::query::QueryError::PipeNotFound(permit.pipe().to_string()).into());
    };
    let origin = extract::origin(headers);
    let subject = page::Subject { workspace: &workspace.name, pipe, columns, origin: &origin };
    let mut response = Html(page::document(&subject)).into_response();
    let added = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&page::security_policy()) {
        added.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    // The address of the page may hold the token.
    for (name, value) in [
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        added.insert::<HeaderName>(name, HeaderValue::from_static(value));
    }
    Ok(response)
}
