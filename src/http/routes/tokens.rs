//! `/v0/tokens`: static tokens listed, made, changed, refreshed, deleted; JWTs signed.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::super::extract::{Caller, QueryPairs};
use super::super::token_request::TokenRequest;
use super::super::{ApiError, Rooms};
use crate::auth::{StaticToken, Token};
use crate::catalog::Scope;

/// `GET /v0/tokens`
pub(super) async fn list(
    State(rooms): State<Rooms>,
    Caller(caller): Caller,
) -> Result<Json<Value>, ApiError> {
    caller.manage_tokens()?;
    let tokens = rooms.keyring.tokens();
    let shown: Vec<Value> = tokens.iter().map(|token| shown(&rooms, &caller, token)).collect();
    Ok(Json(json!({ "tokens": shown })))
}

/// `GET /v0/tokens/{id, name or text}`, and with `.token` behind it in the form of a datafile.
pub(super) async fn show(
    State(rooms): State<Rooms>,
    Path(key): Path<String>,
    Caller(caller): Caller,
) -> Result<Response, ApiError> {
    if let Some(key) = key.strip_suffix(".token") {
        let token = rooms.keyring.find(&caller, key)?;
        // Clients compare the content type exactly.
        return Ok(([(CONTENT_TYPE, "text/plain")], datafile(&token)).into_response());
    }
    let token = rooms.keyring.find(&caller, &key)?;
    Ok(Json(shown(&rooms, &caller, &token)).into_response())
}

/// `POST /v0/tokens`: a static token, or with `expiration_time` a JWT.
pub(super) async fn create(
    State(rooms): State<Rooms>,
    Caller(caller): Caller,
    query: QueryPairs,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let permit = caller.manage_tokens()?;
    let request = TokenRequest::read(query, body).await?;
    if request.is_jwt() {
        let text = rooms.keyring.create_jwt(permit, &request.jwt()?)?;
        return Ok(Json(json!({ "token": text.expose() })));
    }
    let token = rooms.keyring.create(permit, request.new_token()?).await?;
    Ok(Json(shown(&rooms, &caller, &token)))
}

/// `PUT /v0/tokens/{id, name or text}`: scopes replace all scopes.
pub(super) async fn change(
    State(rooms): State<Rooms>,
    Path(key): Path<String>,
    Caller(caller): Caller,
    query: QueryPairs,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let permit = caller.manage_tokens()?;
    let change = TokenRequest::read(query, body).await?.change()?;
    let token = rooms.keyring.change(permit, key, change).await?;
    Ok(Json(shown(&rooms, &caller, &token)))
}

/// `DELETE /v0/tokens/{id, name or text}`
pub(super) async fn delete(
    State(rooms): State<Rooms>,
    Path(key): Path<String>,
    Caller(caller): Caller,
) -> Result<Json<Value>, ApiError> {
    rooms.keyring.delete(caller.manage_tokens()?, key).await?;
    Ok(Json(json!({ "ok": true })))
}

/// `POST /v0/tokens/{id, name or text}/refresh`
pub(super) async fn refresh(
    State(rooms): State<Rooms>,
    Path(key): Path<String>,
    Caller(caller): Caller,
) -> Result<Json<Value>, ApiError> {
    let token = rooms.keyring.refresh(caller.manage_tokens()?, key).await?;
    Ok(Json(shown(&rooms, &caller, &token)))
}

/// A token in the API's form; without its text for a caller who may not use it.
fn shown(rooms: &Rooms, caller: &Token, token: &StaticToken) -> Value {
    let scopes: Vec<Value> = token.rights().scopes().iter().map(shown_scope).collect();
    let mut shown = json!({
        "id": token.id(),
        "name": token.name(),
        "description": token.description(),
        "host": rooms.keyring.host(),
        "is_internal": false,
        "origin": { "type": "C" },
        "scopes": scopes,
    });
    let is_own = caller.id() == Some(token.id());
    let is_covered = caller.manage_tokens().is_ok_and(|permit| permit.covers(token.rights().scopes()));
    if is_own || is_covered {
        shown["token"] = token.text().expose().into();
    }
    shown
}

fn shown_scope(scope: &Scope) -> Value {
    let parts = scope.parts();
    let mut shown = json!({ "type": parts.kind });
    for (key, part) in [("resource", parts.resource), ("filter", parts.filter)] {
        if let Some(part) = part {
            shown[key] = part.into();
        }
    }
    shown
}

/// A token as lines of text, without its text.
fn datafile(token: &StaticToken) -> String {
    let mut lines = format!("TOKEN \"{}\"\n", token.name());
    if !token.description().is_empty() {
        lines.push_str("DESCRIPTION >\n");
        lines.extend(token.description().lines().map(|line| format!("    {line}\n")));
    }
    lines.extend(token.rights().scopes().iter().map(|scope| format!("SCOPE {scope}\n")));
    lines
}
