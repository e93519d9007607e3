//! The tokens of a running server: who a caller is, and changes that last.
//!
//! Promise: a change is on disk before it is answered and effective when it is answered; changes
//! follow one another, and one that has begun is finished even if its caller goes away.

mod changes;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::jwt::{self, JwtRequest};
use super::pace::Pace;
use super::{
    AdminToken, AuthError, Identity, StaticToken, Token, TokenProblem, TokenSet, TokenText, TokensPermit,
};
use crate::catalog::{ProjectToken, Store, StoreError, StoredToken};
use crate::clock::Clock;
use crate::config;

/// All tokens of the workspace.
pub struct Keyring {
    shown: ArcSwap<TokenSet>,
    /// What is on disk. Held while a change is written: the next one starts from its outcome.
    kept: Mutex<Kept>,
    identity: Identity,
    lines: Vec<ProjectToken>,
    settings: config::Tokens,
    store: Store,
    pace: Pace,
    clock: Clock,
    tasks: TaskTracker,
}

/// The state behind the tokens that are shown.
struct Kept {
    admin: AdminToken,
    records: BTreeMap<Uuid, StoredToken>,
}

/// What a keyring is made of.
pub struct KeyringParts<'a> {
    /// The workspace.
    pub identity: &'a Identity,
    /// Its admin token.
    pub admin: AdminToken,
    /// What the project's TOKEN lines give.
    pub lines: &'a [ProjectToken],
    /// Limits, and the host that tokens name.
    pub settings: &'a config::Tokens,
    /// The time of day.
    pub clock: Clock,
    /// Where changes run.
    pub tasks: TaskTracker,
}

impl Keyring {
    /// Reads what was changed over the API and joins it with the project's lines.
    pub async fn open(parts: KeyringParts<'_>, store: Store) -> Result<Arc<Self>, StoreError> {
        let KeyringParts { identity, admin, lines, settings, clock, tasks } = parts;
        let records = store.tokens(identity.workspace_id()).await?;
        let kept = Kept { admin, records: records.into_iter().map(|record| (record.id, record)).collect() };
        let keyring = Self {
            shown: ArcSwap::default(),
            kept: Mutex::new(kept),
            identity: identity.clone(),
            lines: lines.to_vec(),
            settings: settings.clone(),
            store,
            pace: Pace::default(),
            clock,
            tasks,
        };
        keyring.show(&*keyring.kept.lock().await);
        Ok(Arc::new(keyring))
    }

    /// Finds out who presented a token, and counts the request where the token limits them.
    pub fn identify(&self, presented: Option<&str>) -> Result<Arc<Token>, AuthError> {
        let text = presented.filter(|text| !text.is_empty()).ok_or(AuthError::Missing)?;
        let shown = self.shown.load();
        match shown.by_text(text) {
            Some(token) => {
                self.count(token.rights().name(), self.settings.requests_per_second)?;
                Ok(Arc::clone(token.rights()))
            }
            None if jwt::is_shaped(text) => self.identify_jwt(text, &shown).map(Arc::new),
            None if is_shell_variable(text) => Err(AuthError::NotExpanded(text.to_owned())),
            None => Err(AuthError::Unknown),
        }
    }

    fn identify_jwt(&self, text: &str, shown: &TokenSet) -> Result<Token, AuthError> {
        let key = shown.admin().ok_or(AuthError::Unknown)?.text();
        let claims = jwt::verify(text, self.identity.workspace_id(), key, self.clock.now())?;
        let (name, limit) = (claims.name.clone(), claims.limit);
        let token = claims.token()?;
        self.count(&name, limit.or(self.settings.requests_per_second))?;
        Ok(token)
    }

    fn count(&self, name: &str, limit: Option<NonZeroU32>) -> Result<(), AuthError> {
        let Some(limit) = limit else { return Ok(()) };
        let wait = |retry_after| AuthError::TooFast { limit, retry_after };
        self.pace.take(name, limit).map_err(wait)
    }

    /// The host that tokens name.
    pub fn host(&self) -> &str {
        &self.settings.host
    }

    /// All static tokens: the admin token, then the others in the order of their names.
    pub fn tokens(&self) -> Vec<Arc<StaticToken>> {
        self.shown.load().tokens().to_vec()
    }

    /// The token that a path means, for who may see it: managers of tokens, and the token itself.
    pub fn find(&self, caller: &Token, key: &str) -> Result<Arc<StaticToken>, AuthError> {
        let found = self.shown.load().find(key).cloned();
        let is_visible =
            |token: &Arc<StaticToken>| caller.id() == Some(token.id()) || caller.manage_tokens().is_ok();
        found.filter(is_visible).ok_or(AuthError::Hidden)
    }

    /// Signs a JWT. Nothing is kept of it.
    pub fn create_jwt(&self, _permit: TokensPermit, request: &JwtRequest) -> Result<TokenText, AuthError> {
        if request.expires <= self.clock.now().timestamp() {
            return Err(TokenProblem::Expiration.into());
        }
        let shown = self.shown.load();
        let key = shown.admin().ok_or(AuthError::Unknown)?.text();
        let signed = jwt::sign(request, self.identity.workspace_id(), key);
        signed.map_err(|error| TokenProblem::Jwt(error).into())
    }

    fn show(&self, kept: &Kept) {
        let (admin, records) = (kept.admin.text().clone(), kept.records.values().cloned());
        let set = TokenSet::new(&self.identity, admin, &self.lines, records, &self.settings.host);
        self.shown.store(Arc::new(set));
    }
}

/// `$NAME` or `${NAME}`: what arrives when a shell argument stood in single quotes.
fn is_shell_variable(text: &str) -> bool {
    let Some(name) = text.strip_prefix('$') else { return false };
    let name = name.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap_or(name);
    !name.is_empty()
        && name.len() <= 64
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
