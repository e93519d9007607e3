//! Sorting, where comparing two values may fail.

use super::Value;
use crate::template::fault::Outcome;
use crate::template::limits::Meter;
use crate::template::python::tree::Comparison;

/// Sorts by a key, equal ones keeping their order.
pub(in crate::template) fn sort(
    items: &mut Vec<Value>,
    mut key: impl FnMut(&Value) -> Outcome<Value>,
    meter: &Meter,
) -> Outcome<()> {
    meter.allocate_items(items.len())?;
    let mut keyed: Vec<(Value, Value)> =
        items.iter().map(|item| Ok((key(item)?, item.clone()))).collect::<Outcome<_>>()?;
    let mut failure = None;
    keyed.sort_by(|(left, _), (right, _)| {
        let order = if failure.is_some() { Ok(None) } else { left.order(Comparison::Less, right, meter) };
        order
            .unwrap_or_else(|fault| {
                failure = Some(fault);
                None
            })
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    if let Some(fault) = failure {
        Err(fault)
    } else {
        *items = keyed.into_iter().map(|(_, item)| item).collect();
        Ok(())
    }
}
