//! Types as the canonical text that ClickHouse itself prints.

use std::fmt::{self, Display, Formatter};

use crate::schema::quoting;
use crate::schema::types::{DataType, EnumWidth, TupleElement};

impl Display for DataType {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::String => formatter.write_str("String"),
            Self::FixedString(size) => write!(formatter, "FixedString({size})"),
            Self::Int(width) => write!(formatter, "Int{}", width.bits()),
            Self::UInt(width) => write!(formatter, "UInt{}", width.bits()),
            Self::Float32 => formatter.write_str("Float32"),
            Self::Float64 => formatter.write_str("Float64"),
            Self::BFloat16 => formatter.write_str("BFloat16"),
            Self::Decimal { precision, scale } => write!(formatter, "Decimal({precision}, {scale})"),
            Self::Bool => formatter.write_str("Bool"),
            Self::Uuid => formatter.write_str("UUID"),
            Self::Date => formatter.write_str("Date"),
            Self::Date32 => formatter.write_str("Date32"),
            Self::DateTime { zone: None } => formatter.write_str("DateTime"),
            Self::DateTime { zone: Some(zone) } => write!(formatter, "DateTime({})", quoting::string(zone)),
            Self::DateTime64 { precision, zone: None } => write!(formatter, "DateTime64({precision})"),
            Self::DateTime64 { precision, zone: Some(zone) } => {
                write!(formatter, "DateTime64({precision}, {})", quoting::string(zone))
            }
            Self::Enum { width, values } => enumeration(formatter, *width, values),
            Self::Ipv4 => formatter.write_str("IPv4"),
            Self::Ipv6 => formatter.write_str("IPv6"),
            Self::Nullable(inner) => write!(formatter, "Nullable({inner})"),
            Self::LowCardinality(inner) => write!(formatter, "LowCardinality({inner})"),
            Self::Array(inner) => write!(formatter, "Array({inner})"),
            Self::Tuple(elements) => {
                formatter.write_str("Tuple(")?;
                list(formatter, elements)
            }
            Self::Map(key, value) => write!(formatter, "Map({key}, {value})"),
            Self::Nested(elements) => {
                formatter.write_str("Nested(")?;
                list(formatter, elements)
            }
            Self::Json(parameters) if parameters.is_empty() => formatter.write_str("JSON"),
            Self::Json(parameters) => write!(formatter, "JSON({parameters})"),
            Self::AggregateFunction(arguments) => write!(formatter, "AggregateFunction({arguments})"),
            Self::SimpleAggregateFunction(function, inner) => {
                write!(formatter, "SimpleAggregateFunction({function}, {inner})")
            }
            Self::Opaque(text) => formatter.write_str(text),
        }
    }
}

fn enumeration(formatter: &mut Formatter<'_>, width: EnumWidth, values: &[(Box<str>, i16)]) -> fmt::Result {
    write!(formatter, "{}(", width.family())?;
    for (position, (name, value)) in values.iter().enumerate() {
        let comma = if position == 0 { "" } else { ", " };
        write!(formatter, "{comma}{} = {value}", quoting::string(name))?;
    }
    formatter.write_str(")")
}

fn list(formatter: &mut Formatter<'_>, elements: &[TupleElement]) -> fmt::Result {
    for (position, element) in elements.iter().enumerate() {
        let comma = if position == 0 { "" } else { ", " };
        write!(formatter, "{comma}{element}")?;
    }
    formatter.write_str(")")
}

impl Display for TupleElement {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(formatter, "{} {}", quoting::name(name), self.data_type),
            None => self.data_type.fmt(formatter),
        }
    }
}
