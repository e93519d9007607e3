//! The functions that templates call: those of the template language, and Python's.

use std::sync::LazyLock;

use foldhash::HashMap;

use super::fault::{Fault, Outcome};
use super::machine::Machine;
use super::python::tree::Name;
use super::value::Value;

pub(super) mod array;
mod condition;
mod date_difference;
mod failure;
mod identifier;
mod iteration;
mod json;
mod number;
pub(super) mod scalar;
mod secret;
mod setting;
mod split;
mod strptime;
mod types;

/// A function under the name that templates call it by.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) run: fn(&mut Machine<'_>, &'static str, Given) -> Outcome<Value>,
}

/// The arguments of one call.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) positional: Vec<Value>,
    pub(super) keywords: Vec<(Name, Value)>,
}

macro_rules! functions {
    ($($run:path: $($name:literal)*;)*) => { &[$($(Function { name: $name, run: $run },)*)*] };
}

/// Names that always mean these functions.
static TEMPLATE_FUNCTIONS: &[Function] = functions! {
    scalar::scalar: "String" "Date" "DateTime" "DateTime64" "Float32" "Float64" "Int" "Integer" "Int8" "Int16" "Int32"
        "Int64" "Int128" "Int256" "UInt8" "UInt16" "UInt32" "UInt64" "UInt128" "UInt256";
    scalar::boolean: "Boolean" "bool";
    array::array: "Array";
    json::json: "JSON";
    identifier::column: "column";
    identifier::columns: "columns";
    identifier::table: "table" "TABLE";
    condition::defined: "defined";
    condition::sql_and: "sql_and";
    condition::sql_unescape: "sql_unescape";
    split::split_to_array: "split_to_array";
    split::enumerate_with_last: "enumerate_with_last";
    date_difference::day_diff: "day_diff";
    date_difference::difference: "date_diff_in_days" "date_diff_in_hours" "date_diff_in_minutes"
        "date_diff_in_seconds";
    failure::error: "error";
    failure::custom_error: "custom_error";
    setting::max_threads: "max_threads";
    setting::cache_ttl: "cache_ttl";
    setting::backend_hint: "backend_hint";
    setting::activate: "activate";
    setting::disable: "disable";
    secret::secret: "tb_secret" "tb_var";
};

/// Names that mean these functions where they are called, or where no request sends them.
static BUILTINS: &[Function] = functions! {
    identifier::symbol: "symbol";
    number::absolute: "abs";
    number::round: "round";
    number::power: "pow";
    number::divide: "divmod";
    number::in_base: "bin" "hex" "oct";
    number::hash: "hash";
    number::sum: "sum";
    number::extreme: "max" "min";
    iteration::any_or_all: "all" "any";
    iteration::filter: "filter";
    iteration::map: "map";
    iteration::zip: "zip";
    iteration::enumerate: "enumerate";
    iteration::reversed: "reversed";
    iteration::sorted: "sorted";
    iteration::range: "range";
    iteration::iterate: "iter";
    iteration::next: "next";
    iteration::length: "len";
    types::collection: "list" "tuple" "set" "frozenset";
    types::dict: "dict";
    types::text: "str" "repr" "ascii";
    types::bytes: "bytes";
    types::integer: "int";
    types::float: "float";
    types::complex: "complex";
    types::slice: "slice";
    types::format: "format";
    types::character: "chr";
    types::code_point: "ord";
    types::is_instance: "isinstance" "issubclass";
    types::callable: "callable";
    types::has_attribute: "hasattr";
};

/// The function of the template language with this name.
pub(super) fn template_function(name: &str) -> Option<&'static Function> {
    static BY_NAME: LazyLock<ByName> = LazyLock::new(|| by_name(TEMPLATE_FUNCTIONS));
    BY_NAME.get(name).copied()
}

/// The function of Python's with this name.
pub(super) fn builtin(name: &str) -> Option<&'static Function> {
    static BY_NAME: LazyLock<ByName> = LazyLock::new(|| by_name(BUILTINS));
    BY_NAME.get(name).copied()
}

type ByName = HashMap<&'static str, &'static Function>;

fn by_name(functions: &'static [Function]) -> ByName {
    functions.iter().map(|function| (function.name, function)).collect()
}

impl Given {
    /// Sorts the arguments by parameter; the first `required` ones have to be there.
    pub(super) fn bind<const N: usize>(
        self,
        function: &str,
        parameters: [&str; N],
        required: usize,
    ) -> Outcome<[Option<Value>; N]> {
        let got = self.positional.len();
        if got > N {
            let verb = if got == 1 { "was" } else { "were" };
            let takes = if required == N { format!("{N}") } else { format!("from {required} to {N}") };
            let text = format!("{function}() takes {takes} positional arguments but {got} {verb} given");
            return Err(Fault::type_error(text));
        }
        let mut positional = self.positional.into_iter();
        let mut bound = [const { None }; N];
        for slot in &mut bound {
            *slot = positional.next();
        }
        for (name, value) in self.keywords {
            let slot = parameters.iter().position(|parameter| *parameter == &*name);
            match slot.and_then(|at| bound.get_mut(at)) {
                Some(slot) if slot.is_none() => *slot = Some(value),
                Some(_) => {
                    return Err(Fault::type_error(format!(
                        "{function}() got multiple values for argument '{name}'"
                    )));
                }
                None => {
                    return Err(Fault::type_error(format!(
                        "{function}() got an unexpected keyword argument '{name}'"
                    )));
                }
            }
        }
        let missing: Vec<_> =
            parameters.iter().zip(&bound).take(required).filter(|(_, slot)| slot.is_none()).collect();
        match missing.as_slice() {
            [] => Ok(bound),
            [(name, _)] => Err(Fault::type_error(format!(
                "{function}() missing 1 required positional argument: '{name}'"
            ))),
            several => {
                let count = several.len();
                Err(Fault::type_error(format!("{function}() missing {count} required positional arguments")))
            }
        }
    }

    /// Exactly this many positional arguments.
    pub(super) fn exactly<const N: usize>(self, function: &str) -> Outcome<[Value; N]> {
        let got = self.positional.len();
        if !self.keywords.is_empty() {
            return Err(Fault::type_error(format!("{function}() takes no keyword arguments")));
        }
        <[Value; N]>::try_from(self.positional)
            .map_err(|_| Fault::type_error(format!("{function}() takes exactly {N} arguments ({got} given)")))
    }

    /// The size of the texts, which most functions look at as a whole.
    pub(super) fn text_bytes(&self) -> usize {
        let values = self.positional.iter().chain(self.keywords.iter().map(|(_, value)| value));
        values.filter_map(Value::as_text).map(|text| text.len()).sum()
    }

    /// The value of a keyword.
    pub(super) fn keyword(&self, name: &str) -> Option<&Value> {
        self.keywords.iter().find(|(keyword, _)| &**keyword == name).map(|(_, value)| value)
    }

    /// Takes a keyword out.
    pub(super) fn take_keyword(&mut self, name: &str) -> Option<Value> {
        let at = self.keywords.iter().position(|(keyword, _)| &**keyword == name)?;
        Some(self.keywords.swap_remove(at).1)
    }
}

/// The argument of a function that declares a parameter.
pub(super) enum Parameter {
    /// The value, or its default.
    Given(Value),
    /// Neither, and the author says that this is fine.
    Absent,
    /// Neither, and this is a check: any value of the type will do.
    Unknown,
}

/// What a parameter is worth: its value, else its default, else an error if it has to be there.
pub(super) fn parameter(
    machine: &Machine<'_>,
    value: Option<Value>,
    default: Option<Value>,
    defined: Option<&Value>,
) -> Outcome<Parameter> {
    let default = default.filter(|default| !matches!(default, Value::None));
    match value {
        // A function is no value that a request could have sent: the name belongs to a parameter.
        None | Some(Value::None | Value::Function(_) | Value::Class(_)) => {}
        Some(Value::Placeholder(_)) => {
            let usable =
                default.filter(|default| default.is_true() && !matches!(default, Value::Placeholder(_)));
            return Ok(usable.map_or(Parameter::Unknown, Parameter::Given));
        }
        Some(value) => return Ok(Parameter::Given(value)),
    }
    match default {
        Some(default) => Ok(Parameter::Given(default)),
        None if defined.is_none_or(Value::is_true) => Err(missing(&machine.program.inventory.required)),
        None => Ok(Parameter::Absent),
    }
}

/// The message lists every parameter without a default, whether it was sent or not: as Tinybird does.
fn missing(names: &[String]) -> Fault {
    let list = match names {
        [] => return Fault::template("Required parameter is not defined"),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    };
    Fault::template(format!(
        "Required parameter is not defined. Check the parameters {list}. Please provide a value or set a default value in the pipe code."
    ))
}

/// The string that an argument has to be, in the words of Tinybird's failure where it is not.
pub(super) fn plain_text(value: &Value) -> Outcome<std::sync::Arc<str>> {
    value.as_text().cloned().ok_or_else(|| Fault::attribute(value.type_name(), "translate"))
}
