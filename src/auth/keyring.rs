//! All tokens of a workspace, and the permits that they give.

use std::collections::HashMap;
use std::sync::Arc;

use crate::catalog::{Access, ProjectToken, ResourceName, Scope};

use super::identity::ADMIN_TOKEN_NAME;
use super::token::{TokenDigest, token_id};
use super::{AuthError, Identity, TokenText};

/// A token with its rights.
#[derive(Debug)]
pub struct Token {
    name: String,
    id: uuid::Uuid,
    text: TokenText,
    scopes: Vec<Scope>,
}

/// The tokens of one workspace, found by digest.
#[derive(Debug, Default)]
pub struct Keyring {
    tokens: Vec<Arc<Token>>,
    by_digest: HashMap<TokenDigest, Arc<Token>>,
}

/// The right to append rows to one data source. Only [`Token::append`] makes one.
#[derive(Debug, Clone)]
pub struct AppendPermit {
    data_source: ResourceName,
}

/// The right to read one pipe's endpoint. Only [`Token::read_pipe`] makes one.
#[derive(Debug, Clone)]
pub struct ReadPermit {
    pipe: ResourceName,
    access: Access,
}

/// The right to run SQL of one's own over what the token reaches. Only [`Token::read_sql`] makes
/// one.
#[derive(Debug, Clone)]
pub struct SqlPermit {
    access: Access,
}

impl AppendPermit {
    /// The data source that may be appended to.
    pub fn data_source(&self) -> &ResourceName {
        &self.data_source
    }
}

impl ReadPermit {
    /// The pipe that may be read.
    pub fn pipe(&self) -> &ResourceName {
        &self.pipe
    }

    /// The row filters that hold in everything the pipe reads.
    pub fn access(&self) -> &Access {
        &self.access
    }
}

impl SqlPermit {
    /// What the SQL may name, and the row filters that hold in it.
    pub fn access(&self) -> &Access {
        &self.access
    }
}

impl Keyring {
    /// The admin token and one derived token for every name that the project's TOKEN lines use.
    pub fn new(identity: &Identity, admin: TokenText, grants: &[ProjectToken], host: &str) -> Self {
        let mut keyring = Self::default();
        keyring.add(Token {
            name: ADMIN_TOKEN_NAME.to_owned(),
            id: token_id(identity, ADMIN_TOKEN_NAME),
            text: admin,
            scopes: vec![Scope::Admin],
        });
        for grant in grants {
            let name = grant.name.as_str();
            keyring.add(Token {
                name: name.to_owned(),
                id: token_id(identity, name),
                text: TokenText::derive(identity, name, host),
                scopes: grant.scopes.clone(),
            });
        }
        keyring
    }

    fn add(&mut self, token: Token) {
        let token = Arc::new(token);
        self.by_digest.insert(token.text.digest(), Arc::clone(&token));
        self.tokens.push(token);
    }

    /// Finds the token that a caller presented.
    pub fn identify(&self, presented: Option<&str>) -> Result<Arc<Token>, AuthError> {
        let text = presented.filter(|text| !text.is_empty()).ok_or(AuthError::Missing)?;
        match self.by_digest.get(&TokenDigest::of(text)) {
            Some(token) => Ok(Arc::clone(token)),
            None if is_shell_variable(text) => Err(AuthError::NotExpanded(text.to_owned())),
            None => Err(AuthError::Unknown),
        }
    }

    /// All tokens: the admin token, then the project's in the order of their names.
    pub fn tokens(&self) -> &[Arc<Token>] {
        &self.tokens
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

impl Token {
    /// The name by which people and messages know the token.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its identifier.
    pub fn id(&self) -> uuid::Uuid {
        self.id
    }

    /// Its text.
    pub fn text(&self) -> &TokenText {
        &self.text
    }

    /// What it may do.
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// Asks for the right to append to a data source.
    pub fn append(&self, data_source: ResourceName) -> Result<AppendPermit, AuthError> {
        let action = format!("append to the data source `{data_source}`");
        self.require(&Scope::AppendDataSource(data_source.clone()), action)?;
        Ok(AppendPermit { data_source })
    }

    /// Asks for the right to read a pipe's endpoint.
    pub fn read_pipe(&self, pipe: ResourceName) -> Result<ReadPermit, AuthError> {
        let action = format!("read the pipe `{pipe}`");
        self.require(&Scope::ReadPipe(pipe.clone()), action)?;
        Ok(ReadPermit { pipe, access: self.access() })
    }

    /// Asks for the right to run SQL of one's own; refused where it could name nothing.
    pub fn read_sql(&self) -> Result<SqlPermit, AuthError> {
        let access = self.access();
        if access != Access::nothing() {
            return Ok(SqlPermit { access });
        }
        let (token, action) = (self.name.clone(), "run SQL".to_owned());
        Err(AuthError::Forbidden { token, action, scope: "DATASOURCES:READ:<data source>".to_owned() })
    }

    /// What the scopes let a caller read.
    fn access(&self) -> Access {
        self.scopes.iter().fold(Access::nothing(), |access, scope| match scope {
            Scope::Admin => Access::everything(),
            Scope::ReadDataSource(name) => access.with_data_source(name.clone()),
            Scope::ReadPipe(name) => access.with_pipe(name.clone()),
            Scope::AppendDataSource(_) => access,
        })
    }

    fn require(&self, scope: &Scope, action: String) -> Result<(), AuthError> {
        if self.scopes.iter().any(|held| *held == Scope::Admin || held == scope) {
            return Ok(());
        }
        Err(AuthError::Forbidden { token: self.name.clone(), action, scope: scope.to_string() })
    }
}
