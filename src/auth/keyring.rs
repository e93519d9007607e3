//! The tokens of a running server: who a caller is, and changes that last.
//!
//! Promise: a change is on disk before it is answered and effective when it is answered; changes
//! follow one another, and one that has begun is finished even if its caller goes away.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::change::{NewToken, TokenChange};
use super::jwt::{self, JwtRequest};
use super::pace::Pace;
use super::token_set::TokenKind;
use super::{
    AdminToken, AuthError, Identity, StaticToken, Token, TokenProblem, TokenSet, TokenText, TokensPermit,
};
use crate::catalog::{ProjectToken, Scope, Store, StoreError, StoredToken, TokenOrigin, TokenState};
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
            Some(token) => Ok(Arc::clone(token.rights())),
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
        if let Some(limit) = limit {
            let wait = |retry_after| AuthError::TooFast { limit, retry_after };
            self.pace.take(&name, limit).map_err(wait)?;
        }
        Ok(token)
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

    /// Makes a token.
    pub async fn create(
        self: &Arc<Self>,
        permit: TokensPermit,
        new: NewToken,
    ) -> Result<Arc<StaticToken>, AuthError> {
        self.change_records(move |keyring, shown, kept| {
            covered(permit, &new.scopes)?;
            let limit = keyring.settings.max_count.get();
            if kept.records.len() >= limit {
                return Err(TokenProblem::TooManyTokens { limit }.into());
            }
            free_name(new.name.as_str(), shown)?;
            Ok(StoredToken {
                id: Uuid::new_v4(),
                name: new.name.into(),
                description: new.description,
                origin: TokenOrigin::Api,
                generation: 0,
                scopes: new.scopes.iter().map(Scope::to_string).collect(),
                state: TokenState::Live,
                revision: 1,
            })
        })
        .await?
        .ok_or(AuthError::Hidden)
    }

    /// Changes a token's name, description or scopes.
    pub async fn change(
        self: &Arc<Self>,
        permit: TokensPermit,
        key: String,
        change: TokenChange,
    ) -> Result<Arc<StaticToken>, AuthError> {
        self.change_records(move |_, shown, _| {
            let token = changeable(permit, shown, &key)?;
            covered(permit, change.scopes.as_deref().unwrap_or_default())?;
            let mut record = next(token.record());
            if let Some(name) = change.name.filter(|name| name.as_str() != token.name()) {
                unless_from_project(token)?;
                free_name(name.as_str(), shown)?;
                record.name = name.into();
            }
            record.description = change.description.unwrap_or(record.description);
            if let Some(scopes) = change.scopes {
                record.scopes = scopes.iter().map(Scope::to_string).collect();
            }
            Ok(record)
        })
        .await?
        .ok_or(AuthError::Hidden)
    }

    /// Deletes a token: nobody is let in by it any more.
    pub async fn delete(self: &Arc<Self>, permit: TokensPermit, key: String) -> Result<(), AuthError> {
        self.change_records(move |_, shown, _| {
            let token = changeable(permit, shown, &key)?;
            unless_from_project(token)?;
            Ok(StoredToken { state: TokenState::Deleted, ..next(token.record()) })
        })
        .await?;
        Ok(())
    }

    /// Gives a token another text; the old one is dead when this returns.
    pub async fn refresh(
        self: &Arc<Self>,
        permit: TokensPermit,
        key: String,
    ) -> Result<Arc<StaticToken>, AuthError> {
        let found = self.shown.load().find(&key).cloned().ok_or(AuthError::Hidden)?;
        covered(permit, found.rights().scopes())?;
        if found.kind() == TokenKind::Admin {
            return self.refresh_admin().await;
        }
        self.change_records(move |_, shown, _| {
            let record = next(changeable(permit, shown, &key)?.record());
            Ok(StoredToken { generation: record.generation.saturating_add(1), ..record })
        })
        .await?
        .ok_or(AuthError::Hidden)
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

    /// Writes what `decide` makes of the present state, then shows it. Returns the token, unless it
    /// is gone.
    async fn change_records(
        self: &Arc<Self>,
        decide: impl FnOnce(&Self, &TokenSet, &Kept) -> Result<StoredToken, AuthError> + Send + 'static,
    ) -> Result<Option<Arc<StaticToken>>, AuthError> {
        let keyring = Arc::clone(self);
        let change = async move {
            let mut kept = keyring.kept.lock().await;
            let record = decide(&keyring, &keyring.shown.load(), &kept)?;
            keyring.save(&record).await?;
            let id = record.id;
            match record.state {
                TokenState::Live => kept.records.insert(id, record),
                TokenState::Deleted => kept.records.remove(&id),
            };
            keyring.show(&kept);
            Ok(keyring.shown.load().by_id(id).cloned())
        };
        self.tasks.spawn(change).await.unwrap_or(Err(AuthError::SaveUnknown))
    }

    async fn save(&self, record: &StoredToken) -> Result<(), AuthError> {
        let saved = self.store.save_token(self.identity.workspace_id(), record).await;
        saved.map_err(|error| {
            let code = error.code();
            tracing::warn!(token = record.name, code, unsent = error.is_unsent(), "a token was not saved");
            if error.is_unsent() { AuthError::NotSaved } else { AuthError::SaveUnknown }
        })
    }

    async fn refresh_admin(self: &Arc<Self>) -> Result<Arc<StaticToken>, AuthError> {
        let keyring = Arc::clone(self);
        let change = async move {
            let mut kept = keyring.kept.lock().await;
            let AdminToken::Kept { directory, .. } = kept.admin.clone() else {
                return Err(TokenProblem::AdminFixed.into());
            };
            let (identity, host) = (keyring.identity.clone(), keyring.settings.host.clone());
            let target = directory.clone();
            let write = move || identity.replace_admin_token(&target, &host);
            let text = tokio::task::spawn_blocking(write).await.map_err(|_| AuthError::SaveUnknown)?;
            let text = text.map_err(|error| {
                tracing::warn!(%error, "the admin token was not refreshed");
                TokenProblem::AdminNotWritten
            })?;
            kept.admin = AdminToken::Kept { text, directory };
            keyring.show(&kept);
            keyring.shown.load().admin().cloned().ok_or(AuthError::Hidden)
        };
        self.tasks.spawn(change).await.unwrap_or(Err(AuthError::SaveUnknown))
    }

    fn show(&self, kept: &Kept) {
        let (admin, records) = (kept.admin.text().clone(), kept.records.values().cloned());
        let set = TokenSet::new(&self.identity, admin, &self.lines, records, &self.settings.host);
        self.shown.store(Arc::new(set));
    }
}

/// Passes where no token has the name.
fn free_name(name: &str, shown: &TokenSet) -> Result<(), AuthError> {
    match shown.by_name(name) {
        Some(_) => Err(TokenProblem::NameTaken(name.to_owned()).into()),
        None => Ok(()),
    }
}

/// The token that a path means, if this permit may change it.
fn changeable<'a>(
    permit: TokensPermit,
    shown: &'a TokenSet,
    key: &str,
) -> Result<&'a StaticToken, AuthError> {
    let token = shown.find(key).ok_or(AuthError::Hidden)?;
    covered(permit, token.rights().scopes())?;
    if token.kind() == TokenKind::Admin {
        return Err(TokenProblem::AdminToken.into());
    }
    Ok(token)
}

/// Passes where the permit reaches tokens with these scopes.
fn covered(permit: TokensPermit, scopes: &[Scope]) -> Result<(), AuthError> {
    if permit.covers(scopes) { Ok(()) } else { Err(AuthError::AdminNeeded) }
}

fn unless_from_project(token: &StaticToken) -> Result<(), AuthError> {
    match token.kind() {
        TokenKind::Project => Err(TokenProblem::FromProject(token.name().to_owned()).into()),
        TokenKind::Admin | TokenKind::Api => Ok(()),
    }
}

/// The record that follows a record.
fn next(record: &StoredToken) -> StoredToken {
    StoredToken { revision: record.revision.saturating_add(1), ..record.clone() }
}

/// `$NAME` or `${NAME}`: what arrives when a shell argument stood in single quotes.
fn is_shell_variable(text: &str) -> bool {
    let Some(name) = text.strip_prefix('$') else { return false };
    let name = name.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap_or(name);
    !name.is_empty()
        && name.len() <= 64
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
