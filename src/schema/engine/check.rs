//! From the options that were given to an engine, with Tinybird's checks.

use super::{
    Engine, EngineError, EngineFamily, EngineName, EngineOption, EngineOptions, EngineProblem, Setting,
    Version,
};
use crate::schema::expression::Expression;
use crate::schema::{Column, ColumnName};

impl Engine {
    /// Checks the options against the columns of the table; reports all problems.
    ///
    /// Without `engine` the table is a `MergeTree`. Options that the engine does not take are
    /// ignored, as Tinybird does; [`EngineName::takes`] tells which.
    pub fn parse(options: &EngineOptions, columns: &[Column]) -> Result<Self, Vec<EngineError>> {
        let mut check = Check { options, columns, errors: Vec::new() };
        let engine = check.engine();
        if check.errors.is_empty() { engine.ok_or(check.errors) } else { Err(check.errors) }
    }
}

/// The options, the columns they speak of, and what was wrong so far.
struct Check<'a> {
    options: &'a EngineOptions,
    columns: &'a [Column],
    errors: Vec<EngineError>,
}

impl Check<'_> {
    fn report(&mut self, option: EngineOption, problem: EngineProblem) {
        self.errors.push(EngineError { option, problem });
    }

    fn engine(&mut self) -> Option<Engine> {
        let name = match self.options.filled(EngineOption::Engine).map(str::parse) {
            None => EngineName::MergeTree,
            Some(Ok(name)) => name,
            Some(Err(problem)) => {
                self.report(EngineOption::Engine, problem);
                return None;
            }
        };
        let family = self.family(name);
        if name == EngineName::Null {
            return family.map(|family| Engine { family, ..Engine::merge_tree(None) });
        }
        let sorting_key = self.sorting_key(name);
        let primary_key = self.key(EngineOption::PrimaryKey);
        let engine = Engine {
            partition_key: self.key(EngineOption::PartitionKey),
            primary_key: primary_key.filter(|key| Some(key) != sorting_key.as_ref()),
            sampling_key: self.key(EngineOption::SamplingKey),
            ttl: self.expression(EngineOption::Ttl),
            settings: self.settings(),
            sorting_key,
            family: family?,
        };
        self.errors.extend(engine.sorting_key_errors(self.columns));
        Some(engine)
    }

    fn family(&mut self, name: EngineName) -> Option<EngineFamily> {
        Some(match name {
            EngineName::MergeTree => EngineFamily::MergeTree,
            EngineName::Aggregating => EngineFamily::Aggregating,
            EngineName::Null => EngineFamily::Null,
            EngineName::Replacing => EngineFamily::Replacing { version: self.version() },
            EngineName::Summing => EngineFamily::Summing { columns: self.summed_columns() },
            EngineName::Collapsing => {
                EngineFamily::Collapsing { sign: self.required(EngineOption::Sign, "sign")? }
            }
            EngineName::VersionedCollapsing => {
                let sign = self.required(EngineOption::Sign, "sign");
                let version = self.required(EngineOption::Version, "version");
                EngineFamily::VersionedCollapsing { sign: sign?, version: version? }
            }
        })
    }

    fn version(&mut self) -> Option<Version> {
        let is_deleted = self.column(EngineOption::IsDeleted);
        match (self.column(EngineOption::Ver), self.options.filled(EngineOption::Ver)) {
            (Some(ver), _) => Some(Version { ver, is_deleted }),
            (None, None) if self.options.filled(EngineOption::IsDeleted).is_some() => {
                self.report(EngineOption::IsDeleted, EngineProblem::IsDeletedWithoutVer);
                None
            }
            _ => None,
        }
    }

    fn summed_columns(&mut self) -> Vec<ColumnName> {
        let Some(list) = self.expression(EngineOption::Columns) else { return Vec::new() };
        let list = list.without_parentheses();
        list.items().into_iter().filter_map(|item| self.known_column(EngineOption::Columns, item)).collect()
    }

    fn required(&mut self, option: EngineOption, parameter: &'static str) -> Option<ColumnName> {
        if self.options.filled(option).is_none() {
            self.report(EngineOption::Engine, EngineProblem::MissingParameter(parameter));
        }
        self.column(option)
    }

    fn column(&mut self, option: EngineOption) -> Option<ColumnName> {
        self.known_column(option, self.options.filled(option)?)
    }

    fn known_column(&mut self, option: EngineOption, written: &str) -> Option<ColumnName> {
        let bare = written.strip_prefix('`').and_then(|name| name.strip_suffix('`')).unwrap_or(written);
        let name = ColumnName::new(bare);
        if self.columns.iter().any(|column| column.name == name) {
            return Some(name);
        }
        let problem = EngineProblem::UnknownColumn { value: written.to_owned(), parameter: option.name() };
        self.report(option, problem);
        None
    }

    /// The sorting key; the two engines that tell rows apart by it must have one.
    fn sorting_key(&mut self, name: EngineName) -> Option<Expression> {
        let key = self.key(EngineOption::SortingKey);
        let needed = matches!(name, EngineName::Replacing | EngineName::Collapsing);
        if key.is_some() || !needed {
            return key;
        }
        match self.options.get(EngineOption::SortingKey).map(str::trim) {
            None => self.report(EngineOption::Engine, EngineProblem::MissingOption("sorting_key")),
            Some("") => self.report(EngineOption::SortingKey, EngineProblem::EmptySortingKey),
            Some(value) if is_empty_tuple(value) && name == EngineName::Replacing => {
                self.report(EngineOption::SortingKey, EngineProblem::NoSortingKey(value.to_owned()));
            }
            Some(_) => {}
        }
        None
    }

    /// A key without parentheses around it; `tuple()` and nothing at all are no key.
    fn key(&mut self, option: EngineOption) -> Option<Expression> {
        if is_empty_tuple(self.options.filled(option)?) {
            return None;
        }
        self.expression(option).map(|key| key.without_parentheses())
    }

    fn expression(&mut self, option: EngineOption) -> Option<Expression> {
        let value = self.options.filled(option)?;
        match Expression::parse(value) {
            Ok(expression) => Some(expression),
            Err(reason) => {
                let value = value.to_owned();
                self.report(option, EngineProblem::Expression { value, option: option.name(), reason });
                None
            }
        }
    }

    fn settings(&mut self) -> Vec<Setting> {
        let Some(text) = self.options.filled(EngineOption::Settings) else { return Vec::new() };
        Setting::parse_all(text).unwrap_or_else(|problem| {
            self.report(EngineOption::Settings, problem);
            Vec::new()
        })
    }
}

fn is_empty_tuple(value: &str) -> bool {
    let tight: String = value.chars().filter(|character| !character.is_whitespace()).collect();
    matches!(tight.to_ascii_lowercase().as_str(), "tuple()" | "()" | "(tuple())")
}
