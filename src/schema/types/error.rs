//! What can be wrong with the text of a type.

use crate::schema::DataType;
use crate::syntax::Span;

/// A problem in the text of a type, and where in that text it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct TypeError {
    /// The place, in bytes of the text that was parsed.
    pub span: Span,
    /// What is wrong there.
    pub problem: TypeProblem,
}

/// What is wrong with a type. Texts follow Tinybird's parser and ClickHouse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TypeProblem {
    /// `boolean`.
    #[error("Boolean type is not supported")]
    Boolean,
    /// `DateTime64` without parentheses.
    #[error("DateTime64 type without precision is not supported")]
    DateTime64WithoutPrecision,
    /// Exactly `Int` or `UInt`.
    #[error("Precision is mandatory for Int types")]
    IntWithoutPrecision,
    /// A name that is no type.
    #[error("Unknown data type family: {name}.{}", maybe(*.similar))]
    UnknownFamily {
        /// The name as written.
        name: String,
        /// A known name that is spelled nearly the same.
        similar: Option<&'static str>,
    },
    /// Something else than the grammar wants.
    #[error("Error parsing type: Syntax error: found {found}. Expected {expected}")]
    Syntax {
        /// The next word or character of the text.
        found: String,
        /// What may stand there.
        expected: &'static str,
    },
    /// The wrong number or kind of arguments.
    #[error("{family} data type family must have {expected}")]
    Arguments {
        /// The name of the type.
        family: &'static str,
        /// What its arguments are.
        expected: &'static str,
    },
    /// `Nullable` around a type that has no NULL.
    #[error("Nested type {0} cannot be inside Nullable type")]
    InsideNullable(Box<DataType>),
    /// `LowCardinality` around a type without a dictionary.
    #[error("DataTypeLowCardinality is supported only for numbers, strings, Date or DateTime, but got {0}")]
    InsideLowCardinality(Box<DataType>),
    /// A `Map` whose key may be NULL.
    #[error("Map cannot have a key of type {0}")]
    MapKey(Box<DataType>),
    /// A function that `SimpleAggregateFunction` cannot store.
    #[error("Unsupported aggregate function {0}, supported functions are {list}", list = SIMPLE_FUNCTIONS.join(","))]
    SimpleFunction(String),
    /// A `SimpleAggregateFunction` whose type is not what the function returns.
    #[error(
        "Incompatible data types between aggregate function '{function}' which returns {returns} and column storage type {stored}"
    )]
    SimpleFunctionType {
        /// The function.
        function: Box<str>,
        /// What it makes of the stored type.
        returns: Box<DataType>,
        /// The type that was written.
        stored: Box<DataType>,
    },
    /// Two elements of an enumeration with the same name or number.
    #[error("Duplicate element in enum: {0}")]
    DuplicateElement(String),
    /// A number of an enumeration that does not fit its width.
    #[error("Value {value} for element {name} exceeds range of {family}")]
    EnumRange {
        /// The number.
        value: i64,
        /// The quoted name.
        name: String,
        /// `Enum8` or `Enum16`.
        family: &'static str,
    },
    /// Types inside types beyond the limit.
    #[error("types are nested more than {limit} deep", limit = super::parse::DEPTH_LIMIT)]
    TooDeep,
}

/// The functions whose states are plain values, as ClickHouse lists them.
pub(super) const SIMPLE_FUNCTIONS: &[&str] = &[
    "any",
    "any_respect_nulls",
    "anyLast",
    "anyLast_respect_nulls",
    "min",
    "max",
    "sum",
    "sumWithOverflow",
    "groupBitAnd",
    "groupBitOr",
    "groupBitXor",
    "sumMap",
    "minMap",
    "maxMap",
    "groupArrayArray",
    "groupArrayLastArray",
    "groupUniqArrayArray",
    "groupUniqArrayArrayMap",
    "sumMappedArrays",
    "minMappedArrays",
    "maxMappedArrays",
];

fn maybe(similar: Option<&str>) -> String {
    similar.map_or_else(String::new, |known| format!(" Maybe you meant: ['{known}']."))
}

impl TypeProblem {
    /// What to do next, where one thing is likely.
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::Boolean => "use Bool or UInt8",
            Self::DateTime64WithoutPrecision => "use DateTime64(3)",
            Self::IntWithoutPrecision => {
                "use one of Int8, Int16, Int32, Int64, Int128, Int256, UInt8, UInt16, UInt32, UInt64, UInt128, UInt256"
            }
            Self::Syntax { expected: super::parse::END_OF_TYPE, .. } => "columns are separated by commas",
            Self::InsideNullable(inner) if matches!(**inner, DataType::LowCardinality(_)) => {
                "use LowCardinality(Nullable(...))"
            }
            Self::InsideNullable(_) => "remove Nullable",
            Self::SimpleFunctionType { function, returns, .. } => {
                return Some(format!("use SimpleAggregateFunction({function}, {returns})"));
            }
            _ => return None,
        };
        Some(help.to_owned())
    }
}
