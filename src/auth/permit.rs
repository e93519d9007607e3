//! A token's rights, and the permits that it gives: one type for every right.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Number;
use uuid::Uuid;

use super::AuthError;
use crate::catalog::{Access, ResourceName, Scope};

/// Whoever presented a valid token: a name, and what its holder may do.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Token {
    holder: Holder,
    id: Option<Uuid>,
    scopes: Vec<Scope>,
    fixed: BTreeMap<ResourceName, FixedParameters>,
}

/// What kind of token it is: each kind has limits of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TokenClass {
    /// It may do everything.
    Admin,
    /// Kept by the server, with scopes.
    Static,
    /// Signed, for somebody outside the house.
    #[default]
    Jwt,
}

/// Whose requests they are: tokens of one kind and name share what is shared out among tokens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Holder {
    name: Arc<str>,
    class: TokenClass,
}

impl Holder {
    /// The holder of the tokens of this kind and name.
    pub fn new(name: impl Into<Arc<str>>, class: TokenClass) -> Self {
        Self { name: name.into(), class }
    }

    /// The kind of token.
    pub fn class(&self) -> TokenClass {
        self.class
    }
}

/// Parameters of a pipe that the token decides, by name; nothing in a request can replace them.
pub type FixedParameters = BTreeMap<String, FixedValue>;

/// The value of a fixed parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum FixedValue {
    /// A text.
    Text(String),
    /// A number.
    Number(Number),
    /// True or false.
    Flag(bool),
}

/// The right to append rows to one data source. Only [`Token::append`] makes one.
#[derive(Debug, Clone)]
pub struct AppendPermit {
    data_source: ResourceName,
}

/// The right to remove rows of a data source. Only [`Token::remove_rows`] makes one.
#[derive(Debug, Clone)]
pub struct RemovePermit {
    data_source: ResourceName,
}

/// The right to read one pipe's endpoint. Only [`Token::read_pipe`] makes one.
#[derive(Debug, Clone)]
pub struct ReadPermit {
    pipe: ResourceName,
    access: Access,
    fixed: FixedParameters,
    holder: Holder,
}

/// The right to run SQL of one's own over what the token reaches. Only [`Token::read_sql`] makes
/// one.
#[derive(Debug, Clone)]
pub struct SqlPermit {
    access: Access,
    holder: Holder,
}

/// The right to see and cancel jobs. Only [`Token::see_jobs`] makes one.
#[derive(Debug, Clone, Copy)]
pub struct JobsPermit(());

/// The right to see numbers about everything. Only [`Token::see_metrics`] makes one.
#[derive(Debug, Clone, Copy)]
pub struct MetricsPermit(());

/// The right to see, make, change and delete tokens. Only [`Token::manage_tokens`] makes one.
#[derive(Debug, Clone, Copy)]
pub struct TokensPermit {
    reach: TokensReach,
}

/// Which tokens their manager may touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TokensReach {
    /// All of them.
    Every,
    /// Those that may not do everything: whoever may manage tokens must not thereby become admin.
    AllButAdmins,
}

impl AppendPermit {
    /// The data source that may be appended to.
    pub fn data_source(&self) -> &ResourceName {
        &self.data_source
    }
}

impl RemovePermit {
    /// The data source that may be emptied.
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

    /// Whose token gave it.
    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// The parameters that the token decides.
    pub fn fixed_parameters(&self) -> &FixedParameters {
        &self.fixed
    }
}

impl SqlPermit {
    /// Whose token gave it.
    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// What the SQL may name, and the row filters that hold in it.
    pub fn access(&self) -> &Access {
        &self.access
    }
}

impl TokensPermit {
    /// True where a token with these rights may be seen whole, made or changed.
    pub fn covers(&self, scopes: &[Scope]) -> bool {
        self.reach == TokensReach::Every || !scopes.contains(&Scope::Admin)
    }
}

impl Token {
    /// A token that is good for these scopes.
    pub(super) fn new(name: impl Into<Arc<str>>, scopes: Vec<Scope>) -> Self {
        let class = if scopes.contains(&Scope::Admin) { TokenClass::Admin } else { TokenClass::default() };
        Self { holder: Holder::new(name, class), scopes, ..Self::default() }
    }

    /// The same token with parameters of pipes decided.
    #[must_use]
    pub(super) fn with_fixed(self, fixed: BTreeMap<ResourceName, FixedParameters>) -> Self {
        Self { fixed, ..self }
    }

    /// The same token with the id of the static token that it is.
    #[must_use]
    pub(super) fn with_id(self, id: Uuid) -> Self {
        let class = match self.holder.class {
            TokenClass::Admin => TokenClass::Admin,
            TokenClass::Static | TokenClass::Jwt => TokenClass::Static,
        };
        Self { id: Some(id), holder: Holder { class, ..self.holder }, ..self }
    }

    /// Which static token it is; `None` for a JWT.
    pub fn id(&self) -> Option<Uuid> {
        self.id
    }

    /// Whose it is.
    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// The name by which people and messages know the token.
    pub fn name(&self) -> &str {
        &self.holder.name
    }

    /// What it may do.
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// Asks for the right to append to a data source.
    pub fn append(&self, data_source: ResourceName) -> Result<AppendPermit, AuthError> {
        let needed = Scope::AppendDataSource(data_source.clone());
        let action = || format!("append to the data source `{data_source}`");
        self.require(&[Scope::CreateDataSources], &needed, action)?;
        Ok(AppendPermit { data_source })
    }

    /// Asks for the right to remove rows of a data source.
    pub fn remove_rows(&self, data_source: ResourceName) -> Result<RemovePermit, AuthError> {
        let action = || format!("remove rows of the data source `{data_source}`");
        self.require(&[], &Scope::CreateDataSources, action)?;
        Ok(RemovePermit { data_source })
    }

    /// Asks for the right to read a pipe's endpoint.
    pub fn read_pipe(&self, pipe: ResourceName) -> Result<ReadPermit, AuthError> {
        let needed = Scope::ReadPipe(pipe.clone());
        self.require(&[Scope::ReadAll], &needed, || format!("read the pipe `{pipe}`"))?;
        let fixed = self.fixed.get(&pipe).cloned().unwrap_or_default();
        Ok(ReadPermit { pipe, access: self.access(), fixed, holder: self.holder.clone() })
    }

    /// Asks for the right to run SQL of one's own; refused where it could name nothing.
    pub fn read_sql(&self) -> Result<SqlPermit, AuthError> {
        let access = self.access();
        let reads_something = self.scopes.iter().any(|scope| match scope {
            Scope::Admin | Scope::ReadAll | Scope::ReadDataSource(..) => true,
            Scope::ReadPipe(pipe) => !self.fixed.contains_key(pipe),
            _ => false,
        });
        if reads_something {
            return Ok(SqlPermit { access, holder: self.holder.clone() });
        }
        let (token, action) = (self.name().to_owned(), "run SQL".to_owned());
        Err(AuthError::Forbidden { token, action, scope: "DATASOURCES:READ:<data source>".to_owned() })
    }

    /// Asks for the right to see and cancel jobs: whoever may begin them has it.
    pub fn see_jobs(&self) -> Result<JobsPermit, AuthError> {
        self.require(&[], &Scope::CreateDataSources, || "see jobs".to_owned())?;
        Ok(JobsPermit(()))
    }

    /// Asks for the right to see numbers about everything.
    pub fn see_metrics(&self) -> Result<MetricsPermit, AuthError> {
        self.require(&[], &Scope::ReadAll, || "see the metrics".to_owned())?;
        Ok(MetricsPermit(()))
    }

    /// Asks for the right to manage tokens.
    pub fn manage_tokens(&self) -> Result<TokensPermit, AuthError> {
        self.require(&[], &Scope::Tokens, || "manage tokens".to_owned())?;
        let is_admin = self.scopes.contains(&Scope::Admin);
        Ok(TokensPermit { reach: if is_admin { TokensReach::Every } else { TokensReach::AllButAdmins } })
    }

    /// What the scopes let a caller read. Filters come last, so that each of them holds whatever
    /// else the token may read; a pipe with fixed parameters can only be read as an endpoint, where
    /// they are put in.
    fn access(&self) -> Access {
        let reads_all = |scope: &Scope| matches!(scope, Scope::Admin | Scope::ReadAll);
        let all = self.scopes.iter().any(reads_all);
        let start = if all { Access::everything() } else { Access::nothing() };
        self.scopes.iter().fold(start, |access, scope| match scope {
            Scope::ReadDataSource(name, None) => access.with_data_source(name.clone()),
            Scope::ReadDataSource(name, Some(filter)) => {
                access.with_data_source(name.clone()).with_filter(name.clone(), filter.clone())
            }
            Scope::ReadPipe(name) if !self.fixed.contains_key(name) => access.with_pipe(name.clone()),
            _ => access,
        })
    }

    /// Passes where the token holds `needed`, one of the `wider` scopes, or everything.
    fn require(
        &self,
        wider: &[Scope],
        needed: &Scope,
        action: impl FnOnce() -> String,
    ) -> Result<(), AuthError> {
        let suffices = |held: &Scope| *held == Scope::Admin || held == needed || wider.contains(held);
        if self.scopes.iter().any(suffices) {
            return Ok(());
        }
        Err(AuthError::Forbidden {
            token: self.name().to_owned(),
            action: action(),
            scope: needed.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(scopes: &[&str]) -> Token {
        Token::new("t", scopes.iter().map(|scope| Scope::parse(scope).unwrap()).collect())
    }

    fn name(text: &str) -> ResourceName {
        ResourceName::parse(text).unwrap()
    }

    #[test]
    fn a_right_comes_from_its_own_scope_a_wider_one_or_admin() {
        let may_append = |scope| token(&[scope]).append(name("d")).is_ok();
        assert!(
            may_append("DATASOURCES:APPEND:d") && may_append("DATASOURCES:CREATE") && may_append("ADMIN")
        );
        for scope in
            ["DATASOURCES:APPEND:e", "DATASOURCES:READ:d", "WORKSPACE:READ_ALL", "TOKENS", "PIPES:READ:d"]
        {
            assert!(!may_append(scope), "{scope}");
        }
        let may_read = |scope| token(&[scope]).read_pipe(name("p")).is_ok();
        assert!(may_read("PIPES:READ:p") && may_read("WORKSPACE:READ_ALL") && may_read("ADMIN"));
        for scope in ["PIPES:READ:q", "PIPES:CREATE", "PIPES:DROP:p", "DATASOURCES:READ:p", "TOKENS"] {
            assert!(!may_read(scope), "{scope}");
        }
        let may_measure = |scope| token(&[scope]).see_metrics().is_ok();
        assert!(may_measure("WORKSPACE:READ_ALL") && may_measure("ADMIN") && !may_measure("TOKENS"));
        let may_manage = |scope| token(&[scope]).manage_tokens().is_ok();
        assert!(may_manage("TOKENS") && may_manage("ADMIN") && !may_manage("WORKSPACE:READ_ALL"));
    }

    #[test]
    fn sql_may_name_what_the_scopes_name() {
        let refused = ["TOKENS", "DATASOURCES:APPEND:d", "DATASOURCES:CREATE", "WORKSPACE:DEPLOY"];
        for scope in refused {
            assert!(token(&[scope]).read_sql().is_err(), "{scope}");
        }
        let permit = token(&["DATASOURCES:READ:d", "PIPES:READ:p"]).read_sql().unwrap();
        let access = permit.access();
        assert!(access.reaches_data_source(&name("d")) && access.reaches_pipe(&name("p")));
        assert!(!access.reaches_data_source(&name("p")) && !access.reaches_everything());
        assert!(token(&["WORKSPACE:READ_ALL"]).read_sql().unwrap().access().reaches_everything());
    }

    #[test]
    fn a_filter_holds_beside_every_other_right() {
        let filtered = "DATASOURCES:READ:d:a = 1";
        for other in ["DATASOURCES:READ:d", "ADMIN", "WORKSPACE:READ_ALL"] {
            for scopes in [[filtered, other], [other, filtered]] {
                let permit = token(&scopes).read_sql().unwrap();
                assert_eq!(permit.access().filter(&name("d")).unwrap().as_str(), "a = 1", "{scopes:?}");
            }
        }
        let both = token(&[filtered, "DATASOURCES:READ:d:b = 2"]).read_sql().unwrap();
        assert_eq!(both.access().filter(&name("d")).unwrap().as_str(), "(a = 1) AND (b = 2)");
    }

    #[test]
    fn a_pipe_with_fixed_parameters_is_read_as_an_endpoint_only() {
        let fixed = FixedParameters::from([("tenant".to_owned(), FixedValue::Flag(true))]);
        let token = token(&["PIPES:READ:p", "PIPES:READ:q"]).with_fixed([(name("p"), fixed.clone())].into());
        assert_eq!(*token.read_pipe(name("p")).unwrap().fixed_parameters(), fixed);
        assert!(token.read_pipe(name("q")).unwrap().fixed_parameters().is_empty());
        let permit = token.read_sql().unwrap();
        assert!(!permit.access().reaches_pipe(&name("p")) && permit.access().reaches_pipe(&name("q")));
    }

    #[test]
    fn a_manager_of_tokens_does_not_reach_admins() {
        let admin = [Scope::Admin];
        assert!(!token(&["TOKENS"]).manage_tokens().unwrap().covers(&admin));
        assert!(token(&["TOKENS"]).manage_tokens().unwrap().covers(&[Scope::Tokens]));
        assert!(token(&["ADMIN"]).manage_tokens().unwrap().covers(&admin));
    }
}
