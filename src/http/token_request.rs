//! What a request says about a token that is to be made or changed.
//!
//! Clients send it in the query string, in a form or as JSON, and some in two of them at once; a
//! body is told apart by its first character, because the command line names no content type.

use axum::body::Body;
use http_body_util::{BodyExt, Limited};
use serde_json::{Map, Value};

use super::ApiError;
use super::error::RequestError;
use super::extract::QueryPairs;
use crate::auth::{JwtRequest, NewToken, TokenChange, TokenProblem};
use crate::catalog::Scope;

/// Bytes of a body.
const MAX_BODY_BYTES: usize = 1 << 20;

/// The parts of a request about a token.
pub(super) struct TokenRequest {
    pairs: QueryPairs,
    body: Map<String, Value>,
}

impl TokenRequest {
    /// Reads the body and puts it beside the query.
    pub(super) async fn read(mut query: QueryPairs, body: Body) -> Result<Self, ApiError> {
        let bytes = Limited::new(body, MAX_BODY_BYTES).collect().await;
        let bytes = bytes.map_err(|_| RequestError::BodyTooLarge { limit: MAX_BODY_BYTES })?.to_bytes();
        let text = std::str::from_utf8(&bytes).map_err(|_| unreadable("it is not UTF-8"))?;
        if !text.trim_start().starts_with('{') {
            query.0.extend(QueryPairs::parse(text).0);
            return Ok(Self { pairs: query, body: Map::new() });
        }
        let body = serde_json::from_str(text).map_err(|error| unreadable(&error.to_string()))?;
        Ok(Self { pairs: query, body })
    }

    /// True where a token that ends by itself is asked for: a JWT.
    pub(super) fn is_jwt(&self) -> bool {
        self.pairs.last("expiration_time").is_some() || self.body.contains_key("expiration_time")
    }

    /// The JWT that is asked for.
    pub(super) fn jwt(&self) -> Result<JwtRequest, ApiError> {
        let expires = self.number("expiration_time").ok_or(TokenProblem::Expiration)?;
        let name = self.text("name")?.filter(|name| !name.is_empty()).ok_or(TokenProblem::NameMissing)?;
        let part = |key| self.body.get(key).cloned().unwrap_or_default();
        Ok(JwtRequest { name: name.to_owned(), expires, scopes: part("scopes"), limits: part("limits") })
    }

    /// The static token that is asked for.
    pub(super) fn new_token(&self) -> Result<NewToken, ApiError> {
        Ok(NewToken::new(self.text("name")?, self.text("description")?, self.scopes()?)?)
    }

    /// The change that is asked for.
    pub(super) fn change(&self) -> Result<TokenChange, ApiError> {
        Ok(TokenChange::new(self.text("name")?, self.text("description")?, self.scopes()?)?)
    }

    fn text(&self, key: &str) -> Result<Option<&str>, RequestError> {
        match self.body.get(key) {
            None | Some(Value::Null) => Ok(self.pairs.last(key)),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(unreadable(&format!("`{key}` is a text"))),
        }
    }

    fn number(&self, key: &str) -> Option<i64> {
        match self.body.get(key) {
            Some(Value::String(text)) => text.parse().ok(),
            Some(value) => value.as_i64(),
            None => self.pairs.last(key)?.parse().ok(),
        }
    }

    /// All scopes of the query, the form and the JSON, each as a text or as an object.
    fn scopes(&self) -> Result<Vec<Scope>, ApiError> {
        let texts = self.pairs.0.iter().filter(|(name, _)| name == "scope");
        let mut scopes = texts.map(|(_, text)| read_scope(text)).collect::<Result<Vec<_>, _>>()?;
        for given in ["scope", "scopes"].iter().filter_map(|key| self.body.get(*key)) {
            match given {
                Value::Array(several) => {
                    for scope in several {
                        scopes.push(read_json_scope(scope)?);
                    }
                }
                one => scopes.push(read_json_scope(one)?),
            }
        }
        Ok(scopes)
    }
}

fn read_scope(text: &str) -> Result<Scope, ApiError> {
    Ok(Scope::parse(text).map_err(TokenProblem::Scope)?)
}

fn read_json_scope(value: &Value) -> Result<Scope, ApiError> {
    let object = match value {
        Value::String(text) => return read_scope(text),
        Value::Object(object) => object,
        _ => return Err(unreadable(SCOPE_FORM).into()),
    };
    // A part that is not understood could be meant to narrow the right.
    if object.keys().any(|key| !["type", "resource", "filter"].contains(&key.as_str())) {
        return Err(unreadable(SCOPE_FORM).into());
    }
    let text = |key| match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(unreadable(SCOPE_FORM)),
    };
    let kind = text("type")?.ok_or_else(|| unreadable(SCOPE_FORM))?;
    Ok(Scope::from_parts(kind, text("resource")?, text("filter")?).map_err(TokenProblem::Scope)?)
}

const SCOPE_FORM: &str = "a scope is a text, or an object with the texts `type`, `resource` and `filter`";

fn unreadable(reason: &str) -> RequestError {
    RequestError::BodyUnreadable(reason.to_owned())
}
