//! What can be told about an expression without running it.

use num_traits::ToPrimitive;
use serde_json::Value as Json;

use crate::template::python::tree::{Binary, Constant, Expression, Kind, Unary};
use crate::template::value::number::float_text;
use crate::template::value::text::python_quoted;

/// Tinybird gives up on the whole call where a list holds more than literals.
pub(super) struct NotLiteral;

pub(super) type Folded<T> = Result<T, NotLiteral>;

/// The largest integer that JavaScript holds exactly.
const MAX_SAFE_INTEGER: i64 = 9_007_199_254_740_991;

/// The value of an expression as Tinybird guesses it: null for what it does not know.
pub(super) fn fold(expression: &Expression) -> Folded<Json> {
    Ok(match &expression.kind {
        Kind::Constant(constant) => literal(constant),
        Kind::Name(name) => Json::from(&**name),
        Kind::List(items) => Json::Array(items.iter().map(literal_item).collect::<Folded<_>>()?),
        Kind::Binary(left, _, right) => {
            let left = fold(left)?;
            if is_truthy(&left) { left } else { fold(right)? }
        }
        Kind::Unary(operator, operand) => match (&operand.kind, operator) {
            (Kind::Constant(Constant::Int(number)), Unary::Minus) => literal(&Constant::Int(-number)),
            (Kind::Constant(Constant::Float(number)), Unary::Minus) => Json::from(-number),
            (Kind::Constant(constant), _) => literal(constant),
            _ => Json::Null,
        },
        _ => Json::Null,
    })
}

fn literal_item(item: &Expression) -> Folded<Json> {
    match &item.kind {
        Kind::Constant(constant) => Ok(literal(constant)),
        Kind::Unary(..) => fold(item),
        _ => Err(NotLiteral),
    }
}

fn literal(constant: &Constant) -> Json {
    match constant {
        Constant::Bool(truth) => Json::Bool(*truth),
        Constant::Int(number) => match (number.to_i64(), number.to_u64()) {
            (Some(number), _) => Json::from(number),
            (None, Some(number)) => Json::from(number),
            (None, None) => Json::String(number.to_string()),
        },
        Constant::Float(number) => Json::from(*number),
        Constant::Text(text) => Json::from(&**text),
        Constant::None | Constant::Bytes(_) | Constant::Ellipsis | Constant::Imaginary => Json::Null,
    }
}

/// What Python takes for true.
pub(super) fn is_truthy(json: &Json) -> bool {
    match json {
        Json::Null => false,
        Json::Bool(truth) => *truth,
        Json::Number(number) => number.as_f64() != Some(0.0),
        Json::String(text) => !text.is_empty(),
        Json::Array(items) => !items.is_empty(),
        Json::Object(entries) => !entries.is_empty(),
    }
}

/// The default, as a text where JavaScript would round it.
pub(super) fn safe_for_javascript(default: Json) -> Json {
    match &default {
        Json::Number(number) if number.is_u64() && number.as_i64().is_none_or(|n| n > MAX_SAFE_INTEGER) => {
            Json::String(number.to_string())
        }
        _ => default,
    }
}

/// The text that a table is named with, if it is known: literals, and sums of them.
pub(super) fn constant_text(expression: &Expression) -> Option<String> {
    match &expression.kind {
        Kind::Constant(Constant::Text(text)) => Some(text.to_string()),
        Kind::Constant(Constant::Int(number)) => Some(number.to_string()),
        Kind::Constant(Constant::Float(number)) => Some(float_text(*number)),
        Kind::Binary(left, Binary::Add, right) => Some(constant_text(left)? + &constant_text(right)?),
        _ => None,
    }
}

/// The list as Python prints it.
pub(super) fn python_list(items: &[Json]) -> String {
    let item = |item: &Json| match item {
        Json::String(text) => python_quoted(text),
        Json::Null => "None".to_owned(),
        Json::Bool(truth) => if *truth { "True" } else { "False" }.to_owned(),
        Json::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => float_text(float),
            _ => number.to_string(),
        },
        other => other.to_string(),
    };
    format!("[{}]", items.iter().map(item).collect::<Vec<_>>().join(", "))
}
