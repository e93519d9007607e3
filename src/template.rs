//! Tinybird's template language: a node's SQL with tags in, plain SQL out.
//!
//! In: the SQL text of a node; for each request its arguments and an environment.  Out: SQL text,
//! settings, names of secrets.  The pipeline is the folder: `lexer` → `parser` (with `python` inside
//! the tags and `gate` at the door) → `tree` → `machine`.
//! Promise: compiling and rendering are pure, bounded in time and space, and never panic; nothing
//! that a request sends gets into the SQL unquoted, unless it is a number or a plain name.
//! May use: `syntax` alone.

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

use machine::Machine;
use params::Inventory;
use scope::Scope;
use tree::Body;

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
    /// Whether it mentions [`CLOCK_PARAMETER`].
    reads_clock: bool,
}

/// The parameter that holds the present time where it is not sent. Whoever wants it has to write it.
const CLOCK_PARAMETER: &str = "job_timestamp";

/// What kind of text the SQL is.
#[derive(Debug)]
enum Source {
    /// It is printed as it is.
    Plain(String),
    /// It has so many bytes.
    Templated(usize),
}

impl Source {
    fn bytes(&self) -> usize {
        match self {
            Self::Plain(sql) => sql.len(),
            Self::Templated(bytes) => *bytes,
        }
    }
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
                reads_clock: false,
            };
            return Ok(Self { program: Arc::new(program) });
        };
        let offset = sql.len() - sql.trim_start().len() + 1;
        let parsed = parser::parse(body, offset)?;
        let scope = Scope::of(&parsed.body);
        let inventory = Inventory::new(parsed.scans)?;
        let program = Program {
            source: Source::Templated(sql.len()),
            body: parsed.body,
            scope,
            inventory,
            reads_clock: body.contains(CLOCK_PARAMETER),
        };
        Ok(Self { program: Arc::new(program) })
    }

    /// True for a template that may look at the clock: what it says can be another text a second later.
    pub fn reads_clock(&self) -> bool {
        self.program.reads_clock
    }

    /// True for SQL that is a template.
    pub fn is_dynamic(&self) -> bool {
        matches!(self.program.source, Source::Templated(_))
    }

    /// What the template says about its parameters: once for every tag that mentions one.
    pub fn parameters(&self) -> &[Parameter] {
        &self.program.inventory.parameters
    }

    /// What the tags of a template mention, as Tinybird describes parameters, whether or not the
    /// template compiles: literals that stand where a parameter could, too.
    pub fn describe(sql: &str) -> Vec<Map<String, Json>> {
        let Some(body) = sql.trim().strip_prefix('%') else { return Vec::new() };
        let Ok(parsed) = parser::parse(body, 0) else { return Vec::new() };
        params::described(parsed.scans)
    }

    /// True for a parameter that the template looks at before it uses it, as `{% if defined(x) %}`
    /// does.
    pub fn examines(&self, name: &str) -> bool {
        self.program.inventory.examined.contains(name)
    }

    /// True for a name that the template gives a value itself: loops, `set`, caught errors.
    pub fn assigns(&self, name: &str) -> bool {
        self.program.scope.is_variable(name)
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
