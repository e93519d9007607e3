//! Tinybird's template language: a node's SQL with tags in, plain SQL out.
//!
//! In: the SQL text of a node; for each request its arguments and an environment.  Out: SQL text,
//! settings, names of secrets.  The pipeline is the folder: [`lexer`] → [`parser`] (with [`python`]
//! inside the tags and [`gate`] at the door) → [`tree`] → [`machine`].
//! Promise: compiling and rendering are pure, bounded in time and space, and never panic; nothing
//! that a request sends gets into the SQL unquoted.
//! May use: `syntax` alone.  Where Tinybird is imitated on purpose, texts are its own.

mod arguments;
mod environment;
mod error;
mod fault;
mod functions;
mod gate;
mod lexer;
mod limits;
mod machine;
mod names;
pub mod params;
mod parser;
mod python;
mod quote;
mod scope;
mod tree;
mod value;
mod whitespace;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Map, Value as Json};

pub use arguments::{ArgumentValue, Arguments};
pub use environment::{Environment, Mode};
pub use error::{CustomError, ErrorKind, TemplateError};
pub use limits::Limits;
pub use params::Parameter;

use fault::{Fault, LengthName, Outcome};
use machine::Machine;
use params::Inventory;
use scope::Scope;
use tree::Body;
use value::Value;

/// The SQL of a node, ready to be rendered; cheap to clone.
#[derive(Debug, Clone)]
pub struct Template {
    program: Arc<Program>,
}

/// What a template was compiled to.
#[derive(Debug)]
struct Program {
    source: Source,
    body: Body,
    scope: Scope,
    inventory: Inventory,
}

/// What kind of text the SQL is.
#[derive(Debug)]
enum Source {
    /// It is printed as it is.
    Plain(String),
    Templated,
}

/// What a template was rendered to.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// The text of the query.
    pub sql: String,
    /// Settings by name, in the order in which they were made first: `max_threads`, `cache_ttl`, …
    pub settings: Map<String, Json>,
    /// The secrets that the query needs, each as the query parameter of its name.
    pub secrets: Vec<String>,
    /// Parameters of the template whose names the service uses itself.
    pub warnings: Vec<String>,
}

impl Template {
    /// Compiles the SQL text of a node; it is a template if it starts with `%`.
    pub fn compile(sql: &str) -> Result<Self, TemplateError> {
        let trimmed = sql.trim();
        let Some(body) = trimmed.strip_prefix('%') else {
            let source = Source::Plain(sql.to_owned());
            let program = Program {
                source,
                body: Body::new(),
                scope: Scope::default(),
                inventory: Inventory::default(),
            };
            return Ok(Self { program: Arc::new(program) });
        };
        let offset = sql.len() - sql.trim_start().len() + 1;
        let parsed = parser::parse(body, offset)?;
        let scope = Scope::of(&parsed.body);
        let inventory = Inventory::new(parsed.scans)?;
        let program = Program { source: Source::Templated, body: parsed.body, scope, inventory };
        Ok(Self { program: Arc::new(program) })
    }

    /// True for SQL that is a template.
    pub fn is_dynamic(&self) -> bool {
        matches!(self.program.source, Source::Templated)
    }

    /// What the template says about its parameters: once for every tag that mentions one.
    pub fn parameters(&self) -> &[Parameter] {
        &self.program.inventory.parameters
    }

    /// Names of tables that the template uses whatever a request sends.
    pub fn tables(&self) -> &[String] {
        &self.program.inventory.tables
    }

    /// Parameters whose names the service uses itself.
    pub fn warnings(&self) -> &[String] {
        &self.program.inventory.warnings
    }

    /// Renders the template for one request.
    pub fn render(
        &self,
        arguments: &Arguments,
        environment: &Environment,
    ) -> Result<Rendered, TemplateError> {
        let program = &*self.program;
        let warnings = program.inventory.warnings.clone();
        if let Source::Plain(sql) = &program.source {
            let (settings, secrets) = (Map::new(), Vec::new());
            return Ok(Rendered { sql: sql.clone(), settings, secrets, warnings });
        }
        let mut machine = Machine::new(program, environment);
        let outcome = machine.receive(arguments).and_then(|()| machine.run());
        if let Err(fault) = outcome {
            return Err(machine.explain(fault));
        }
        let Machine { output, settings, secrets, .. } = machine;
        Ok(Rendered { sql: output, settings, secrets, warnings })
    }
}

impl Machine<'_> {
    /// Takes what a request sent.
    fn receive(&mut self, arguments: &Arguments) -> Outcome<()> {
        for (name, value) in arguments.iter().filter(|(name, _)| !names::is_internal(name)) {
            let value = match value {
                ArgumentValue::Text(text) => Value::text(text.as_str()),
                ArgumentValue::List(texts) => {
                    Value::list(texts.iter().map(|text| Value::text(text.as_str())).collect())?
                }
                ArgumentValue::Json(json) => Value::from_json(json, &self.meter)?,
            };
            let value = self.as_declared(name, value);
            self.set_argument(name, value);
        }
        if let Some(now) = &self.environment.now
            && self.argument("job_timestamp").is_none()
        {
            self.set_argument("job_timestamp", Value::text(now.as_str()));
        }
        Ok(())
    }

    /// The value as the rest of the template sees it: a list, if the first declaration is an array.
    fn as_declared(&self, name: &str, value: Value) -> Value {
        let item = self.program.inventory.arrays.get(name);
        item.and_then(|item| functions::array::preprocess(&value, item, &self.meter)).unwrap_or(value)
    }

    /// What a caller sees of a fault.
    fn explain(&self, fault: Fault) -> TemplateError {
        let missing =
            |name| self.program.scope.is_mentioned(name) && !self.argument(name).is_some_and(Value::is_true);
        let length = if missing("length") { LengthName::Missing } else { LengthName::Harmless };
        let fault = match fault {
            // In checks, Tinybird takes a missing parameter of this name for something else.
            Fault::Raised(exception) if self.is_check() && missing("x") => {
                Fault::value_error(format!("{}, line {}", exception.text, self.line))
            }
            fault => fault,
        };
        fault.into_error(length, Some(self.span()))
    }
}
