//! The HTTP API: routes, extractors, and the one table that knows status codes.
//!
//! In: requests.  Out: Tinybird's answers.  Promise: handlers translate and do not decide; every
//! error is a JSON object with a text that a person can act on; a trailing slash and unknown query
//! keys change nothing; no log line holds a query string.
//! May use: the rooms of floors 2 to 4 but never `engine`; `syntax`; `template::params`.

pub mod body;
mod conditions;
pub mod error;
pub mod events_head;
pub mod extract;
mod failures;
pub mod frame;
mod openapi;
mod page;
pub mod parameters;
mod polls;
mod privacy;
pub mod routes;
mod token_request;
mod unread;

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderName;
use prometheus_client::registry::Registry;

use crate::auth::Keyring;
use crate::catalog::Catalog;
use crate::config;
use crate::ingest::Ingest;
use crate::jobs::Jobs;
use crate::query::Queries;

pub use error::ApiError;

/// Says that a request was taken before, under the same idempotency key.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The rooms that the handlers call: one set, which every request shares.
#[derive(Clone)]
pub struct Rooms(Arc<RoomSet>);

impl Rooms {
    /// Makes a set to be shared.
    pub fn new(rooms: RoomSet) -> Self {
        Self(Arc::new(rooms))
    }
}

impl std::ops::Deref for Rooms {
    type Target = RoomSet;

    fn deref(&self) -> &RoomSet {
        &self.0
    }
}

/// One of each room that handlers call.
pub struct RoomSet {
    /// What the workspace consists of.
    pub catalog: Arc<Catalog>,
    /// Who may do what.
    pub keyring: Arc<Keyring>,
    /// The way in.
    pub ingest: Arc<Ingest>,
    /// Work that goes on by itself.
    pub jobs: Arc<Jobs>,
    /// The way out.
    pub queries: Arc<Queries>,
    /// What the rooms count.
    pub metrics: Arc<Registry>,
    /// Limits of requests.
    pub limits: RequestLimits,
}

/// Limits of requests, from the settings.
#[derive(Debug, Clone, Copy)]
pub struct RequestLimits {
    /// Bytes of an events body as sent.
    pub body_bytes: usize,
    /// Bytes of an events body after decompression.
    pub decoded_body_bytes: usize,
    /// Time for the first bytes of an events body.
    pub body_timeout: std::time::Duration,
    /// Bytes of a path with its query string.
    pub url_bytes: usize,
    /// Time from the head of a request to the begin of its answer.
    pub request_timeout: std::time::Duration,
}

impl RequestLimits {
    /// Picks the limits out of the settings.
    pub fn from_settings(settings: &config::Config) -> Self {
        Self {
            body_bytes: settings.ingest.body_bytes.get(),
            decoded_body_bytes: settings.ingest.decoded_body_bytes.get(),
            body_timeout: settings.server.body_timeout,
            url_bytes: settings.server.max_url_bytes.get(),
            request_timeout: settings.server.request_timeout,
        }
    }
}

/// The whole API as one service.
pub fn service(rooms: Rooms) -> frame::Service {
    frame::frame(routes::router().with_state(rooms.clone()), rooms)
}

/// The routes before they are given their rooms.
pub type Routes = Router<Rooms>;
