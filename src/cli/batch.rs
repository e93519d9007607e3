//! `roost render --batch`: templates as JSON lines in, their SQL or their errors as JSON lines out.
//!
//! Each line stands for itself: a broken one has an error for its answer, and the next is read.

use std::io::BufRead;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::template::{ArgumentValue, Arguments, Environment, Mode, Rendered, Template, TemplateError};

use super::console::say;

/// One line of the input.
#[derive(Debug, Deserialize)]
struct Task {
    id: Value,
    /// The SQL of a node, with its leading `%`.
    template: String,
    /// What a caller sends: texts, lists of texts for repeated keys, other JSON as in a body.
    #[serde(default)]
    params: Map<String, Value>,
    /// Names of the secrets that exist.
    #[serde(default)]
    secrets: Vec<String>,
    #[serde(default)]
    mode: Option<TaskMode>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TaskMode {
    Render,
    /// Placeholders stand in for missing parameters.
    Check,
}

/// One line of the output.
#[derive(Debug, Serialize)]
struct Answer {
    id: Value,
    ok: bool,
    #[serde(flatten)]
    outcome: Outcome,
    /// The parameters of the template; absent where it does not compile.
    #[serde(skip_serializing_if = "Option::is_none")]
    vars: Option<Vec<Map<String, Value>>>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Outcome {
    Sql {
        sql: String,
        settings: Map<String, Value>,
        ch_params: Vec<String>,
    },
    Error {
        error_message: Value,
        #[serde(skip_serializing_if = "Option::is_none")]
        error_status: Option<u16>,
    },
}

/// Answers every line of standard input.
pub(super) fn run(environment: &Environment) -> anyhow::Result<()> {
    for line in std::io::stdin().lock().lines() {
        let line = line.context("cannot read standard input")?;
        if !line.trim().is_empty() {
            say(serde_json::to_string(&answer(&line, environment))?);
        }
    }
    Ok(())
}

fn answer(line: &str, environment: &Environment) -> Answer {
    let task: Task = match serde_json::from_str(line) {
        Ok(task) => task,
        Err(error) => {
            let error_message = format!("the line is no task: {error}").into();
            let outcome = Outcome::Error { error_message, error_status: None };
            return Answer { id: Value::Null, ok: false, outcome, vars: None };
        }
    };
    let template = Template::compile(&task.template);
    let vars = Some(Template::describe(&task.template));
    let outcome: Outcome = match template.and_then(|template| render(&template, &task, environment)) {
        Ok(rendered) => rendered.into(),
        Err(error) => error.into(),
    };
    Answer { id: task.id, ok: matches!(outcome, Outcome::Sql { .. }), outcome, vars }
}

fn render(template: &Template, task: &Task, environment: &Environment) -> Result<Rendered, TemplateError> {
    let mode = match task.mode {
        Some(TaskMode::Check) => Mode::Check,
        Some(TaskMode::Render) | None => Mode::Render,
    };
    let secrets = task.secrets.iter().cloned().collect();
    let mut arguments = Arguments::new();
    for (name, value) in &task.params {
        arguments.insert(name.clone(), argument(value));
    }
    template.render(&arguments, &Environment { secrets, mode, ..environment.clone() })
}

fn argument(value: &Value) -> ArgumentValue {
    let texts = |items: &Vec<Value>| items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
    match value {
        Value::String(text) => ArgumentValue::Text(text.clone()),
        Value::Array(items) => match texts(items) {
            Some(texts) => ArgumentValue::List(texts),
            None => ArgumentValue::Json(value.clone()),
        },
        other => ArgumentValue::Json(other.clone()),
    }
}

impl From<Rendered> for Outcome {
    fn from(rendered: Rendered) -> Self {
        Self::Sql { sql: rendered.sql, settings: rendered.settings, ch_params: rendered.secrets }
    }
}

impl From<TemplateError> for Outcome {
    fn from(error: TemplateError) -> Self {
        match error.custom {
            Some(custom) => Self::Error { error_message: custom.body, error_status: Some(custom.status) },
            None => Self::Error { error_message: error.message.into(), error_status: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(line: &str) -> String {
        serde_json::to_string(&answer(line, &Environment::default())).unwrap()
    }

    #[test]
    fn a_template_is_answered_with_its_sql_and_its_parameters() {
        insta::assert_snapshot!(
            answered(r#"{"id": 1, "template": "%SELECT {{Int8(x, 1, description='how many')}} {{tb_secret('k')}}", "params": {"x": "2"}, "secrets": ["k"]}"#),
            @r#"{"id":1,"ok":true,"sql":"SELECT toInt8('2') {k: String}","settings":{},"ch_params":["k"],"vars":[{"name":"x","type":"Int8","default":1,"description":"how many"}]}"#
        );
    }

    #[test]
    fn repeated_keys_and_json_values_reach_the_template() {
        let list = r#"{"id": "a", "template": "%{{Array(x, 'Int32')}}", "params": {"x": ["1", "2"]}}"#;
        assert!(answered(list).contains(r#""sql":"[1,2]""#), "{}", answered(list));
        let json = r#"{"id": "a", "template": "%{{Int32(x)}}", "params": {"x": 7}}"#;
        assert!(answered(json).contains("toInt32('7')"), "{}", answered(json));
    }

    #[test]
    fn check_mode_has_placeholders() {
        let line = |mode: &str| format!(r#"{{"id": 1, "template": "%{{{{Int8(x)}}}}", "mode": "{mode}"}}"#);
        assert!(answered(&line("check")).contains(r#""ok":true"#));
        assert!(answered(&line("render")).contains(r#""ok":false"#));
        assert!(answered(&line("dream")).contains("unknown variant `dream`"));
    }

    #[test]
    fn errors_have_their_message_and_their_status() {
        insta::assert_snapshot!(
            answered(r#"{"id": 1, "template": "%{{custom_error({'error': 'no'}, 403)}}"}"#),
            @r#"{"id":1,"ok":false,"error_message":{"error":"no"},"error_status":403,"vars":[]}"#
        );
        insta::assert_snapshot!(
            answered(r#"{"id": 1, "template": "%{% if %}"}"#),
            @r#"{"id":1,"ok":false,"error_message":"Missing {% end %} block for if at line 1","vars":[]}"#
        );
    }

    #[test]
    fn a_line_that_is_no_task_is_answered_too() {
        assert!(answered("{").starts_with(r#"{"id":null,"ok":false,"error_message":"the line is no task: "#));
    }
}
