//! The settings under which a statement runs.
//!
//! In: composed SQL, what the caller asked of the format, the operator's limits.  Out: the engine's
//! [`Query`].  Promise: it only reads, under limits, and row filters come before every other condition.

use super::call::{Denormals, OutputSettings, ParquetTexts, WideIntegers};
use super::format::OutputFormat;
use super::service::Queries;
use crate::auth::{Holder, TokenClass};
use crate::catalog::compose::MAX_SQL_BYTES;
use crate::catalog::{Access, Composed};
use crate::config::{self, QueryLimits};
use crate::engine::Query;

/// Keeps row filters before every other condition. ClickHouse would else join conditions of the
/// query around a filtered table with the filter, put the cheapest first, and so let a condition
/// that fails on a value tell of rows that the filter hides.
pub const FILTERS_FIRST: [(&str, &str); 2] =
    [("optimize_move_to_prewhere", "0"), ("query_plan_merge_filters", "0")];

/// The operator's limits by kind of token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    every: QueryLimits,
    of_static: QueryLimits,
    of_jwt: QueryLimits,
}

impl Limits {
    pub(super) fn new(settings: &config::Config) -> Self {
        let every = settings.query.limits();
        let (of_static, of_jwt) = (settings.query_token.within(every), settings.query_jwt.within(every));
        Self { every, of_static, of_jwt }
    }

    fn of(&self, class: TokenClass) -> &QueryLimits {
        match class {
            TokenClass::Admin => &self.every,
            TokenClass::Static => &self.of_static,
            TokenClass::Jwt => &self.of_jwt,
        }
    }
}

impl Queries {
    /// The call of the engine. It names no database: every table in the SQL is qualified, and a
    /// bare name that slipped through would find nothing.
    pub(super) fn query(
        &self,
        composed: Composed,
        format: &str,
        (access, holder): (&Access, &Holder),
    ) -> Query {
        let mut query = Query::new(composed.sql, format).with_profile();
        for (name, value) in composed.settings {
            query = query.with_setting(&name, value);
        }
        if access.is_filtered() {
            let guarded = |query: Query, (name, value): (&str, &str)| query.with_setting(name, value);
            query = FILTERS_FIRST.into_iter().fold(query, guarded);
        }
        query
            .with_setting("max_query_size", MAX_SQL_BYTES)
            .with_limits(self.limits.of(holder.class()))
            .with_setting("readonly", 1)
    }
}

impl Query {
    /// Adds the operator's limits; a limit that is not set is left to the engine. What a template
    /// asked for stays where it is within them.
    fn with_limits(self, limits: &QueryLimits) -> Self {
        let threads = limits.max_threads.map(|limit| self.threads_within(limit.get()));
        let given = [
            ("max_execution_time", limits.max_execution.map(|time| time.as_secs())),
            ("max_result_rows", limits.max_result_rows.map(u64::from)),
            ("max_rows_to_read", limits.max_rows_to_read.map(u64::from)),
            ("max_result_bytes", limits.max_result_bytes.map(u64::from)),
            ("max_memory_usage", limits.max_memory_bytes.map(u64::from)),
            ("max_threads", threads),
        ];
        let given = given.into_iter().filter_map(|(name, value)| Some((name, value?)));
        given.fold(self, |query, (name, value)| query.with_setting(name, value))
    }

    /// The threads asked for so far, or the limit; 0 is ClickHouse's word for as many as it likes.
    fn threads_within(&self, limit: u64) -> u64 {
        let asked = self.setting("max_threads");
        asked.filter(|threads| (1..=limit).contains(threads)).unwrap_or(limit)
    }

    /// Adds what the caller asked of the format.
    pub(super) fn with_output(self, format: OutputFormat, output: OutputSettings) -> Self {
        let switch = |on: bool| i32::from(on);
        let wide_integers = switch(output.wide_integers == WideIntegers::Strings);
        let denormals = switch(output.denormals == Denormals::Strings);
        let texts = switch(output.parquet_texts == ParquetTexts::Strings);
        match format {
            OutputFormat::Json | OutputFormat::Ndjson => self
                .with_setting("output_format_json_quote_64bit_integers", wide_integers)
                .with_setting("output_format_json_quote_denormals", denormals),
            OutputFormat::Parquet => self.with_setting("output_format_parquet_string_as_string", texts),
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;
    use std::time::Duration;

    use super::*;

    /// The values of `max_threads` that reach the engine.
    fn threads(asked: Option<&str>, limit: u64) -> Vec<String> {
        let query = Query::new("SELECT 1", "JSON");
        let query = asked.into_iter().fold(query, |query, asked| query.with_setting("max_threads", asked));
        let limits = QueryLimits { max_threads: NonZeroU64::new(limit), ..QueryLimits::default() };
        query.with_limits(&limits).settings.into_iter().map(|(_, value)| value).collect()
    }

    #[test]
    fn a_template_gets_no_more_threads_than_the_operator_allows() {
        for (asked, sent) in [("1", "1"), ("2", "2"), ("3", "2"), ("9", "2"), ("10", "2")] {
            assert_eq!(threads(Some(asked), 2), [sent], "{asked}");
        }
        for unlimited in ["0", "-1", "99999999999999999999"] {
            assert_eq!(threads(Some(unlimited), 2), ["2"], "{unlimited}");
        }
        assert_eq!(threads(None, 2), ["2"]);
        assert_eq!(threads(Some("9"), 0), ["9"]);
        assert!(threads(None, 0).is_empty());
    }

    #[test]
    fn the_limits_of_a_kind_of_token_are_never_wider_than_those_of_all() {
        let seconds = |seconds| QueryLimits {
            max_execution: Some(Duration::from_secs(seconds)),
            ..QueryLimits::default()
        };
        let within =
            |own: QueryLimits, all: QueryLimits| own.within(all).max_execution.map(|it| it.as_secs());
        assert_eq!(within(seconds(3), seconds(10)), Some(3));
        assert_eq!(within(seconds(30), seconds(10)), Some(10));
        assert_eq!(within(QueryLimits::default(), seconds(10)), Some(10));
        assert_eq!(within(seconds(3), QueryLimits::default()), Some(3));
        assert_eq!(within(QueryLimits::default(), QueryLimits::default()), None);
    }
}
