//! Callers of the HTTP API: a token, requests, and answers in full view.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::{Body, Method, RequestBuilder};
use serde_json::Value;

use super::http::Reply;

/// Whoever calls a server: the browser, the dashboard, the admin, anybody.
#[derive(Clone)]
pub(crate) struct ApiClient {
    http: reqwest::Client,
    server: ServerUrl,
    token: Option<String>,
}

/// Where a server listens, `http://127.0.0.1:port`; changes when it is started again.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerUrl(Arc<Mutex<String>>);

impl ServerUrl {
    pub(crate) fn set(&self, url: String) {
        *self.0.lock().unwrap() = url;
    }

    pub(crate) fn get(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

impl ApiClient {
    /// A caller without a token.
    pub(crate) fn anonymous(server: ServerUrl) -> Self {
        // Longer than any time limit of the server: an answer that never comes fails the test.
        let http = reqwest::Client::builder().timeout(Duration::from_mins(2)).build().unwrap();
        Self { http, server, token: None }
    }

    /// The same caller with a token in the header of each request.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The token that the caller sends.
    pub(crate) fn token(&self) -> &str {
        self.token.as_deref().expect("this caller has a token")
    }

    /// A request that waits for headers and a body.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.server.get()));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Body>) -> Reply {
        send(self.request(Method::POST, path).body(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: impl Into<Body>) -> Reply {
        send(self.request(Method::PUT, path).body(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        send(self.request(Method::DELETE, path)).await
    }

    /// Posts events and waits for them; the two counts of the answer.
    pub(crate) async fn append(&self, data_source: &str, events: impl Into<Body>) -> (u64, u64) {
        let reply = self.post(&format!("/v0/events?name={data_source}&wait=true"), events).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.counts()
    }

    /// The rows that an endpoint answers.
    pub(crate) async fn rows(&self, pipe_and_query: &str) -> Vec<Value> {
        let (pipe, query) = pipe_and_query.split_once('?').unwrap_or((pipe_and_query, ""));
        let reply = self.get(&format!("/v0/pipes/{pipe}.json?{query}")).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()["data"].as_array().unwrap().clone()
    }
}

/// Sends a request and reads the answer to its end.
pub(crate) async fn send(request: RequestBuilder) -> Reply {
    try_send(request).await.unwrap()
}

/// Sends a request whose answer may fail to come.
pub(crate) async fn try_send(request: RequestBuilder) -> Result<Reply, reqwest::Error> {
    let response = request.send().await?;
    let (status, headers) = (response.status(), response.headers().clone());
    Ok(Reply { status, headers, text: response.text().await? })
}

impl Reply {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The text of an error, which must have this status and be what every client can read.
    pub(crate) fn error(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/json", "{}", self.text);
        self.json()["error"].as_str().expect("`error` is a text").to_owned()
    }

    /// Rows that were stored and rows in quarantine, as an answer to events says.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let body = self.json();
        let count = |name: &str| body[name].as_u64().unwrap_or_else(|| panic!("{name} in {body}"));
        (count("successful_rows"), count("quarantined_rows"))
    }
}
