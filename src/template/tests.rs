//! Tests of the whole room.

mod fixtures;
mod limits;
mod properties;
mod vectors;

use super::{Arguments, Environment, Template, TemplateError};

/// Compiles and renders, with arguments as in a query string.
fn render(sql: &str, arguments: &[(&str, &str)]) -> Result<String, TemplateError> {
    let arguments = Arguments::from_pairs(arguments.iter().copied());
    Template::compile(sql)?.render(&arguments, &Environment::default()).map(|rendered| rendered.sql)
}
