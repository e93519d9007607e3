//! Quoted texts and names come out of the engine as they went in.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use roost::engine::{EngineClient, Query};
use roost::sql::quote;
use roost::template::{Arguments, Environment, Template};

use crate::harness::shared_engine;

/// Texts of every kind: any characters, any bytes as characters, and what quotes are made of.
fn texts() -> impl Strategy<Value = Vec<String>> {
    let text = prop_oneof![
        any::<String>(),
        prop::collection::vec(any::<u8>(), 0..40)
            .prop_map(|bytes| bytes.into_iter().map(char::from).collect()),
        r#"[\\'`"$%?{}\n\r\t\x00-\x1a\x7f;/*a-fxXnz0-9 -]{0,24}"#,
    ];
    prop::collection::vec(text, 1..40)
}

fn hexadecimal(text: &str) -> String {
    text.bytes().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02X}").unwrap();
        hex
    })
}

/// Runs `check` on many lists of texts, on a runtime of its own.
fn with_texts(check: &impl AsyncFn(&EngineClient, &[String]) -> Result<(), TestCaseError>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _guard = runtime.enter();
    let engine = shared_engine();
    let config = Config { cases: 48, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&texts(), |texts| runtime.block_on(check(&engine, &texts)));
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

/// The lines of an answer, one for each text.
async fn lines(engine: &EngineClient, sql: &str) -> Result<Vec<String>, TestCaseError> {
    let answer = async { engine.query(Query::new(sql, "TSVRaw")).await?.collect().await }.await;
    let bytes = answer.map_err(|error| TestCaseError::fail(format!("{sql:?}: {error}")))?;
    Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect())
}

#[test]
fn a_quoted_text_has_the_bytes_of_the_text() {
    with_texts(&async |engine, texts| {
        let quoted: Vec<String> = texts.iter().map(|text| format!("hex({})", quote::string(text))).collect();
        let found = lines(engine, &format!("SELECT arrayJoin([{}])", quoted.join(", "))).await?;
        let expected: Vec<String> = texts.iter().map(|text| hexadecimal(text)).collect();
        prop_assert_eq!(found, expected);
        Ok(())
    });
}

#[test]
fn a_parameter_has_the_bytes_of_what_was_sent() {
    let template = Template::compile("%hex({{String(x)}}), hex({{x}}), hex({{Array([x][0:1])}}[1])").unwrap();
    with_texts(&async |engine, texts| {
        let (mut rendered, mut expected) = (Vec::new(), Vec::new());
        for text in texts {
            let arguments = Arguments::from_pairs([("x", text.as_str())]);
            rendered.push(template.render(&arguments, &Environment::default()).unwrap().sql);
            // Tinybird escapes two characters whose backslash the engine keeps.
            let text = hexadecimal(&text.replace('%', "\\%").replace('\u{1a}', "\\z"));
            expected.extend([text.clone(), text.clone(), text]);
        }
        let found = lines(engine, &format!("SELECT arrayJoin([{}])", rendered.join(", "))).await?;
        prop_assert_eq!(found, expected);
        Ok(())
    });
}

#[test]
fn a_quoted_name_is_the_name() {
    with_texts(&async |engine, texts| {
        for name in texts.iter().filter(|text| !text.is_empty()) {
            let query = Query::new(format!("SELECT 1 AS {}", quote::identifier(name)), "JSONCompact");
            let answer = async { engine.query(query).await?.collect().await }.await;
            let bytes = answer.map_err(|error| TestCaseError::fail(format!("{name:?}: {error}")))?;
            let answer: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            prop_assert_eq!(&answer["meta"][0]["name"], name);
        }
        Ok(())
    });
}
