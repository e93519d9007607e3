//! Arguments of types: what each family wants between its parentheses, and what it refuses.
//!
//! The refusals are those of ClickHouse 26.7, so that a project fails when it is read and not when
//! its tables are made.

use super::error::{SIMPLE_FUNCTIONS, TypeProblem};
use super::families::Family;
use super::parse::{Parsed, Piece};
use super::raw::{self, Argument};
use crate::schema::quoting;
use crate::schema::types::{DataType, EnumWidth, IntWidth, TupleElement};

/// A type with its arguments still to be understood.
pub(super) struct Call<'a> {
    /// The whole type.
    pub(super) piece: Piece<'a>,
    /// What stands between the parentheses; `None` without parentheses.
    pub(super) arguments: Option<Piece<'a>>,
}

impl<'a> Call<'a> {
    pub(super) fn build(&self, family: Family) -> Parsed {
        match family {
            Family::AggregateFunction => self.aggregate_function(),
            Family::Array => {
                Ok(DataType::Array(Box::new(self.only("Array", "one argument, the type of its elements")?)))
            }
            Family::BFloat16 => self.without_arguments("BFloat16", DataType::BFloat16),
            Family::Bool => self.without_arguments("Bool", DataType::Bool),
            Family::Date => self.without_arguments("Date", DataType::Date),
            Family::Date32 => self.without_arguments("Date32", DataType::Date32),
            Family::DateTime => self.date_time(),
            Family::DateTime64 => self.date_time64(),
            Family::Decimal => self.decimal(),
            Family::DecimalOf(precision) => self.decimal_of(precision),
            Family::Enum => self.enumeration(None),
            Family::Enum8 => self.enumeration(Some(EnumWidth::W8)),
            Family::Enum16 => self.enumeration(Some(EnumWidth::W16)),
            Family::FixedString => self.fixed_string(),
            Family::Float32 => self.ignoring_size(DataType::Float32),
            Family::Float64 => self.ignoring_size(DataType::Float64),
            Family::Int(width) => self.ignoring_size(DataType::Int(width)),
            Family::UInt(width) => self.ignoring_size(DataType::UInt(width)),
            Family::String => self.ignoring_size(DataType::String),
            Family::Ipv4 => self.without_arguments("IPv4", DataType::Ipv4),
            Family::Ipv6 => self.without_arguments("IPv6", DataType::Ipv6),
            Family::Json => Ok(DataType::Json(self.raw().into())),
            Family::LowCardinality => self.low_cardinality(),
            Family::Map => self.map(),
            Family::Nested => self.nested(),
            Family::Nullable => self.nullable(),
            Family::Object => Ok(DataType::Json("".into())),
            Family::Opaque(name) => Ok(DataType::Opaque(self.opaque(name).into())),
            Family::SimpleAggregateFunction => self.simple_aggregate_function(),
            Family::Tuple => Ok(DataType::Tuple(self.elements()?)),
            Family::Uuid => self.without_arguments("UUID", DataType::Uuid),
            Family::Variant => self.variant(),
        }
    }

    fn arguments(&self) -> Vec<Piece<'a>> {
        let Some(inside) = self.arguments else { return Vec::new() };
        let piece = |(start, text): Argument<'a>| Piece {
            text,
            offset: inside.offset + start,
            depth: inside.depth + 1,
        };
        raw::split(inside.text).into_iter().map(piece).collect()
    }

    fn raw(&self) -> String {
        self.arguments.map_or_else(String::new, |inside| raw::tidy(inside.text))
    }

    fn opaque(&self, name: &'static str) -> String {
        match self.raw() {
            arguments if arguments.is_empty() => name.to_owned(),
            arguments => format!("{name}({arguments})"),
        }
    }

    fn wrong_arguments<T>(&self, family: &'static str, expected: &'static str) -> Parsed<T> {
        self.piece.error(TypeProblem::Arguments { family, expected })
    }

    fn without_arguments(&self, family: &'static str, data_type: DataType) -> Parsed {
        if self.arguments().is_empty() { Ok(data_type) } else { self.wrong_arguments(family, "no arguments") }
    }

    /// `INT(11)` and `VARCHAR(255)`: ClickHouse reads the size and forgets it.
    fn ignoring_size(&self, data_type: DataType) -> Parsed {
        match self.arguments().iter().find(|argument| argument.text.parse::<u32>().is_err()) {
            None => Ok(data_type),
            Some(argument) => argument.expected("a number"),
        }
    }

    fn only(&self, family: &'static str, expected: &'static str) -> Parsed {
        match self.arguments().as_slice() {
            [argument] => argument.data_type(),
            _ => self.wrong_arguments(family, expected),
        }
    }

    fn nullable(&self) -> Parsed {
        let inner = self.only("Nullable", "one argument, the nested type")?;
        let refused = match &inner {
            DataType::Nullable(_)
            | DataType::LowCardinality(_)
            | DataType::Array(_)
            | DataType::Tuple(_)
            | DataType::Map(..)
            | DataType::Nested(_)
            | DataType::AggregateFunction(_)
            | DataType::Opaque(_) => true,
            DataType::SimpleAggregateFunction(_, stored) => stored.is_nullable(),
            _ => false,
        };
        match inner {
            inner if refused => self.piece.error(TypeProblem::InsideNullable(Box::new(inner))),
            DataType::SimpleAggregateFunction(function, stored) => {
                Ok(DataType::SimpleAggregateFunction(function, Box::new(DataType::Nullable(stored))))
            }
            inner => Ok(DataType::Nullable(Box::new(inner))),
        }
    }

    fn low_cardinality(&self) -> Parsed {
        let inner = self.only("LowCardinality", "one argument, the type of the dictionary")?;
        let value = if let DataType::Nullable(value) = &inner { value } else { &inner };
        let allowed = match value {
            DataType::String
            | DataType::FixedString(_)
            | DataType::Int(_)
            | DataType::UInt(_)
            | DataType::Float32
            | DataType::Float64
            | DataType::BFloat16
            | DataType::Bool
            | DataType::Uuid
            | DataType::Date
            | DataType::Date32
            | DataType::DateTime { .. }
            | DataType::Ipv4
            | DataType::Ipv6 => true,
            DataType::Opaque(name) => name.starts_with("Interval"),
            _ => false,
        };
        if allowed {
            Ok(DataType::LowCardinality(Box::new(inner)))
        } else {
            self.piece.error(TypeProblem::InsideLowCardinality(Box::new(inner)))
        }
    }

    fn map(&self) -> Parsed {
        let arguments = self.arguments();
        let [key, value] = arguments.as_slice() else {
            return self.wrong_arguments("Map", "two arguments, the types of keys and values");
        };
        let key_type = key.data_type()?;
        if key_type.is_nullable() {
            return key.error(TypeProblem::MapKey(Box::new(key_type)));
        }
        Ok(DataType::Map(Box::new(key_type), Box::new(value.data_type()?)))
    }

    fn elements(&self) -> Parsed<Vec<TupleElement>> {
        self.arguments().into_iter().map(Piece::element).collect()
    }

    fn nested(&self) -> Parsed {
        let elements = self.elements()?;
        if elements.is_empty() || elements.iter().any(|element| element.name.is_none()) {
            return self.wrong_arguments("Nested", "names with types as arguments");
        }
        Ok(DataType::Nested(elements))
    }

    /// ClickHouse sorts the alternatives by name, so their order says nothing.
    fn variant(&self) -> Parsed {
        let alternatives = self.arguments().into_iter().map(Piece::data_type).collect::<Parsed<Vec<_>>>()?;
        let mut names: Vec<String> = alternatives.iter().map(ToString::to_string).collect();
        names.sort();
        names.dedup();
        Ok(DataType::Opaque(format!("Variant({})", names.join(", ")).into()))
    }

    fn fixed_string(&self) -> Parsed {
        let arguments = self.arguments();
        let size = if let [argument] = arguments.as_slice() { argument.text.parse().ok() } else { None };
        match size {
            Some(size) if size > 0 => Ok(DataType::FixedString(size)),
            _ => self.wrong_arguments("FixedString", "one argument, its size in bytes (a positive integer)"),
        }
    }

    fn date_time(&self) -> Parsed {
        match self.arguments().as_slice() {
            [] => Ok(DataType::DateTime { zone: None }),
            [zone] => Ok(DataType::DateTime { zone: Some(zone_name(*zone)?) }),
            _ => self.wrong_arguments("DateTime", "at most one argument, the quoted name of a time zone"),
        }
    }

    fn date_time64(&self) -> Parsed {
        if self.arguments.is_none() {
            return self.piece.error(TypeProblem::DateTime64WithoutPrecision);
        }
        let arguments = self.arguments();
        let (precision, zone) = match arguments.as_slice() {
            [precision] => (precision, None),
            [precision, zone] => (precision, Some(zone_name(*zone)?)),
            _ => {
                return self
                    .wrong_arguments("DateTime64", "a precision and at most a time zone as arguments");
            }
        };
        match precision.text.parse() {
            Ok(digits @ 0..=9) => Ok(DataType::DateTime64 { precision: digits, zone }),
            _ => precision.expected("a precision from 0 to 9"),
        }
    }

    fn decimal(&self) -> Parsed {
        let numbers: Option<Vec<u8>> =
            self.arguments().iter().map(|number| number.text.parse().ok()).collect();
        let (precision, scale) = match numbers.as_deref() {
            Some([]) => (10, 0),
            Some([precision]) => (*precision, 0),
            Some([precision, scale]) => (*precision, *scale),
            _ => return self.wrong_arguments("Decimal", "a precision and a scale as arguments"),
        };
        self.checked_decimal(precision, scale)
    }

    fn decimal_of(&self, precision: u8) -> Parsed {
        let arguments = self.arguments();
        let scale = if let [scale] = arguments.as_slice() { scale.text.parse().ok() } else { None };
        match scale {
            Some(scale) => self.checked_decimal(precision, scale),
            None => self.wrong_arguments("Decimal", "one argument when its width is in its name, the scale"),
        }
    }

    fn checked_decimal(&self, precision: u8, scale: u8) -> Parsed {
        if !(1..=76).contains(&precision) || scale > precision {
            return self.wrong_arguments("Decimal", "a precision from 1 to 76 and a scale not above it");
        }
        Ok(DataType::Decimal { precision, scale })
    }

    fn enumeration(&self, width: Option<EnumWidth>) -> Parsed {
        let arguments = self.arguments();
        if arguments.is_empty() {
            return self.wrong_arguments("Enum", "arguments of the form 'name' = number");
        }
        let mut values: Vec<(Box<str>, i16)> = Vec::with_capacity(arguments.len());
        for argument in arguments {
            let following = values.last().map_or(1, |&(_, last)| i64::from(last) + 1);
            let (name, value) = enumeration_value(argument, following)?;
            let fits = if width == Some(EnumWidth::W8) {
                i8::try_from(value).map(i16::from)
            } else {
                i16::try_from(value)
            };
            let Ok(number) = fits else {
                let family = width.unwrap_or(EnumWidth::W16).family();
                return argument.error(TypeProblem::EnumRange {
                    value,
                    name: quoting::string(&name),
                    family,
                });
            };
            if values.iter().any(|(other, taken)| **other == *name || *taken == number) {
                return argument
                    .error(TypeProblem::DuplicateElement(format!("{} = {number}", quoting::string(&name))));
            }
            values.push((name.into(), number));
        }
        let narrow = values.iter().all(|&(_, value)| i8::try_from(value).is_ok());
        let width = width.unwrap_or(if narrow { EnumWidth::W8 } else { EnumWidth::W16 });
        Ok(DataType::Enum { width, values })
    }

    fn aggregate_function(&self) -> Parsed {
        let arguments = self.arguments();
        let versioned = usize::from(arguments.first().is_some_and(|first| first.text.parse::<u32>().is_ok()));
        let Some((function, types)) = arguments.get(versioned..).and_then(<[_]>::split_first) else {
            return self.wrong_arguments("AggregateFunction", "the name of a function as argument");
        };
        if function.word_end() == 0 || !function.text.is_ascii() {
            return function.expected("the name of an aggregate function");
        }
        let version = arguments.first().filter(|_| versioned == 1).map(|version| version.text.to_owned());
        let mut texts: Vec<String> = version.into_iter().chain([raw::tidy(function.text)]).collect();
        for argument in types {
            texts.push(argument.data_type()?.to_string());
        }
        Ok(DataType::AggregateFunction(texts.join(", ").into()))
    }

    fn simple_aggregate_function(&self) -> Parsed {
        let arguments = self.arguments();
        let [function, stored] = arguments.as_slice() else {
            return self.wrong_arguments("SimpleAggregateFunction", "a function and a type as arguments");
        };
        if !SIMPLE_FUNCTIONS.contains(&function.text) {
            return function.error(TypeProblem::SimpleFunction(function.text.to_owned()));
        }
        let name: Box<str> = function.text.into();
        let stored = stored.data_type()?;
        match widened(function.text, &stored) {
            Some(returns) if returns != stored => self.piece.error(TypeProblem::SimpleFunctionType {
                function: name,
                returns: Box::new(returns),
                stored: Box::new(stored),
            }),
            _ => Ok(DataType::SimpleAggregateFunction(name, Box::new(stored))),
        }
    }
}

fn zone_name(argument: Piece<'_>) -> Parsed<Box<str>> {
    match quoting::read(argument.text, '\'') {
        Some((zone, end)) if end == argument.text.len() => Ok(zone.into()),
        _ => argument.expected("the quoted name of a time zone"),
    }
}

/// `'name' = number`, or `'name'` which takes the `following` number.
fn enumeration_value(argument: Piece<'_>, following: i64) -> Parsed<(String, i64)> {
    let Some((name, end)) = quoting::read(argument.text, '\'') else {
        return argument.expected("'name' = number");
    };
    let behind = argument.from(end);
    if behind.text.is_empty() {
        return Ok((name, following));
    }
    let number = behind.text.strip_prefix('=').and_then(|number| number.trim().parse().ok());
    match number {
        Some(number) => Ok((name, number)),
        None => behind.expected("= and a number"),
    }
}

/// What `sum` makes of a type; `None` for functions and types that change nothing.
fn widened(function: &str, stored: &DataType) -> Option<DataType> {
    if function != "sum" {
        return None;
    }
    match stored {
        DataType::Nullable(inner) => Some(DataType::Nullable(Box::new(widened(function, inner)?))),
        DataType::Int(IntWidth::W8 | IntWidth::W16 | IntWidth::W32) => Some(DataType::Int(IntWidth::W64)),
        DataType::Bool | DataType::UInt(IntWidth::W8 | IntWidth::W16 | IntWidth::W32) => {
            Some(DataType::UInt(IntWidth::W64))
        }
        DataType::Float32 => Some(DataType::Float64),
        DataType::Decimal { precision, scale } => {
            Some(DataType::Decimal { precision: if *precision > 38 { 76 } else { 38 }, scale: *scale })
        }
        _ => None,
    }
}

impl EnumWidth {
    /// `Enum8` or `Enum16`.
    pub(super) fn family(self) -> &'static str {
        match self {
            Self::W8 => "Enum8",
            Self::W16 => "Enum16",
        }
    }
}
