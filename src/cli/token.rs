//! `roost token ls`: the tokens of a workspace.
//!
//! A running server is asked, because it knows what was made and refreshed over the API. Without
//! one the tokens are worked out from the workspace's secret and the project's files.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;

use crate::app::{DataDirectory, admin_token};
use crate::auth::{AdminToken, Identity, StaticToken, TokenSet};
use crate::config::{Config, Flags};
use crate::deploy;

use super::console::{remark, say};

/// Time that a running server gets to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of its answer.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// One line of the list.
struct Line {
    name: String,
    scopes: String,
    text: String,
}

/// The answer of `GET /v0/tokens`, as far as it is shown.
#[derive(Deserialize)]
struct Answer {
    tokens: Vec<AnsweredToken>,
}

#[derive(Deserialize)]
struct AnsweredToken {
    name: String,
    token: String,
    scopes: Vec<AnsweredScope>,
}

#[derive(Deserialize)]
struct AnsweredScope {
    r#type: String,
    resource: Option<String>,
    filter: Option<String>,
}

/// Prints one line a token: name, rights, text.
pub(super) fn list(flags: &Flags) -> anyhow::Result<()> {
    let settings = Config::load(flags)?;
    let directory = &settings.data.directory;
    let identity = Identity::load(directory)?;
    let admin = admin_token(&settings, &identity, directory)?;
    let lines = match DataDirectory::served_at(directory).map(|address| ask(address, &admin)) {
        Some(Ok(lines)) => lines,
        otherwise => {
            let reason = match otherwise {
                Some(Err(error)) => format!("the running server does not tell: {error:#}"),
                _ => "no server runs".to_owned(),
            };
            remark(format_args!("{reason}; tokens that were made or refreshed over the API are not listed"));
            derived(&settings, &identity, &admin)?
        }
    };
    print(&lines);
    Ok(())
}

fn print(lines: &[Line]) {
    let name_width = lines.iter().map(|line| line.name.len()).max().unwrap_or_default();
    let scope_width = lines.iter().map(|line| line.scopes.len()).max().unwrap_or_default();
    for Line { name, scopes, text } in lines {
        say(format_args!("{name:name_width$}  {scopes:scope_width$}  {text}"));
    }
}

/// The admin token and those of the project's lines, worked out.
fn derived(settings: &Config, identity: &Identity, admin: &AdminToken) -> anyhow::Result<Vec<Line>> {
    let grants = deploy::token_grants(settings)?;
    let set = TokenSet::new(identity, admin.text().clone(), &grants, [], &settings.tokens.host);
    let line = |token: &Arc<StaticToken>| Line {
        name: token.name().to_owned(),
        scopes: joined(token.rights().scopes()),
        text: token.text().expose().to_owned(),
    };
    Ok(set.tokens().iter().map(line).collect())
}

fn joined(scopes: &[impl ToString]) -> String {
    scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// Asks the server that runs on this data directory.
fn ask(address: SocketAddr, admin: &AdminToken) -> anyhow::Result<Vec<Line>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = async { tokio::time::timeout(PATIENCE, request(reachable(address), admin)).await };
    let Answer { tokens } = runtime.block_on(answer).context("it takes too long")??;
    let line =
        |token: AnsweredToken| Line { name: token.name, scopes: joined(&token.scopes), text: token.token };
    Ok(tokens.into_iter().map(line).collect())
}

async fn request(address: SocketAddr, admin: &AdminToken) -> anyhow::Result<Answer> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let request = http::Request::get(format!("http://{address}/v0/tokens"))
        .header(AUTHORIZATION, format!("Bearer {}", admin.text().expose()))
        .body(Empty::new())?;
    let response = client.request(request).await?;
    let status = response.status();
    if !status.is_success() {
        bail!("it answers {status}");
    }
    let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
    let body = body.map_err(|error| anyhow!(error))?.to_bytes();
    serde_json::from_slice(&body).context("its answer is not understood")
}

/// An address that listens everywhere is reached on this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

impl fmt::Display for AnsweredScope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.r#type)?;
        for part in self.resource.iter().chain(&self.filter) {
            write!(formatter, ":{part}")?;
        }
        Ok(())
    }
}
