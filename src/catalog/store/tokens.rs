//! Tokens as they were changed over the API.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Store, StoreError};

/// Who made a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenOrigin {
    /// TOKEN lines of the project.
    Project,
    /// A call of the API.
    Api,
}

/// Whether a token may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenState {
    /// It may.
    Live,
    /// It was deleted.
    Deleted,
}

/// One token without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredToken {
    /// Its identifier.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What people wrote about it.
    pub description: String,
    /// Who made it.
    pub origin: TokenOrigin,
    /// Refreshes so far.
    pub generation: u32,
    /// What was given over the API, as texts.
    pub scopes: Vec<String>,
    /// Whether it may be used.
    pub state: TokenState,
    /// Changes so far.
    pub revision: u32,
}

impl Store {
    /// The live tokens of a workspace, in the order of their names.
    pub async fn tokens(&self, workspace: Uuid) -> Result<Vec<StoredToken>, StoreError> {
        let sql = format!(
            "SELECT id, name, description, origin, generation, scopes, state, revision FROM {}.tokens FINAL \
             WHERE workspace_id = '{workspace}' AND state = 'live' ORDER BY name, id",
            self.quoted(),
        );
        self.engine.rows(sql).await.map_err(|reason| self.failed("read the tokens", reason))
    }

    /// Records a token; it is on disk when this returns.
    pub async fn save_token(&self, workspace: Uuid, token: &StoredToken) -> Result<(), StoreError> {
        let columns = "(workspace_id, id, name, description, origin, generation, scopes, state, revision)";
        self.insert("record a token", &format!("tokens {columns}"), workspace, [token]).await
    }
}
