//! `ENGINE` and `ENGINE_*` lines, of data sources and of Classic's materialized nodes.

use std::collections::BTreeMap;

use super::directive::Directive;
use super::problems::Problems;
use super::raw::RawDirective;
use crate::schema::{Column, Engine, EngineName, EngineOption, EngineOptions};
use crate::syntax::Span;

/// What a file says about an engine, and where.
#[derive(Debug, Clone, Default)]
pub(super) struct PlacedOptions {
    pub(super) options: EngineOptions,
    places: BTreeMap<EngineOption, (Span, &'static str)>,
}

/// Collects the engine lines; of two for the same option the last one wins.
pub(super) fn read<'a>(
    lines: impl Iterator<Item = &'a RawDirective>,
    problems: &mut Problems,
) -> PlacedOptions {
    let mut placed = PlacedOptions::default();
    for line in lines {
        let Some(option) = option(line.directive()) else { continue };
        let Some(value) = line.required_value(problems) else { continue };
        placed.options.set(option, value.as_str());
        placed.places.insert(option, (line.span(), line.rule.name));
    }
    placed
}

impl PlacedOptions {
    /// True where nothing was said.
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Checks the options against the columns; `fallback` is the place of what is missing.
    pub(super) fn check(
        &self,
        columns: &[Column],
        fallback: Span,
        problems: &mut Problems,
    ) -> Option<Engine> {
        match Engine::parse(&self.options, columns) {
            Ok(engine) => {
                self.warn_of_ignored(engine.family.name(), problems);
                Some(engine)
            }
            Err(errors) => {
                for error in errors {
                    problems.error(
                        "engine",
                        self.place_of(error.option).unwrap_or(fallback),
                        error.problem.to_string(),
                    );
                    if let Some(help) = error.problem.help() {
                        problems.help(help);
                    }
                }
                None
            }
        }
    }

    /// Where an option was given.
    pub(super) fn place_of(&self, option: EngineOption) -> Option<Span> {
        self.places.get(&option).map(|&(span, _)| span)
    }

    fn warn_of_ignored(&self, engine: EngineName, problems: &mut Problems) {
        for (&option, &(span, name)) in &self.places {
            if !engine.takes(option) && self.options.filled(option).is_some() {
                problems.warn("no-effect", span, format!("{name} has no effect on {engine}"));
            }
        }
    }
}

fn option(directive: Directive) -> Option<EngineOption> {
    Some(match directive {
        Directive::Engine => EngineOption::Engine,
        Directive::EnginePartitionKey => EngineOption::PartitionKey,
        Directive::EngineSortingKey => EngineOption::SortingKey,
        Directive::EnginePrimaryKey => EngineOption::PrimaryKey,
        Directive::EngineSamplingKey => EngineOption::SamplingKey,
        Directive::EngineTtl => EngineOption::Ttl,
        Directive::EngineSettings => EngineOption::Settings,
        Directive::EngineVer => EngineOption::Ver,
        Directive::EngineIsDeleted => EngineOption::IsDeleted,
        Directive::EngineColumns => EngineOption::Columns,
        Directive::EngineSign => EngineOption::Sign,
        Directive::EngineVersion => EngineOption::Version,
        _ => return None,
    })
}
