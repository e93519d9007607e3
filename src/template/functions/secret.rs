//! `tb_secret`: secrets reach the engine as query parameters, never as text.

use super::Given;
use crate::template::fault::{Fault, Outcome};
use crate::template::machine::Machine;
use crate::template::quote;
use crate::template::value::Value;

/// `tb_secret(name, default)`
pub(super) fn secret(machine: &mut Machine<'_>, _: &'static str, given: Given) -> Outcome<Value> {
    let [name, default] = given.bind("tb_secret", ["secret_name", "default"], 1)?;
    let name = name.unwrap_or(Value::None).display(&machine.meter)?;
    if machine.environment.has_secret(&name) {
        if !machine.secrets.contains(&name) {
            machine.secrets.push(name.clone());
        }
        return Ok(parameter(&name));
    }
    match default {
        Some(default) if !matches!(default, Value::None) => Ok(default),
        _ if machine.is_check() => Ok(parameter(&name)),
        _ => Err(Fault::template(format!(
            "Cannot access secret '{name}'. Check the secret exists in the Workspace and the token has the required scope."
        ))),
    }
}

fn parameter(name: &str) -> Value {
    Value::symbol(format!("{{{}: String}}", quote::identifier_text(name)))
}
