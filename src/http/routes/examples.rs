//! `GET /examples/query.http`: an address to paste, which `tb` shows after a build.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::super::error::RequestError;
use super::super::extract::{Caller, QueryPairs};
use super::super::{ApiError, Rooms, page};
use crate::catalog::ResourceName;
use crate::query::{OutputFormat, QueryError};

/// What `tb` replaces by the host that it talks to.
const PLACEHOLDER: &str = "http://localhost:8001";

/// `GET /examples/query.http?pipe=…&format=json[&q=…]`: the address of an endpoint as plain text,
/// with values to show and the caller's own token.
pub(super) async fn query_address(
    State(rooms): State<Rooms>,
    Caller(token): Caller,
    query: QueryPairs,
) -> Result<Response, ApiError> {
    let missing = RequestError::ParameterMissing { name: "pipe", help: "name the endpoint" };
    let name = query.last("pipe").ok_or(missing)?;
    let not_found = || QueryError::PipeNotFound(name.to_owned());
    let name = ResourceName::parse(name).map_err(|_| not_found())?;
    token.read_pipe(name.clone())?;
    let workspace = rooms.catalog.workspace();
    let pipe = workspace.pipes.get(&name).filter(|pipe| pipe.is_endpoint()).ok_or_else(not_found)?;
    let mut parameters = page::example_parameters(&pipe.parameters());
    let sent =
        ["q", "token"].map(|key| query.last(key).filter(|value| !value.is_empty()).map(|value| (key, value)));
    parameters.extend(sent.into_iter().flatten().map(|(key, value)| (key.to_owned(), value.to_owned())));
    let parameters = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let format = query.last("format").unwrap_or("json");
    if OutputFormat::from_extension(format).is_none() {
        return Err(RequestError::FormatUnknown { extension: format.to_owned() }.into());
    }
    let separator = if parameters.is_empty() { "" } else { "?" };
    let address = format!("{PLACEHOLDER}/v0/pipes/{name}.{format}{separator}{parameters}");
    Ok(([(CONTENT_TYPE, "text/plain")], address).into_response())
}
