//! Changes of tokens: made, changed, refreshed, deleted.
//!
//! A change runs in a task of its own, so that it is finished even if its caller goes away; it holds
//! what is on disk while it writes, so that the next one starts from its outcome.

use std::sync::Arc;

use uuid::Uuid;

use super::{Kept, Keyring};
use crate::auth::change::{NewToken, TokenChange};
use crate::auth::token_set::TokenKind;
use crate::auth::{AdminToken, AuthError, StaticToken, TokenProblem, TokenSet, TokensPermit};
use crate::catalog::{Scope, StoredToken, TokenOrigin, TokenState};

impl Keyring {
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
                // The id of such a token comes from its name.
                if record.origin == TokenOrigin::Project || token.kind() == TokenKind::Project {
                    return Err(TokenProblem::FromProject(token.name().to_owned()).into());
                }
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
            if token.kind() == TokenKind::Project {
                return Err(TokenProblem::FromProject(token.name().to_owned()).into());
            }
            let record = next(token.record());
            Ok(match record.origin {
                TokenOrigin::Api => StoredToken { state: TokenState::Deleted, ..record },
                // Its lines may come back, the text that was deleted must not.
                TokenOrigin::Project => StoredToken { scopes: Vec::new(), ..refreshed(record) },
            })
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
            Ok(refreshed(record))
        })
        .await?
        .ok_or(AuthError::Hidden)
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

/// The record that follows a record.
fn next(record: &StoredToken) -> StoredToken {
    StoredToken { revision: record.revision.saturating_add(1), ..record.clone() }
}

/// The record of a token with another text.
fn refreshed(record: StoredToken) -> StoredToken {
    StoredToken { generation: record.generation.saturating_add(1), ..record }
}
