//! Values of `{name:Type}`: whatever they hold, they stay values.

use roost::engine::{EngineClient, Query};

use crate::harness::shared_engine;

const HOSTILE: [&str; 14] = [
    "",
    "plain",
    "' OR 1 = 1 --",
    "'; DROP DATABASE default; --",
    "{y:String}",
    "? ?? ?fields",
    "back\\slash \\n \\' \\",
    "tab\tnewline\nreturn\rnul\0end",
    "\\N",
    "\r\n--boundary\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\nSELECT 2\r\n",
    "Код: 🐓 ünïcödé \u{202e}",
    "/*roost:1*/ INTO OUTFILE '/tmp/x'",
    "a&b=c%20d+e",
    "`\"`",
];

async fn echo(engine: &EngineClient, kind: &str, value: &str) -> serde_json::Value {
    let mut query = Query::new(format!("SELECT {{x:{kind}}} AS x"), "JSONEachRow");
    query.parameters.push(("x".to_owned(), value.to_owned()));
    let bytes = engine.query(query).await.unwrap().collect().await.unwrap();
    serde_json::from_slice::<serde_json::Value>(&bytes).unwrap()["x"].take()
}

#[tokio::test]
async fn a_hostile_text_comes_back_as_it_is() {
    let engine = shared_engine();
    for value in HOSTILE {
        assert_eq!(echo(&engine, "String", value).await, value);
    }
}

#[tokio::test]
async fn a_text_of_a_megabyte_is_a_parameter_too() {
    let engine = shared_engine();
    let value = "long 'text' ".repeat(90_000);
    assert_eq!(echo(&engine, "String", &value).await, value);
}

#[tokio::test]
async fn parameters_have_types() {
    let engine = shared_engine();
    assert_eq!(echo(&engine, "UInt8", "255").await, 255);
    assert_eq!(echo(&engine, "DateTime", "2024-01-02 03:04:05").await, "2024-01-02 03:04:05");
    assert_eq!(echo(&engine, "Array(UInt8)", "[1, 2]").await, serde_json::json!([1, 2]));
    for (kind, value) in [("UInt8", "many"), ("UInt8", "1; SELECT 2"), ("DateTime", "soon")] {
        let mut query = Query::new(format!("SELECT {{x:{kind}}}"), "CSV");
        query.parameters.push(("x".to_owned(), value.to_owned()));
        super::exception(&engine, query).await;
    }
}

#[tokio::test]
async fn several_parameters_keep_their_names() {
    let engine = shared_engine();
    let mut query = Query::new("SELECT {b:String}, {a:String}, {b:String}", "CSV");
    for (name, value) in [("a", "1"), ("b", "2"), ("unused", "3")] {
        query.parameters.push((name.to_owned(), value.to_owned()));
    }
    let bytes = engine.query(query).await.unwrap().collect().await.unwrap();
    assert_eq!(bytes, "\"2\",\"1\",\"2\"\n");
}

#[tokio::test]
async fn a_missing_parameter_is_named() {
    let engine = shared_engine();
    let (code, message) = super::exception(&engine, Query::new("SELECT {absent:String}", "CSV")).await;
    assert_eq!(code, 456);
    assert!(message.contains("absent"), "{message}");
}
