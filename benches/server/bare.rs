//! What an HTTP server costs that does nothing: it reads a body and says 202, or hands out bytes. It runs
//! in a process of its own, this program again.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde::Deserialize;

use super::client::Place;

/// What makes this program the bare server.
pub(crate) const ARGUMENT: &str = "--serve-bare";

/// The handler: the body whole, and an answer of the same size as that of Roost.
async fn take(body: Bytes) -> (StatusCode, String) {
    (StatusCode::ACCEPTED, format!("{{\"successful_rows\":{},\"quarantined_rows\":0}}", body.len().min(1)))
}

/// What a caller of an endpoint sends.
#[derive(Deserialize)]
struct Asked {
    size: usize,
}

/// The handler of a poll: what a call has is taken apart, and the bytes are there.
async fn hand_out(
    State(bytes): State<Bytes>,
    Path(_): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, StatusCode> {
    headers.get(AUTHORIZATION).ok_or(StatusCode::FORBIDDEN)?;
    Ok(([(CONTENT_TYPE, "application/json")], bytes.slice(..asked.size)))
}

/// Serves until it is killed.
pub(crate) fn serve() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        println!("{}", listener.local_addr().unwrap().port());
        let bytes = Bytes::from(vec![b' '; 64 * 1024]);
        let router = Router::new().route("/v0/events", post(take)).route("/v0/pipes/{file}", get(hand_out));
        axum::serve(listener, router.with_state(bytes)).await.unwrap();
    });
}

/// A bare server that runs until it is dropped.
pub(crate) struct Bare {
    process: Child,
    port: u16,
}

impl Bare {
    pub(crate) fn start() -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .arg(ARGUMENT)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { process, port: line.trim().parse().unwrap() }
    }

    /// The request that Roost gets, for this server.
    pub(crate) fn place(&self, request: &Place) -> Place {
        request.at(self.port)
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
