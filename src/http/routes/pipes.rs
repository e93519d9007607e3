//! `GET|POST /v0/pipes/{name}.{format}`: a published pipe.

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::super::error::RequestError;
use super::super::extract::{Caller, QueryPairs};
use super::super::{ApiError, Rooms, parameters};
use crate::catalog::ResourceName;
use crate::query::{Answer, Call, OutputFormat, QueryError};

/// `GET|POST /v0/pipes/{name}.{format}?param=value…`
pub(super) async fn run_endpoint(
    State(rooms): State<Rooms>,
    Path(file): Path<String>,
    Caller(token): Caller,
    query: QueryPairs,
    request: Request,
) -> Result<Response, ApiError> {
    let (name, extension) = file.rsplit_once('.').ok_or_else(|| RequestError::PipeUnknown(file.clone()))?;
    let format = OutputFormat::from_extension(extension)
        .ok_or_else(|| RequestError::FormatUnknown(extension.to_owned()))?;
    let name = ResourceName::parse(name).map_err(|_| QueryError::PipeNotFound(name.to_owned()))?;
    let permit = token.read_pipe(name)?;
    let given = parameters::read(query, request).await?;
    let call = Call { permit, format, output: given.output, arguments: given.arguments };
    Ok(stream(rooms.queries.run(call).await?))
}

fn stream(answer: Answer) -> Response {
    let content_type = answer.format.content_type();
    ([(CONTENT_TYPE, content_type)], Body::from_stream(answer.into_stream())).into_response()
}
