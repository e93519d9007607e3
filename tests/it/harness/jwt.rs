//! JWTs as a front end signs them: with the text of the admin token, by a hand of its own.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// A year that these tests will not see.
pub(crate) const FAR_FUTURE: i64 = 4_000_000_000;

/// A JWT of the workspace that a static token names, with these scopes and any further claims.
pub(crate) fn jwt(admin: &str, scopes: &Value, further: &Value) -> String {
    let mut payload = json!({
        "workspace_id": workspace_of(admin), "name": "frontend_jwt", "exp": FAR_FUTURE, "scopes": scopes,
    });
    for (claim, value) in further.as_object().unwrap() {
        payload[claim] = value.clone();
    }
    sign(admin, r#"{"alg":"HS256"}"#, &payload.to_string())
}

/// Signs a header and a payload as they are written.
pub(crate) fn sign(key: &str, header: &str, payload: &str) -> String {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// The id in the public part of a static token, where dashboards read it.
pub(crate) fn workspace_of(token: &str) -> String {
    let payload = token.split('.').nth(1).expect("the token has a public part");
    let payload: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    payload["u"].as_str().unwrap().to_owned()
}
