//! Calling functions, methods and lambdas.

use std::rc::Rc;

use super::{Closure, Machine};
use crate::template::fault::{Fault, Outcome};
use crate::template::functions::Given;
use crate::template::limits::BYTES_PER_STEP;
use crate::template::python::tree::{Call, Expression, Kind, Name};
use crate::template::value::Value;
use crate::template::value::method::Effect;

impl Machine<'_> {
    pub(super) fn evaluate_call(&mut self, call: &Call) -> Outcome<Value> {
        match &call.function.kind {
            Kind::Name(name) => {
                let function = self.load_called(name)?;
                let given = self.given(call)?;
                self.call(&function, given)
            }
            Kind::Attribute(owner, method) => self.call_method(owner, method, call),
            _ => {
                let function = self.evaluate(&call.function)?;
                let given = self.given(call)?;
                self.call(&function, given)
            }
        }
    }

    fn given(&mut self, call: &Call) -> Outcome<Given> {
        let positional = self.evaluate_items(&call.positional)?;
        let mut given = Given { positional, keywords: Vec::new() };
        for keyword in &call.keywords {
            let value = self.evaluate(&keyword.value)?;
            match (&keyword.name, &value) {
                (Some(name), _) => given.keywords.push((name.clone(), value)),
                (None, Value::Dict(spread)) => {
                    self.meter.allocate_items(spread.len())?;
                    for (name, value) in spread.entries() {
                        let name =
                            name.as_text().ok_or_else(|| Fault::type_error("keywords must be strings"))?;
                        given.keywords.push((name.clone(), value.clone()));
                    }
                }
                (None, other) => {
                    let name = other.type_name();
                    return Err(Fault::type_error(format!(
                        "argument after ** must be a mapping, not {name}"
                    )));
                }
            }
        }
        Ok(given)
    }

    fn call_method(&mut self, owner: &Expression, method: &Name, call: &Call) -> Outcome<Value> {
        let value = self.evaluate(owner)?;
        match value.method_effect(method) {
            None => Err(value.missing_attribute(method)),
            Some(Effect::Reads) => {
                let given = self.given(call)?;
                value.call_method(method, given, &self.meter)
            }
            Some(Effect::Changes) => {
                // A second holder would make the change copy everything.
                drop(value);
                let mut given = Some(self.given(call)?);
                self.change(owner, &mut |value, meter| {
                    value.change_by_method(method, given.take().unwrap_or_default(), meter)
                })
            }
        }
    }

    /// Calls a value.
    pub(in crate::template) fn call(&mut self, function: &Value, given: Given) -> Outcome<Value> {
        self.meter.step()?;
        match function {
            Value::Function(function) => {
                self.meter.steps(given.text_bytes() / BYTES_PER_STEP)?;
                (function.run)(self, function.name, given)
            }
            Value::Lambda(closure) => self.call_closure(closure, given),
            Value::Method(method) => {
                let (owner, name) = &**method;
                match owner.method_effect(name) {
                    Some(Effect::Changes) => owner.clone().change_by_method(name, given, &self.meter),
                    _ => owner.call_method(name, given, &self.meter),
                }
            }
            Value::Class(class) => {
                let [text] = given.bind(class.name(), ["text"], 0)?;
                let text = text.map_or(Ok(String::new()), |text| text.display(&self.meter))?;
                let Fault::Raised(exception) = Fault::raise(*class, text) else { return Ok(Value::None) };
                Ok(Value::Exception(exception))
            }
            Value::Placeholder(name) => {
                Err(Fault::template(format!("'{name}' is not a valid function, line {}", self.line)))
            }
            other => Err(Fault::type_error(format!("'{}' object is not callable", other.type_name()))),
        }
    }

    fn call_closure(&mut self, closure: &Rc<Closure>, given: Given) -> Outcome<Value> {
        let Given { positional, keywords } = given;
        let parameters = &closure.lambda.parameters;
        let (expected, got) = (parameters.len(), positional.len());
        if got > expected {
            let text = format!("<lambda>() takes {expected} positional arguments but {got} were given");
            return Err(Fault::type_error(text));
        }
        let mut positional = positional.into_iter();
        let mut frame = Vec::with_capacity(expected);
        for ((name, _), default) in parameters.iter().zip(&closure.defaults) {
            let keyword =
                keywords.iter().find(|(keyword, _)| keyword == name).map(|(_, value)| value.clone());
            let value = positional.next().or(keyword).or_else(|| default.clone());
            let value = value.ok_or_else(|| {
                Fault::type_error(format!("<lambda>() missing 1 required positional argument: '{name}'"))
            })?;
            frame.push((name.clone(), value));
        }
        self.meter.allocate_items(closure.frames.iter().map(Vec::len).sum::<usize>() + expected)?;
        let mut frames = closure.frames.clone();
        frames.push(frame);
        self.with_frames(frames, |machine| machine.evaluate(&closure.lambda.body))
    }
}
