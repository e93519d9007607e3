//! Calls of endpoints that came before: a kept answer is handed out before any route is looked for.
//!
//! Dashboards ask the same to the letter again and again. Who asks is found out each time, as for every
//! request; what such a caller gets for this address was decided when the route answered it.

use axum::http::{Method, Request};
use axum::response::Response;

use super::Rooms;
use super::conditions::Conditions;
use super::extract::{Identified, QueryPairs, presented};
use super::routes::live::accepts_events;
use crate::query::Freshness;

/// Where endpoints are.
const ENDPOINTS: &str = "/v0/pipes/";

/// The answer to a request that came before, while it holds. Whoever asked otherwise goes with the
/// request to its route.
pub(super) async fn recall<B>(
    rooms: &Rooms,
    request: &mut Request<B>,
    query: &QueryPairs,
) -> Option<Response> {
    let (method, headers) = (request.method(), request.headers());
    if *method != Method::GET || !request.uri().path().starts_with(ENDPOINTS) || accepts_events(headers) {
        return None;
    }
    // What is wrong with the token the route says.
    let token = rooms.keyring.identify(presented(headers, query)).ok()?;
    let conditions = Conditions::of(method, headers);
    let address = request.uri().path_and_query().filter(|_| conditions.freshness == Freshness::Kept);
    let Some(answer) = address.and_then(|address| rooms.queries.recall(address.as_str(), &token)) else {
        request.extensions_mut().insert(Identified(token));
        return None;
    };
    Some(conditions.respond(answer).await)
}
