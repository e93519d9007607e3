//! The table of contents of the API: every route, and the right that it asks for.

pub mod data_sources;
pub mod descriptions;
pub mod events;
pub mod examples;
pub mod jobs;
pub mod live;
pub mod pipes;
pub mod sql;
pub mod system;
pub mod tokens;

use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, any, on};

use super::error::RequestError;
use super::{ApiError, Rooms, Routes};

/// The right that a route asks the caller's token for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// None: the answer is everybody's, for this reason.
    Public(&'static str),
    /// Append to the data source of the request.
    Append,
    /// Make and change data sources.
    ChangeDataSources,
    /// Read the pipe of the request.
    ReadPipe,
    /// Read every row of everything: a plan shows the SQL of pipes.
    SeePlan,
    /// Read something at all: which names the text may use is decided name by name.
    RunSql,
    /// A token of this workspace, whatever it may: the answer holds only what it reaches, or works on
    /// the text of the request alone.
    AnyToken,
    /// Everything: numbers name every data source.
    SeeMetrics,
    /// Manage tokens.
    ManageTokens,
    /// Manage tokens, or be the token of the request.
    SeeToken,
    /// See and cancel jobs.
    SeeJobs,
}

/// A route as it is declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Its method.
    pub method: Method,
    /// Its path, with parts in braces that the request fills.
    pub path: &'static str,
    /// What it asks for.
    pub right: Right,
}

/// A declared route with its handler.
struct Route(Declared, MethodRouter<Rooms>);

/// The only place where routes are made, so that none is without a right.
fn table() -> Vec<Route> {
    [changing(), reading(), managing()].into_iter().flatten().collect()
}

/// Rows in, and out again.
fn changing() -> Vec<Route> {
    vec![
        route(MethodFilter::POST, "/v0/events", Right::Append, events::append_events),
        route(
            MethodFilter::POST,
            "/v0/datasources/{name}/truncate",
            Right::ChangeDataSources,
            data_sources::truncate,
        ),
        route(
            MethodFilter::POST,
            "/v0/datasources/{name}/delete",
            Right::ChangeDataSources,
            data_sources::begin_deletion,
        ),
        route(
            MethodFilter::POST,
            "/v1/datasources/{name}/delete",
            Right::ChangeDataSources,
            data_sources::delete_rows,
        ),
        route(MethodFilter::GET, "/v0/jobs", Right::SeeJobs, jobs::list),
        route(MethodFilter::GET, "/v0/jobs/{id}", Right::SeeJobs, jobs::show),
        route(MethodFilter::POST, "/v0/jobs/{id}/cancel", Right::SeeJobs, jobs::cancel),
    ]
}

/// Answers.
fn reading() -> Vec<Route> {
    vec![
        route(MethodFilter::GET, "/v0/pipes/openapi.json", Right::AnyToken, descriptions::openapi),
        route(MethodFilter::GET, "/v0/pipes/{file}", Right::ReadPipe, pipes::run_endpoint),
        route(MethodFilter::POST, "/v0/pipes/{file}", Right::ReadPipe, pipes::run_endpoint),
        route(MethodFilter::GET, "/v0/pipes/{name}/explain", Right::SeePlan, pipes::explain_pipe),
        route(
            MethodFilter::GET,
            "/v0/pipes/{name}/nodes/{node}/explain",
            Right::SeePlan,
            pipes::explain_node,
        ),
        route(MethodFilter::GET, "/v0/sql", Right::RunSql, sql::run_sql),
        route(MethodFilter::POST, "/v0/sql", Right::RunSql, sql::run_sql),
        route(MethodFilter::GET, "/v0/sql_format", Right::AnyToken, sql::format_sql),
        route(MethodFilter::POST, "/v0/sql_format", Right::AnyToken, sql::format_sql),
        route(MethodFilter::GET, "/v0/sql_tables", Right::AnyToken, sql::list_tables),
        route(MethodFilter::POST, "/v0/sql_tables", Right::AnyToken, sql::list_tables),
        route(MethodFilter::POST, "/v0/sql_replace", Right::AnyToken, sql::replace_tables),
        route(MethodFilter::GET, "/examples/query.http", Right::ReadPipe, examples::query_address),
    ]
}

/// Tokens, and the server itself.
fn managing() -> Vec<Route> {
    vec![
        route(MethodFilter::GET, "/v0/tokens", Right::ManageTokens, tokens::list),
        route(MethodFilter::POST, "/v0/tokens", Right::ManageTokens, tokens::create),
        route(MethodFilter::GET, "/v0/tokens/{token}", Right::SeeToken, tokens::show),
        route(MethodFilter::PUT, "/v0/tokens/{token}", Right::ManageTokens, tokens::change),
        route(MethodFilter::DELETE, "/v0/tokens/{token}", Right::ManageTokens, tokens::delete),
        route(MethodFilter::POST, "/v0/tokens/{token}/refresh", Right::ManageTokens, tokens::refresh),
        route(MethodFilter::GET, "/v0/health", Right::Public("probes have no token"), system::health),
        route(MethodFilter::GET, "/metrics", Right::SeeMetrics, system::metrics),
        route(
            MethodFilter::GET,
            "/version",
            Right::Public("clients ask before they log in"),
            system::version,
        ),
        route(
            MethodFilter::POST,
            "/v1/build",
            Right::Public("it only says what is missing"),
            system::build_is_missing,
        ),
        route(
            MethodFilter::POST,
            "/v1/deploy",
            Right::Public("it only says what is missing"),
            system::deploy_is_missing,
        ),
    ]
}

fn route<H: Handler<T, Rooms>, T: 'static>(
    filter: MethodFilter,
    path: &'static str,
    right: Right,
    handler: H,
) -> Route {
    let method = match filter {
        MethodFilter::POST => Method::POST,
        MethodFilter::PUT => Method::PUT,
        MethodFilter::DELETE => Method::DELETE,
        _ => Method::GET,
    };
    Route(Declared { method, path, right }, on(filter, handler))
}

/// All routes and what they ask for.
pub fn declared() -> Vec<Declared> {
    table().into_iter().map(|Route(declared, _)| declared).collect()
}

/// All routes.
pub(super) fn router() -> Routes {
    let add = |routes: Routes, Route(declared, handler)| routes.route(declared.path, handler);
    table().into_iter().fold(Routes::new(), add).fallback(any(unknown))
}

async fn unknown() -> ApiError {
    RequestError::RouteUnknown.into()
}
