use std::num::NonZeroU32;

use super::*;
use crate::auth::FixedValue;
use crate::catalog::ResourceName;

fn workspace() -> Uuid {
    Uuid::from_u128(7)
}

fn key() -> TokenText {
    TokenText::chosen("the admin token of these tests".to_owned().into())
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_000_000, 0).unwrap()
}

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// A JWT whose parts are written out, rightly signed.
fn signed(header: &str, payload: &str) -> String {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = URL_SAFE_NO_PAD.encode(mac(&key(), &text).finalize().into_bytes());
    format!("{text}.{signature}")
}

/// A payload that counts, with claims replaced; null takes one away.
fn payload(changes: &Value) -> String {
    let mut payload = json!({
        "workspace_id": workspace(), "name": "frontend", "exp": 1_000_001,
        "scopes": [{ "type": "PIPES:READ", "resource": "p", "fixed_params": { "tenant": "a", "n": 1, "on": true } }],
    });
    for (claim, value) in changes.as_object().unwrap() {
        payload[claim] = value.clone();
    }
    payload.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    payload.to_string()
}

fn read(text: &str) -> Result<Claims, JwtError> {
    verify(text, workspace(), &key(), now())
}

fn refusal(changes: &Value) -> JwtError {
    let claims = read(&signed(HEADER, &payload(changes)));
    claims.and_then(Claims::token).expect_err(&changes.to_string())
}

#[test]
fn a_jwt_gives_its_scopes_with_their_fixed_parameters() {
    let claims =
        read(&signed(HEADER, &payload(&json!({ "limits": { "rps": 3 }, "iat": 1_000_020 })))).unwrap();
    assert_eq!((claims.name.as_str(), claims.limit.map(NonZeroU32::get)), ("frontend", Some(3)));
    let permit = claims.token().unwrap().read_pipe(ResourceName::parse("p").unwrap()).unwrap();
    let fixed = permit.fixed_parameters();
    assert_eq!(fixed["tenant"], FixedValue::Text("a".into()));
    assert_eq!((&fixed["n"], &fixed["on"]), (&FixedValue::Number(1.into()), &FixedValue::Flag(true)));
}

#[test]
fn the_signature_is_the_one_of_the_published_example() {
    // RFC 7515, appendix A.1.
    let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let text = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let mut mac = Hmac::<Sha256>::new_from_slice(&URL_SAFE_NO_PAD.decode(key).unwrap()).unwrap();
    mac.update(text.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    assert_eq!(signature, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
}

#[test]
fn what_is_signed_here_is_read_here() {
    let scopes = json!([{ "type": "DATASOURCES:READ", "resource": "d", "filter": "a = 1" }]);
    let request = JwtRequest { name: "x".into(), expires: 1_000_001, scopes, limits: json!({ "rps": 9 }) };
    let text = sign(&request, workspace(), &key()).unwrap();
    let claims = read(text.expose()).unwrap();
    assert_eq!(claims.limit.map(NonZeroU32::get), Some(9));
    let token = claims.token().unwrap();
    assert_eq!(token.scopes()[0].to_string(), "DATASOURCES:READ:d:a = 1");
    let long = JwtRequest { name: "x".repeat(MAX_BYTES), ..request };
    assert_eq!(sign(&long, workspace(), &key()).unwrap_err(), JwtError::TooLong);
}

#[test]
fn only_hs256_counts_whatever_the_header_says() {
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"hs256"}"#,
        r#"{"alg":"HS384"}"#,
        r#"{"alg":"RS256"}"#,
        r#"{"alg":["HS256"]}"#,
        r#"{"typ":"JWT"}"#,
    ] {
        assert_eq!(read(&signed(header, &payload(&json!({})))), Err(JwtError::Algorithm), "{header}");
    }
    let twice = r#"{"alg":"HS256","alg":"none"}"#;
    assert_eq!(read(&signed(twice, &payload(&json!({})))), Err(JwtError::Malformed));
    let decorated =
        r#"{"alg":"HS256","kid":"../../dev/null","jku":"http://127.0.0.1/","x5u":"x","crit":["exp"]}"#;
    assert!(
        read(&signed(decorated, &payload(&json!({})))).is_ok(),
        "the rest of the header is not looked at"
    );
}

#[test]
fn a_changed_or_cut_jwt_is_refused() {
    let good = signed(HEADER, &payload(&json!({})));
    assert!(read(&good).is_ok());
    let (rest, signature) = good.rsplit_once('.').unwrap();
    let other = signed(HEADER, &payload(&json!({ "name": "other" })));
    let (_, other_signature) = other.rsplit_once('.').unwrap();
    assert_eq!(read(&format!("{rest}.{other_signature}")), Err(JwtError::Signature));
    assert_eq!(read(&format!("{rest}.")), Err(JwtError::Signature));
    assert_eq!(read(&format!("{rest}.{}", &signature[..20])), Err(JwtError::Signature));
    assert_eq!(read(&format!("{rest}.{signature}=")), Err(JwtError::Malformed));
    for text in
        ["", "ey", "ey..", "eyJ.eyJ.x", &format!("{good}.x"), &format!(" {good}"), &good.replace('.', "..")]
    {
        assert_eq!(read(text), Err(JwtError::Malformed), "{text}");
    }
    let another = TokenText::chosen("another admin token".to_owned().into());
    assert_eq!(verify(&good, workspace(), &another, now()), Err(JwtError::Signature));
}

#[test]
fn a_jwt_that_is_changed_anywhere_is_refused() {
    let good = signed(HEADER, &payload(&json!({})));
    for place in 0..good.len() {
        for other in ["A", "B", ".", "-", "\0", "é", ""] {
            let changed = format!("{}{other}{}", &good[..place], &good[place + 1..]);
            assert!(changed == good || read(&changed).is_err(), "{changed}");
        }
    }
}

#[test]
fn eight_kilobytes_are_the_limit() {
    let with = |bytes: usize| {
        let text = signed(HEADER, &payload(&json!({ "pad": "x".repeat(bytes) })));
        (text.len(), read(&text))
    };
    let fits = (5_000..7_000).rev().find(|bytes| with(*bytes).0 <= MAX_BYTES).unwrap();
    assert!(with(fits).1.is_ok());
    assert_eq!(with(fits + 1).1, Err(JwtError::TooLong));
}

#[test]
fn a_key_that_comes_twice_is_refused() {
    let good = payload(&json!({}));
    for twice in [r#""name":"x","#, r#""exp":9999999999,"#, r#""other":{"a":1,"a":2},"#] {
        let payload = good.replacen('{', &format!("{{{twice}"), 1);
        assert_eq!(read(&signed(HEADER, &payload)), Err(JwtError::Malformed), "{twice}");
    }
}

#[test]
fn another_workspace_is_told_before_the_signature_is_looked_at() {
    let other = signed(HEADER, &payload(&json!({ "workspace_id": Uuid::from_u128(8) })));
    let (rest, _) = other.rsplit_once('.').unwrap();
    assert_eq!(read(&format!("{rest}.AAAA")), Err(JwtError::Workspace));
    assert_eq!(refusal(&json!({ "workspace_id": null })), JwtError::Workspace);
    assert_eq!(refusal(&json!({ "workspace_id": 7 })), JwtError::Workspace);
}

#[test]
fn the_time_is_a_number_and_has_not_run_out() {
    for exp in [json!("1000001"), json!("9999999999"), json!([1_000_001]), json!(true), Value::Null] {
        assert_eq!(refusal(&json!({ "exp": exp })), JwtError::NoNumber("exp"));
    }
    for exp in [json!(1_000_000), json!(999_999), json!(0), json!(-1), json!(999_999.9)] {
        assert_eq!(refusal(&json!({ "exp": exp })), JwtError::Expired);
    }
    for (claim, value) in [("nbf", 1_000_031), ("iat", 1_000_031)] {
        assert_eq!(refusal(&json!({ claim: value })), JwtError::Early(claim));
        assert!(read(&signed(HEADER, &payload(&json!({ claim: value - 1 })))).is_ok());
        assert_eq!(refusal(&json!({ claim: "1" })), JwtError::NoNumber(claim));
    }
    assert!(read(&signed(HEADER, &payload(&json!({ "exp": 1_000_000.5 })))).is_ok());
}

#[test]
fn a_claim_that_could_not_be_enforced_is_refused() {
    let scope = |scope: Value| json!({ "scopes": [scope] });
    for (changes, expected) in [
        (json!({ "name": null }), JwtError::NameMissing),
        (json!({ "name": "" }), JwtError::NameMissing),
        (json!({ "scopes": null }), JwtError::ScopesMissing),
        (json!({ "scopes": "PIPES:READ:p" }), JwtError::ScopesMissing),
        (scope(json!("PIPES:READ:p")), JwtError::ScopesMissing),
        (scope(json!({ "resource": "p" })), JwtError::ScopesMissing),
        (scope(json!({ "type": "ADMIN" })), JwtError::ScopeForbidden),
        (scope(json!({ "type": "TOKENS" })), JwtError::ScopeForbidden),
        (scope(json!({ "type": "READ_ONLY" })), JwtError::ScopeForbidden),
        (scope(json!({ "type": "DATASOURCES:DROP", "resource": "d" })), JwtError::ScopeForbidden),
        (scope(json!({ "type": "PIPES:READ", "resource": "p", "fixed_param": {} })), JwtError::ScopeKey),
        (
            scope(json!({ "type": "DATASOURCES:READ", "resource": "d", "filters": "a = 1" })),
            JwtError::ScopeKey,
        ),
        (scope(json!({ "type": "DATASOURCES:READ", "resource": "d", "filter": "" })), JwtError::Filter),
        (
            scope(json!({ "type": "DATASOURCES:READ", "resource": "d", "filter": "1) OR (1" })),
            JwtError::Filter,
        ),
        (
            scope(json!({ "type": "DATASOURCES:READ", "resource": "d", "filter": "a IN secrets" })),
            JwtError::Filter,
        ),
        (
            scope(json!({ "type": "DATASOURCES:READ", "resource": "d", "fixed_params": { "a": 1 } })),
            JwtError::FixedElsewhere,
        ),
        (scope(json!({ "type": "PIPES:READ", "resource": "p", "fixed_params": [] })), JwtError::Fixed),
        (
            scope(json!({ "type": "PIPES:READ", "resource": "p", "fixed_params": { "a": [1] } })),
            JwtError::Fixed,
        ),
        (
            scope(json!({ "type": "PIPES:READ", "resource": "p", "fixed_params": { "a": null } })),
            JwtError::Fixed,
        ),
        (json!({ "limits": 1 }), JwtError::Limit),
        (json!({ "limits": { "rps": 0 } }), JwtError::Limit),
        (json!({ "limits": { "rps": "1" } }), JwtError::Limit),
        (json!({ "limits": { "rps": 1.5 } }), JwtError::Limit),
    ] {
        assert_eq!(refusal(&changes), expected, "{changes}");
    }
    let filtered_pipe = refusal(&scope(json!({ "type": "PIPES:READ", "resource": "p", "filter": "a = 1" })));
    assert!(matches!(filtered_pipe, JwtError::Scope(ScopeError::FilterUnexpected(_))));
}

#[test]
fn a_parameter_is_fixed_once() {
    let scopes = |first: Value, second: Value| {
        let scope = |fixed: Value| json!({ "type": "PIPES:READ", "resource": "p", "fixed_params": fixed });
        json!({ "scopes": [scope(first), scope(second)] })
    };
    let contradiction = scopes(json!({ "tenant": "a" }), json!({ "tenant": "b" }));
    assert_eq!(refusal(&contradiction), JwtError::FixedTwice("tenant".into()));
    let joined = payload(&scopes(json!({ "tenant": "a" }), json!({ "n": 1 })));
    let token = read(&signed(HEADER, &joined)).unwrap().token().unwrap();
    assert_eq!(token.read_pipe(ResourceName::parse("p").unwrap()).unwrap().fixed_parameters().len(), 2);
}
