//! The schema of one parameter: a template's type in OpenAPI's words.

use serde_json::{Map, Value, json};

use crate::catalog::PipeParameter;

/// The schema of a parameter. A default or example that does not fit its type is left out: tools
/// refuse a document for it.
pub(super) fn schema(parameter: &PipeParameter) -> Value {
    let item = parameter.kind.strip_prefix("Array(").and_then(|kind| kind.strip_suffix(')'));
    let mut schema = of_kind(item.unwrap_or(&parameter.kind));
    let fitting = |value: &Value| fit(value, item.unwrap_or(&parameter.kind));
    let choices: Vec<Value> = parameter.choices.iter().filter_map(fitting).collect();
    if !choices.is_empty() {
        schema.insert("enum".to_owned(), choices.into());
    }
    if let Some(format) = &parameter.format {
        schema.insert("format".to_owned(), format.as_str().into());
    }
    if item.is_some() {
        schema = Map::from_iter([("type".to_owned(), "array".into()), ("items".to_owned(), schema.into())]);
    }
    for (key, value) in [("default", &parameter.default), ("example", &parameter.example)] {
        let value = value.as_ref().and_then(|value| match item {
            Some(item) => fit_list(value, item),
            None => fit(value, &parameter.kind),
        });
        schema.extend(value.filter(|value| is_choice(value, &schema)).map(|value| (key.to_owned(), value)));
    }
    schema.insert("x-type".to_owned(), parameter.kind.as_str().into());
    schema.into()
}

fn of_kind(kind: &str) -> Map<String, Value> {
    let schema = match kind {
        "Boolean" => json!({ "type": "boolean" }),
        "Date" => json!({ "type": "string", "format": "date" }),
        "Int8" | "Int16" | "Int32" => json!({ "type": "integer", "format": "int32" }),
        "Int64" => json!({ "type": "integer", "format": "int64" }),
        "UInt8" | "UInt16" => json!({ "type": "integer", "format": "int32", "minimum": 0 }),
        "UInt32" => json!({ "type": "integer", "format": "int64", "minimum": 0 }),
        "UInt64" | "UInt128" | "UInt256" => json!({ "type": "integer", "minimum": 0 }),
        "Int128" | "Int256" => json!({ "type": "integer" }),
        "Float32" => json!({ "type": "number", "format": "float" }),
        "Float64" => json!({ "type": "number", "format": "double" }),
        _ => json!({ "type": "string" }),
    };
    schema.as_object().cloned().unwrap_or_default()
}

/// A value as its type has it: templates may write numbers as texts, and the other way round.
fn fit(value: &Value, kind: &str) -> Option<Value> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        _ => return None,
    };
    match of_kind(kind)["type"].as_str() {
        Some("integer") if kind.starts_with('U') => text.trim().parse::<u64>().ok().map(Value::from),
        Some("integer") => text.trim().parse::<i64>().ok().map(Value::from),
        Some("number") => {
            text.trim().parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from)
        }
        Some("boolean") => match text.to_ascii_lowercase().as_str() {
            "1" | "true" => Some(true.into()),
            "0" | "false" => Some(false.into()),
            _ => None,
        },
        _ => Some(text.into()),
    }
}

/// A list, written as one or as a text with commas.
fn fit_list(value: &Value, kind: &str) -> Option<Value> {
    let items: Vec<Value> = match value {
        Value::Array(items) => items.clone(),
        Value::String(text) => text.split(',').map(|item| item.trim().into()).collect(),
        other => vec![other.clone()],
    };
    items.iter().map(|item| fit(item, kind)).collect::<Option<Vec<_>>>().map(Value::from)
}

/// False for a value outside of the choices.
fn is_choice(value: &Value, schema: &Map<String, Value>) -> bool {
    let choices = schema.get("enum").or_else(|| schema.get("items")?.get("enum"));
    let Some(choices) = choices.and_then(Value::as_array) else { return true };
    match value {
        Value::Array(items) => items.iter().all(|item| choices.contains(item)),
        value => choices.contains(value),
    }
}

#[cfg(test)]
mod tests {
    use crate::catalog::Presence;

    use super::*;

    fn described(kind: &str, default: Value) -> Value {
        let (name, kind) = ("p".to_owned(), kind.to_owned());
        let default = Some(default).filter(|default| !default.is_null());
        let (description, example, format) = (None, None, None);
        let presence = Presence::Optional;
        schema(&PipeParameter {
            name,
            kind,
            default,
            presence,
            description,
            example,
            format,
            choices: vec![],
        })
    }

    #[test]
    fn types_are_told_in_openapi_words() {
        assert_eq!(
            described("Date", Value::Null),
            json!({ "type": "string", "format": "date", "x-type": "Date" })
        );
        assert_eq!(
            described("UInt8", json!("7")),
            json!({ "type": "integer", "format": "int32", "minimum": 0, "default": 7, "x-type": "UInt8" })
        );
        assert_eq!(described("Boolean", json!(1))["default"], true);
        assert_eq!(described("Float64", json!(3))["default"], 3.0);
        assert_eq!(described("String", json!(3))["default"], "3");
        assert_eq!(described("DateTime", Value::Null)["type"], "string");
    }

    #[test]
    fn a_list_has_items_and_its_default_is_a_list() {
        assert_eq!(
            described("Array(Int32)", json!("1, 2")),
            json!({ "type": "array", "items": { "type": "integer", "format": "int32" }, "default": [1, 2], "x-type": "Array(Int32)" })
        );
        assert_eq!(described("Array(String)", json!(["a"]))["default"], json!(["a"]));
    }

    #[test]
    fn a_value_that_does_not_fit_is_left_out() {
        for (kind, default) in [
            ("Int32", json!("x")),
            ("Int8", json!({"a": 1})),
            ("Boolean", json!("maybe")),
            ("Array(Int32)", json!("1,x")),
            ("UInt8", json!(-1)),
        ] {
            assert_eq!(described(kind, default).get("default"), None, "{kind}");
        }
    }

    #[test]
    fn choices_bound_the_default() {
        let parameter = |default: &str| PipeParameter {
            name: "p".to_owned(),
            kind: "String".to_owned(),
            default: Some(default.into()),
            presence: Presence::Optional,
            description: None,
            example: Some("a".into()),
            format: None,
            choices: vec!["a".into(), "b".into(), json!(1)],
        };
        let inside = schema(&parameter("b"));
        assert_eq!((&inside["enum"], &inside["default"]), (&json!(["a", "b", "1"]), &json!("b")));
        let outside = schema(&parameter("c"));
        assert_eq!((outside.get("default"), &outside["example"]), (None, &json!("a")));
    }
}
