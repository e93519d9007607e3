//! Static tokens: derived from the workspace's secret, so that they survive restarts and can be
//! shown again, in the form that Tinybird's clients show and decode:
//! `p.<base64url of {"u","id","host"}>.<base64url of an HMAC-SHA256 of that payload>`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

use super::Identity;

/// The text of a token: what a caller sends. Never printed by `Debug`.
#[derive(Debug, Clone)]
pub struct TokenText(SecretString);

/// What tokens are compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenDigest([u8; 32]);

/// The public part of a token, in the order in which Tinybird writes it.
#[derive(Serialize)]
struct Payload<'a> {
    u: Uuid,
    id: Uuid,
    host: &'a str,
}

impl TokenText {
    /// Takes a text that the operator chose.
    pub fn chosen(text: SecretString) -> Self {
        Self(text)
    }

    /// The token with this id in the workspace of `identity`, after so many refreshes.
    ///
    /// The same id, generation, secret and host give the same text.
    pub fn derive(identity: &Identity, id: Uuid, generation: u32, host: &str) -> Self {
        let payload = payload(identity, id, host);
        let signature = match generation {
            0 => sign(identity, payload.as_bytes()),
            // The alphabet of a payload has no dot: no generation's text is another one's payload.
            refreshed => sign(identity, format!("{payload}.{refreshed}").as_bytes()),
        };
        Self(format!("p.{payload}.{}", URL_SAFE_NO_PAD.encode(signature)).into())
    }

    /// A text of the same form that nothing can derive again.
    pub fn random(identity: &Identity, id: Uuid, host: &str) -> Result<Self, getrandom::Error> {
        let mut secret = Zeroizing::new([0; 32]);
        getrandom::fill(secret.as_mut_slice())?;
        let payload = payload(identity, id, host);
        Ok(Self(format!("p.{payload}.{}", URL_SAFE_NO_PAD.encode(*secret)).into()))
    }

    /// What the text is compared by.
    pub fn digest(&self) -> TokenDigest {
        TokenDigest::of(self.0.expose_secret())
    }

    /// The text itself, for the few places that show it to the operator.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl TokenDigest {
    /// The digest of a presented text.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }
}

fn payload(identity: &Identity, id: Uuid, host: &str) -> String {
    let payload = Payload { u: identity.workspace_id(), id, host };
    // A struct of three plain fields has no way to fail.
    URL_SAFE_NO_PAD.encode(serde_json::to_string(&payload).unwrap_or_default())
}

/// The identifier of the project's token with this name: stable as long as the workspace's secret is.
pub fn token_id(identity: &Identity, name: &str) -> Uuid {
    let signature = sign(identity, format!("token {name}").as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&signature[..16]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

fn sign(identity: &Identity, text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(identity.secret())
        .unwrap_or_else(|_| unreachable!("HMAC takes keys of every length"));
    mac.update(text);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity::from_parts(Uuid::from_u128(7), [9; 32])
    }

    fn derive(identity: &Identity, name: &str, generation: u32) -> TokenText {
        TokenText::derive(identity, token_id(identity, name), generation, "local")
    }

    #[test]
    fn a_token_shows_workspace_id_and_host_to_clients_that_decode_it() {
        let text = derive(&identity(), "dashboard", 0);
        let parts: Vec<&str> = text.expose().split('.').collect();
        let [prefix, payload, signature] = parts[..] else { panic!("three parts") };
        assert_eq!(prefix, "p");
        let payload: serde_json::Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
        assert_eq!(payload["u"], "00000000-0000-0000-0000-000000000007");
        assert_eq!(payload["host"], "local");
        assert_eq!(payload["id"], token_id(&identity(), "dashboard").to_string());
        assert_eq!(URL_SAFE_NO_PAD.decode(signature).unwrap().len(), 32);
    }

    #[test]
    fn the_same_name_gives_the_same_token_and_another_name_another() {
        let text = |name| derive(&identity(), name, 0).expose().to_owned();
        assert_eq!(text("a"), text("a"));
        assert_ne!(text("a"), text("b"));
        let other = Identity::from_parts(Uuid::from_u128(7), [8; 32]);
        assert_ne!(text("a"), derive(&other, "a", 0).expose());
    }

    #[test]
    fn every_refresh_makes_another_text_of_the_same_token() {
        let texts = [0, 1, 2].map(|generation| derive(&identity(), "a", generation));
        let parts = texts.each_ref().map(|text| text.expose().rsplit_once('.').unwrap());
        assert!(parts[0].0 == parts[1].0 && parts[1].0 == parts[2].0, "the public part stays");
        assert!(parts[0].1 != parts[1].1 && parts[1].1 != parts[2].1 && parts[0].1 != parts[2].1);
        let id = token_id(&identity(), "a");
        let random = || TokenText::random(&identity(), id, "local").unwrap().expose().to_owned();
        assert_ne!(random(), random());
        assert!(random().starts_with(parts[0].0));
    }

    #[test]
    fn debug_output_hides_the_text() {
        assert!(!format!("{:?}", derive(&identity(), "a", 0)).contains("p."));
    }
}
