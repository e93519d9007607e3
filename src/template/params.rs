//! Which parameters a template has: names, types, defaults and what the author says about them.
//!
//! In: the expressions of each tag.  Out: [`Parameter`]s in the order, and with the repetitions,
//! that Tinybird reports; clients see them in the description of an endpoint.

use std::collections::VecDeque;

use foldhash::{HashMap, HashSet};
use indexmap::IndexMap;
use serde_json::{Map, Value as Json};

use super::error::{ErrorKind, TemplateError};
use super::lexer::Tag;
use super::names;
use super::python::statement::{self, Snippet};
use super::python::tree::{Call, Child, Expression, Kind, Name};
use crate::syntax::Span;

mod fold;

use fold::{Folded, fold};

/// A mention of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// The name in requests.
    pub name: String,
    /// The type that the template gives it: `String`, `Int32`, `Array(Date)`.
    pub kind: String,
    /// The value that stands in for a missing one; null where there is none.
    pub default: Json,
    /// What the author says: `description`, `required`, `example`, …
    pub attributes: Map<String, Json>,
    /// How the parameter is used where it has no type of its own.
    pub used_in: Option<UsedIn>,
}

/// Where a parameter without a type of its own was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsedIn {
    /// As the argument of a function such as `defined` or `column`.
    FunctionCall,
}

/// What a tag reports; the name may be a literal, because `Int32(5)` is legal.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mention {
    pub(super) name: Json,
    pub(super) kind: String,
    pub(super) default: Json,
    pub(super) attributes: Map<String, Json>,
    pub(super) used_in: Option<UsedIn>,
}

impl Mention {
    /// The mention as Tinybird describes it: what the author says stands beside name, type and
    /// default.
    pub(super) fn described(&self) -> Map<String, Json> {
        let mut described = Map::new();
        described.insert("name".to_owned(), self.name.clone());
        described.insert("type".to_owned(), self.kind.as_str().into());
        described.insert("default".to_owned(), self.default.clone());
        described.extend(self.attributes.clone());
        if let Some(UsedIn::FunctionCall) = self.used_in {
            described.insert("used_in".to_owned(), "function_call".into());
        }
        described
    }
}

/// Where a mention comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Expression,
    /// An expression which is nothing but the name.
    Name,
    Statement,
}

/// What one tag says about parameters and tables.
#[derive(Debug)]
pub(super) struct Scan {
    origin: Origin,
    mentions: IndexMap<String, Mention>,
    tables: Vec<String>,
    span: Span,
    line: usize,
}

impl Scan {
    /// A tag that says nothing.
    pub(super) fn nothing(tag: Tag<'_>) -> Self {
        let (span, line) = (tag.span, tag.line);
        Self { origin: Origin::Statement, mentions: IndexMap::new(), tables: Vec::new(), span, line }
    }

    /// What `{{ expression }}` says.
    pub(super) fn of_expression(expression: &Expression, tag: Tag<'_>) -> Self {
        let origin = if expression.as_name().is_some() { Origin::Name } else { Origin::Expression };
        let mut scan = Self { origin, ..Self::nothing(tag) };
        scan.walk(&[expression]);
        scan
    }

    /// What a statement with these expressions says.
    pub(super) fn of_statement(expressions: &[&Expression], tag: Tag<'_>) -> Self {
        let mut scan = Self::nothing(tag);
        match embedded(tag.content) {
            None => scan.walk(expressions),
            // A tag inside a tag is no interpolation, but Tinybird looks for declarations in it.
            Some(inside) => {
                if let Ok(Snippet::Expression(expression)) = statement::snippet(inside.trim()) {
                    scan.walk(&[&expression]);
                    scan.mentions.retain(|_, mention| mention.used_in.is_some() || mention.kind != "String");
                }
            }
        }
        scan
    }

    /// The parameters that the tag looks at without using them.
    fn examined(&self) -> impl Iterator<Item = String> {
        let mentions = self.mentions.values().filter(|mention| mention.examines(self.origin));
        mentions.filter_map(|mention| mention.name.as_str()).map(str::to_owned)
    }

    /// Goes through the expressions breadth-first.
    fn walk(&mut self, expressions: &[&Expression]) {
        let mut queue: VecDeque<Visit<'_>> =
            expressions.iter().map(|e| Visit::Node(e, Below::Anything)).collect();
        while let Some(visit) = queue.pop_front() {
            let expression = match visit {
                Visit::Node(expression, below) => {
                    match &expression.kind {
                        Kind::Call(call) => self.call(call),
                        Kind::Name(name) if below == Below::Anything => self.bare(name),
                        Kind::Walrus(name, _) => queue.push_back(Visit::Name(name)),
                        _ => {}
                    }
                    expression
                }
                Visit::Name(name) => {
                    self.bare(name);
                    continue;
                }
                Visit::Wrapper(inside) => {
                    queue.extend(inside.into_iter().map(|e| Visit::Node(e, Below::Anything)));
                    continue;
                }
            };
            let below = if matches!(expression.kind, Kind::Call(_)) { Below::Call } else { Below::Anything };
            queue.extend(expression.children().into_iter().map(|child| match child {
                Child::Expression(expression) => Visit::Node(expression, below),
                Child::Wrapper(inside) => Visit::Wrapper(inside),
            }));
        }
    }

    fn bare(&mut self, name: &Name) {
        if !names::is_unreported(name) {
            self.put(Mention::plain(Json::from(&**name)));
        }
    }

    fn call(&mut self, call: &Call) {
        let Some(function) = call.function.as_name() else { return };
        if self.origin != Origin::Statement && matches!(&**function, "table" | "TABLE") {
            self.tables.extend(call.positional.first().and_then(fold::constant_text));
        }
        if names::TYPED_FUNCTIONS.contains(&&**function) {
            if let Ok(Some(mention)) = Mention::typed(function, call) {
                self.put(mention);
            }
        } else if names::PARAMETER_FUNCTIONS.contains(&&**function)
            && let Ok(positional) = folded_arguments(call)
            && let Some(name) = positional.into_iter().next()
            && !name.is_null()
            && !self.mentions.contains_key(&name.to_string())
        {
            self.put(Mention { used_in: Some(UsedIn::FunctionCall), ..Mention::plain(name) });
        }
    }

    fn put(&mut self, mention: Mention) {
        if self.origin != Origin::Statement || mention.name.is_string() {
            self.mentions.insert(mention.name.to_string(), mention);
        }
    }
}

/// One step of a walk.
enum Visit<'a> {
    Node(&'a Expression, Below),
    Name(&'a Name),
    Wrapper(Vec<&'a Expression>),
}

/// What a node stands right below.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Below {
    /// Names there are arguments or functions, and not reported by themselves.
    Call,
    Anything,
}

/// What stands in `{{ }}` inside of a statement.
fn embedded(content: &str) -> Option<&str> {
    let (_, after) = content.split_once("{{")?;
    Some(after.split_once("}}").map_or(after, |(inside, _)| inside))
}

/// The positional arguments, folded; calls among them leave no gap.
fn folded_arguments(call: &Call) -> Folded<Vec<Json>> {
    call.positional.iter().filter(|argument| !matches!(argument.kind, Kind::Call(_))).map(fold).collect()
}

impl Mention {
    fn plain(name: Json) -> Self {
        Self { name, kind: "String".to_owned(), default: Json::Null, attributes: Map::new(), used_in: None }
    }

    /// True where the tag asks for the parameter without giving it a type.
    fn examines(&self, origin: Origin) -> bool {
        let is_plain = self.kind == "String" && self.default.is_null() && self.attributes.is_empty();
        self.used_in.is_some() || (origin == Origin::Statement && is_plain)
    }

    /// The parameter of requests that this is, unless the name is a literal.
    fn as_parameter(&self) -> Option<Parameter> {
        Some(Parameter {
            name: self.name.as_str()?.to_owned(),
            kind: self.kind.clone(),
            default: self.default.clone(),
            attributes: self.attributes.clone(),
            used_in: self.used_in,
        })
    }

    /// The parameter that `String(x, …)` and its kin declare.
    fn typed(function: &str, call: &Call) -> Folded<Option<Self>> {
        let positional = folded_arguments(call)?;
        let mut attributes = Map::new();
        for keyword in &call.keywords {
            if let Some(name) = &keyword.name {
                attributes.insert(name.to_string(), fold(&keyword.value)?);
            }
        }
        let given = attributes.shift_remove("default");
        let mut positional = positional.into_iter();
        let Some(name) = positional.next() else { return Ok(None) };
        let (kind, default) = if function == "Array" {
            let item = match positional.next() {
                Some(Json::String(item)) => item,
                Some(Json::Null) => "None".to_owned(),
                Some(other) => other.to_string(),
                None => "String".to_owned(),
            };
            (format!("Array({item})"), given.or(positional.next()).filter(fold::is_truthy))
        } else if name.is_null() {
            return Ok(None);
        } else {
            (function.to_owned(), given.or(positional.next()))
        };
        let default = default.map_or(Json::Null, fold::safe_for_javascript);
        Ok(Some(Self { name, kind, default, attributes, used_in: None }))
    }
}

/// Everything that the tags of a template say together.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    /// Mentions, in Tinybird's order, as far as they are parameters of requests.
    pub(super) parameters: Vec<Parameter>,
    /// Names of tables that do not depend on a request.
    pub(super) tables: Vec<String>,
    /// The parameters that are declared as arrays first, with the types of their items.
    pub(super) arrays: HashMap<String, String>,
    /// Names that a tag looks at before it uses them, as in `{% if defined(x) %}`: without a value
    /// they do no harm.
    pub(super) examined: HashSet<String>,
    /// What a message about a missing parameter lists.
    pub(super) required: Vec<String>,
    /// Names that the service uses itself.
    pub(super) warnings: Vec<String>,
}

impl Inventory {
    /// Puts the scans together; an error where a name cannot be one.
    pub(super) fn new(scans: Vec<Scan>) -> Result<Self, TemplateError> {
        let tables = scans.iter().flat_map(|scan| scan.tables.clone()).collect();
        let examined = scans.iter().flat_map(Scan::examined).collect();
        let mut inventory = Self { tables, examined, ..Self::default() };
        for found in settle(scans) {
            check_name(&found.mention.name, found.line, found.span)?;
            inventory.add(&found.mention, found.origin);
        }
        inventory.arrays.retain(|_, item| !item.is_empty());
        Ok(inventory)
    }

    fn add(&mut self, mention: &Mention, origin: Origin) {
        if let Some(parameter) = mention.as_parameter() {
            let name = &parameter.name;
            if names::SERVICE_PARAMETERS.contains(&name.as_str()) {
                add_once(&mut self.warnings, name);
            }
            // A tag of nothing but a name declares nothing, in Tinybird's eyes, when it renders.
            if origin != Origin::Name {
                if parameter.default.is_null() && parameter.used_in.is_none() {
                    add_once(&mut self.required, name);
                }
                let item = parameter.array_item().unwrap_or_default().to_owned();
                self.arrays.entry(name.clone()).or_insert(item);
            }
            self.parameters.push(parameter);
        }
    }
}

/// A mention with its place.
struct Found {
    mention: Mention,
    origin: Origin,
    line: usize,
    span: Span,
}

/// What the scans mention, in Tinybird's order: a statement says nothing new about what an
/// expression before it has typed.
fn settle(scans: Vec<Scan>) -> Vec<Found> {
    let mut typed = HashSet::default();
    let mut found = Vec::new();
    for Scan { origin, mentions, line, span, .. } in scans {
        for (key, mention) in mentions {
            if origin == Origin::Statement && typed.contains(&key) {
                continue;
            }
            if origin != Origin::Statement {
                typed.insert(key);
            }
            found.push(Found { mention, origin, line, span });
        }
    }
    found
}

/// What the scans mention, names that cannot be parameters among it.
pub(super) fn described(scans: Vec<Scan>) -> Vec<Map<String, Json>> {
    settle(scans).iter().map(|found| found.mention.described()).collect()
}

fn add_once(names: &mut Vec<String>, name: &str) {
    if !names.iter().any(|known| known == name) {
        names.push(name.to_owned());
    }
}

fn check_name(name: &Json, line: usize, span: Span) -> Result<(), TemplateError> {
    let message = match name {
        Json::Array(items) => format!("\"{}\" can not be used as a variable name", fold::python_list(items)),
        Json::String(name) if names::RESERVED_PARAMETERS.contains(&name.as_str()) => {
            format!("\"{name}\" can not be used as a variable name, line {line}")
        }
        _ => return Ok(()),
    };
    Err(TemplateError::new(ErrorKind::Value, message, Some(span)))
}

impl Parameter {
    /// The type of the items, if the parameter is an array.
    pub fn array_item(&self) -> Option<&str> {
        self.kind.strip_prefix("Array(")?.strip_suffix(')')
    }
}

#[cfg(test)]
mod tests {
    use crate::template::Template;

    fn described(sql: &str) -> Vec<String> {
        let template = Template::compile(sql).unwrap();
        let describe = |parameter: &super::Parameter| {
            let seen = if parameter.used_in.is_some() { "?" } else { "" };
            format!("{}{seen}: {} = {}", parameter.name, parameter.kind, parameter.default)
        };
        template.parameters().iter().map(describe).collect()
    }

    #[test]
    fn every_tag_reports_what_it_mentions() {
        assert_eq!(
            described("%{{String(a)}} {{Int8(b, 1)}} {{a}} {{String(a, 'later')}}"),
            ["a: String = null", "b: Int8 = 1", "a: String = null", "a: String = \"later\"",]
        );
    }

    #[test]
    fn the_body_of_a_block_is_reported_before_its_condition() {
        let sql = "%{% if defined(a) %}{{Date(b)}}{% elif c == 1 %}{{Array(a, 'Int32')}}{% end %}";
        assert_eq!(described(sql), ["b: Date = null", "c: String = null", "a: Array(Int32) = null"]);
    }

    #[test]
    fn functions_that_only_look_at_a_parameter_are_marked() {
        assert_eq!(
            described("%{{column(a, 'b')}}{% if defined(c) and c == 1 %}{% end %}"),
            ["a?: String = null", "c: String = null",]
        );
    }

    #[test]
    fn integers_that_javascript_would_round_are_texts() {
        assert_eq!(described("%{{Int64(a, 9007199254740993)}}"), ["a: Int64 = \"9007199254740993\""]);
    }

    #[test]
    fn tables_that_no_request_can_change_are_known() {
        let template =
            Template::compile("%{{table('a')}}{% if x %}{{TABLE('b' + '_c')}}{{table(x)}}{% end %}").unwrap();
        assert_eq!(template.tables(), ["a", "b_c"]);
    }

    #[test]
    fn names_that_requests_use_otherwise_are_refused() {
        for sql in ["%{{String(q)}}", "%{% set format = 1 %}", "%{{String(['a'])}}"] {
            assert!(
                Template::compile(sql).unwrap_err().message.contains("can not be used as a variable name"),
                "{sql}"
            );
        }
    }
}
