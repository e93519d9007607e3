//! Templates in files, with what they become: `tests/fixtures/template`.
//!
//! A file has three parts with `---` between them: the arguments as JSON, the SQL, and the answer.
//! Files named `bad_…` fail; their answer is the kind of the error and its message.

use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value as Json};

use crate::template::{ArgumentValue, Arguments, Environment, Template, TemplateError};

const SEPARATOR: &str = "\n---\n";

fn arguments(text: &str) -> Arguments {
    let object: Map<String, Json> = serde_json::from_str(text).unwrap();
    let mut arguments = Arguments::new();
    for (name, value) in object {
        let value = match value {
            Json::String(text) => ArgumentValue::Text(text),
            other => ArgumentValue::Json(other),
        };
        arguments.insert(name, value);
    }
    arguments
}

fn answer(sql: &str, arguments: &Arguments) -> Result<String, TemplateError> {
    let rendered = Template::compile(sql)?.render(arguments, &Environment::default())?;
    Ok(rendered.sql)
}

#[test]
fn every_file_becomes_what_it_says() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/template"));
    let (mut good, mut bad) = (0, 0);
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let parts: Vec<&str> = text.trim_end_matches('\n').split(SEPARATOR).collect();
        let [request, sql, expected] = parts[..] else { panic!("{name} has {} parts", parts.len()) };
        match answer(sql, &arguments(request)) {
            Ok(sql) => {
                good += 1;
                assert!(!name.starts_with("bad_"), "{name} renders to {sql}");
                assert_eq!(sql, expected, "{name}");
            }
            Err(error) => {
                bad += 1;
                let found = format!("{:?}: {error}", error.kind);
                assert!(name.starts_with("bad_"), "{name} fails: {found}");
                assert_eq!(found, expected, "{name}");
            }
        }
    }
    assert!(good >= 10 && bad * 2 >= good, "{good} good and {bad} bad files");
}
