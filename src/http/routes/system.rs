//! Routes about the server itself.

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::super::Rooms;
use super::super::extract::Caller;
use super::{ApiError, RequestError};

/// `GET /v0/health`: the process serves. It does not ask the engine.
pub(super) async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// `GET /version`: plain text; clients compare the content type exactly.
pub(super) async fn version() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain")], env!("CARGO_PKG_VERSION"))
}

/// `GET /metrics`: numbers about the server, in the text form that Prometheus scrapes.
pub(super) async fn metrics(State(rooms): State<Rooms>, Caller(token): Caller) -> Result<Response, ApiError> {
    let _permit = token.see_metrics()?;
    rooms.ingest.observe();
    rooms.queries.observe();
    let mut text = String::new();
    // Writing into a text does not fail.
    let _ = prometheus_client::encoding::text::encode(&mut text, &rooms.metrics);
    Ok(([(CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `POST /v1/build`
pub(super) async fn build_is_missing() -> ApiError {
    RequestError::NotImplemented(
        "builds over HTTP are not supported yet: put the datafiles into the project directory of `roost serve` and start it again",
    )
    .into()
}

/// `POST /v1/deploy`
pub(super) async fn deploy_is_missing() -> ApiError {
    RequestError::NotImplemented(
        "deployments over HTTP are not supported yet: put the datafiles into the project directory of `roost serve` and start it again",
    )
    .into()
}
