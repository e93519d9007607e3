//! Comprehensions and generators, which are run at once.

use super::Machine;
use crate::template::fault::Outcome;
use crate::template::python::tree::{Clause, Collects, Comprehension};
use crate::template::value::{Dict, Value};

impl Machine<'_> {
    pub(super) fn evaluate_comprehension(&mut self, comprehension: &Comprehension) -> Outcome<Value> {
        let Some((first, rest)) = comprehension.clauses.split_first() else { return Value::list(Vec::new()) };
        let mut collected = Vec::new();
        let iterable = self.evaluate(&first.iterable)?;
        self.frames.push(Vec::new());
        let outcome = self.iterate_clause(first, &iterable, rest, &mut |machine| {
            let element = machine.evaluate(&comprehension.element)?;
            let value = comprehension.value.as_ref().map(|value| machine.evaluate(value)).transpose()?;
            machine.meter.allocate_items(1)?;
            collected.push((element, value.unwrap_or(Value::None)));
            Ok(())
        });
        self.frames.pop();
        outcome?;
        let elements = collected.into_iter();
        match comprehension.collects {
            Collects::List => Value::list(elements.map(|(element, _)| element).collect()),
            Collects::Set => Value::set(elements.map(|(element, _)| element), &self.meter),
            Collects::Iterator => Value::iterator(elements.map(|(element, _)| element).collect()),
            Collects::Dict => {
                let mut dict = Dict::default();
                for (key, value) in elements {
                    dict.insert(key, value, &self.meter)?;
                }
                Ok(Value::dict(dict))
            }
        }
    }

    fn iterate_clause(
        &mut self,
        clause: &Clause,
        iterable: &Value,
        rest: &[Clause],
        each: &mut dyn FnMut(&mut Self) -> Outcome<()>,
    ) -> Outcome<()> {
        let meter = self.meter.clone();
        for item in iterable.iterate(&meter)? {
            self.assign(&clause.target, item?)?;
            if !self.all_true(clause)? {
                continue;
            }
            match rest.split_first() {
                None => each(self)?,
                Some((next, further)) => {
                    let inner = self.evaluate(&next.iterable)?;
                    self.iterate_clause(next, &inner, further, each)?;
                }
            }
        }
        Ok(())
    }

    fn all_true(&mut self, clause: &Clause) -> Outcome<bool> {
        for condition in &clause.conditions {
            if !self.evaluate(condition)?.is_true() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
