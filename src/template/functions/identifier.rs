//! Names of columns and tables that depend on a request.
//!
//! A name that could be anything else than a name is quoted, also where Tinybird prints it as it is.

use super::{Given, plain_text};
use crate::template::fault::{Fault, Outcome};
use crate::template::machine::Machine;
use crate::template::quote;
use crate::template::value::Value;

/// The value, unless it is missing.
fn present(value: Option<Value>) -> Option<Value> {
    value.filter(|value| {
        !matches!(value, Value::None | Value::Placeholder(_) | Value::Function(_) | Value::Class(_))
    })
}

/// `column(x, default)`
pub(super) fn column(_: &mut Machine<'_>, _: &'static str, given: Given) -> Outcome<Value> {
    let [x, default] = given.bind("column", ["x", "default"], 1)?;
    let name = present(x).or(present(default)).ok_or_else(|| {
        Fault::template("Missing column() default value, use `column(column_name, 'default_column_name')`")
    })?;
    Ok(Value::symbol(quote::path(&plain_text(&name)?)))
}

/// `columns(x, default, fn)`
pub(super) fn columns(_: &mut Machine<'_>, _: &'static str, given: Given) -> Outcome<Value> {
    let [x, default, function] = given.bind("columns", ["x", "default", "fn"], 1)?;
    let list = present(x).or(present(default)).ok_or_else(|| {
        Fault::template("Missing columns() default value, use `columns(column_names, 'default_column_name')`")
    })?;
    if matches!(list, Value::List(_)) {
        return Err(Fault::template("The 'columns' function expects a String not an Array"));
    }
    let list = plain_text(&list)?;
    let names = list.split(',').map(str::trim);
    let columns: Vec<String> = match present(function) {
        None => names.map(quote::path).collect(),
        Some(function) => {
            let function = plain_text(&function)?;
            if !quote::is_plain_identifier(&function) {
                return Err(Fault::template(
                    "The 'fn' argument of 'columns' has to be the name of a function",
                ));
            }
            names.map(|name| format!("{function}({}) as {}", quote::path(name), alias(name))).collect()
        }
    };
    Ok(Value::symbol(columns.join(",")))
}

/// The name itself, where nothing else could be meant; Tinybird prints it in any case.
fn alias(name: &str) -> String {
    if quote::is_plain_path(name) { name.to_owned() } else { quote::identifier(name) }
}

/// `symbol(x, quote)`
pub(super) fn symbol(machine: &mut Machine<'_>, _: &'static str, given: Given) -> Outcome<Value> {
    let [x, mark] = given.bind("symbol", ["x", "quote"], 1)?;
    let x = x.unwrap_or(Value::None);
    let name = if machine.is_check() && present(Some(x.clone())).is_none() {
        "placeholder".into()
    } else {
        plain_text(&x)?
    };
    let mark = present(mark).map_or(Ok("`".into()), |mark| plain_text(&mark))?;
    let marked = format!("{mark}{}{mark}", quote::identifier_text(&name));
    let safe = matches!(&*mark, "`" | "\"") || quote::is_plain_path(&marked);
    Ok(Value::symbol(if safe { marked } else { quote::identifier(&name) }))
}

/// `table(x)`, without quotes as long as it is a name.
pub(super) fn table(machine: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let [x, ..] = given.bind(name, ["x", "default", "description"], 1)?;
    let x = x.unwrap_or(Value::None);
    if machine.is_check() && matches!(x, Value::Placeholder(_)) {
        return Ok(Value::symbol("placeholder"));
    }
    let table = plain_text(&x)?.replace('"', "");
    Ok(Value::symbol(if quote::is_plain_path(&table) { table } else { quote::path(&table) }))
}
