//! What goes into a rendering from a request, and what a request gets to see of a fault.

use super::Machine;
use crate::template::CLOCK_PARAMETER;
use crate::template::arguments::{ArgumentValue, Arguments};
use crate::template::error::TemplateError;
use crate::template::fault::{Fault, LengthName, Outcome};
use crate::template::functions::array;
use crate::template::names;
use crate::template::value::Value;

impl Machine<'_> {
    /// Takes what a request sent.
    pub(in crate::template) fn receive(&mut self, arguments: &Arguments) -> Outcome<()> {
        self.expect_arguments(arguments.len() + 1);
        let scope = &self.program.scope;
        for (name, value) in arguments.iter().filter(|(name, _)| !names::is_internal(name)) {
            let Some(name) = scope.known(name) else { continue };
            let value = match value {
                ArgumentValue::Text(text) => Value::text(text.as_str()),
                ArgumentValue::List(texts) => {
                    Value::list(texts.iter().map(|text| Value::text(text.as_str())).collect())?
                }
                ArgumentValue::Json(json) => Value::from_json(json, &self.meter)?,
            };
            let value = self.as_declared(name, value);
            self.set_argument(name.clone(), value);
        }
        if let Some(now) = &self.environment.now
            && self.argument(CLOCK_PARAMETER).is_none()
        {
            self.set_argument(CLOCK_PARAMETER.into(), Value::text(now.as_str()));
        }
        Ok(())
    }

    /// The value as the rest of the template sees it: a list, if the first declaration is an array.
    fn as_declared(&self, name: &str, value: Value) -> Value {
        let item = self.program.inventory.arrays.get(name);
        item.and_then(|item| array::preprocess(&value, item, &self.meter)).unwrap_or(value)
    }

    /// What a caller sees of a fault.
    pub(in crate::template) fn explain(&self, fault: Fault) -> TemplateError {
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
