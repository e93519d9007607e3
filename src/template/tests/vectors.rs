//! Runs the recorded behaviour of the original engine (`tests/vectors`) and compares everything:
//! SQL, settings, secrets, errors and the description of the parameters.
//!
//! `differences.toml` names the records where this engine differs on purpose, each with the reason.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use crate::template::{ArgumentValue, Arguments, Environment, Mode, Template, TemplateError};

const RECORDS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/vectors_dev.jsonl"));
const DIFFERENCES: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/differences.toml"));

/// The identifiers in `differences.toml`, which holds lines of the form `"id" = "reason"`.
fn differences() -> BTreeMap<&'static str, &'static str> {
    let entry = |line: &'static str| {
        let (id, reason) = line.split_once(" = ")?;
        Some((id.trim_matches('"'), reason.trim_matches('"')))
    };
    DIFFERENCES.lines().filter(|line| !line.starts_with('#')).filter_map(entry).collect()
}

fn arguments(record: &Json) -> Arguments {
    let typed = record["topic"] == "typed_params";
    let mut arguments = Arguments::new();
    for (name, value) in record["params"].as_object().unwrap() {
        let value = match value {
            _ if typed => ArgumentValue::Json(value.clone()),
            Json::String(text) => ArgumentValue::Text(text.clone()),
            Json::Array(texts) => {
                ArgumentValue::List(texts.iter().map(|text| text.as_str().unwrap().to_owned()).collect())
            }
            other => panic!("unexpected argument {other}"),
        };
        arguments.insert(name.clone(), value);
    }
    arguments
}

fn environment(record: &Json) -> Environment {
    let secrets = record["secrets"].as_array().into_iter().flatten();
    Environment {
        secrets: secrets.map(|name| name.as_str().unwrap().to_owned()).collect(),
        now: Some("2024-01-02 03:04:05".to_owned()),
        mode: if record["mode"] == "check" { Mode::Check } else { Mode::Render },
        ..Environment::default()
    }
}

/// What is wrong with the answer to a record; nothing, if all is well.
fn complaint(record: &Json) -> Option<String> {
    rendering_complaint(record).or_else(|| parameters_complaint(record))
}

fn rendering_complaint(record: &Json) -> Option<String> {
    let template = match Template::compile(record["template"].as_str().unwrap()) {
        Ok(template) => template,
        Err(error) if record["phase"] == "load" => return error_complaint(record, &error),
        Err(error) => return Some(format!("does not compile: {error}")),
    };
    if record["phase"] == "load" {
        return Some("compiles".to_owned());
    }
    let outcome = template.render(&arguments(record), &environment(record));
    match &outcome {
        Ok(rendered) => {
            let newer = &record["newer"]["sql"];
            if record["ok"] == false {
                Some(format!("renders {:?} instead of {}", rendered.sql, record["error_message"]))
            } else if record["sql"] != rendered.sql.as_str() && *newer != rendered.sql.as_str() {
                Some(format!("renders {:?} instead of {}", rendered.sql, record["sql"]))
            } else if or_empty(&record["settings"], json!({})) != Json::Object(rendered.settings.clone()) {
                Some(format!("sets {:?} instead of {}", rendered.settings, record["settings"]))
            } else if or_empty(&record["ch_params"], json!([])) != json!(rendered.secrets) {
                Some(format!("uses {:?} instead of {}", rendered.secrets, record["ch_params"]))
            } else if or_empty(&record["warnings"], json!([])) != json!(rendered.warnings) {
                Some(format!("warns of {:?} instead of {}", rendered.warnings, record["warnings"]))
            } else {
                None
            }
        }
        Err(error) if record["ok"] == true => {
            Some(format!("fails with {error} instead of {}", record["sql"]))
        }
        Err(error) => error_complaint(record, error),
    }
}

fn or_empty(value: &Json, empty: Json) -> Json {
    if value.is_null() { empty } else { value.clone() }
}

fn error_complaint(record: &Json, error: &TemplateError) -> Option<String> {
    let expected = &record["error_message"];
    let found = match &error.custom {
        Some(custom) => custom.body.clone(),
        None => Json::from(error.message.as_str()),
    };
    let fits = match record["match"].as_str().unwrap() {
        "exact" => *expected == found,
        "prefix" => error.message.starts_with(record["error_prefix"].as_str().unwrap().trim()),
        _ => true,
    };
    if !fits {
        return Some(format!("says {found} instead of {expected}"));
    }
    let status = error.custom.as_ref().map(|custom| custom.status);
    let expected = &record["error_status"];
    (expected.is_i64() && *expected != json!(status))
        .then(|| format!("has status {status:?} instead of {expected}"))
}

fn parameters_complaint(record: &Json) -> Option<String> {
    let expected = record.get("vars")?;
    let template = record["template"].as_str().unwrap();
    let found: Json = Template::describe(template).into_iter().map(Json::Object).collect();
    (*expected != found).then(|| format!("describes {found} instead of {expected}"))
}

#[test]
fn records_are_matched_except_for_the_listed_differences() {
    let listed = differences();
    let mut complaints = Vec::new();
    let mut unknown: BTreeSet<&str> = listed.keys().copied().collect();
    for line in RECORDS.lines() {
        let record: Json = serde_json::from_str(line).unwrap();
        let id = record["id"].as_str().unwrap();
        unknown.remove(id);
        let complaint = complaint(&record);
        match (complaint, listed.contains_key(id)) {
            (Some(complaint), false) => {
                complaints.push(format!("{id} {} {}\n    {complaint}", record["template"], record["params"]));
            }
            (None, true) => complaints.push(format!("{id} is listed as different but matches")),
            (Some(_), true) | (None, false) => {}
        }
    }
    complaints.extend(unknown.into_iter().map(|id| format!("{id} is listed as different but is no record")));
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn every_difference_stands_in_the_page_on_compatibility() {
    const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/COMPATIBILITY.md"));
    let (listed, page) = (differences(), without_spaces(PAGE));
    let records = RECORDS.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
    for record in records.filter(|record| listed.contains_key(record["id"].as_str().unwrap())) {
        let template = record["template"].as_str().unwrap().replace('|', "\\|");
        let line = without_spaces(&format!("| `{template}` | `{}` |", record["params"]));
        assert!(page.contains(&line), "missing in docs/COMPATIBILITY.md: {line}");
    }
}

/// Texts are compared as they are but for spaces, which the page puts between parameters.
fn without_spaces(text: &str) -> String {
    text.replace(' ', "")
}

#[test]
fn every_difference_has_a_reason_and_there_are_few() {
    let listed = differences();
    assert!(listed.values().all(|reason| reason.len() > 20));
    assert!(listed.len() <= 40, "{} differences", listed.len());
}
