//! The static tokens of a workspace at one moment. Pure.
//!
//! In: the identity, the admin token, the project's TOKEN lines, what was changed over the API.
//! Out: [`TokenSet`], where tokens are found by text, id and name.
//! A name is one token: lines of the project widen what the API gave, and a token that has neither
//! lines nor a record of the API is not there.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use uuid::Uuid;

use super::identity::ADMIN_TOKEN_NAME;
use super::token::{TokenDigest, token_id};
use super::{Identity, Token, TokenText};
use crate::catalog::{ProjectToken, Scope, ScopeError, StoredToken, TokenOrigin, TokenState};

/// A token that has a text of its own, with everything that is told about it.
#[derive(Debug)]
pub struct StaticToken {
    record: StoredToken,
    text: TokenText,
    rights: Arc<Token>,
    kind: TokenKind,
}

/// What stands behind a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// The workspace admin token.
    Admin,
    /// TOKEN lines of the project, and perhaps the API.
    Project,
    /// The API only.
    Api,
}

/// The tokens of one workspace.
#[derive(Debug, Default)]
pub struct TokenSet {
    tokens: Vec<Arc<StaticToken>>,
    by_digest: HashMap<TokenDigest, Arc<StaticToken>>,
}

impl StaticToken {
    /// Its identifier.
    pub fn id(&self) -> Uuid {
        self.record.id
    }

    /// The name by which people and messages know it.
    pub fn name(&self) -> &str {
        &self.record.name
    }

    /// What people wrote about it.
    pub fn description(&self) -> &str {
        &self.record.description
    }

    /// What a caller sends.
    pub fn text(&self) -> &TokenText {
        &self.text
    }

    /// What it may do.
    pub fn rights(&self) -> &Arc<Token> {
        &self.rights
    }

    /// What stands behind it.
    pub(super) fn kind(&self) -> TokenKind {
        self.kind
    }

    /// What is, or would be, recorded about it.
    pub(super) fn record(&self) -> &StoredToken {
        &self.record
    }
}

impl TokenSet {
    /// The admin token first, then all others in the order of their names.
    pub fn new(
        identity: &Identity,
        admin: TokenText,
        lines: &[ProjectToken],
        records: impl IntoIterator<Item = StoredToken>,
        host: &str,
    ) -> Self {
        let mut set = Self::default();
        let record = implicit(identity, ADMIN_TOKEN_NAME);
        let rights = Token::new(ADMIN_TOKEN_NAME, vec![Scope::Admin]).with_id(record.id);
        set.add(StaticToken { record, text: admin, rights: Arc::new(rights), kind: TokenKind::Admin });
        for (record, lines) in joined(identity, lines, records).into_values() {
            let text = TokenText::derive(identity, record.id, record.generation, host);
            let kind = if lines.is_some() { TokenKind::Project } else { TokenKind::Api };
            let mut scopes = own_scopes(&record);
            for scope in lines.into_iter().flat_map(|lines| &lines.scopes) {
                if !scopes.contains(scope) {
                    scopes.push(scope.clone());
                }
            }
            let rights = Arc::new(Token::new(record.name.as_str(), scopes).with_id(record.id));
            set.add(StaticToken { record, text, rights, kind });
        }
        set
    }

    fn add(&mut self, token: StaticToken) {
        let token = Arc::new(token);
        self.by_digest.insert(token.text.digest(), Arc::clone(&token));
        self.tokens.push(token);
    }

    /// All tokens.
    pub fn tokens(&self) -> &[Arc<StaticToken>] {
        &self.tokens
    }

    /// The workspace admin token.
    pub(super) fn admin(&self) -> Option<&Arc<StaticToken>> {
        self.tokens.first()
    }

    /// The token that reads so.
    pub(super) fn by_text(&self, text: &str) -> Option<&Arc<StaticToken>> {
        self.by_digest.get(&TokenDigest::of(text))
    }

    /// The token with this id.
    pub(super) fn by_id(&self, id: Uuid) -> Option<&Arc<StaticToken>> {
        self.tokens.iter().find(|token| token.id() == id)
    }

    /// The token with this name.
    pub(super) fn by_name(&self, name: &str) -> Option<&Arc<StaticToken>> {
        self.tokens.iter().find(|token| token.name() == name)
    }

    /// The token that a path means: by its text, its id or its name.
    pub(super) fn find(&self, key: &str) -> Option<&Arc<StaticToken>> {
        let by_id = || self.by_id(Uuid::parse_str(key).ok()?);
        self.by_text(key).or_else(by_id).or_else(|| self.by_name(key))
    }
}

/// Records and lines by name. Of two records with a name the one of the API counts: the other is
/// left of lines that were gone when the API took the name.
fn joined<'a>(
    identity: &Identity,
    lines: &'a [ProjectToken],
    records: impl IntoIterator<Item = StoredToken>,
) -> BTreeMap<String, (StoredToken, Option<&'a ProjectToken>)> {
    let mut all: BTreeMap<String, (StoredToken, Option<&ProjectToken>)> = BTreeMap::new();
    for record in records {
        let known = all.get(&record.name).map(|(known, _)| known.origin);
        if known.is_none_or(|origin| origin == TokenOrigin::Project) {
            all.insert(record.name.clone(), (record, None));
        }
    }
    for lines in lines.iter().filter(|lines| lines.name.as_str() != ADMIN_TOKEN_NAME) {
        let name = lines.name.as_str();
        let entry = all.entry(name.to_owned()).or_insert_with(|| (implicit(identity, name), None));
        entry.1 = Some(lines);
    }
    all.retain(|_, (record, lines)| {
        lines.is_some() || record.origin == TokenOrigin::Api || !record.scopes.is_empty()
    });
    all
}

/// What is recorded about a token of the project that nobody has changed.
fn implicit(identity: &Identity, name: &str) -> StoredToken {
    StoredToken {
        id: token_id(identity, name),
        name: name.to_owned(),
        description: String::new(),
        origin: TokenOrigin::Project,
        generation: 0,
        scopes: Vec::new(),
        state: TokenState::Live,
        revision: 0,
    }
}

/// What was given over the API. A record that cannot be read gives nothing: the part that is not
/// understood could be a filter.
fn own_scopes(record: &StoredToken) -> Vec<Scope> {
    let scopes: Result<Vec<Scope>, ScopeError> =
        record.scopes.iter().map(|scope| Scope::parse(scope)).collect();
    scopes.unwrap_or_else(|_| {
        tracing::warn!(token = record.name, "a recorded scope cannot be read: the token may do nothing");
        Vec::new()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::TokenName;

    fn identity() -> Identity {
        Identity::from_parts(Uuid::from_u128(7), [9; 32])
    }

    fn lines(name: &str, scope: &str) -> ProjectToken {
        ProjectToken { name: TokenName::parse(name).unwrap(), scopes: vec![Scope::parse(scope).unwrap()] }
    }

    fn set(lines: &[ProjectToken], records: &[StoredToken]) -> TokenSet {
        let admin = TokenText::chosen("an admin token of the tests".to_owned().into());
        TokenSet::new(&identity(), admin, lines, records.to_vec(), "local")
    }

    fn made(name: &str, scopes: &[&str]) -> StoredToken {
        StoredToken {
            id: Uuid::from_u128(1),
            origin: TokenOrigin::Api,
            scopes: scopes.iter().map(ToString::to_string).collect(),
            ..implicit(&identity(), name)
        }
    }

    fn scopes(set: &TokenSet, name: &str) -> Vec<String> {
        set.by_name(name).unwrap().rights().scopes().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_token_is_found_by_text_id_and_name() {
        let set = set(&[lines("a", "PIPES:READ:p")], &[]);
        let token = set.by_name("a").unwrap();
        for key in [token.text().expose(), &token.id().to_string(), "a"] {
            assert_eq!(set.find(key).unwrap().id(), token.id());
        }
        assert!(set.find("b").is_none() && set.find("").is_none());
        assert_eq!(set.tokens()[0].name(), ADMIN_TOKEN_NAME);
    }

    #[test]
    fn lines_of_the_project_widen_what_the_api_gave() {
        let record = made("a", &["PIPES:READ:p", "PIPES:READ:q"]);
        let set = set(&[lines("a", "PIPES:READ:q"), lines("b", "PIPES:READ:r")], &[record]);
        assert_eq!(scopes(&set, "a"), ["PIPES:READ:p", "PIPES:READ:q"]);
        assert_eq!(scopes(&set, "b"), ["PIPES:READ:r"]);
        assert_eq!(set.by_name("a").unwrap().id(), Uuid::from_u128(1));
    }

    #[test]
    fn a_token_whose_lines_are_gone_loses_their_rights() {
        let refreshed = StoredToken { generation: 1, revision: 1, ..implicit(&identity(), "a") };
        let (here, refreshed) = ([lines("a", "PIPES:READ:p")], [refreshed]);
        let text = |records| set(&here, records).by_name("a").unwrap().text().expose().to_owned();
        assert_ne!(text(&refreshed), text(&[]));
        assert!(set(&[], &refreshed).by_name("a").is_none());
        let [refreshed] = refreshed;
        let widened = StoredToken { scopes: vec!["PIPES:READ:q".to_owned()], ..refreshed };
        assert_eq!(scopes(&set(&[], &[widened]), "a"), ["PIPES:READ:q"]);
    }

    #[test]
    fn a_record_that_cannot_be_read_gives_no_right() {
        let set = set(&[], &[made("a", &["DATASOURCES:READ:d", "DATASOURCES:READ:d:a ="])]);
        assert!(scopes(&set, "a").is_empty());
    }

    #[test]
    fn a_line_cannot_take_the_name_of_the_admin_token() {
        let set = set(&[lines(ADMIN_TOKEN_NAME, "PIPES:READ:p")], &[]);
        assert_eq!(set.tokens().len(), 1);
        assert_eq!(scopes(&set, ADMIN_TOKEN_NAME), ["ADMIN"]);
    }
}
