//! What a datafile or an API call says about an engine, before it is checked.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::EngineProblem;

/// One thing that can be said about an engine: `ENGINE_VER` in a datafile, `engine_ver` in the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EngineOption {
    /// `engine`.
    Engine,
    /// `engine_partition_key`.
    PartitionKey,
    /// `engine_sorting_key`.
    SortingKey,
    /// `engine_primary_key`.
    PrimaryKey,
    /// `engine_sampling_key`.
    SamplingKey,
    /// `engine_ttl`.
    Ttl,
    /// `engine_settings`.
    Settings,
    /// `engine_ver`.
    Ver,
    /// `engine_is_deleted`.
    IsDeleted,
    /// `engine_columns`.
    Columns,
    /// `engine_sign`.
    Sign,
    /// `engine_version`.
    Version,
}

impl EngineOption {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Engine,
        Self::PartitionKey,
        Self::SortingKey,
        Self::PrimaryKey,
        Self::SamplingKey,
        Self::Ttl,
        Self::Settings,
        Self::Ver,
        Self::IsDeleted,
        Self::Columns,
        Self::Sign,
        Self::Version,
    ];

    /// The name in lower case, as the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::PartitionKey => "engine_partition_key",
            Self::SortingKey => "engine_sorting_key",
            Self::PrimaryKey => "engine_primary_key",
            Self::SamplingKey => "engine_sampling_key",
            Self::Ttl => "engine_ttl",
            Self::Settings => "engine_settings",
            Self::Ver => "engine_ver",
            Self::IsDeleted => "engine_is_deleted",
            Self::Columns => "engine_columns",
            Self::Sign => "engine_sign",
            Self::Version => "engine_version",
        }
    }
}

impl FromStr for EngineOption {
    type Err = EngineProblem;

    fn from_str(name: &str) -> Result<Self, EngineProblem> {
        let known = Self::ALL.into_iter().find(|option| option.name().eq_ignore_ascii_case(name));
        known.ok_or_else(|| EngineProblem::UnknownOption(name.to_owned()))
    }
}

/// The values that were given; of two for the same option the last one counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineOptions(BTreeMap<EngineOption, Box<str>>);

impl EngineOptions {
    /// Gives a value, unquoted.
    pub fn set(&mut self, option: EngineOption, value: impl Into<Box<str>>) {
        self.0.insert(option, value.into());
    }

    /// The value as given, which may be empty.
    pub fn get(&self, option: EngineOption) -> Option<&str> {
        self.0.get(&option).map(AsRef::as_ref)
    }

    /// The value, trimmed, unless it is empty.
    pub fn filled(&self, option: EngineOption) -> Option<&str> {
        self.get(option).map(str::trim).filter(|value| !value.is_empty())
    }

    /// The options that have a value.
    pub fn given(&self) -> impl Iterator<Item = EngineOption> {
        self.0.keys().copied()
    }
}

/// The name of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineName {
    /// `MergeTree`.
    MergeTree,
    /// `ReplacingMergeTree`.
    Replacing,
    /// `SummingMergeTree`.
    Summing,
    /// `AggregatingMergeTree`.
    Aggregating,
    /// `CollapsingMergeTree`.
    Collapsing,
    /// `VersionedCollapsingMergeTree`.
    VersionedCollapsing,
    /// `Null`.
    Null,
}

impl EngineName {
    /// All of them, in the order in which messages list them.
    pub const ALL: [Self; 7] = [
        Self::MergeTree,
        Self::Replacing,
        Self::Summing,
        Self::Aggregating,
        Self::Collapsing,
        Self::VersionedCollapsing,
        Self::Null,
    ];

    /// The canonical spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MergeTree => "MergeTree",
            Self::Replacing => "ReplacingMergeTree",
            Self::Summing => "SummingMergeTree",
            Self::Aggregating => "AggregatingMergeTree",
            Self::Collapsing => "CollapsingMergeTree",
            Self::VersionedCollapsing => "VersionedCollapsingMergeTree",
            Self::Null => "Null",
        }
    }

    /// True where the option means something to this engine; Tinybird ignores the others silently.
    pub fn takes(self, option: EngineOption) -> bool {
        match option {
            EngineOption::Engine => true,
            EngineOption::Ver | EngineOption::IsDeleted => self == Self::Replacing,
            EngineOption::Columns => self == Self::Summing,
            EngineOption::Sign => matches!(self, Self::Collapsing | Self::VersionedCollapsing),
            EngineOption::Version => self == Self::VersionedCollapsing,
            EngineOption::PartitionKey
            | EngineOption::SortingKey
            | EngineOption::PrimaryKey
            | EngineOption::SamplingKey
            | EngineOption::Ttl
            | EngineOption::Settings => self != Self::Null,
        }
    }
}

impl FromStr for EngineName {
    type Err = EngineProblem;

    fn from_str(name: &str) -> Result<Self, EngineProblem> {
        let known = Self::ALL.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(name.trim()));
        known.ok_or_else(|| EngineProblem::NotSupported(name.to_owned()))
    }
}

impl fmt::Display for EngineName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
