//! Why a caller is refused, and why a token is not made or changed.

use std::num::NonZeroU32;
use std::time::Duration;

use super::jwt::JwtError;
use crate::catalog::{NameError, ScopeError};

/// A refusal. Its text says what to do next and never holds a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Neither a header nor a parameter.
    #[error("no token was sent: add the header `Authorization: Bearer <token>` or the parameter `token`")]
    Missing,
    /// The name of a shell variable came instead of its value.
    #[error(
        "the shell variable was not expanded: the token is the literal text `{0}`; put the argument in double quotes, and set the variable first"
    )]
    NotExpanded(String),
    /// No token of this workspace reads so.
    #[error("invalid token: this workspace has no such token; `roost token ls` shows the ones it has")]
    Unknown,
    /// A JWT that does not count.
    #[error(transparent)]
    Jwt(#[from] JwtError),
    /// The token is known and lacks the right.
    #[error("the token `{token}` may not {action}: it needs the scope `{scope}`")]
    Forbidden {
        /// The token's name.
        token: String,
        /// What was tried, in words.
        action: String,
        /// The scope that allows it.
        scope: String,
    },
    /// The limit of requests with one token is met: its own, or everybody's.
    #[error("the token may be used {limit} times a second: try again in a moment")]
    TooFast {
        /// Requests in a second.
        limit: NonZeroU32,
        /// Time until the next request is let through.
        retry_after: Duration,
    },
    /// The token that the caller asks about is not there, or is none of its business. The text is
    /// Tinybird's.
    #[error("Token has not enough permissions to get information about this token")]
    Hidden,
    /// Only an admin may touch tokens that may do everything.
    #[error("a token with the scope `ADMIN` is made, changed and deleted by a token with that scope only")]
    AdminNeeded,
    /// A token cannot be made or changed as asked.
    #[error(transparent)]
    Refused(#[from] TokenProblem),
    /// The engine is away, nothing was changed.
    #[error("the token was not changed: the engine is not available; try again in a moment")]
    NotSaved,
    /// It is not known whether the change is on disk.
    #[error("it is unknown whether the token was changed: the metadata could not be written; try again")]
    SaveUnknown,
}

/// Why a token cannot be made or changed as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenProblem {
    /// No name was sent.
    #[error("the parameter `name` is missing: say how the token is to be called")]
    NameMissing,
    /// The name is none.
    #[error("the token cannot be called so: {0}")]
    Name(NameError),
    /// The name reads like an id or a token's text, which address tokens too.
    #[error("the token cannot be called so: the name reads like an id or like a token")]
    NameAmbiguous,
    /// Another token has the name.
    #[error("there is already a token with the name `{0}`: change that one, or choose another name")]
    NameTaken(String),
    /// The description is too long.
    #[error("the description is longer than {limit} bytes")]
    DescriptionTooLong {
        /// The limit.
        limit: usize,
    },
    /// A scope cannot be read.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// A token without a scope would be good for nothing.
    #[error(
        "the parameter `scope` is missing: say what the token is good for, as in scope=PIPES:READ:top_pages"
    )]
    ScopeMissing,
    /// The scopes of a token are too many, or too long.
    #[error("a token takes up to {count} scopes of up to {bytes} bytes each")]
    TooManyScopes {
        /// Scopes of one token.
        count: usize,
        /// Bytes of one scope.
        bytes: usize,
    },
    /// The workspace has as many tokens as it may have.
    #[error("this workspace has {limit} tokens, which is the limit: delete one, or raise tokens.max_count")]
    TooManyTokens {
        /// The limit.
        limit: usize,
    },
    /// The admin token is what everything else hangs on.
    #[error("the workspace admin token can be refreshed, and not changed or deleted")]
    AdminToken,
    /// The admin token is in the settings, where a request cannot change it.
    #[error(
        "the workspace admin token is fixed by the settings: change ROOST_ADMIN_TOKEN (tokens.admin) and start the server again"
    )]
    AdminFixed,
    /// The admin token's file cannot be written.
    #[error("the new admin token could not be written to the data directory: the old one stays valid")]
    AdminNotWritten,
    /// TOKEN lines of the project make the token.
    #[error("the token `{0}` is made by TOKEN lines of the project: change them there")]
    FromProject(String),
    /// The expiration of a JWT is no moment to come.
    #[error("the parameter `expiration_time` is a moment to come, in Unix seconds")]
    Expiration,
    /// What a JWT was to carry cannot be read.
    #[error("the JWT cannot be made: {0}")]
    Jwt(JwtError),
}
