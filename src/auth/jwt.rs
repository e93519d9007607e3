//! JSON web tokens: signed by whoever knows the workspace admin token, good for a while and for
//! reading or appending only.
//!
//! In: the text that a caller presented, the workspace, the admin token.  Out: claims, or why they do not count.
//! Promise: HS256 and nothing else, whatever the header asks for; a payload that two readers could
//! read differently is refused; what cannot be enforced is refused, never ignored.
//!
//! HMAC comes from the crate that signs static tokens: the JWT libraries bring RSA and three curves
//! along for it, and leave the order of the checks, doubled keys and textual times to their caller.

mod claims;
mod json;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;

use super::TokenText;
use crate::catalog::ScopeError;

pub(super) use claims::Claims;
pub use claims::JwtRequest;

/// Bytes of a JWT. Larger ones are refused before anything in them is read.
pub const MAX_BYTES: usize = 8 * 1024;

/// Why a JWT does not count. No text quotes a claim other than names that the holder knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// It is longer than the limit.
    #[error("invalid token: a JWT has up to {MAX_BYTES} bytes")]
    TooLong,
    /// It does not consist of three parts in base64url, two of them JSON objects.
    #[error("invalid token: it is no JWT, or one of its JSON keys comes twice")]
    Malformed,
    /// Its header names another algorithm.
    #[error("invalid token: a JWT is signed with HS256 here, and its header says otherwise")]
    Algorithm,
    /// It is about another workspace.
    #[error("invalid token: workspace not found: the claim `workspace_id` is not this workspace's id")]
    Workspace,
    /// It was signed with another key.
    #[error(
        "invalid token: signature verification failed: sign with the text of the workspace admin token, and anew when that token changes"
    )]
    Signature,
    /// A moment is missing or is no number.
    #[error("invalid token: the claim `{0}` is a number, the moment in Unix seconds")]
    NoNumber(&'static str),
    /// Its time is over.
    #[error("invalid token: it has expired; sign another one with a later `exp`")]
    Expired,
    /// Its time has not come.
    #[error("invalid token: its claim `{0}` lies in the future")]
    Early(&'static str),
    /// It has no name.
    #[error("the claim `name` is missing: it is a text")]
    NameMissing,
    /// It has no scopes, or they are no objects.
    #[error("the claim `scopes` is a list of objects with `type` and `resource`")]
    ScopesMissing,
    /// A scope has a key that is not known.
    #[error("a scope of a JWT takes `type`, `resource`, `fixed_params` and `filter`, and nothing else")]
    ScopeKey,
    /// A scope that only static tokens may hold.
    #[error("a JWT carries the scopes PIPES:READ, DATASOURCES:READ and DATASOURCES:APPEND only")]
    ScopeForbidden,
    /// A scope cannot be read.
    #[error(transparent)]
    Scope(ScopeError),
    /// A filter is no condition over the data source's columns.
    #[error("the filter of a scope is no condition over the columns of its data source")]
    Filter,
    /// Fixed parameters cannot be read.
    #[error("`fixed_params` is an object of texts, numbers, true and false")]
    Fixed,
    /// Fixed parameters of a data source: nothing would hold them.
    #[error("`fixed_params` belong to the scope PIPES:READ; narrow DATASOURCES:READ with `filter`")]
    FixedElsewhere,
    /// Two scopes of one pipe contradict each other.
    #[error("the parameter `{0}` is fixed to two values for the same pipe")]
    FixedTwice(String),
    /// The limits cannot be read.
    #[error("`limits` is an object whose `rps` is a whole number from 1")]
    Limit,
}

/// True where a text has the shape of a JWT, so that it is worth saying what is wrong with it.
pub(super) fn is_shaped(text: &str) -> bool {
    text.starts_with("ey") && text.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// Reads a JWT and checks everything that it claims, the cheap and public things first.
pub(super) fn verify(
    text: &str,
    workspace: Uuid,
    key: &TokenText,
    now: DateTime<Utc>,
) -> Result<Claims, JwtError> {
    if text.len() > MAX_BYTES {
        return Err(JwtError::TooLong);
    }
    let (signed, signature) = text.rsplit_once('.').ok_or(JwtError::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(JwtError::Malformed)?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| JwtError::Malformed);
    let object = |part: &str| json::object(&decode(part)?).ok_or(JwtError::Malformed);
    let (header, payload, signature) = (object(header)?, object(payload)?, decode(signature)?);
    // Whatever else the header says (`kid`, `jku`, `x5u`) is not looked at.
    if header.get("alg").and_then(Value::as_str) != Some("HS256") {
        return Err(JwtError::Algorithm);
    }
    if !claims::is_of(&payload, workspace) {
        return Err(JwtError::Workspace);
    }
    mac(key, signed).verify_slice(&signature).map_err(|_| JwtError::Signature)?;
    claims::check_time(&payload, now)?;
    Claims::read(&payload)
}

/// Signs a JWT as [`verify`] will read it.
pub(super) fn sign(request: &JwtRequest, workspace: Uuid, key: &TokenText) -> Result<TokenText, JwtError> {
    let payload = Value::Object(request.payload(workspace)?);
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({ "alg": "HS256", "typ": "JWT" })), part(&payload));
    let signature = URL_SAFE_NO_PAD.encode(mac(key, &signed).finalize().into_bytes());
    let text = format!("{signed}.{signature}");
    if text.len() > MAX_BYTES { Err(JwtError::TooLong) } else { Ok(TokenText::chosen(text.into())) }
}

/// The code over a text with the UTF-8 bytes of the admin token as the key.
fn mac(key: &TokenText, text: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes())
        .unwrap_or_else(|_| unreachable!("HMAC takes keys of every length"));
    mac.update(text.as_bytes());
    mac
}

#[cfg(test)]
mod tests;
