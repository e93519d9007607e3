//! The workspace's identity on disk: its id, its secret, its admin token.
//!
//! In: the data directory.  Out: [`Identity`], made at the first start and the same ever after.
//! Both files are readable by this user only.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::TokenText;
use super::token::token_id;

/// Name of the file with the workspace's id and secret.
const IDENTITY_FILE: &str = "workspace.json";
/// Name of the file with the admin token.
const ADMIN_FILE: &str = "admin.token";
/// The name of the token that the file holds, as Tinybird calls it.
pub const ADMIN_TOKEN_NAME: &str = "workspace admin token";

/// Who this workspace is.
#[derive(Clone)]
pub struct Identity {
    workspace_id: Uuid,
    secret: Zeroizing<[u8; 32]>,
}

/// The admin token, and where it comes from.
#[derive(Debug, Clone)]
pub enum AdminToken {
    /// The settings fix it.
    Fixed(TokenText),
    /// A data directory keeps it.
    Kept {
        /// Its text.
        text: TokenText,
        /// The data directory.
        directory: PathBuf,
    },
}

impl AdminToken {
    /// What a caller sends.
    pub fn text(&self) -> &TokenText {
        match self {
            Self::Fixed(text) | Self::Kept { text, .. } => text,
        }
    }
}

/// Why the identity cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file cannot be read or written.
    #[error("cannot use {}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: std::io::Error,
    },
    /// A file is there but is not what was written.
    #[error(
        "{} is damaged: {reason}; restore it from a backup, or remove it to make a new workspace (tokens change)",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Others could have read a secret.
    #[error("{} can be read by others: run `chmod 600` on it, and change the tokens", .0.display())]
    Readable(PathBuf),
    /// The data directory has no workspace yet.
    #[error("there is no workspace in {} yet: `roost serve` makes one", .0.display())]
    Missing(PathBuf),
}

#[derive(Serialize, Deserialize)]
struct Stored {
    workspace_id: Uuid,
    /// 32 bytes in base64url.
    secret: String,
}

impl Identity {
    /// Puts an identity together from its parts.
    pub fn from_parts(workspace_id: Uuid, secret: [u8; 32]) -> Self {
        Self { workspace_id, secret: Zeroizing::new(secret) }
    }

    /// Reads the identity of a data directory.
    pub fn load(directory: &Path) -> Result<Self, IdentityError> {
        let path = directory.join(IDENTITY_FILE);
        let text = read_private(&path)?.ok_or_else(|| IdentityError::Missing(directory.to_owned()))?;
        let damaged = |reason: String| IdentityError::Damaged { path: path.clone(), reason };
        let stored: Stored = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        let secret = URL_SAFE_NO_PAD.decode(&stored.secret).ok().and_then(|bytes| bytes.try_into().ok());
        let secret = secret.ok_or_else(|| damaged("the secret is not 32 bytes in base64url".into()))?;
        Ok(Self::from_parts(stored.workspace_id, secret))
    }

    /// Reads the identity, or makes one at the first start.
    pub fn load_or_create(directory: &Path) -> Result<Self, IdentityError> {
        match Self::load(directory) {
            Err(IdentityError::Missing(_)) => Self::create(directory),
            found => found,
        }
    }

    fn create(directory: &Path) -> Result<Self, IdentityError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|reason| IdentityError::File {
            path: directory.join(IDENTITY_FILE),
            reason: std::io::Error::other(reason),
        })?;
        let identity = Self::from_parts(Uuid::new_v4(), secret);
        let secret = URL_SAFE_NO_PAD.encode(*identity.secret);
        let stored = Stored { workspace_id: identity.workspace_id, secret };
        let text = serde_json::to_string(&stored).unwrap_or_default();
        write_private(&directory.join(IDENTITY_FILE), &text)?;
        Ok(identity)
    }

    /// The workspace's id.
    pub fn workspace_id(&self) -> Uuid {
        self.workspace_id
    }

    pub(super) fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    /// The admin token that the data directory holds, made at the first start.
    pub fn admin_token(&self, directory: &Path, host: &str) -> Result<TokenText, IdentityError> {
        let path = Self::admin_token_file(directory);
        if let Some(text) = read_private(&path)? {
            let text = text.trim();
            if text.len() < 16 {
                return Err(IdentityError::Damaged {
                    path,
                    reason: "it holds fewer than 16 characters".into(),
                });
            }
            return Ok(TokenText::chosen(text.into()));
        }
        let token = TokenText::derive(self, token_id(self, ADMIN_TOKEN_NAME), 0, host);
        write_private(&path, &format!("{}\n", token.expose()))?;
        Ok(token)
    }

    /// Puts another admin token into the data directory; it is on disk when this returns.
    pub(super) fn replace_admin_token(
        &self,
        directory: &Path,
        host: &str,
    ) -> Result<TokenText, IdentityError> {
        let path = Self::admin_token_file(directory);
        let token = TokenText::random(self, token_id(self, ADMIN_TOKEN_NAME), host).map_err(|reason| {
            IdentityError::File { path: path.clone(), reason: std::io::Error::other(reason) }
        })?;
        write_private(&path, &format!("{}\n", token.expose()))?;
        Ok(token)
    }

    /// Where the admin token is kept.
    pub fn admin_token_file(directory: &Path) -> PathBuf {
        directory.join(ADMIN_FILE)
    }
}

/// The text of a secret file; `None` where there is none.
fn read_private(path: &Path) -> Result<Option<String>, IdentityError> {
    let failed = |reason| IdentityError::File { path: path.to_owned(), reason };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
        return Err(IdentityError::Readable(path.to_owned()));
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(failed)?;
    Ok(Some(text))
}

/// Writes a secret file whole or not at all, on disk before this returns.
fn write_private(path: &Path, text: &str) -> Result<(), IdentityError> {
    let write = || {
        let temporary = path.with_extension("new");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
    };
    write().map_err(|reason| IdentityError::File { path: path.to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_and_admin_token_survive_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(Identity::load(directory.path()), Err(IdentityError::Missing(_))));
        let first = Identity::load_or_create(directory.path()).unwrap();
        let second = Identity::load_or_create(directory.path()).unwrap();
        assert_eq!(first.workspace_id(), second.workspace_id());
        assert_eq!(first.secret(), second.secret());
        let token = first.admin_token(directory.path(), "local").unwrap();
        assert_eq!(token.expose(), second.admin_token(directory.path(), "local").unwrap().expose());
        let refreshed = first.replace_admin_token(directory.path(), "local").unwrap();
        assert_ne!(refreshed.expose(), token.expose());
        assert_eq!(refreshed.expose(), second.admin_token(directory.path(), "local").unwrap().expose());
    }

    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        Identity::load_or_create(directory.path()).unwrap();
        let path = directory.path().join(IDENTITY_FILE);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Identity::load(directory.path()), Err(IdentityError::Readable(_))));
    }

    #[test]
    fn a_damaged_file_is_named_and_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(IDENTITY_FILE);
        for text in ["", "{", r#"{"workspace_id":"x","secret":""}"#] {
            write_private(&path, text).unwrap();
            assert!(
                matches!(Identity::load_or_create(directory.path()), Err(IdentityError::Damaged { .. })),
                "{text}"
            );
        }
    }
}
