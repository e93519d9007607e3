//! What a JWT claims, read from its payload and written into one.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::JwtError;
use crate::auth::{FixedParameters, FixedValue, Token};
use crate::catalog::{ResourceName, Scope, ScopeError};

/// Seconds by which the clock of whoever signed may be ahead.
const LEEWAY: f64 = 30.0;
/// The scopes that may travel in a JWT.
const PORTABLE: [&str; 3] = ["PIPES:READ", "DATASOURCES:READ", "DATASOURCES:APPEND"];
/// What a scope of a JWT may say. Other keys are refused: a misspelt `filter` would open the table.
const SCOPE_KEYS: [&str; 4] = ["type", "resource", "fixed_params", "filter"];

/// The claims of a JWT that counts.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::auth) struct Claims {
    /// The token's name; its requests are counted together.
    pub(in crate::auth) name: String,
    /// Scopes, each with the parameters that it fixes.
    scopes: Vec<(Scope, FixedParameters)>,
    /// Requests a second.
    pub(in crate::auth) limit: Option<NonZeroU32>,
}

/// What a new JWT is to say, as it was asked for.
#[derive(Debug, Clone)]
pub struct JwtRequest {
    /// Its name.
    pub name: String,
    /// When it ends, in Unix seconds.
    pub expires: i64,
    /// Its scopes, in the JSON form of a JWT.
    pub scopes: Value,
    /// Its limits, in the JSON form of a JWT.
    pub limits: Value,
}

/// True where the payload is about this workspace.
pub(super) fn is_of(payload: &Map<String, Value>, workspace: Uuid) -> bool {
    let claimed = payload.get("workspace_id").and_then(Value::as_str);
    claimed.and_then(|id| Uuid::parse_str(id).ok()) == Some(workspace)
}

/// Checks that the token holds at this moment.
pub(super) fn check_time(payload: &Map<String, Value>, now: DateTime<Utc>) -> Result<(), JwtError> {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this era fit into 53 bits")]
    let now = now.timestamp_millis() as f64 / 1000.0;
    let number = |claim: &'static str| match payload.get(claim) {
        None => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or(JwtError::NoNumber(claim)),
    };
    let expires = number("exp")?.ok_or(JwtError::NoNumber("exp"))?;
    if expires <= now {
        return Err(JwtError::Expired);
    }
    for claim in ["nbf", "iat"] {
        if number(claim)?.is_some_and(|begin| begin > now + LEEWAY) {
            return Err(JwtError::Early(claim));
        }
    }
    Ok(())
}

impl Claims {
    /// Reads name, scopes and limits.
    pub(super) fn read(payload: &Map<String, Value>) -> Result<Self, JwtError> {
        let name = payload.get("name").and_then(Value::as_str).filter(|name| !name.is_empty());
        Ok(Self {
            name: name.ok_or(JwtError::NameMissing)?.to_owned(),
            scopes: scopes(payload.get("scopes").unwrap_or(&Value::Null))?,
            limit: limit(payload.get("limits").unwrap_or(&Value::Null))?,
        })
    }

    /// The token that these claims make. A parameter may not be fixed to two values.
    pub(in crate::auth) fn token(self) -> Result<Token, JwtError> {
        let mut fixed: BTreeMap<ResourceName, FixedParameters> = BTreeMap::new();
        let mut held = Vec::new();
        for (scope, parameters) in self.scopes {
            if let Scope::ReadPipe(pipe) = &scope
                && !parameters.is_empty()
            {
                let all = fixed.entry(pipe.clone()).or_default();
                for (name, value) in parameters {
                    if all.get(&name).is_some_and(|known| *known != value) {
                        return Err(JwtError::FixedTwice(name));
                    }
                    all.insert(name, value);
                }
            }
            held.push(scope);
        }
        Ok(Token::new(self.name, held).with_fixed(fixed))
    }
}

impl JwtRequest {
    /// The payload of the JWT, checked as it will be when the JWT comes back.
    pub(super) fn payload(&self, workspace: Uuid) -> Result<Map<String, Value>, JwtError> {
        let mut payload = Map::from_iter([
            ("workspace_id".to_owned(), json!(workspace)),
            ("name".to_owned(), json!(self.name)),
            ("exp".to_owned(), json!(self.expires)),
            ("scopes".to_owned(), self.scopes.clone()),
        ]);
        if !self.limits.is_null() {
            payload.insert("limits".to_owned(), self.limits.clone());
        }
        Claims::read(&payload)?.token()?;
        Ok(payload)
    }
}

fn scopes(value: &Value) -> Result<Vec<(Scope, FixedParameters)>, JwtError> {
    value.as_array().ok_or(JwtError::ScopesMissing)?.iter().map(scope).collect()
}

fn scope(value: &Value) -> Result<(Scope, FixedParameters), JwtError> {
    let object = value.as_object().ok_or(JwtError::ScopesMissing)?;
    if object.keys().any(|key| !SCOPE_KEYS.contains(&key.as_str())) {
        return Err(JwtError::ScopeKey);
    }
    let text = |key| match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or(JwtError::ScopesMissing),
    };
    let kind = text("type")?.ok_or(JwtError::ScopesMissing)?;
    if !PORTABLE.contains(&kind) {
        return Err(JwtError::ScopeForbidden);
    }
    let scope = Scope::from_parts(kind, text("resource")?, text("filter")?).map_err(|error| match error {
        // Its text would quote the filter.
        ScopeError::Filter(_) => JwtError::Filter,
        other => JwtError::Scope(other),
    })?;
    let fixed = fixed(object.get("fixed_params").unwrap_or(&Value::Null))?;
    match scope {
        Scope::ReadPipe(_) => Ok((scope, fixed)),
        _ if fixed.is_empty() => Ok((scope, fixed)),
        _ => Err(JwtError::FixedElsewhere),
    }
}

fn fixed(value: &Value) -> Result<FixedParameters, JwtError> {
    if value.is_null() {
        return Ok(FixedParameters::new());
    }
    let object = value.as_object().ok_or(JwtError::Fixed)?;
    let value = |value: &Value| match value {
        Value::String(text) => Ok(FixedValue::Text(text.clone())),
        Value::Number(number) => Ok(FixedValue::Number(number.clone())),
        Value::Bool(flag) => Ok(FixedValue::Flag(*flag)),
        _ => Err(JwtError::Fixed),
    };
    object.iter().map(|(name, given)| Ok((name.clone(), value(given)?))).collect()
}

fn limit(value: &Value) -> Result<Option<NonZeroU32>, JwtError> {
    if value.is_null() {
        return Ok(None);
    }
    let rps = value.as_object().ok_or(JwtError::Limit)?.get("rps");
    let Some(rps) = rps.filter(|rps| !rps.is_null()) else { return Ok(None) };
    let number = rps.as_u64().and_then(|rps| u32::try_from(rps).ok()).and_then(NonZeroU32::new);
    number.map(Some).ok_or(JwtError::Limit)
}
