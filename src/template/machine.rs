//! Runs a template: a walk over its tree with variables, an output and a meter.

use std::rc::Rc;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};
use serde_json::{Map, Value as Json};

use super::Program;
use super::environment::{Environment, Mode};
use super::fault::{Class, Exception, Fault, Outcome};
use super::functions::{self, Function};
use super::limits::{Limit, Meter};
use super::names;
use super::python::statement::Assignment;
use super::python::tree::{Expression, Lambda, Name};
use super::quote;
use super::tree::{Body, Node, NodeKind, Try};
use super::value::Value;
use crate::syntax::Span;

mod assign;
mod call;
mod comprehension;
mod expression;
mod request;

/// Bytes that the values of a request add to a text, usually.
const ROOM_FOR_VALUES: usize = 128;

/// How deep expressions may be entered, calls of lambdas included.
const MAX_DEPTH: usize = 250;

/// The variables of a lambda or comprehension.
type Frame = Vec<(Name, Value)>;

/// A lambda with what it saw where it was written.
#[derive(Debug)]
pub(super) struct Closure {
    lambda: Arc<Lambda>,
    frames: Vec<Frame>,
    defaults: Vec<Option<Value>>,
    pub(super) depth: usize,
}

/// A rendering under way.
pub(super) struct Machine<'t> {
    pub(super) program: &'t Program,
    pub(super) environment: &'t Environment,
    pub(super) meter: Rc<Meter>,
    /// What the request sent.
    arguments: HashMap<Name, Value>,
    /// The template's own variables, as far as they have a value.
    variables: HashMap<Name, Value>,
    /// The variables of the lambdas and comprehensions being run, the innermost last.
    frames: Vec<Frame>,
    depth: usize,
    /// The tag being run.
    pub(super) line: usize,
    span: Span,
    pub(super) output: String,
    pub(super) settings: Map<String, Json>,
    pub(super) secrets: Vec<String>,
}

/// How a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Onward,
    Break,
    Continue,
}

impl<'t> Machine<'t> {
    pub(super) fn new(program: &'t Program, environment: &'t Environment) -> Self {
        Self {
            program,
            environment,
            meter: Rc::new(Meter::new(environment.limits)),
            arguments: HashMap::new(),
            variables: HashMap::new(),
            frames: Vec::new(),
            depth: 0,
            line: 1,
            span: Span::default(),
            output: String::with_capacity(program.source.bytes() + ROOM_FOR_VALUES),
            settings: Map::new(),
            secrets: Vec::new(),
        }
    }

    pub(super) fn set_argument(&mut self, name: Name, value: Value) {
        self.arguments.insert(name, value);
    }

    /// Makes room for so many arguments.
    pub(super) fn expect_arguments(&mut self, count: usize) {
        self.arguments.reserve(count);
    }

    pub(super) fn argument(&self, name: &str) -> Option<&Value> {
        self.arguments.get(name)
    }

    /// The tag that was running when a fault came up.
    pub(super) fn span(&self) -> Span {
        self.span
    }

    pub(super) fn is_check(&self) -> bool {
        self.environment.mode == Mode::Check
    }

    /// Runs the whole template.
    pub(super) fn run(&mut self) -> Outcome<()> {
        let program = self.program;
        self.body(&program.body).map(|_| ())
    }

    fn body(&mut self, body: &'t Body) -> Outcome<Flow> {
        for node in body {
            self.meter.step()?;
            let flow = self.node(node)?;
            if flow != Flow::Onward {
                return Ok(flow);
            }
        }
        Ok(Flow::Onward)
    }

    fn node(&mut self, node: &'t Node) -> Outcome<Flow> {
        if !matches!(node.kind, NodeKind::Text(_)) {
            (self.span, self.line) = (node.span, node.line);
        }
        match &node.kind {
            NodeKind::Text(text) => self.write(text)?,
            NodeKind::Print { expression, source } => self.print(expression, source)?,
            NodeKind::Set(assignment) => self.set(assignment)?,
            NodeKind::Break => return Ok(Flow::Break),
            NodeKind::Continue => return Ok(Flow::Continue),
            NodeKind::If { branches, otherwise } => {
                for branch in branches {
                    if self.evaluate(&branch.condition)?.is_true() {
                        return self.body(&branch.body);
                    }
                }
                return self.body(otherwise);
            }
            NodeKind::For { target, iterable, body, otherwise } => {
                let iterable = self.evaluate(iterable)?;
                let meter = self.meter.clone();
                for item in iterable.iterate(&meter)? {
                    self.assign(target, item?)?;
                    if self.body(body)? == Flow::Break {
                        return Ok(Flow::Onward);
                    }
                }
                return self.body(otherwise);
            }
            NodeKind::While { condition, body, otherwise } => {
                while self.evaluate(condition)?.is_true() {
                    if self.body(body)? == Flow::Break {
                        return Ok(Flow::Onward);
                    }
                }
                return self.body(otherwise);
            }
            NodeKind::Try(attempt) => return self.attempt(attempt),
        }
        Ok(Flow::Onward)
    }

    fn write(&mut self, text: &str) -> Outcome<()> {
        if self.output.len() + text.len() > self.environment.limits.output_bytes {
            return Err(Fault::limit(Limit::OutputBytes));
        }
        self.output.push_str(text);
        Ok(())
    }

    fn print(&mut self, expression: &Expression, source: &str) -> Outcome<()> {
        let value = self.evaluate(expression)?;
        if let Value::Text(text) = &value {
            let limit = self.environment.limits.output_bytes;
            if self.output.len() + text.len() <= limit {
                quote::push_literal(text, &mut self.output);
                return self.write("");
            }
        }
        if let Some(sql) = value.to_sql(&self.meter)? {
            self.write(&sql)
        } else {
            let start: String = source.chars().take(20).collect();
            let dots = if start.len() < source.len() { "..." } else { "" };
            Err(Fault::template(format!("expression \"{start}{dots}\" evaluated to null")))
        }
    }

    fn set(&mut self, assignment: &Assignment) -> Outcome<()> {
        match assignment {
            Assignment::Plain { targets, value } => {
                let value = self.evaluate(value)?;
                targets.iter().try_for_each(|target| self.assign(target, value.clone()))
            }
            Assignment::Augmented { target, operator, value } => {
                let before = self.evaluate(target)?;
                let value = self.evaluate(value)?;
                let after = before.binary(*operator, &value, &self.meter)?;
                self.assign(target, after)
            }
            Assignment::Bare(value) => self.evaluate(value).map(|_| ()),
        }
    }

    fn attempt(&mut self, attempt: &'t Try) -> Outcome<Flow> {
        let flow = match self.body(&attempt.body) {
            Ok(Flow::Onward) => self.body(&attempt.otherwise),
            Err(Fault::Raised(exception)) => self.handle(&exception, attempt),
            other => other,
        };
        if let Err(Fault::Limit(_)) = flow {
            return flow;
        }
        match self.body(&attempt.finally)? {
            Flow::Onward => flow,
            left => Ok(left),
        }
    }

    fn handle(&mut self, exception: &Rc<Exception>, attempt: &'t Try) -> Outcome<Flow> {
        for handler in &attempt.handlers {
            if let Some(class) = &handler.class
                && !self.catches(class, exception.class)?
            {
                continue;
            }
            if let Some(name) = &handler.name {
                self.variables.insert(name.clone(), Value::Exception(exception.clone()));
            }
            let flow = self.body(&handler.body);
            // As in Python, the name is gone after its block.
            handler.name.iter().for_each(|name| drop(self.variables.remove(name)));
            return flow;
        }
        Err(Fault::Raised(exception.clone()))
    }

    fn catches(&mut self, class: &Expression, raised: Class) -> Outcome<bool> {
        let class = self.evaluate(class)?;
        let one = |class: &Value| match class {
            Value::Class(class) => Ok(raised.is_a(*class)),
            _ => Err(Fault::type_error(
                "catching classes that do not inherit from BaseException is not allowed",
            )),
        };
        match &class {
            Value::Tuple(several) => {
                several.items().iter().try_fold(false, |found, class| Ok(found | one(class)?))
            }
            single => one(single),
        }
    }

    // Names.

    /// The value of a name where it is not called.
    fn load(&self, name: &Name) -> Outcome<Value> {
        if let Some(value) = self.own_value(name)? {
            return Ok(value);
        }
        if let Some(function) = functions::template_function(name) {
            return Ok(Value::Function(function));
        }
        if let Some(value) = self.arguments.get(name) {
            return Ok(value.clone());
        }
        if let Some(value) = builtin(name) {
            return Ok(value);
        }
        if !self.program.scope.is_mentioned(name) {
            return Err(Fault::raise(Class::NameError, format!("name '{name}' is not defined")));
        }
        if self.is_check() && !names::is_internal(name) {
            return Ok(Value::Placeholder(name.clone()));
        }
        Ok(Value::None)
    }

    /// The value of a name where it is called. A request cannot take the place of a function:
    /// in Tinybird it can, which lets a caller break what is rendered for others.
    fn load_called(&self, name: &Name) -> Outcome<Value> {
        if let Some(value) = self.own_value(name)? {
            return Ok(value);
        }
        match functions::template_function(name).map(Value::Function).or_else(|| builtin(name)) {
            Some(function) => Ok(function),
            None => self.load(name),
        }
    }

    /// The value of a name that the template itself gave one.
    fn own_value(&self, name: &Name) -> Outcome<Option<Value>> {
        for frame in self.frames.iter().rev() {
            if let Some((_, value)) = frame.iter().rev().find(|(known, _)| known == name) {
                return Ok(Some(value.clone()));
            }
        }
        if !self.program.scope.is_variable(name) {
            return Ok(None);
        }
        let value = self.variables.get(name).cloned();
        value.map(Some).ok_or_else(|| {
            let text =
                format!("cannot access local variable '{name}' where it is not associated with a value");
            Fault::raise(Class::UnboundLocalError, text)
        })
    }

    /// Where the value of a name is kept, if it has one.
    fn value_mut(&mut self, name: &Name) -> Option<&mut Value> {
        for frame in self.frames.iter_mut().rev() {
            if let Some((_, value)) = frame.iter_mut().rev().find(|(known, _)| known == name) {
                return Some(value);
            }
        }
        match self.variables.get_mut(name) {
            Some(value) => Some(value),
            None => self.arguments.get_mut(name),
        }
    }

    /// Runs something with further variables around it.
    fn with_frames<T>(
        &mut self,
        frames: Vec<Frame>,
        run: impl FnOnce(&mut Self) -> Outcome<T>,
    ) -> Outcome<T> {
        let outer = std::mem::replace(&mut self.frames, frames);
        let result = run(self);
        self.frames = outer;
        result
    }
}

/// The function or exception class that Python itself gives the name.
fn builtin(name: &str) -> Option<Value> {
    let function: Option<&'static Function> = functions::builtin(name);
    function.map(Value::Function).or_else(|| Class::named(name).map(Value::Class))
}

#[cfg(test)]
mod tests {
    use crate::template::{Arguments, Environment, Template, TemplateError};

    fn render(sql: &str) -> Result<String, TemplateError> {
        Template::compile(sql)?
            .render(&Arguments::new(), &Environment::default())
            .map(|rendered| rendered.sql)
    }

    #[test]
    fn a_value_under_two_names_is_two_values() {
        let sql = "%{% set a = [1] %}{% set b = a %}{% set b.append(2) %}{{a}} {{b}}";
        assert_eq!(render(sql).unwrap(), "[1] [1, 2]");
    }

    #[test]
    fn parts_are_changed_where_they_are_kept() {
        let sql =
            "%{% set d = {'a': {'b': [1]}} %}{% set d['a']['b'].append(2) %}{% set d['a']['c'] = 3 %}{{d}}";
        assert_eq!(render(sql).unwrap(), "{'a': {'b': [1, 2], 'c': 3}}");
    }

    #[test]
    fn lambdas_see_the_variables_of_the_template_as_they_are_when_called() {
        let sql =
            "%{% set n = 1 %}{% set f = lambda i, j=n: (i, j, n) %}{% set n = 5 %}{% set x = f(0) %}{{x}}";
        assert_eq!(render(sql).unwrap(), "(0, 1, 5)");
    }

    #[test]
    fn iterators_hand_out_their_items_once() {
        let sql =
            "%{% set z = zip([1, 2], 'ab') %}{% set a, b = z %}{% set rest = list(z) %}{{a}}{{b}}{{rest}}";
        assert_eq!(render(sql).unwrap(), "(1, 'a')(2, 'b')[]");
    }

    #[test]
    fn an_error_says_where_it_came_up() {
        let sql = "  %SELECT {{String(a, 'x')}}, {{ Int32(b) }}";
        let error = render(sql).unwrap_err();
        assert_eq!(error.span.unwrap().of(sql), "Int32(b)");
        let error = render("%SELECT {{ lower(a) }}").unwrap_err();
        assert_eq!(error.span.unwrap().of("%SELECT {{ lower(a) }}"), "lower(a)");
    }

    #[test]
    fn a_template_is_shared_between_threads() {
        fn shareable<T: Send + Sync + Clone>() {}
        shareable::<Template>();
    }
}
