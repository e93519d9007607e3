//! What the engine demands of the text of a `JSON` column, checked before it sees a block.
//!
//! Types of single paths, as in `JSON(a UInt32)`, are not looked at: a value that does not fit one
//! makes the engine refuse the block.

use std::collections::HashSet;

use super::Misfit;
use crate::ingest::json::{JsonText, JsonValue, for_each_member};

/// How deep objects may stand inside each other.
const MAX_DEPTH: usize = 256;

/// Refuses what ClickHouse would refuse, and with it the rows of everybody else: a value that is
/// no object, the same path twice, text that is no Unicode, and numbers that no type can hold.
pub(super) fn check_json_object(value: &JsonValue<'_>) -> Result<(), Misfit> {
    let JsonValue::Object(object) = value else { return Err(Misfit) };
    check_members(*object, "", &mut HashSet::new(), MAX_DEPTH)
}

fn check_members(
    object: JsonText<'_>,
    prefix: &str,
    seen: &mut HashSet<String>,
    depth: usize,
) -> Result<(), Misfit> {
    let mut outcome = Ok(());
    for_each_member(object.as_str(), &mut |key, text| {
        let path = format!("{prefix}{key}");
        outcome = outcome.and_then(|()| check_member(path, text, seen, depth));
    })
    .map_err(|_| Misfit)?;
    outcome
}

fn check_member(
    path: String,
    text: JsonText<'_>,
    seen: &mut HashSet<String>,
    depth: usize,
) -> Result<(), Misfit> {
    let inside = format!("{path}.");
    if !seen.insert(path) {
        return Err(Misfit);
    }
    check_value(text, &inside, seen, depth)
}

fn check_value(
    text: JsonText<'_>,
    inside: &str,
    seen: &mut HashSet<String>,
    depth: usize,
) -> Result<(), Misfit> {
    let depth = depth.checked_sub(1).ok_or(Misfit)?;
    match text.read().ok_or(Misfit)? {
        JsonValue::Object(object) => check_members(object, inside, seen, depth),
        JsonValue::Array(array) => {
            let elements = array.elements().map_err(|_| Misfit)?;
            // The objects in an array are documents of their own.
            elements.into_iter().try_for_each(|element| check_value(element, "", &mut HashSet::new(), depth))
        }
        JsonValue::Number(digits) if can_be_stored(digits) => Ok(()),
        JsonValue::Number(_) => Err(Misfit),
        JsonValue::Null | JsonValue::Bool(_) | JsonValue::Text(_) => Ok(()),
    }
}

/// A whole number has 64 bits in a `JSON` column; any other is a `Float64`.
fn can_be_stored(digits: &str) -> bool {
    if digits.contains(['.', 'e', 'E']) {
        return digits.parse().is_ok_and(f64::is_finite);
    }
    digits.parse::<i64>().is_ok() || digits.parse::<u64>().is_ok()
}
