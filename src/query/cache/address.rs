//! What a caller of an endpoint asked for, by the letters of it.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, Weak};

use indexmap::Equivalent;

use super::Known;
use crate::auth::Token;
use crate::query::OutputFormat;

/// The address of a call, path and query string, with the token that it came with: as long as that is
/// the same token, an equal address is an equal call.
///
/// It keeps the token, so that no other one takes its place in memory, where it is compared. An address
/// can hold the text of a token: neither this nor [`Address`] is ever printed.
#[derive(Clone)]
pub(super) struct AddressKey {
    address: Box<str>,
    token: Arc<Token>,
}

/// The same, as it stands in a request: looking for it copies nothing.
#[derive(Clone, Copy)]
pub(super) struct Address<'a> {
    pub(super) address: &'a str,
    pub(super) token: &'a Arc<Token>,
}

/// The call that an address was.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) format: OutputFormat,
    /// What is known of it is kept elsewhere.
    pub(super) known: Weak<Known>,
}

impl Address<'_> {
    pub(super) fn to_key(self) -> AddressKey {
        AddressKey { address: self.address.into(), token: Arc::clone(self.token) }
    }
}

impl AddressKey {
    fn as_address(&self) -> Address<'_> {
        Address { address: &self.address, token: &self.token }
    }

    /// About what it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + size_of::<Asked>() + self.address.len()
    }
}

impl Hash for Address<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.address, Arc::as_ptr(self.token)).hash(state);
    }
}

impl Hash for AddressKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_address().hash(state);
    }
}

impl Equivalent<AddressKey> for Address<'_> {
    fn equivalent(&self, key: &AddressKey) -> bool {
        Arc::ptr_eq(self.token, &key.token) && *self.address == *key.address
    }
}

impl PartialEq for AddressKey {
    fn eq(&self, other: &Self) -> bool {
        self.as_address().equivalent(other)
    }
}

impl Eq for AddressKey {}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

    use super::*;

    #[test]
    fn an_address_is_the_same_with_the_same_token_only() {
        // Of equal rights, and yet not the same: one may be taken away.
        let (token, other) = (Arc::new(Token::default()), Arc::new(Token::default()));
        let of = |address, token| Address { address, token };
        let key = of("/v0/pipes/a.json?x=1", &token).to_key();
        assert!(of("/v0/pipes/a.json?x=1", &token).equivalent(&key));
        assert!(!of("/v0/pipes/a.json?x=2", &token).equivalent(&key));
        assert!(!of("/v0/pipes/a.json?x=1", &other).equivalent(&key));
        let hash = |it: &dyn Fn(&mut DefaultHasher)| {
            let mut hasher = BuildHasherDefault::<DefaultHasher>::default().build_hasher();
            it(&mut hasher);
            hasher.finish()
        };
        let borrowed = of("/v0/pipes/a.json?x=1", &token);
        assert_eq!(hash(&|hasher| key.hash(hasher)), hash(&|hasher| borrowed.hash(hasher)));
    }
}
