//! `error` and `custom_error`.

use num_traits::ToPrimitive;

use super::Given;
use crate::template::error::CustomError;
use crate::template::fault::{Fault, Outcome};
use crate::template::machine::Machine;
use crate::template::value::Value;

/// The status of an error whose code is no number that HTTP knows.
const BAD_REQUEST: u16 = 400;

/// `error(message, code)`: fails with the message; the code has no effect.
pub(super) fn error(machine: &mut Machine<'_>, _: &'static str, given: Given) -> Outcome<Value> {
    let [message, _] = given.bind("error", ["message", "code"], 1)?;
    if machine.is_check() {
        return Ok(checked());
    }
    Err(Fault::value_error(message.unwrap_or(Value::None).display(&machine.meter)?))
}

/// `custom_error(object, code)`: fails with the object as the body of the response.
pub(super) fn custom_error(machine: &mut Machine<'_>, _: &'static str, given: Given) -> Outcome<Value> {
    let [object, code] = given.bind("custom_error", ["message", "code"], 1)?;
    if machine.is_check() {
        return Ok(checked());
    }
    let body = object.unwrap_or(Value::None).to_json(&machine.meter)?;
    let code = code.and_then(|code| code.as_int()).and_then(|code| code.to_u16());
    let status = code.filter(|code| (100..600).contains(code)).unwrap_or(BAD_REQUEST);
    Err(Fault::custom(CustomError { status, body }))
}

/// A check passes where a rendering would fail.
fn checked() -> Value {
    Value::sql_text("-- {x} \n")
}
