//! Who may do what: tokens, and the permits that other rooms ask for.
//!
//! In: the text that a caller presented, the grants of the catalog.  Out: a [`Token`] and from it
//! permits ([`AppendPermit`], [`ReadPermit`], [`SqlPermit`]) whose existence is the proof of the right.
//! Promise: texts are compared by digest and never logged; an unknown token, a broken one and a
//! missing one are told apart from a token without the right, never from each other's contents.
//! May use: `catalog`, `sql`.

pub mod error;
pub mod identity;
pub mod keyring;
pub mod token;

pub use error::AuthError;
pub use identity::{Identity, IdentityError};
pub use keyring::{AppendPermit, Keyring, ReadPermit, SqlPermit, Token};
pub use token::TokenText;
