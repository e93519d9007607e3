//! Methods of strings.

use std::collections::HashSet;

use crate::template::fault::{Fault, Outcome};
use crate::template::functions::Given;
use crate::template::limits::{BYTES_PER_STEP, Meter};
use crate::template::value::Value;
use crate::template::value::digit;
use crate::template::value::number::is_space;

pub(super) const METHODS: [&str; 42] = [
    "capitalize",
    "casefold",
    "center",
    "count",
    "encode",
    "endswith",
    "find",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "upper",
    "zfill",
    "isprintable",
];

pub(super) fn call(text: &str, name: &str, arguments: Given, meter: &Meter) -> Outcome<Value> {
    meter.steps(1 + text.len() / BYTES_PER_STEP)?;
    meter.allocate(text.len())?;
    match name {
        "join" => join(text, arguments, meter),
        "split" | "rsplit" => split(text, name, arguments, meter),
        "replace" => replace(text, arguments, meter),
        "startswith" | "endswith" => affix(text, name, arguments),
        "find" | "rfind" | "index" | "rindex" | "count" => search(text, name, arguments),
        "strip" | "lstrip" | "rstrip" => strip(text, name, arguments),
        "center" | "ljust" | "rjust" | "zfill" => pad(text, name, arguments, meter),
        "partition" | "rpartition" => partition(text, name, arguments),
        "removeprefix" | "removesuffix" => {
            let [affix] = arguments.exactly(name)?;
            let affix = wanted_text(&affix)?;
            let cut =
                if name == "removeprefix" { text.strip_prefix(affix) } else { text.strip_suffix(affix) };
            Ok(Value::text(cut.unwrap_or(text)))
        }
        "splitlines" => {
            let [] = arguments.exactly(name)?;
            meter.allocate_items(text.matches('\n').count() + 1)?;
            Value::list(text.lines().map(Value::text).collect())
        }
        "encode" => Ok(Value::Bytes(text.as_bytes().into())),
        _ => {
            let [] = arguments.exactly(name)?;
            Ok(plain(text, name))
        }
    }
}

/// Methods without arguments: changes of case, and questions.
fn plain(text: &str, name: &str) -> Value {
    let all = |test: fn(char) -> bool| Value::Bool(!text.is_empty() && text.chars().all(test));
    let cased = |good: fn(char) -> bool, bad: fn(char) -> bool| {
        Value::Bool(text.chars().any(good) && !text.chars().any(bad))
    };
    match name {
        "lower" | "casefold" => Value::text(text.to_lowercase()),
        "upper" => Value::text(text.to_uppercase()),
        "capitalize" => {
            let mut chars = text.chars();
            let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
            Value::text(first + &chars.as_str().to_lowercase())
        }
        "title" => Value::text(title(text)),
        "swapcase" => {
            let swap = |c: char| {
                if c.is_uppercase() { c.to_lowercase().to_string() } else { c.to_uppercase().to_string() }
            };
            Value::text(text.chars().map(swap).collect::<String>())
        }
        "isalpha" => all(char::is_alphabetic),
        "isalnum" => all(char::is_alphanumeric),
        "isnumeric" => all(char::is_numeric),
        "isdigit" | "isdecimal" => all(digit::is_digit),
        "isspace" => all(is_space),
        "isascii" => Value::Bool(text.is_ascii()),
        "isprintable" => Value::Bool(!text.chars().any(char::is_control)),
        "islower" => cased(char::is_lowercase, char::is_uppercase),
        "isupper" => cased(char::is_uppercase, char::is_lowercase),
        "istitle" => Value::Bool(text.chars().any(char::is_alphabetic) && title(text) == text),
        _ => Value::Bool(crate::template::python::lexer::is_identifier(text)),
    }
}

fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        if inside {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        inside = c.is_alphabetic();
    }
    out
}

/// The string that an argument has to be.
fn wanted_text(value: &Value) -> Outcome<&str> {
    let name = value.type_name();
    value.as_text().map(|text| &**text).ok_or_else(|| Fault::type_error(format!("must be str, not {name}")))
}

fn join(separator: &str, arguments: Given, meter: &Meter) -> Outcome<Value> {
    let [items] = arguments.exactly("join")?;
    let mut out = String::new();
    for (at, item) in items.iterate(meter)?.enumerate() {
        let item = item?;
        let part = item.as_text().ok_or_else(|| {
            let name = item.type_name();
            Fault::type_error(format!("sequence item {at}: expected str instance, {name} found"))
        })?;
        meter.allocate(separator.len() + part.len())?;
        if at > 0 {
            out.push_str(separator);
        }
        out.push_str(part);
    }
    Ok(Value::text(out))
}

fn split(text: &str, name: &str, arguments: Given, meter: &Meter) -> Outcome<Value> {
    let [separator, limit] = arguments.bind(name, ["sep", "maxsplit"], 0)?;
    let limit = limit.map_or(Ok(-1), |limit| limit.to_index())?;
    let limit = usize::try_from(limit).map_or(usize::MAX, |limit| limit.saturating_add(1));
    let parts: Vec<&str> = match &separator {
        None | Some(Value::None) => split_at_space(text, name, limit),
        Some(separator) => {
            let separator = wanted_text(separator)?;
            if separator.is_empty() {
                return Err(Fault::value_error("empty separator"));
            }
            if name == "split" {
                text.splitn(limit, separator).collect()
            } else {
                let mut parts: Vec<_> = text.rsplitn(limit, separator).collect();
                parts.reverse();
                parts
            }
        }
    };
    meter.allocate_items(parts.len())?;
    Value::list(parts.into_iter().map(Value::text).collect())
}

/// Words between runs of white space; the last part keeps what is left once the limit is reached.
fn split_at_space<'a>(text: &'a str, name: &str, limit: usize) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_matches(is_space);
    while !rest.is_empty() {
        let cut = if name == "split" { rest.find(is_space) } else { rest.rfind(is_space) };
        match cut.filter(|_| parts.len() + 1 < limit) {
            Some(at) if name == "split" => {
                let (word, after) = rest.split_at(at);
                parts.push(word);
                rest = after.trim_start_matches(is_space);
            }
            Some(at) => {
                let (before, word) = rest.split_at(at);
                parts.push(word.trim_start_matches(is_space));
                rest = before.trim_end_matches(is_space);
            }
            None => {
                parts.push(rest);
                break;
            }
        }
    }
    if name != "split" {
        parts.reverse();
    }
    parts
}

fn replace(text: &str, arguments: Given, meter: &Meter) -> Outcome<Value> {
    let given = arguments.positional.len();
    if given < 2 {
        return Err(Fault::type_error(format!("replace expected at least 2 arguments, got {given}")));
    }
    let [old, new, count] = arguments.bind("replace", ["old", "new", "count"], 2)?;
    let (old, new) = (old.unwrap_or(Value::None), new.unwrap_or(Value::None));
    let (old, new) = (wanted_text(&old)?, wanted_text(&new)?);
    let count = count.map_or(Ok(-1), |count| count.to_index())?;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let places = text.matches(old).take(count).count();
    meter.allocate(places.saturating_mul(new.len()))?;
    Ok(Value::text(text.replacen(old, new, count)))
}

fn affix(text: &str, name: &str, arguments: Given) -> Outcome<Value> {
    let [affix] = arguments.exactly(name)?;
    let has = |affix: &Value| -> Outcome<bool> {
        let affix = wanted_text(affix)?;
        Ok(if name == "startswith" { text.starts_with(affix) } else { text.ends_with(affix) })
    };
    match &affix {
        Value::Tuple(several) => {
            for affix in several.items() {
                if has(affix)? {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        }
        one => has(one).map(Value::Bool),
    }
}

fn search(text: &str, name: &str, arguments: Given) -> Outcome<Value> {
    let [part] = arguments.exactly(name)?;
    let part = wanted_text(&part)?;
    if name == "count" {
        return Ok(Value::int(text.matches(part).count()));
    }
    let found = if name.starts_with('r') { text.rfind(part) } else { text.find(part) };
    match found {
        Some(at) => Ok(Value::int(text.get(..at).unwrap_or_default().chars().count())),
        None if name.ends_with("find") => Ok(Value::int(-1)),
        None => Err(Fault::value_error("substring not found")),
    }
}

fn strip(text: &str, name: &str, arguments: Given) -> Outcome<Value> {
    let [chars] = arguments.bind(name, ["chars"], 0)?;
    let chars: Option<HashSet<char>> = match &chars {
        None | Some(Value::None) => None,
        Some(chars) => Some(wanted_text(chars)?.chars().collect()),
    };
    let unwanted = |c: char| chars.as_ref().map_or_else(|| is_space(c), |chars| chars.contains(&c));
    let start = if name == "rstrip" { text } else { text.trim_start_matches(unwanted) };
    Ok(Value::text(if name == "lstrip" { start } else { start.trim_end_matches(unwanted) }))
}

fn pad(text: &str, name: &str, arguments: Given, meter: &Meter) -> Outcome<Value> {
    let [width, fill] = arguments.bind(name, ["width", "fillchar"], 1)?;
    let width = usize::try_from(width.unwrap_or(Value::None).to_index()?).unwrap_or(0);
    let fill = match &fill {
        Some(fill) => wanted_text(fill)?.to_owned(),
        None if name == "zfill" => "0".to_owned(),
        None => " ".to_owned(),
    };
    if fill.chars().count() != 1 {
        return Err(Fault::type_error("The fill character must be exactly one character long"));
    }
    let missing = width.saturating_sub(text.chars().count());
    meter.allocate(missing.saturating_mul(fill.len()))?;
    Ok(Value::text(match name {
        "ljust" => format!("{text}{}", fill.repeat(missing)),
        "center" => format!("{}{text}{}", fill.repeat(missing / 2), fill.repeat(missing - missing / 2)),
        "zfill" if text.starts_with(['+', '-']) => {
            let (sign, digits) = text.split_at(1);
            format!("{sign}{}{digits}", fill.repeat(missing))
        }
        _ => format!("{}{text}", fill.repeat(missing)),
    }))
}

fn partition(text: &str, name: &str, arguments: Given) -> Outcome<Value> {
    let [separator] = arguments.exactly(name)?;
    let separator = wanted_text(&separator)?;
    if separator.is_empty() {
        return Err(Fault::value_error("empty separator"));
    }
    let parts = if name == "partition" {
        text.split_once(separator).map_or([text, "", ""], |(before, after)| [before, separator, after])
    } else {
        text.rsplit_once(separator).map_or(["", "", text], |(before, after)| [before, separator, after])
    };
    Value::tuple(parts.into_iter().map(Value::text).collect())
}
