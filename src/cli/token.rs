//! `roost token ls`: the tokens of a workspace, worked out from its secret and the project's files.
//! It needs neither a running server nor the engine.

use crate::app::admin_token;
use crate::auth::{Identity, Keyring, Token};
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
    let keyring = Keyring::new(&identity, admin, &grants, &settings.tokens.host);
    let name_width = keyring.tokens().iter().map(|token| token.name().len()).max().unwrap_or_default();
    let scope_width = keyring.tokens().iter().map(|token| scopes(token).len()).max().unwrap_or_default();
    for token in keyring.tokens() {
        say(format_args!(
            "{:name_width$}  {:scope_width$}  {}",
            token.name(),
            scopes(token),
            token.text().expose()
        ));
    }
    Ok(())
}

fn scopes(token: &Token) -> String {
    token.scopes().iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
