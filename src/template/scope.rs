//! Which names of a template are its own variables, and which it expects from a request.
//!
//! In Tinybird a template is one Python function: a name assigned anywhere is a variable everywhere.

use foldhash::HashSet;

use super::python::statement::Assignment;
use super::python::tree::{Child, Comprehension, Expression, Kind, Name};
use super::tree::{Body, NodeKind};

/// The names of a template.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// Assigned somewhere.
    variables: HashSet<Name>,
    /// Mentioned outside of lambdas and comprehensions: those have a value, even if it is none.
    mentioned: HashSet<Name>,
    /// Every name that stands anywhere: what a request sends under another is never looked at.
    all: HashSet<Name>,
}

/// What surrounds an expression.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Template,
    /// A comprehension: `:=` assigns to the template's variables there.
    Comprehension,
    Lambda,
}

impl Scope {
    pub(super) fn of(body: &Body) -> Self {
        let mut scope = Self::default();
        scope.body(body);
        scope
    }

    /// True for a variable of the template.
    pub(super) fn is_variable(&self, name: &str) -> bool {
        self.variables.contains(name)
    }

    /// True for a name which is none where the request does not send it.
    pub(super) fn is_mentioned(&self, name: &str) -> bool {
        self.mentioned.contains(name)
    }

    /// The name as the template holds it, where it stands anywhere in it.
    pub(super) fn known(&self, name: &str) -> Option<&Name> {
        self.all.get(name)
    }

    fn body(&mut self, body: &Body) {
        for node in body {
            match &node.kind {
                NodeKind::Text(_) | NodeKind::Break | NodeKind::Continue => {}
                NodeKind::Print { expression, .. } => self.read(expression, Within::Template),
                NodeKind::If { branches, otherwise } => {
                    for branch in branches {
                        self.read(&branch.condition, Within::Template);
                        self.body(&branch.body);
                    }
                    self.body(otherwise);
                }
                NodeKind::For { target, iterable, body, otherwise } => {
                    self.assign(target);
                    self.read(iterable, Within::Template);
                    self.body(body);
                    self.body(otherwise);
                }
                NodeKind::While { condition, body, otherwise } => {
                    self.read(condition, Within::Template);
                    self.body(body);
                    self.body(otherwise);
                }
                NodeKind::Try(attempt) => {
                    self.body(&attempt.body);
                    for handler in &attempt.handlers {
                        handler.class.iter().for_each(|class| self.read(class, Within::Template));
                        self.variables.extend(handler.name.clone());
                        self.body(&handler.body);
                    }
                    self.body(&attempt.otherwise);
                    self.body(&attempt.finally);
                }
                NodeKind::Set(assignment) => self.assignment(assignment),
            }
        }
    }

    fn assignment(&mut self, assignment: &Assignment) {
        match assignment {
            Assignment::Plain { targets, value } => {
                for target in targets {
                    self.assign(target);
                }
                self.read(value, Within::Template);
            }
            Assignment::Augmented { target, value, .. } => {
                self.assign(target);
                self.read(value, Within::Template);
            }
            Assignment::Bare(value) => self.read(value, Within::Template),
        }
    }

    fn assign(&mut self, target: &Expression) {
        match &target.kind {
            Kind::Name(name) => {
                self.all.insert(name.clone());
                self.variables.insert(name.clone());
            }
            Kind::Tuple(items) | Kind::List(items) => items.iter().for_each(|item| self.assign(item)),
            Kind::Starred(inside) => self.assign(inside),
            // Assigning to a part reads the whole.
            _ => self.read(target, Within::Template),
        }
    }

    fn read(&mut self, expression: &Expression, within: Within) {
        if let Kind::Name(name) | Kind::Walrus(name, _) = &expression.kind {
            self.all.insert(name.clone());
        }
        match &expression.kind {
            Kind::Name(name) if within == Within::Template => {
                self.mentioned.insert(name.clone());
            }
            Kind::Walrus(name, _) if within != Within::Lambda => {
                self.variables.insert(name.clone());
            }
            Kind::Comprehension(comprehension) => return self.comprehension(comprehension, within),
            Kind::Lambda(lambda) => {
                lambda.parameters.iter().filter_map(|(_, default)| default.as_ref()).for_each(|default| {
                    self.read(default, within);
                });
                return self.read(&lambda.body, Within::Lambda);
            }
            _ => {}
        }
        for child in expression.children() {
            match child {
                Child::Expression(expression) => self.read(expression, within),
                Child::Wrapper(inside) => {
                    for expression in inside {
                        self.read(expression, within);
                    }
                }
            }
        }
    }

    /// Only the first iterable belongs to what is around the comprehension.
    fn comprehension(&mut self, comprehension: &Comprehension, around: Within) {
        let within = if around == Within::Lambda { Within::Lambda } else { Within::Comprehension };
        for (at, clause) in comprehension.clauses.iter().enumerate() {
            self.read(&clause.iterable, if at == 0 { around } else { within });
            clause.conditions.iter().for_each(|condition| self.read(condition, within));
        }
        self.read(&comprehension.element, within);
        comprehension.value.iter().for_each(|value| self.read(value, within));
    }
}
