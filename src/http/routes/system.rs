//! Routes about the server itself.

use axum::Json;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::{ApiError, RequestError};

/// `GET /v0/health`: the process serves. It does not ask the engine.
pub(super) async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// `GET /version`: plain text; clients compare the content type exactly.
pub(super) async fn version() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain")], env!("CARGO_PKG_VERSION"))
}

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
