//! Evaluating expressions.

use std::rc::Rc;

use super::{Closure, Machine};
use crate::template::fault::{Fault, Outcome};
use crate::template::limits::Limit;
use crate::template::python::tree::{Comparison, Expression, Kind, Lambda, Logical, Name, Piece};
use crate::template::value::{Dict, Value, depth_around};

impl Machine<'_> {
    /// The value of an expression.
    pub(in crate::template) fn evaluate(&mut self, expression: &Expression) -> Outcome<Value> {
        self.meter.step()?;
        if self.depth >= super::MAX_DEPTH {
            return Err(Fault::limit(Limit::Depth));
        }
        self.depth += 1;
        let value = self.evaluate_kind(&expression.kind);
        self.depth -= 1;
        value
    }

    fn evaluate_kind(&mut self, kind: &Kind) -> Outcome<Value> {
        match kind {
            Kind::Constant(constant) => Ok(Value::constant(constant)),
            Kind::Name(name) => self.load(name),
            Kind::List(items) => Value::list(self.evaluate_items(items)?),
            Kind::Tuple(items) => Value::tuple(self.evaluate_items(items)?),
            Kind::Set(items) => Value::set(self.evaluate_items(items)?, &self.meter),
            Kind::Dict(entries) => self.evaluate_dict(entries),
            Kind::Formatted(pieces) => self.evaluate_pieces(pieces),
            Kind::Unary(operator, operand) => self.evaluate(operand)?.unary(*operator),
            Kind::Binary(left, operator, right) => {
                let left = self.evaluate(left)?;
                let right = self.evaluate(right)?;
                left.binary(*operator, &right, &self.meter)
            }
            Kind::Logical(operator, operands) => self.evaluate_logical(*operator, operands),
            Kind::Compare(first, rest) => self.evaluate_comparison(first, rest),
            Kind::Conditional { test, body, otherwise } => {
                let chosen = if self.evaluate(test)?.is_true() { body } else { otherwise };
                self.evaluate(chosen)
            }
            Kind::Call(call) => self.evaluate_call(call),
            Kind::Attribute(owner, name) => {
                let owner = self.evaluate(owner)?;
                match owner.method_effect(name) {
                    Some(_) => Ok(Value::Method(Rc::new((owner, name.clone())))),
                    None => Err(owner.missing_attribute(name)),
                }
            }
            Kind::Subscript(owner, index) => {
                let owner = self.evaluate(owner)?;
                let index = self.evaluate(index)?;
                owner.subscript(&index, &self.meter)
            }
            Kind::Slice(parts) => {
                let [start, stop, by] = &**parts;
                let mut part =
                    |part: &Option<Expression>| part.as_ref().map_or(Ok(Value::None), |e| self.evaluate(e));
                Ok(Value::new_slice(part(start)?, part(stop)?, part(by)?))
            }
            Kind::Comprehension(comprehension) => self.evaluate_comprehension(comprehension),
            Kind::Lambda(lambda) => self.close_over(lambda),
            Kind::Walrus(name, value) => {
                let value = self.evaluate(value)?;
                self.variables.insert(name.clone(), value.clone());
                Ok(value)
            }
            Kind::Starred(_) => Err(Fault::type_error("can't use starred expression here")),
            Kind::Yield(_) | Kind::Await(_) => Err(Fault::type_error("a template is no generator")),
        }
    }

    /// The values of items, with `*spread` ones taken apart.
    pub(super) fn evaluate_items(&mut self, items: &[Expression]) -> Outcome<Vec<Value>> {
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            match &item.kind {
                Kind::Starred(inside) => values.extend(self.evaluate(inside)?.items(&self.meter)?),
                _ => values.push(self.evaluate(item)?),
            }
        }
        self.meter.allocate_items(values.len())?;
        Ok(values)
    }

    fn evaluate_dict(&mut self, entries: &[(Option<Expression>, Expression)]) -> Outcome<Value> {
        let mut dict = Dict::default();
        for (key, value) in entries {
            let key = key.as_ref().map(|key| self.evaluate(key)).transpose()?;
            let value = self.evaluate(value)?;
            match (key, &value) {
                (Some(key), _) => dict.insert(key, value, &self.meter)?,
                (None, Value::Dict(more)) => {
                    self.meter.allocate_items(more.len())?;
                    for (key, value) in more.entries() {
                        dict.insert(key.clone(), value.clone(), &self.meter)?;
                    }
                }
                (None, other) => {
                    return Err(Fault::type_error(format!(
                        "'{}' object is not a mapping",
                        other.type_name()
                    )));
                }
            }
        }
        self.meter.allocate_items(dict.len())?;
        Ok(Value::dict(dict))
    }

    fn evaluate_pieces(&mut self, pieces: &[Piece]) -> Outcome<Value> {
        let mut out = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Field { value, conversion, format } => {
                    let value = self.evaluate(value)?;
                    let format = format.as_ref().map(|format| self.evaluate(format)).transpose()?;
                    let format = format.as_ref().and_then(Value::as_text).map_or("", |format| format);
                    out.push_str(&match conversion {
                        Some('r' | 'a') => {
                            Value::text(value.represent(&self.meter)?).format(format, &self.meter)?
                        }
                        Some(_) => Value::text(value.display(&self.meter)?).format(format, &self.meter)?,
                        None => value.format(format, &self.meter)?,
                    });
                }
            }
        }
        self.meter.allocate(out.len())?;
        Ok(Value::text(out))
    }

    fn evaluate_logical(&mut self, operator: Logical, operands: &[Expression]) -> Outcome<Value> {
        let mut last = Value::None;
        for operand in operands {
            last = self.evaluate(operand)?;
            if last.is_true() == (operator == Logical::Or) {
                break;
            }
        }
        Ok(last)
    }

    fn evaluate_comparison(
        &mut self,
        first: &Expression,
        rest: &[(Comparison, Expression)],
    ) -> Outcome<Value> {
        let mut left = self.evaluate(first)?;
        for (operator, right) in rest {
            let right = self.evaluate(right)?;
            if !self.compare(&left, *operator, &right)? {
                return Ok(Value::Bool(false));
            }
            left = right;
        }
        Ok(Value::Bool(true))
    }

    fn compare(&self, left: &Value, operator: Comparison, right: &Value) -> Outcome<bool> {
        let meter = &*self.meter;
        match operator {
            Comparison::Equal => left.equals(right, meter),
            Comparison::NotEqual => left.equals(right, meter).map(|equal| !equal),
            Comparison::Is => left.is_same(right, meter),
            Comparison::IsNot => left.is_same(right, meter).map(|same| !same),
            Comparison::In => right.contains(left, meter),
            Comparison::NotIn => right.contains(left, meter).map(|inside| !inside),
            _ => left.compare(operator, right, meter),
        }
    }

    fn close_over(&mut self, lambda: &std::sync::Arc<Lambda>) -> Outcome<Value> {
        let default = |(_, default): &(Name, Option<Expression>)| match default {
            Some(default) => self.evaluate(default).map(Some),
            None => Ok(None),
        };
        let defaults = lambda.parameters.iter().map(default).collect::<Outcome<Vec<_>>>()?;
        let frames = self.frames.clone();
        let captured = frames.iter().flatten().map(|(_, value)| value);
        let depth = depth_around(captured.chain(defaults.iter().flatten()))?;
        self.meter.allocate_items(1 + frames.iter().map(Vec::len).sum::<usize>())?;
        Ok(Value::Lambda(Rc::new(Closure { lambda: lambda.clone(), frames, defaults, depth })))
    }
}
