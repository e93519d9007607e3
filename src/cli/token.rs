//! `roost token ls`: the tokens of a workspace, worked out from its secret and the project's files.
//! It needs neither a running server nor the engine.

use crate::app::admin_token;
use crate::auth::{Identity, StaticToken, TokenSet};
use crate::config::{Config, Flags};
use crate::deploy;

use super::console::say;

/// Prints one line a token: name, rights, text.
pub(super) fn list(flags: &Flags) -> anyhow::Result<()> {
    let settings = Config::load(flags)?;
    let directory = &settings.data.directory;
    let identity = Identity::load(directory)?;
    let admin = admin_token(&settings, &identity, directory)?;
    let grants = deploy::token_grants(&settings)?;
    let set = TokenSet::new(&identity, admin.text().clone(), &grants, [], &settings.tokens.host);
    let name_width = set.tokens().iter().map(|token| token.name().len()).max().unwrap_or_default();
    let scope_width = set.tokens().iter().map(|token| scopes(token).len()).max().unwrap_or_default();
    for token in set.tokens() {
        say(format_args!(
            "{:name_width$}  {:scope_width$}  {}",
            token.name(),
            scopes(token),
            token.text().expose()
        ));
    }
    Ok(())
}

fn scopes(token: &StaticToken) -> String {
    token.rights().scopes().iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
