//! The page about one endpoint, for people. Pure.
//!
//! In: a pipe and the columns of its answer.  Out: one HTML document that loads nothing from
//! anywhere and runs no script; everything that authors wrote is escaped.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::catalog::{Pipe, PipeParameter, Presence};
use crate::query::plan::ResultColumn;

/// The look of the page.
const STYLE: &str = include_str!("page.css");

/// What the page is about.
pub(super) struct Subject<'a> {
    /// The workspace's name.
    pub(super) workspace: &'a str,
    /// The endpoint.
    pub(super) pipe: &'a Pipe,
    /// What it answers; none where the query cannot be looked at without values.
    pub(super) columns: Vec<ResultColumn>,
    /// Scheme, host and port as the reader knows them, `http://localhost:7181`.
    pub(super) origin: &'a str,
}

/// The policy under which browsers show the page: this one style sheet and nothing else.
pub(super) fn security_policy() -> String {
    let digest = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

/// The document.
pub(super) fn document(subject: &Subject<'_>) -> String {
    let (pipe, parameters) = (subject.pipe, subject.pipe.parameters());
    let description = pipe.description.as_deref().or(pipe.output().description.as_deref());
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                title { (pipe.name) " · " (subject.workspace) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    p.workspace { (subject.workspace) }
                    h1 { (pipe.name) }
                    @if let Some(description) = description { p.description { (description.trim()) } }
                    (request(subject, &parameters))
                    (parameter_table(&parameters))
                    (column_table(&subject.columns))
                    (refusals())
                }
            }
        }
    };
    page.into_string()
}

fn request(subject: &Subject<'_>, parameters: &[PipeParameter]) -> Markup {
    let address = format!("{}/v0/pipes/{}.json", subject.origin, subject.pipe.name);
    let query = example_query(parameters);
    let separator = if query.is_empty() { "" } else { "?" };
    html! {
        h2 { "Request" }
        p.address { span.method { "GET" } code { (address) } }
        pre { code {
            "curl -H \"Authorization: Bearer $TOKEN\" \\\n  \"" (address) (separator) (query) "\""
        } }
        p.note {
            "Other endings give other formats: "
            @for (number, ending) in [".csv", ".ndjson", ".parquet", ".prometheus"].iter().enumerate() {
                @if number > 0 { ", " }
                code { (ending) }
            }
            ". Long parameters go into the body of a POST, as a form or as JSON."
        }
    }
}

fn example_query(parameters: &[PipeParameter]) -> String {
    let pairs = example_parameters(parameters);
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// The parameters that a call needs, with values to show.
pub(super) fn example_parameters(parameters: &[PipeParameter]) -> Vec<(String, String)> {
    let is_shown = |it: &&PipeParameter| it.presence == Presence::Required || it.example.is_some();
    let value = |it: &PipeParameter| {
        let shown = it.example.as_ref().or(it.choices.first()).or(it.default.as_ref());
        shown.map_or_else(|| placeholder(&it.kind), text)
    };
    parameters.iter().filter(is_shown).map(|it| (it.name.clone(), value(it))).collect()
}

/// A value of a type, where the author shows none.
fn placeholder(kind: &str) -> String {
    let text = match kind {
        "Date" => "2026-01-31",
        "DateTime" => "2026-01-31 12:00:00",
        "DateTime64" => "2026-01-31 12:00:00.000",
        "Boolean" => "true",
        kind if kind.contains("Int") => "1",
        kind if kind.contains("Float") => "1.5",
        _ => "text",
    };
    text.to_owned()
}

fn parameter_table(parameters: &[PipeParameter]) -> Markup {
    html! {
        h2 { "Parameters" }
        @if parameters.is_empty() {
            p.note { "This endpoint takes no parameters." }
        } @else {
            div.scroll { table {
                thead { tr { th { "Name" } th { "Type" } th { "Default" } th { "Description" } } }
                tbody { @for parameter in parameters { (parameter_row(parameter)) } }
            } }
        }
    }
}

fn parameter_row(parameter: &PipeParameter) -> Markup {
    html! {
        tr {
            td {
                code { (parameter.name) }
                @if parameter.presence == Presence::Required { " " span.required { "required" } }
            }
            td { code { (parameter.kind) } }
            td { @if let Some(default) = &parameter.default { code { (text(default)) } } }
            td.words {
                @if let Some(description) = &parameter.description { (description) }
                @if let Some(format) = &parameter.format { div.note { "Format: " code { (format) } } }
                @if !parameter.choices.is_empty() {
                    div.note {
                        "One of "
                        @for (number, choice) in parameter.choices.iter().enumerate() {
                            @if number > 0 { ", " }
                            code { (text(choice)) }
                        }
                    }
                }
            }
        }
    }
}

fn column_table(columns: &[ResultColumn]) -> Markup {
    html! {
        h2 { "Answer" }
        @if columns.is_empty() {
            p.note { "The columns depend on the parameters: " code { "meta" } " in the answer lists them." }
        } @else {
            div.scroll { table {
                thead { tr { th { "Column" } th { "Type" } } }
                tbody {
                    @for column in columns { tr { td { code { (column.name) } } td { code { (column.kind) } } } }
                }
            } }
        }
        p.note {
            "As JSON, the rows are in " code { "data" } ", the columns in " code { "meta" } ", beside "
            code { "rows" } " and " code { "statistics" } "."
        }
    }
}

fn refusals() -> Markup {
    html! {
        h2 { "Errors" }
        p.note {
            "Every error is an object with a text in " code { "error" } ": 400 for a parameter that does not fit, 403 for a \
             token without the right, 408 for a query over its time, 429 and 503 with " code { "Retry-After" }
            " when it is worth trying again. All endpoints of the workspace, for tools: "
            code { "/v0/pipes/openapi.json" } "."
        }
    }
}

/// A value as it stands in a query string.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}
