//! The table of contents of the API.

pub mod descriptions;
pub mod events;
pub mod examples;
pub mod pipes;
pub mod sql;
pub mod system;

use axum::http::Uri;
use axum::routing::{any, get, post};

use super::error::RequestError;
use super::{ApiError, Routes};

/// All routes.
pub(super) fn router() -> Routes {
    Routes::new()
        .route("/v0/events", post(events::append_events))
        .route("/v0/pipes/openapi.json", get(descriptions::openapi))
        .route("/v0/pipes/{file}", get(pipes::run_endpoint).post(pipes::run_endpoint))
        .route("/v0/pipes/{name}/explain", get(pipes::explain_pipe))
        .route("/v0/pipes/{name}/nodes/{node}/explain", get(pipes::explain_node))
        .route("/v0/sql", get(sql::run_sql).post(sql::run_sql))
        .route("/v0/sql_format", get(sql::format_sql).post(sql::format_sql))
        .route("/v0/sql_tables", get(sql::list_tables).post(sql::list_tables))
        .route("/v0/sql_replace", post(sql::replace_tables))
        .route("/examples/query.http", get(examples::query_address))
        .route("/v0/health", get(system::health))
        .route("/version", get(system::version))
        .route("/v1/build", post(system::build_is_missing))
        .route("/v1/deploy", post(system::deploy_is_missing))
        .fallback(any(unknown))
}

async fn unknown(uri: Uri) -> ApiError {
    RequestError::RouteUnknown(uri.path().to_owned()).into()
}
