//! What differs between two definitions of the same table.

use std::fmt;

use super::table::{Index, Table};
use super::{Column, ColumnName, Engine, Expression, ddl, kafka};

/// One difference between the table as it is and as it is declared now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// A column that is not there yet.
    ColumnAdded(Column),
    /// A column that is declared no more.
    ColumnRemoved(Column),
    /// The columns that stay stand in another order.
    ColumnsReordered,
    /// A column that stays, with something about it changed.
    ColumnChanged {
        /// Which column.
        name: ColumnName,
        /// What about it.
        part: ColumnPart,
        /// As it is; `None` for nothing.
        from: Option<String>,
        /// As it is declared now.
        to: Option<String>,
    },
    /// An index that is not there yet.
    IndexAdded(Index),
    /// An index that is declared no more, or otherwise.
    IndexRemoved(Index),
    /// Something about the engine.
    EngineChanged {
        /// What.
        part: EnginePart,
        /// As it is; `None` for nothing.
        from: Option<String>,
        /// As it is declared now.
        to: Option<String>,
    },
}

/// A part of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnPart {
    /// Its type.
    Type,
    /// Its `DEFAULT`.
    Default,
    /// Its `CODEC`.
    Codec,
    /// Its JSON path.
    JsonPath,
}

/// A part of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnginePart {
    /// Its name and arguments.
    Family,
    /// `ENGINE_PARTITION_KEY`.
    PartitionKey,
    /// `ENGINE_SORTING_KEY`.
    SortingKey,
    /// `ENGINE_PRIMARY_KEY`.
    PrimaryKey,
    /// `ENGINE_SAMPLING_KEY`.
    SamplingKey,
    /// `ENGINE_TTL`.
    Ttl,
    /// `ENGINE_SETTINGS`.
    Settings,
}

/// What a difference asks of the stored rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// None is written again: ClickHouse changes its notes about the table, or Roost does.
    Metadata,
    /// Rows must be written again, or a new table be made.
    Storage,
}

/// Settings that ClickHouse takes only when it makes a table.
const FIXED_SETTINGS: &[&str] = &[
    "index_granularity",
    "index_granularity_bytes",
    "enable_mixed_granularity_parts",
    "storage_policy",
    "disk",
];

/// Everything that differs between a table as it `is` and as it is `declared` now.
///
/// Columns that the Kafka connector fills are not compared: it adds them by itself.
pub fn differences(is: &Table, declared: &Table) -> Vec<Difference> {
    let mut found = column_differences(&own_columns(is), &own_columns(declared));
    found.extend(index_differences(&is.indexes, &declared.indexes));
    found.extend(engine_differences(&is.engine, &declared.engine));
    found
}

fn own_columns(table: &Table) -> Vec<&Column> {
    table.columns.iter().filter(|column| !kafka::is_metadata(&column.name)).collect()
}

fn column_differences(is: &[&Column], declared: &[&Column]) -> Vec<Difference> {
    let find = |columns: &[&Column], name: &ColumnName| columns.iter().any(|column| column.name == *name);
    let mut found = Vec::new();
    for column in declared {
        match is.iter().find(|old| old.name == column.name) {
            Some(old) => found.extend(changes_of(old, column)),
            None => found.push(Difference::ColumnAdded((*column).clone())),
        }
    }
    let removed = is.iter().filter(|old| !find(declared, &old.name));
    found.extend(removed.map(|old| Difference::ColumnRemoved((*old).clone())));
    let before = is.iter().map(|column| &column.name).filter(|name| find(declared, name));
    let now = declared.iter().map(|column| &column.name).filter(|name| find(is, name));
    if !before.eq(now) {
        found.push(Difference::ColumnsReordered);
    }
    found
}

fn changes_of(old: &Column, new: &Column) -> Vec<Difference> {
    let text = |part: ColumnPart, column: &Column| match part {
        ColumnPart::Type => column.data_type.as_ref().map(ToString::to_string),
        ColumnPart::Default => column.default.as_deref().map(str::to_owned),
        ColumnPart::Codec => column.codec.as_deref().map(str::to_owned),
        ColumnPart::JsonPath => column.json_path.as_ref().map(ToString::to_string),
    };
    let parts = [ColumnPart::Type, ColumnPart::Default, ColumnPart::Codec, ColumnPart::JsonPath];
    let compared = parts.map(|part| (part, text(part, old), text(part, new)));
    let changed = compared.into_iter().filter(|(_, from, to)| from != to);
    changed
        .map(|(part, from, to)| Difference::ColumnChanged { name: new.name.clone(), part, from, to })
        .collect()
}

fn index_differences(is: &[Index], declared: &[Index]) -> Vec<Difference> {
    let removed = is.iter().filter(|index| !declared.contains(index)).cloned().map(Difference::IndexRemoved);
    let added = declared.iter().filter(|index| !is.contains(index)).cloned().map(Difference::IndexAdded);
    removed.chain(added).collect()
}

fn engine_differences(is: &Engine, declared: &Engine) -> Vec<Difference> {
    let expression = |expression: &Option<Expression>| expression.as_ref().map(ToString::to_string);
    let text = |part: EnginePart, engine: &Engine| match part {
        EnginePart::Family => Some(engine.family.to_string()),
        EnginePart::PartitionKey => expression(&engine.partition_key),
        EnginePart::SortingKey => expression(&engine.sorting_key),
        EnginePart::PrimaryKey => expression(&engine.primary_key),
        EnginePart::SamplingKey => expression(&engine.sampling_key),
        EnginePart::Ttl => expression(&engine.ttl),
        EnginePart::Settings => settings(engine),
    };
    let parts = [
        EnginePart::Family,
        EnginePart::PartitionKey,
        EnginePart::SortingKey,
        EnginePart::PrimaryKey,
        EnginePart::SamplingKey,
        EnginePart::Ttl,
        EnginePart::Settings,
    ];
    let compared = parts.map(|part| (part, text(part, is), text(part, declared)));
    let changed = compared.into_iter().filter(|(_, from, to)| from != to);
    changed.map(|(part, from, to)| Difference::EngineChanged { part, from, to }).collect()
}

fn settings(engine: &Engine) -> Option<String> {
    let mut settings: Vec<String> = engine.settings.iter().map(ToString::to_string).collect();
    settings.sort();
    (!settings.is_empty()).then(|| settings.join(", "))
}

impl Difference {
    /// What it asks of the stored rows.
    pub fn effect(&self) -> Effect {
        match self {
            Self::ColumnAdded(_)
            | Self::ColumnsReordered
            | Self::IndexAdded(_)
            | Self::IndexRemoved(_)
            | Self::ColumnChanged {
                part: ColumnPart::Default | ColumnPart::Codec | ColumnPart::JsonPath,
                ..
            }
            | Self::EngineChanged { part: EnginePart::Ttl, .. } => Effect::Metadata,
            Self::EngineChanged { part: EnginePart::Settings, from, to } => {
                settings_effect(from.as_deref(), to.as_deref())
            }
            Self::ColumnRemoved(_) | Self::ColumnChanged { .. } | Self::EngineChanged { .. } => {
                Effect::Storage
            }
        }
    }
}

/// A setting that only a new table takes asks for one when it changes.
fn settings_effect(from: Option<&str>, to: Option<&str>) -> Effect {
    let is_fixed =
        |setting: &&str| setting.split_once(" = ").is_some_and(|(name, _)| FIXED_SETTINGS.contains(&name));
    let fixed = |settings: Option<&str>| -> Vec<String> {
        settings.unwrap_or_default().split(", ").filter(is_fixed).map(str::to_owned).collect()
    };
    if fixed(from) == fixed(to) { Effect::Metadata } else { Effect::Storage }
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ColumnAdded(column) => write!(formatter, "column {} is new", ddl::column(column)),
            Self::ColumnRemoved(column) => write!(formatter, "column `{}` is gone", column.name),
            Self::ColumnsReordered => formatter.write_str("columns stand in another order"),
            Self::ColumnChanged { name, part, from, to } => {
                write!(formatter, "{part} of column `{name}`: {}", Change(from, to))
            }
            Self::IndexAdded(index) => write!(formatter, "{} is new", ddl::index(index)),
            Self::IndexRemoved(index) => write!(formatter, "{} is gone", ddl::index(index)),
            Self::EngineChanged { part, from, to } => write!(formatter, "{part}: {}", Change(from, to)),
        }
    }
}

/// `a -> b`, with `nothing` for an absent side.
struct Change<'a>(&'a Option<String>, &'a Option<String>);

impl fmt::Display for Change<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |text: &Option<String>| text.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(formatter, "{} -> {}", side(self.0), side(self.1))
    }
}

impl fmt::Display for ColumnPart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Type => "type",
            Self::Default => "default",
            Self::Codec => "codec",
            Self::JsonPath => "json path",
        })
    }
}

impl fmt::Display for EnginePart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Family => "engine",
            Self::PartitionKey => "partition key",
            Self::SortingKey => "sorting key",
            Self::PrimaryKey => "primary key",
            Self::SamplingKey => "sampling key",
            Self::Ttl => "TTL",
            Self::Settings => "settings",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{DataType, EngineOption, EngineOptions, JsonPath};

    fn table(columns: &[(&str, &str)], options: &[(EngineOption, &str)]) -> Table {
        let column = |&(name, data_type): &(&str, &str)| Column {
            name: ColumnName::new(name),
            data_type: Some(DataType::parse(data_type).unwrap()),
            json_path: None,
            default: None,
            codec: None,
        };
        let columns: Vec<Column> = columns.iter().map(column).collect();
        let mut given = EngineOptions::default();
        for (option, value) in options {
            given.set(*option, *value);
        }
        let engine = Engine::parse(&given, &columns).unwrap();
        Table { columns, engine, indexes: Vec::new() }
    }

    fn shown(is: &Table, declared: &Table) -> Vec<String> {
        differences(is, declared).iter().map(|found| format!("{:?}: {found}", found.effect())).collect()
    }

    #[test]
    fn equal_tables_do_not_differ() {
        let table = table(&[("a", "Int32")], &[(EngineOption::SortingKey, "a")]);
        assert!(differences(&table, &table).is_empty());
    }

    #[test]
    fn columns_are_compared_by_name() {
        let is = table(&[("a", "Int32"), ("b", "Int8"), ("c", "String"), ("__offset", "Int64")], &[]);
        let declared = table(&[("c", "String"), ("a", "Nullable(Int32)"), ("d", "UUID")], &[]);
        assert_eq!(
            shown(&is, &declared),
            [
                "Storage: type of column `a`: Int32 -> Nullable(Int32)",
                "Metadata: column `d` UUID is new",
                "Storage: column `b` is gone",
                "Metadata: columns stand in another order",
            ]
        );
    }

    #[test]
    fn a_json_path_is_no_matter_of_storage() {
        let is = table(&[("a", "String")], &[]);
        let mut declared = is.clone();
        declared.columns[0].json_path = JsonPath::parse("$.a").ok();
        declared.columns[0].default = Some("''".into());
        assert_eq!(
            shown(&is, &declared),
            [
                "Metadata: default of column `a`: nothing -> ''",
                "Metadata: json path of column `a`: nothing -> $.a"
            ]
        );
    }

    #[test]
    fn keys_are_storage_and_ttl_is_not() {
        use EngineOption::{Engine, PartitionKey, Settings, SortingKey, Ttl, Ver};
        let columns = [("a", "Int32"), ("d", "Date")];
        let is = table(&columns, &[(SortingKey, "a"), (Settings, "index_granularity = 256, x = 1")]);
        let options = [
            (Engine, "ReplacingMergeTree"),
            (Ver, "d"),
            (SortingKey, "(a)"),
            (PartitionKey, "toYYYYMM(d)"),
            (Ttl, "d + toIntervalDay(1)"),
            (Settings, "x = 2, index_granularity = 256"),
        ];
        assert_eq!(
            shown(&is, &table(&columns, &options)),
            [
                "Storage: engine: MergeTree -> ReplacingMergeTree(d)",
                "Storage: partition key: nothing -> toYYYYMM(d)",
                "Metadata: TTL: nothing -> d + toIntervalDay(1)",
                "Metadata: settings: index_granularity = 256, x = 1 -> index_granularity = 256, x = 2",
            ]
        );
        let finer = table(&columns, &[(SortingKey, "a"), (Settings, "index_granularity = 64, x = 1")]);
        assert!(shown(&is, &finer)[0].starts_with("Storage: settings"));
    }
}
