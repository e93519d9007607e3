//! The OpenAPI document of a workspace's endpoints. Pure.
//!
//! In: the pipes that a token may read.  Out: an OpenAPI 3.0 document with one path for each, made
//! from what the templates say about their parameters.

mod schema;

use serde_json::{Map, Value, json};

use crate::catalog::{Pipe, PipeParameter, Presence};
use schema::schema;

/// What the document is about.
pub(super) struct Subject<'a> {
    /// The workspace's name.
    pub(super) workspace: &'a str,
    /// The endpoints, in the order in which they are listed.
    pub(super) pipes: Vec<&'a Pipe>,
}

/// The document.
pub(super) fn document(subject: &Subject<'_>) -> Value {
    let paths: Map<String, Value> = subject
        .pipes
        .iter()
        .map(|pipe| (format!("/v0/pipes/{}.json", pipe.name), json!({ "get": operation(pipe) })))
        .collect();
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": format!("{} endpoints", subject.workspace),
            "description": "Each endpoint also answers as .csv, .ndjson, .parquet and .prometheus, and takes its parameters in the body of a POST.",
            "version": env!("CARGO_PKG_VERSION"),
        },
        "servers": [{ "url": "/" }],
        "security": [{ "bearer": [] }, { "token": [] }],
        "paths": paths,
        "components": components(),
    })
}

fn operation(pipe: &Pipe) -> Value {
    let parameters: Vec<Value> = pipe.parameters().iter().map(parameter).collect();
    let description = pipe.description.as_deref().or(pipe.output().description.as_deref());
    let mut operation = json!({
        "operationId": pipe.name.as_str(),
        "summary": pipe.name.as_str(),
        "tags": ["endpoints"],
        "parameters": parameters,
        "responses": responses(),
    });
    if let Some(description) = description {
        operation["description"] = description.trim().into();
    }
    operation
}

fn parameter(parameter: &PipeParameter) -> Value {
    let is_list = parameter.kind.starts_with("Array(");
    let mut described = json!({
        "name": parameter.name,
        "in": "query",
        "required": parameter.presence == Presence::Required,
        "schema": schema(parameter),
    });
    if is_list {
        // A comma list; the repeated key works as well.
        described["style"] = "form".into();
        described["explode"] = false.into();
    }
    if let Some(description) = &parameter.description {
        described["description"] = description.as_str().into();
    }
    described
}

fn responses() -> Value {
    let refusals = [
        ("400", "A parameter does not fit, or the query fails on it"),
        ("403", "The token is missing, wrong or without the right"),
        ("404", "There is no such endpoint"),
        ("408", "The query took longer than its limit"),
        ("429", "Too many requests; Retry-After says when to come back"),
        ("500", "The server failed"),
        ("503", "The engine is not available; Retry-After says when to come back"),
    ];
    let mut responses = Map::new();
    let content = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Answer" } } });
    responses.insert("200".to_owned(), json!({ "description": "The rows", "content": content }));
    for (status, description) in refusals {
        let content = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } });
        responses.insert(status.to_owned(), json!({ "description": description, "content": content }));
    }
    responses.into()
}

fn components() -> Value {
    let column = json!({
        "type": "object",
        "properties": { "name": { "type": "string" }, "type": { "type": "string" } },
        "required": ["name", "type"],
    });
    let statistics = json!({
        "type": "object",
        "properties": {
            "elapsed": { "type": "number", "description": "Seconds" },
            "rows_read": { "type": "integer" },
            "bytes_read": { "type": "integer" },
        },
        "required": ["elapsed", "rows_read", "bytes_read"],
    });
    json!({
        "securitySchemes": {
            "bearer": { "type": "http", "scheme": "bearer" },
            "token": { "type": "apiKey", "in": "query", "name": "token" },
        },
        "schemas": {
            "Answer": {
                "type": "object",
                "properties": {
                    "meta": { "type": "array", "items": column },
                    "data": { "type": "array", "items": { "type": "object" } },
                    "rows": { "type": "integer" },
                    "rows_before_limit_at_least": { "type": "integer", "description": "Where the query has a LIMIT" },
                    "statistics": statistics,
                },
                "required": ["meta", "data", "rows", "statistics"],
            },
            "Error": {
                "type": "object",
                "properties": { "error": { "type": "string" }, "documentation": { "type": "string" } },
                "required": ["error"],
            },
        },
    })
}
