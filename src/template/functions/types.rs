//! Python's types, as functions that convert, and functions that ask about types.

use num_bigint::BigInt;
use num_traits::ToPrimitive;

use super::{Function, Given};
use crate::template::fault::{Class, Fault, Outcome};
use crate::template::limits::Meter;
use crate::template::machine::Machine;
use crate::template::value::method::dict::update;
use crate::template::value::number::{parse_float, parse_int};
use crate::template::value::{Dict, Value};

/// `list(items)`, `tuple(items)` and `set(items)`
pub(super) fn collection(machine: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let [items] = given.bind(name, ["iterable"], 0)?;
    let items = items.map_or(Ok(Vec::new()), |items| items.items(&machine.meter))?;
    match name {
        "list" => Value::list(items),
        "tuple" => Value::tuple(items),
        _ => Value::set(items, &machine.meter),
    }
}

/// `dict(items, name=value)`
pub(super) fn dict(machine: &mut Machine<'_>, _: &'static str, given: Given) -> Outcome<Value> {
    let mut dict = Dict::default();
    update(&mut dict, given, &machine.meter)?;
    Ok(Value::dict(dict))
}

/// `str(x)`, `repr(x)` and `ascii(x)`
pub(super) fn text(machine: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let [x] = given.bind(name, ["object"], 0)?;
    let x = x.unwrap_or_else(|| Value::text(""));
    let text = if name == "str" { x.display(&machine.meter)? } else { x.represent(&machine.meter)? };
    Ok(Value::text(text))
}

/// `bytes(items)`
pub(super) fn bytes(machine: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let [x, _] = given.bind(name, ["source", "encoding"], 0)?;
    let byte = |item: Value| {
        let byte = item.as_int().and_then(|number| number.to_u8());
        byte.ok_or_else(|| Fault::value_error("bytes must be in range(0, 256)"))
    };
    match x {
        None => Ok(Value::Bytes([].into())),
        Some(Value::Text(text)) => Ok(Value::Bytes(text.as_bytes().into())),
        Some(items) => {
            let items = items.items(&machine.meter)?;
            Ok(Value::Bytes(items.into_iter().map(byte).collect::<Outcome<Vec<u8>>>()?.into()))
        }
    }
}

/// `int(x, base)`
pub(super) fn integer(machine: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let [x, base] = given.bind(name, ["x", "base"], 0)?;
    let Some(x) = x else { return Ok(Value::int(0)) };
    let Some(base) = base else { return to_integer(&x, &machine.meter).map(Value::Int) };
    let base =
        base.as_count().and_then(|base| u32::try_from(base).ok()).filter(|base| (2..=36).contains(base));
    let base = base.ok_or_else(|| Fault::value_error("int() base must be >= 2 and <= 36, or 0"))?;
    let text =
        x.as_text().ok_or_else(|| Fault::type_error("int() can't convert non-string with explicit base"))?;
    parse_int(text, base).map(Value::Int).ok_or_else(|| invalid_integer(&x, base, &machine.meter))
}

fn invalid_integer(x: &Value, base: u32, meter: &Meter) -> Fault {
    match x.represent(meter) {
        Ok(shown) => Fault::value_error(format!("invalid literal for int() with base {base}: {shown}")),
        Err(fault) => fault,
    }
}

/// What `int(x)` makes of a value.
pub(super) fn to_integer(x: &Value, meter: &Meter) -> Outcome<BigInt> {
    if let Some(text) = x.as_text() {
        return parse_int(text, 10).ok_or_else(|| invalid_integer(x, 10, meter));
    }
    match (x.truncated(), x.untyped()) {
        (Some(number), _) => Ok(number),
        (None, Value::Float(number)) if number.is_nan() => {
            Err(Fault::value_error("cannot convert float NaN to integer"))
        }
        (None, Value::Float(_)) => {
            Err(Fault::raise(Class::OverflowError, "cannot convert float infinity to integer"))
        }
        _ => Err(Fault::type_error(format!(
            "int() argument must be a string, a bytes-like object or a real number, not '{}'",
            x.type_name()
        ))),
    }
}

/// `float(x)`
pub(super) fn float(machine: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let [x] = given.bind(name, ["x"], 0)?;
    let Some(x) = x else { return Ok(Value::Float(0.0)) };
    if let Some(text) = x.as_text() {
        return if let Some(number) = parse_float(text) {
            Ok(Value::Float(number))
        } else {
            let shown = x.represent(&machine.meter)?;
            Err(Fault::value_error(format!("could not convert string to float: {shown}")))
        };
    }
    x.as_float().map(Value::Float).ok_or_else(|| {
        Fault::type_error(format!(
            "float() argument must be a string or a real number, not '{}'",
            x.type_name()
        ))
    })
}

/// `complex(x)`: there is no such type here.
pub(super) fn complex(_: &mut Machine<'_>, _: &'static str, _: Given) -> Outcome<Value> {
    Err(Fault::type_error("templates have no complex numbers"))
}

/// `slice(start, stop, step)`
pub(super) fn slice(_: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let mut parts = given.positional.into_iter();
    let mut part = || parts.next().unwrap_or(Value::None);
    let (first, second, third) = (part(), part(), part());
    if parts.next().is_some() {
        return Err(Fault::type_error(format!("{name} expected at most 3 arguments")));
    }
    Ok(match second {
        Value::None => Value::new_slice(Value::None, first, Value::None),
        stop => Value::new_slice(first, stop, third),
    })
}

/// `format(x, specification)`
pub(super) fn format(machine: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let [x, specification] = given.bind(name, ["value", "format_spec"], 1)?;
    let specification = specification.unwrap_or_else(|| Value::text(""));
    let specification =
        specification.as_text().ok_or_else(|| Fault::type_error("format_spec must be a string"))?;
    x.unwrap_or(Value::None).format(specification, &machine.meter).map(Value::text)
}

/// `chr(code)`
pub(super) fn character(_: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let [code] = given.exactly(name)?;
    let code = u32::try_from(code.to_index()?).ok().and_then(char::from_u32);
    let c = code.ok_or_else(|| Fault::value_error("chr() arg not in range(0x110000)"))?;
    Ok(Value::text(c.to_string()))
}

/// `ord(c)`
pub(super) fn code_point(_: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let [c] = given.exactly(name)?;
    let Some(text) = c.as_text() else {
        let name = c.type_name();
        return Err(Fault::type_error(format!("ord() expected string of length 1, but {name} found")));
    };
    let mut chars = text.chars();
    if let (Some(c), None) = (chars.next(), chars.next()) {
        Ok(Value::int(u32::from(c)))
    } else {
        let length = text.chars().count();
        let text = format!("ord() expected a character, but string of length {length} found");
        Err(Fault::type_error(text))
    }
}

/// `isinstance(x, type)` and `issubclass(class, type)`
pub(super) fn is_instance(_: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let [x, wanted] = given.exactly(name)?;
    let one = |wanted: &Value| match (wanted, &x) {
        (Value::Function(function), _) => Ok(is_of_type(&x, function)),
        (Value::Class(wanted), Value::Exception(exception)) => Ok(exception.class.is_a(*wanted)),
        (Value::Class(wanted), Value::Class(class)) => Ok(name == "issubclass" && class.is_a(*wanted)),
        (Value::Class(_), _) => Ok(false),
        _ => Err(Fault::type_error(format!("{name}() arg 2 must be a type, a tuple of types, or a union"))),
    };
    let found = match &wanted {
        Value::Tuple(several) => {
            several.items().iter().try_fold(false, |found, wanted| Ok(found | one(wanted)?))?
        }
        single => one(single)?,
    };
    Ok(Value::Bool(found))
}

fn is_of_type(x: &Value, wanted: &Function) -> bool {
    match wanted.name {
        "str" => x.as_text().is_some(),
        "int" => x.as_int().is_some(),
        "float" => matches!(x.untyped(), Value::Float(_)),
        name => x.type_name() == name,
    }
}

/// `callable(x)`
pub(super) fn callable(_: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let [x] = given.exactly(name)?;
    Ok(Value::Bool(matches!(x, Value::Function(_) | Value::Lambda(_) | Value::Method(_) | Value::Class(_))))
}

/// `hasattr(x, name)`
pub(super) fn has_attribute(_: &mut Machine<'_>, name: &'static str, given: Given) -> Outcome<Value> {
    let [x, attribute] = given.exactly(name)?;
    let attribute = attribute.as_text().ok_or_else(|| Fault::type_error("attribute name must be string"))?;
    Ok(Value::Bool(x.method_effect(attribute).is_some()))
}
