//! Promises that hold for every template and every request.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::template::{ArgumentValue, Arguments, Environment, Limits, Mode, Template};

/// Pieces that templates are made of: put together at random, some are templates.
const PIECES: [&str; 60] = [
    "{{",
    "}}",
    "{%",
    "%}",
    "{#",
    "#}",
    " ",
    "\n",
    "if ",
    "elif ",
    "else",
    "end",
    "for v in ",
    "while ",
    "try",
    "except ",
    "set ",
    "x",
    "y",
    " = ",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ".",
    ":",
    "'",
    "\"",
    "f'",
    "\\",
    "1",
    "0.5",
    "+",
    "-",
    "*",
    "**",
    "/",
    "%",
    "==",
    "<",
    " in ",
    " and ",
    " not ",
    " is ",
    "String(",
    "Int32(x, ",
    "Array(x, 'Int8'",
    "column(",
    "sql_and(a__in=",
    "JSON(x)",
    "table(",
    ".split(",
    ".append(",
    "lambda v: ",
    "defined(",
    "é",
    "{{x}}",
];

fn template() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&PIECES[..]), 0..24)
        .prop_map(|pieces| format!("%{}", pieces.concat()))
}

fn value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(|number| json!(number)),
        any::<String>().prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::hash_map(any::<String>(), inner, 0..4).prop_map(|entries| json!(entries)),
        ]
    })
}

/// The SQL with every string literal replaced by nothing; none where one does not end.
fn shape(sql: &str) -> Option<String> {
    let mut shape = String::new();
    let mut chars = sql.chars();
    while let Some(c) = chars.next() {
        shape.push(c);
        if matches!(c, '\'' | '`' | '"') {
            loop {
                match chars.next()? {
                    '\\' => drop(chars.next()?),
                    end if end == c => break,
                    _ => {}
                }
            }
            shape.push(c);
        }
    }
    Some(shape)
}

/// Every way for a text of a request into SQL.
const PLACES: [&str; 24] = [
    "%a {{x}} b",
    "%a {{String(x)}} b",
    "%a {{x + 'z'}} b",
    "%a {{[x, 'z']}} b",
    "%a {{ {'k': x} }} b",
    "%a {{(x, 1)}} b",
    "%a {{f'{x}!'}} b",
    "%a {{f'{x!r}'}} b",
    "%a {{Array([x][0:1])}} b",
    "%a {% for v in [x] %}{{v}}{% end %} b",
    "%a {{column(x)}} b",
    "%a {{columns(x, 'a', 'max')}} b",
    "%a {{symbol(x)}} b",
    "%a {{symbol('a', x)}} b",
    "%a {{table(x)}} b",
    "%a {{sql_and(c=x)}} b",
    "%a {{sql_and(c__in=[x])}} b",
    "%a {{sql_unescape(x, '%')}} b",
    "%a {{sql_unescape('a%_z', x)}} b",
    "%a {% try %}{% set y = int(x) %}{% except Exception as e %}{{e}}{% end %} b",
    "%a {{tb_secret('none', x)}} b",
    "%a {{enumerate_with_last([x])}} b",
    "%a {{x.split('z')[0]}} b",
    "%a {{max_threads(x)}} b",
];

/// The SQL around what a request sends, with everything quoted left out.
fn outside(sql: &str) -> Option<String> {
    shape(sql).map(|shape| shape.replace("''", "").replace("``", "").replace("\"\"", ""))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_template_and_no_request_panics(sql in template(), x in value(), y in any::<String>()) {
        let Ok(template) = Template::compile(&sql) else { return Ok(()) };
        let mut arguments = Arguments::from_pairs([("y", y)]);
        arguments.insert("x", ArgumentValue::Json(x));
        let limits = Limits { steps: 10_000, ..Limits::default() };
        for mode in [Mode::Render, Mode::Check] {
            let _ = template.render(&arguments, &Environment { limits, mode, ..Environment::default() });
        }
    }

    #[test]
    fn no_text_at_all_panics(sql in any::<String>()) {
        let _ = Template::compile(&sql);
        let _ = Template::compile(&format!("%{{{{{sql}}}}}"));
        let _ = Template::compile(&format!("%{{% set {sql} %}}"));
    }

    #[test]
    fn a_text_of_a_request_never_changes_the_shape_of_the_sql(x in "[a'`\"\\\\%;()\n. ,-]{0,12}|[ -~]{0,12}") {
        for place in PLACES {
            let template = Template::compile(place).unwrap();
            let arguments = Arguments::from_pairs([("x", x.as_str())]);
            let Ok(rendered) = template.render(&arguments, &Environment::default()) else { continue };
            let outside = outside(&rendered.sql);
            prop_assert!(outside.is_some(), "{place} with {x:?} gives {}", rendered.sql);
            let outside = outside.unwrap_or_default();
            prop_assert!(!outside.contains([';', '\\', '"', '\'']), "{place} with {x:?} gives {}", rendered.sql);
            prop_assert!(outside.starts_with("a ") && outside.ends_with(" b"), "{place} with {x:?} gives {}", rendered.sql);
        }
    }

    #[test]
    fn a_quoted_parameter_reads_back_as_itself(x in any::<String>()) {
        let template = Template::compile("%{{String(x)}}").unwrap();
        let rendered = template.render(&Arguments::from_pairs([("x", x.as_str())]), &Environment::default()).unwrap();
        prop_assert_eq!(crate::template::quote::unquoted(&rendered.sql), Some(x));
    }
}
