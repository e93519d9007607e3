//! What can be wrong with an engine.

use super::{EngineName, EngineOption};
use crate::schema::ColumnName;
use crate::schema::expression::ExpressionError;

/// A problem, and the option that has it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct EngineError {
    /// What must be changed.
    pub option: EngineOption,
    /// What is wrong with it.
    pub problem: EngineProblem,
}

/// What is wrong with an engine. Texts are Tinybird's where it has one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineProblem {
    /// An engine that Tinybird does not have.
    #[error("Engine {0} is not supported, supported engines include: {names}", names = EngineName::ALL.map(EngineName::as_str).join(", "))]
    NotSupported(String),
    /// `engine_foo`.
    #[error("{0} is not a valid option")]
    UnknownOption(String),
    /// An argument that the engine cannot do without.
    #[error("Missing required parameter '{0}'")]
    MissingParameter(&'static str),
    /// A key that the engine cannot do without.
    #[error("Missing required option '{0}'")]
    MissingOption(&'static str),
    /// An argument that is no column.
    #[error(
        "Invalid value '{value}' for parameter '{parameter}', reason: '{value}' column is not present in schema"
    )]
    UnknownColumn {
        /// The column as written.
        value: String,
        /// The name of the option.
        parameter: &'static str,
    },
    /// A sorting key of nothing where rows are told apart by it.
    #[error("Invalid value '{0}' for option 'engine_sorting_key', reason: '{0}' is not a valid sorting key")]
    NoSortingKey(String),
    /// An empty sorting key where rows are told apart by it.
    #[error("Invalid value '' for option 'engine_sorting_key', reason: Sorting key can not be empty")]
    EmptySortingKey,
    /// The version stands in the sorting key, so that no two versions would ever meet.
    #[error("ENGINE_VER column '{0}' cannot be included in the sorting key")]
    VersionInSortingKey(ColumnName),
    /// `sum(a)` in a sorting key.
    #[error("Sorting key contains aggregate function expression '{0}'")]
    AggregateInSortingKey(String),
    /// A column that may be NULL.
    #[error("Sorting key contains nullable column '{0}'. Nullable columns cannot be used in sorting keys.")]
    NullableInSortingKey(ColumnName),
    /// A column that holds a state.
    #[error(
        "Sorting key contains column '{0}' with AggregateFunction type. AggregateFunction columns cannot be used in sorting keys."
    )]
    StateInSortingKey(ColumnName),
    /// `is_deleted` alone would be taken for the version.
    #[error("ENGINE_IS_DELETED requires ENGINE_VER")]
    IsDeletedWithoutVer,
    /// A value that cannot stand in a table definition.
    #[error("Invalid value '{value}' for option '{option}', reason: {reason}")]
    Expression {
        /// As written.
        value: String,
        /// The name of the option.
        option: &'static str,
        /// What is wrong.
        reason: ExpressionError,
    },
    /// Settings are no list of `name = value`.
    #[error("Invalid value '{0}' for option 'engine_settings', reason: expected a list of name = value")]
    Settings(String),
    /// A setting below what keeps data safe.
    #[error("setting '{name}' must be a number and at least {least}")]
    LoweredSetting {
        /// The setting.
        name: &'static str,
        /// The lowest value allowed.
        least: u64,
    },
}

impl EngineProblem {
    /// What to do next, where one thing is likely.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::NotSupported(name) if name.contains('(') => {
                Some("write the name alone; arguments have options of their own, as in ENGINE_VER")
            }
            Self::VersionInSortingKey(_) => {
                Some("rows that differ in their sorting key never replace each other")
            }
            Self::NullableInSortingKey(_) => {
                Some("give the column a type that is not Nullable, and a DEFAULT")
            }
            Self::IsDeletedWithoutVer => {
                Some("add ENGINE_VER, the column that decides which row is the newest")
            }
            Self::Settings(_) => Some("values are numbers, quoted texts, true or false"),
            Self::LoweredSetting { .. } => Some("remove the setting: tables get a safe value by themselves"),
            _ => None,
        }
    }
}
