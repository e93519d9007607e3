//! Why a caller is refused.

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
}
