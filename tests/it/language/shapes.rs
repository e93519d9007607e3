//! What a caller sends changes values in the SQL and never its tokens, whichever function reads it.

use proptest::prelude::*;
use roost::sql::lexer::tokenize;
use roost::sql::token::{Symbol, TokenKind};
use roost::template::{Arguments, Environment, Template};

/// The functions whose values are one literal, with text that each of them takes.
const SCALARS: [(&str, &str); 24] = [
    ("String", "a"),
    ("Boolean", "1"),
    ("Date", "2026-01-02"),
    ("DateTime", "2026-01-02 03:04:05"),
    ("DateTime64", "2026-01-02 03:04:05.678"),
    ("Float32", "1.5"),
    ("Float64", "1.5"),
    ("Int", "1"),
    ("Integer", "1"),
    ("Int8", "1"),
    ("Int16", "1"),
    ("Int32", "1"),
    ("Int64", "1"),
    ("Int128", "1"),
    ("Int256", "1"),
    ("UInt8", "1"),
    ("UInt16", "1"),
    ("UInt32", "1"),
    ("UInt64", "1"),
    ("UInt128", "1"),
    ("UInt256", "1"),
    ("column", "a"),
    ("symbol", "a"),
    ("table", "a"),
];

/// The types of items of `Array(x, 'T')`, with a text that each of them takes; the last one is unknown.
const ITEMS: [(&str, &str); 10] = [
    ("String", "a"),
    ("Symbol", "a"),
    ("Boolean", "1"),
    ("Date", "2026-01-02"),
    ("DateTime", "2026-01-02 03:04:05"),
    ("DateTime64", "2026-01-02 03:04:05.678"),
    ("Float64", "1.5"),
    ("Int32", "1"),
    ("UInt64", "1"),
    ("Whatever", "a"),
];

/// What hostile callers send: any text, or one that a function takes with something around it.
fn sent() -> impl Strategy<Value = String> {
    let taken = prop::sample::select(SCALARS.map(|(_, text)| text).to_vec());
    let around = r#"[-+'"`\\%;,(){}\[\]/*#$ \n\x000-9a-z.:TZ]{0,6}"#;
    let wrapped = (around, taken, around).prop_map(|(before, text, after)| format!("{before}{text}{after}"));
    prop_oneof![any::<String>(), r"[ -~]{0,12}", wrapped]
}

fn rendered(template: &str, sent: &str) -> Option<String> {
    let template = Template::compile(template).unwrap();
    let arguments = Arguments::from_pairs([("x", sent)]);
    template.render(&arguments, &Environment::default()).ok().map(|rendered| rendered.sql)
}

/// The kinds of the tokens that count.
///
/// A minus before a number belongs to it, the parts of a name with dots are one name, and a list is
/// as long as its first item: how many there are is a value, too.
fn shape(sql: &str) -> Vec<TokenKind> {
    let kinds = tokenize(sql).into_iter().map(|token| token.kind);
    let mut shape: Vec<TokenKind> = Vec::new();
    for kind in kinds.filter(|kind| *kind != TokenKind::Whitespace) {
        match (kind, &shape[..]) {
            (TokenKind::Number, [.., TokenKind::Symbol(Symbol::Minus)]) => drop(shape.pop()),
            (same, [.., first, TokenKind::Symbol(Symbol::Comma)])
                if same == *first && shape.contains(&TokenKind::Symbol(Symbol::OpenBracket)) =>
            {
                shape.pop();
                continue;
            }
            (TokenKind::QuotedName, [.., TokenKind::QuotedName, TokenKind::Symbol(Symbol::Dot)])
            | (TokenKind::Word, [.., TokenKind::Word, TokenKind::Symbol(Symbol::Dot)]) => {
                shape.pop();
                continue;
            }
            _ => {}
        }
        shape.push(kind);
    }
    shape
}

/// Fails if a text changes the shape of the SQL that an ordinary text gives.
fn keeps_its_shape(template: &str, ordinary: &str, sent: &str) -> Result<(), TestCaseError> {
    let Some(sql) = rendered(template, sent) else { return Ok(()) };
    let expected = shape(&rendered(template, ordinary).expect("an ordinary text is taken"));
    prop_assert_eq!(shape(&sql), expected, "{} with {:?} gives {}", template, sent, sql);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_024) })]

    #[test]
    fn a_typed_parameter_is_one_literal(sent in sent()) {
        for (function, ordinary) in SCALARS {
            let template = format!("%SELECT a, {{{{{function}(x)}}}} AS b FROM t WHERE c = 1");
            // A table's name is bare where it can be and quoted where it has to be; `"` is dropped.
            let has_quotes = function == "table" && !is_plain(&sent.replace('"', ""));
            let ordinary = if has_quotes { "a b" } else { ordinary };
            keeps_its_shape(&template.replace("column(x)", "column(x, 'a')"), ordinary, &sent)?;
        }
    }

    #[test]
    fn an_array_is_a_list_of_literals(sent in sent()) {
        for (item, ordinary) in ITEMS {
            let template = format!("%SELECT a, {{{{Array(x, '{item}')}}}} AS b FROM t WHERE c = 1");
            keeps_its_shape(&template, ordinary, &sent)?;
        }
    }

    #[test]
    fn json_is_literals_in_brackets(sent in json()) {
        let Some(sql) = rendered("%SELECT a, {{JSON(x)}} AS b FROM t WHERE c = 1", &sent) else { return Ok(()) };
        let inside = sql.strip_prefix("SELECT a, ").and_then(|sql| sql.strip_suffix(" AS b FROM t WHERE c = 1"));
        prop_assert!(is_printed_json(inside.unwrap_or_default()), "{:?} gives {}", sent, sql);
    }
}

/// JSON with texts that want to leave it, and text that is nearly JSON.
fn json() -> impl Strategy<Value = String> {
    let text = r#"[-'"`\\%;,(){}\[\]/*#$ \n0-9a-z]{0,8}"#;
    let leaf = prop_oneof![
        text.prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
        any::<bool>().prop_map(serde_json::Value::from),
        Just(serde_json::Value::Null),
    ];
    let value = leaf.prop_recursive(3, 12, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::hash_map(text, inner, 0..4)
                .prop_map(|entries| serde_json::Value::Object(entries.into_iter().collect())),
        ]
    });
    prop_oneof![3 => value.prop_map(|value| value.to_string()), 1 => any::<String>()]
}

/// True for literals, brackets that close, commas and colons.
fn is_printed_json(printed: &str) -> bool {
    let mut open = Vec::new();
    for token in tokenize(printed) {
        let is_fine = match token.kind {
            TokenKind::Word => ["None", "True", "False", "nan", "inf"].contains(&token.span.of(printed)),
            TokenKind::Number
            | TokenKind::Text
            | TokenKind::Whitespace
            | TokenKind::Symbol(Symbol::Comma | Symbol::Colon | Symbol::Minus) => true,
            TokenKind::Symbol(Symbol::OpenBrace) => {
                open.push(Symbol::CloseBrace);
                true
            }
            TokenKind::Symbol(Symbol::OpenBracket) => {
                open.push(Symbol::CloseBracket);
                true
            }
            TokenKind::Symbol(close) => open.pop() == Some(close),
            _ => false,
        };
        if !is_fine {
            return false;
        }
    }
    open.is_empty() && !printed.is_empty()
}

/// True for names with dots between them that need no quotes.
fn is_plain(name: &str) -> bool {
    name.split('.').all(|part| {
        let starts = part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        starts && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

#[test]
fn every_function_takes_its_ordinary_text() {
    for (function, ordinary) in SCALARS {
        assert!(rendered(&format!("%{{{{{function}(x)}}}}"), ordinary).is_some(), "{function}");
    }
    for (item, ordinary) in ITEMS {
        assert!(rendered(&format!("%{{{{Array(x, '{item}')}}}}"), ordinary).is_some(), "{item}");
    }
}
