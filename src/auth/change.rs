//! Tokens as they are asked for, checked against the limits. Pure.

use uuid::Uuid;

use super::TokenProblem;
use crate::catalog::{Scope, TokenName};

/// Bytes of a description.
pub const MAX_DESCRIPTION_BYTES: usize = 1_000;
/// Scopes of one token.
pub const MAX_SCOPES: usize = 500;
/// Bytes of one scope, its filter included.
pub const MAX_SCOPE_BYTES: usize = 8_192;

/// A token to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    pub(super) name: TokenName,
    pub(super) description: String,
    pub(super) scopes: Vec<Scope>,
}

/// What is to be different about a token; what is not named stays.
#[derive(Debug, Clone, Default)]
pub struct TokenChange {
    pub(super) name: Option<TokenName>,
    pub(super) description: Option<String>,
    pub(super) scopes: Option<Vec<Scope>>,
}

impl NewToken {
    /// Checks a request for a token.
    pub fn new(
        name: Option<&str>,
        description: Option<&str>,
        scopes: Vec<Scope>,
    ) -> Result<Self, TokenProblem> {
        let name = token_name(name.ok_or(TokenProblem::NameMissing)?)?;
        let description = checked_description(description.unwrap_or_default())?;
        if scopes.is_empty() {
            return Err(TokenProblem::ScopeMissing);
        }
        Ok(Self { name, description, scopes: checked_scopes(scopes)? })
    }
}

impl TokenChange {
    /// Checks a request for a change; no scope means that the scopes stay.
    pub fn new(
        name: Option<&str>,
        description: Option<&str>,
        scopes: Vec<Scope>,
    ) -> Result<Self, TokenProblem> {
        let scopes = if scopes.is_empty() { None } else { Some(checked_scopes(scopes)?) };
        Ok(Self {
            name: name.map(token_name).transpose()?,
            description: description.map(checked_description).transpose()?,
            scopes,
        })
    }
}

/// A name that cannot be taken for an id or a text, which address tokens too.
fn token_name(name: &str) -> Result<TokenName, TokenProblem> {
    let parsed = TokenName::parse(name).map_err(TokenProblem::Name)?;
    let is_text = name.contains('.') && (name.starts_with("p.") || name.starts_with("ey"));
    // `/v0/tokens/<name>.token` is the form in text.
    let is_file = name.rsplit_once('.').is_some_and(|(_, ending)| ending == "token");
    let is_padded = name.trim() != name;
    if is_text || is_file || is_padded || Uuid::parse_str(name).is_ok() {
        return Err(TokenProblem::NameAmbiguous);
    }
    Ok(parsed)
}

fn checked_description(text: &str) -> Result<String, TokenProblem> {
    if text.len() > MAX_DESCRIPTION_BYTES {
        return Err(TokenProblem::DescriptionTooLong { limit: MAX_DESCRIPTION_BYTES });
    }
    Ok(text.to_owned())
}

/// Every scope once, in the order in which they came.
fn checked_scopes(scopes: Vec<Scope>) -> Result<Vec<Scope>, TokenProblem> {
    let is_long = |scope: &Scope| scope.to_string().len() > MAX_SCOPE_BYTES;
    if scopes.len() > MAX_SCOPES || scopes.iter().any(is_long) {
        return Err(TokenProblem::TooManyScopes { count: MAX_SCOPES, bytes: MAX_SCOPE_BYTES });
    }
    let mut once = Vec::new();
    for scope in scopes {
        if !once.contains(&scope) {
            once.push(scope);
        }
    }
    Ok(once)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_addresses_one_token_only() {
        for name in ["app", "my app", "admin somebody@example.com", "eyes", "p"] {
            assert!(NewToken::new(Some(name), None, vec![Scope::Tokens]).is_ok(), "{name}");
        }
        for name in ["00000000-0000-0000-0000-000000000007", "p.eyJ1.x", "eyJh.eyJ3.x", " app", "app.token"] {
            let refused = NewToken::new(Some(name), None, vec![Scope::Tokens]);
            assert_eq!(refused.unwrap_err(), TokenProblem::NameAmbiguous, "{name}");
        }
    }

    #[test]
    fn every_part_has_its_limit() {
        let scope = |bytes: usize| {
            let filter = format!("a = '{}'", "x".repeat(bytes - "DATASOURCES:READ:d:a = ''".len()));
            Scope::parse(&format!("DATASOURCES:READ:d:{filter}")).unwrap()
        };
        let make = |name: usize, description: usize, scopes: Vec<Scope>| {
            NewToken::new(Some(&"n".repeat(name)), Some(&"d".repeat(description)), scopes)
        };
        assert!(make(200, MAX_DESCRIPTION_BYTES, vec![scope(MAX_SCOPE_BYTES); MAX_SCOPES]).is_ok());
        assert!(make(201, 0, vec![Scope::Tokens]).is_err());
        assert!(make(1, MAX_DESCRIPTION_BYTES + 1, vec![Scope::Tokens]).is_err());
        assert!(make(1, 0, vec![scope(MAX_SCOPE_BYTES + 1)]).is_err());
        assert!(make(1, 0, vec![Scope::Tokens; MAX_SCOPES + 1]).is_err());
        assert_eq!(make(1, 0, Vec::new()).unwrap_err(), TokenProblem::ScopeMissing);
        assert!(TokenChange::new(None, None, Vec::new()).is_ok());
    }
}
