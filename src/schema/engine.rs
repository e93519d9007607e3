//! Table engines: the family, its arguments, keys, TTL and settings, checked as Tinybird checks them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::expression::Expression;
use super::{ColumnName, quoting};

mod check;
mod error;
mod options;
mod settings;
mod sorting;

pub use error::{EngineError, EngineProblem};
pub use options::{EngineName, EngineOption, EngineOptions};
pub use settings::{Setting, SettingValue};

/// An engine that a table can be made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Engine {
    /// What it does with rows of the same key.
    pub family: EngineFamily,
    /// `PARTITION BY`; `None` for one partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition_key: Option<Expression>,
    /// `ORDER BY` without parentheses around it; `None` for `tuple()`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sorting_key: Option<Expression>,
    /// `PRIMARY KEY`; `None` where it is the sorting key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary_key: Option<Expression>,
    /// `SAMPLE BY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampling_key: Option<Expression>,
    /// `TTL`, one rule or several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Expression>,
    /// The settings that were asked for, in order; not those that every table gets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<Setting>,
}

/// The engines that Tinybird supports, with their arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EngineFamily {
    /// `MergeTree`.
    MergeTree,
    /// `ReplacingMergeTree([ver[, is_deleted]])`.
    Replacing {
        /// Decides which row stays.
        version: Option<Version>,
    },
    /// `SummingMergeTree([columns])`.
    Summing {
        /// What is added up; empty for all numbers outside the key.
        columns: Vec<ColumnName>,
    },
    /// `AggregatingMergeTree`.
    Aggregating,
    /// `CollapsingMergeTree(sign)`.
    Collapsing {
        /// 1 for a row, -1 for its cancellation.
        sign: ColumnName,
    },
    /// `VersionedCollapsingMergeTree(sign, version)`.
    VersionedCollapsing {
        /// 1 for a row, -1 for its cancellation.
        sign: ColumnName,
        /// Tells which rows belong together.
        version: ColumnName,
    },
    /// `Null`: keeps nothing; for materialized views only.
    Null,
}

/// What a `ReplacingMergeTree` decides by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The row with the highest value stays.
    pub ver: ColumnName,
    /// 1 where the row that stays says that there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_deleted: Option<ColumnName>,
}

impl Engine {
    /// A `MergeTree` with a sorting key and nothing else.
    pub fn merge_tree(sorting_key: Option<Expression>) -> Self {
        Self {
            family: EngineFamily::MergeTree,
            partition_key: None,
            sorting_key,
            primary_key: None,
            sampling_key: None,
            ttl: None,
            settings: Vec::new(),
        }
    }

    /// True where whole parts can be dropped when their rows expire: one plain TTL rule over a
    /// column by whose time the table is partitioned.
    pub fn expires_by_partition(&self) -> bool {
        let (Some(ttl), Some(partition_key)) = (&self.ttl, &self.partition_key) else { return false };
        let conditional = ["where", "group", "to", "recompress", "set"];
        let names = ttl.names();
        let plain = ttl.items().len() == 1
            && !names.iter().any(|name| conditional.contains(&name.to_ascii_lowercase().as_str()));
        let of_ttl = |name: &String| names.contains(name);
        let bare = partition_key.items().into_iter().any(|item| names.iter().any(|name| name == item));
        let bucketed = partition_key.calls().iter().any(|call| {
            call.function.to_ascii_lowercase().starts_with("to")
                && Expression::parse(call.text).is_ok_and(|call| call.names().iter().any(of_ttl))
        });
        plain && (bare || bucketed)
    }
}

impl EngineFamily {
    /// The name in canonical spelling.
    pub fn name(&self) -> EngineName {
        match self {
            Self::MergeTree => EngineName::MergeTree,
            Self::Replacing { .. } => EngineName::Replacing,
            Self::Summing { .. } => EngineName::Summing,
            Self::Aggregating => EngineName::Aggregating,
            Self::Collapsing { .. } => EngineName::Collapsing,
            Self::VersionedCollapsing { .. } => EngineName::VersionedCollapsing,
            Self::Null => EngineName::Null,
        }
    }

    /// The columns that are given to the engine, in order.
    pub fn columns(&self) -> Vec<&ColumnName> {
        match self {
            Self::MergeTree | Self::Aggregating | Self::Null | Self::Replacing { version: None } => {
                Vec::new()
            }
            Self::Replacing { version: Some(version) } => {
                [&version.ver].into_iter().chain(&version.is_deleted).collect()
            }
            Self::Summing { columns } => columns.iter().collect(),
            Self::Collapsing { sign } => vec![sign],
            Self::VersionedCollapsing { sign, version } => vec![sign, version],
        }
    }
}

impl fmt::Display for EngineFamily {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.columns().iter().map(|column| quoting::name(column.as_str())).collect();
        let arguments = names.join(", ");
        match self {
            _ if names.is_empty() => write!(formatter, "{}", self.name()),
            // ClickHouse takes one argument here, so several columns travel as a tuple.
            Self::Summing { columns } if columns.len() > 1 => {
                write!(formatter, "{}(({arguments}))", self.name())
            }
            _ => write!(formatter, "{}({arguments})", self.name()),
        }
    }
}

/// The engine as Tinybird shows it: keys in parentheses, no default and no house settings.
impl fmt::Display for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_clauses(formatter, KeyStyle::Wrapped)?;
        let shown: Vec<String> =
            self.settings.iter().filter(|setting| !setting.is_default()).map(ToString::to_string).collect();
        if shown.is_empty() { Ok(()) } else { write!(formatter, " SETTINGS {}", shown.join(", ")) }
    }
}

/// How keys are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyStyle {
    /// In parentheses, as Tinybird shows an engine.
    Wrapped,
    /// In parentheses only where there are several parts. ClickHouse keeps them, and
    /// `system.tables` shall show a key as its file declares it.
    Bare,
}

impl KeyStyle {
    fn print(self, key: &Expression) -> String {
        if self == Self::Wrapped || key.items().len() > 1 { format!("({key})") } else { key.to_string() }
    }
}

impl Engine {
    /// Everything but `SETTINGS`.
    pub(super) fn write_clauses(&self, out: &mut impl fmt::Write, style: KeyStyle) -> fmt::Result {
        write!(out, "{}", self.family)?;
        if self.family == EngineFamily::Null {
            return Ok(());
        }
        if let Some(partition_key) = &self.partition_key {
            write!(out, " PARTITION BY {}", style.print(partition_key))?;
        }
        match &self.sorting_key {
            Some(sorting_key) => write!(out, " ORDER BY {}", style.print(sorting_key))?,
            None if style == KeyStyle::Wrapped => out.write_str(" ORDER BY (tuple())")?,
            None => out.write_str(" ORDER BY tuple()")?,
        }
        if let Some(primary_key) = &self.primary_key {
            write!(out, " PRIMARY KEY {}", style.print(primary_key))?;
        }
        if let Some(sampling_key) = &self.sampling_key {
            write!(out, " SAMPLE BY {}", style.print(sampling_key))?;
        }
        if let Some(ttl) = &self.ttl {
            write!(out, " TTL {ttl}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
