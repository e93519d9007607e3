//! ClickHouse data types: read with [`DataType::parse`], printed canonically with `Display`.

use serde::{Deserialize, Serialize};

mod arguments;
mod error;
mod families;
mod parse;
mod print;
mod raw;

pub use error::{TypeError, TypeProblem};

/// A ClickHouse data type, parsed.
///
/// Aliases are resolved (`INT` is [`DataType::Int`] of 32 bits); parameters that change how values
/// are stored are kept. Types whose values Roost never encodes itself are kept as text in
/// [`DataType::Opaque`]: ClickHouse decides about them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DataType {
    /// `String`.
    String,
    /// `FixedString(n)`: exactly `n` bytes.
    FixedString(u32),
    /// `Int8` … `Int256`.
    Int(IntWidth),
    /// `UInt8` … `UInt256`.
    UInt(IntWidth),
    /// `Float32`.
    Float32,
    /// `Float64`.
    Float64,
    /// `BFloat16`.
    BFloat16,
    /// `Decimal(precision, scale)`.
    Decimal {
        /// All digits: 1–76.
        precision: u8,
        /// Digits behind the point.
        scale: u8,
    },
    /// `Bool`.
    Bool,
    /// `UUID`.
    Uuid,
    /// `Date`: days since 1970 in 16 bits.
    Date,
    /// `Date32`: days since 1970 in 32 bits.
    Date32,
    /// `DateTime` or `DateTime('zone')`: seconds in 32 bits.
    DateTime {
        /// The zone in which text without an offset is read.
        zone: Option<Box<str>>,
    },
    /// `DateTime64(precision)` or with a zone.
    DateTime64 {
        /// Digits of the fraction: 0–9.
        precision: u8,
        /// The zone in which text without an offset is read.
        zone: Option<Box<str>>,
    },
    /// `Enum8` or `Enum16`.
    Enum {
        /// 8 or 16 bits.
        width: EnumWidth,
        /// Names with their numbers, as declared.
        values: Vec<(Box<str>, i16)>,
    },
    /// `IPv4`.
    Ipv4,
    /// `IPv6`.
    Ipv6,
    /// `Nullable(T)`.
    Nullable(Box<DataType>),
    /// `LowCardinality(T)`.
    LowCardinality(Box<DataType>),
    /// `Array(T)`.
    Array(Box<DataType>),
    /// `Tuple(...)`, named or not.
    Tuple(Vec<TupleElement>),
    /// `Map(K, V)`.
    Map(Box<DataType>, Box<DataType>),
    /// `Nested(...)`: an array of each element.
    Nested(Vec<TupleElement>),
    /// `JSON` with its parameters as text (may be empty).
    Json(Box<str>),
    /// `AggregateFunction(...)`: the text between the parentheses.
    AggregateFunction(Box<str>),
    /// `SimpleAggregateFunction(f, T)`.
    SimpleAggregateFunction(Box<str>, Box<DataType>),
    /// Any other type that ClickHouse has (`Point`, `Variant(...)`, `Dynamic`, …), as written.
    Opaque(Box<str>),
}

/// The width of an integer type in bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IntWidth {
    /// 8 bits.
    W8,
    /// 16 bits.
    W16,
    /// 32 bits.
    W32,
    /// 64 bits.
    W64,
    /// 128 bits.
    W128,
    /// 256 bits.
    W256,
}

/// The width of an enumeration in bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EnumWidth {
    /// `Enum8`.
    W8,
    /// `Enum16`.
    W16,
}

/// One element of a `Tuple` or `Nested`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TupleElement {
    /// Its name, where the type gives names.
    pub name: Option<Box<str>>,
    /// Its type.
    pub data_type: DataType,
}

impl DataType {
    /// The type without `Nullable` and `LowCardinality` around it: what one present value is.
    pub fn plain(&self) -> &Self {
        match self {
            Self::Nullable(inner) | Self::LowCardinality(inner) => inner.plain(),
            other => other,
        }
    }

    /// True where a column of this type itself can hold NULL.
    pub fn is_nullable(&self) -> bool {
        match self {
            Self::Nullable(_) => true,
            Self::LowCardinality(inner) | Self::SimpleAggregateFunction(_, inner) => inner.is_nullable(),
            _ => false,
        }
    }

    /// True where this type or any type inside it is `Nullable`.
    pub fn holds_nullable(&self) -> bool {
        matches!(self, Self::Nullable(_)) || self.inner_types().iter().any(|inner| inner.holds_nullable())
    }

    /// True where this type or any type inside it holds a state of an aggregate function.
    pub fn holds_aggregate(&self) -> bool {
        matches!(self, Self::AggregateFunction(_) | Self::SimpleAggregateFunction(..))
            || self.inner_types().iter().any(|inner| inner.holds_aggregate())
    }

    /// True for `Date`, `Date32`, `DateTime` and `DateTime64`, also inside `Nullable`.
    pub fn is_date(&self) -> bool {
        matches!(self.plain(), Self::Date | Self::Date32 | Self::DateTime { .. } | Self::DateTime64 { .. })
    }

    /// The types that stand directly inside this one.
    pub fn inner_types(&self) -> Vec<&Self> {
        match self {
            Self::Nullable(inner)
            | Self::LowCardinality(inner)
            | Self::Array(inner)
            | Self::SimpleAggregateFunction(_, inner) => vec![inner],
            Self::Map(key, value) => vec![key, value],
            Self::Tuple(elements) | Self::Nested(elements) => {
                elements.iter().map(|element| &element.data_type).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl IntWidth {
    /// The width in bits.
    pub fn bits(self) -> u16 {
        match self {
            Self::W8 => 8,
            Self::W16 => 16,
            Self::W32 => 32,
            Self::W64 => 64,
            Self::W128 => 128,
            Self::W256 => 256,
        }
    }
}

impl From<DataType> for String {
    fn from(data_type: DataType) -> Self {
        data_type.to_string()
    }
}

impl TryFrom<String> for DataType {
    type Error = TypeError;

    fn try_from(text: String) -> Result<Self, TypeError> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests;
