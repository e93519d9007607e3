//! Who may do what: tokens, and the permits that other rooms ask for.
//!
//! In: the text that a caller presented, the project's TOKEN lines, the metadata.  Out: a [`Token`]
//! and from it permits, one type for every right ([`AppendPermit`], [`ReadPermit`], [`SqlPermit`],
//! [`TokensPermit`]), whose existence is the proof of the right; tokens made, changed and deleted.
//! Promise: texts are compared by digest, kept nowhere and never logged; a row filter holds beside
//! every other right; a change is on disk and effective when it is answered.
//! May use: `catalog`, `sql`.

pub mod change;
pub mod error;
pub mod identity;
pub mod jwt;
pub mod keyring;
mod pace;
pub mod permit;
pub mod token;
pub mod token_set;

pub use change::{NewToken, TokenChange};
pub use error::{AuthError, TokenProblem};
pub use identity::{AdminToken, Identity, IdentityError};
pub use jwt::{JwtError, JwtRequest};
pub use keyring::{Keyring, KeyringParts};
pub use pace::Pace;
pub use permit::{
    AppendPermit, FixedParameters, FixedValue, Holder, JobsPermit, MetricsPermit, ReadPermit, RemovePermit,
    SqlPermit, Token, TokenClass, TokensPermit,
};
pub use token::TokenText;
pub use token_set::{StaticToken, TokenSet};
