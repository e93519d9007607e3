//! Types that hold one value: which encoder each has, and what stands under a NULL.

use chrono_tz::Tz;

use super::enumeration::Enumeration;
use super::json_object::check_json_object;
use super::varint::write_varint;
use super::{Misfit, Unfillable, address, decimal, float, integer, time};
use crate::ingest::json::JsonValue;
use crate::schema::DataType;
use crate::schema::types::IntWidth;

/// The encoder of a type that holds one value.
#[derive(Debug)]
pub(crate) enum Scalar {
    Text,
    FixedText(usize),
    Signed(IntWidth),
    Unsigned(IntWidth),
    Float32,
    Float64,
    BFloat16,
    Decimal { precision: u8, scale: u8 },
    Bool,
    Uuid,
    Date,
    Date32,
    DateTime(Tz),
    DateTime64 { precision: u8, zone: Tz },
    Enum(Enumeration),
    Ipv4,
    Ipv6,
    JsonObject,
}

impl Scalar {
    /// Chooses the encoder of a type.
    pub(super) fn compile(data_type: &DataType) -> Result<Self, Unfillable> {
        Ok(match data_type {
            DataType::String => Self::Text,
            DataType::FixedString(width) => Self::FixedText(*width as usize),
            DataType::Int(width) => Self::Signed(*width),
            DataType::UInt(width) => Self::Unsigned(*width),
            DataType::Float32 => Self::Float32,
            DataType::Float64 => Self::Float64,
            DataType::BFloat16 => Self::BFloat16,
            DataType::Decimal { precision, scale } => Self::Decimal { precision: *precision, scale: *scale },
            DataType::Bool => Self::Bool,
            DataType::Uuid => Self::Uuid,
            DataType::Date => Self::Date,
            DataType::Date32 => Self::Date32,
            DataType::DateTime { zone } => Self::DateTime(find_zone(zone.as_deref())?),
            DataType::DateTime64 { precision, zone } => {
                Self::DateTime64 { precision: *precision, zone: find_zone(zone.as_deref())? }
            }
            DataType::Enum { width, values } => Self::Enum(Enumeration::new(*width, values)),
            DataType::Ipv4 => Self::Ipv4,
            DataType::Ipv6 => Self::Ipv6,
            DataType::Json(_) => Self::JsonObject,
            DataType::LowCardinality(inner) | DataType::SimpleAggregateFunction(_, inner) => {
                return Self::compile(inner);
            }
            other => return Err(Unfillable::Type(other.to_string().into())),
        })
    }

    /// Appends one value.
    pub(super) fn write(&self, value: &JsonValue<'_>, out: &mut Vec<u8>) -> Result<(), Misfit> {
        match self {
            Self::Text => write_text(value, out),
            Self::FixedText(width) => write_fixed_text(value, *width, out),
            Self::Signed(width) => integer::write_signed(integer::digits(value)?, *width, out),
            Self::Unsigned(width) => integer::write_unsigned(integer::digits(value)?, *width, out),
            Self::Float32 => float::write_float32(value, out),
            Self::Float64 => float::write_float64(value, out),
            Self::BFloat16 => float::write_bfloat16(value, out),
            Self::Decimal { precision, scale } => decimal::write_decimal(value, *precision, *scale, out),
            Self::Bool => write_bool(value, out),
            Self::Uuid => address::write_uuid(value, out),
            Self::Date => time::write_date(value, out),
            Self::Date32 => time::write_date32(value, out),
            Self::DateTime(zone) => time::write_date_time(value, *zone, out),
            Self::DateTime64 { precision, zone } => time::write_date_time64(value, *precision, *zone, out),
            Self::Enum(enumeration) => enumeration.write(value, out),
            Self::Ipv4 => address::write_ipv4(value, out),
            Self::Ipv6 => address::write_ipv6(value, out),
            Self::JsonObject => {
                check_json_object(value)?;
                write_text(value, out)
            }
        }
    }

    /// Appends what stands under a NULL: zeros, or an empty text.
    pub(super) fn write_placeholder(&self, out: &mut Vec<u8>) {
        let width = match self {
            Self::Text | Self::Bool => 1,
            // The engine casts every text to JSON before it looks at the null map.
            Self::JsonObject => return out.extend_from_slice(b"\x02{}"),
            Self::FixedText(width) => *width,
            Self::Signed(width) | Self::Unsigned(width) => usize::from(width.bits() / 8),
            Self::Float32 | Self::DateTime(_) | Self::Date32 | Self::Ipv4 => 4,
            Self::Float64 | Self::DateTime64 { .. } => 8,
            Self::BFloat16 | Self::Date => 2,
            Self::Decimal { precision, .. } => decimal::byte_width(*precision),
            Self::Uuid | Self::Ipv6 => 16,
            Self::Enum(enumeration) => enumeration.byte_width(),
        };
        out.resize(out.len() + width, 0);
    }
}

fn find_zone(name: Option<&str>) -> Result<Tz, Unfillable> {
    match name {
        None => Ok(Tz::UTC),
        Some(name) => name.parse().map_err(|_| Unfillable::Zone(name.into())),
    }
}

/// The text of a value as a string column keeps it: anything that is no string is its JSON text.
pub(crate) fn text_of<'v>(value: &'v JsonValue<'_>) -> Option<&'v str> {
    match value {
        JsonValue::Null => None,
        JsonValue::Bool(true) => Some("true"),
        JsonValue::Bool(false) => Some("false"),
        JsonValue::Number(digits) => Some(digits),
        JsonValue::Text(text) => Some(text),
        JsonValue::Array(text) | JsonValue::Object(text) => Some(text.as_str()),
    }
}

fn write_text(value: &JsonValue<'_>, out: &mut Vec<u8>) -> Result<(), Misfit> {
    push_text(text_of(value).ok_or(Misfit)?, out);
    Ok(())
}

/// Appends a `String`.
pub(crate) fn push_text(text: &str, out: &mut Vec<u8>) {
    write_varint(text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

fn write_fixed_text(value: &JsonValue<'_>, width: usize, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let JsonValue::Text(text) = value else { return Err(Misfit) };
    let padding = width.checked_sub(text.len()).ok_or(Misfit)?;
    out.extend_from_slice(text.as_bytes());
    out.resize(out.len() + padding, 0);
    Ok(())
}

fn write_bool(value: &JsonValue<'_>, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let truth = match text_of(value) {
        Some("true" | "1") => 1,
        Some("false" | "0") => 0,
        _ => return Err(Misfit),
    };
    out.push(truth);
    Ok(())
}
