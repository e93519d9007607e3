//! Which functions refuse no value, by the types of their arguments, as ClickHouse writes them.

/// Functions that take every value of every type that they accept at all. All lists were tried with the
/// extremes of every type (`tests/it/engine/total.rs`).
const OF_ANYTHING: [&str; 37] = [
    "and",
    "assumeNotNull",
    "cityHash64",
    "coalesce",
    "concat",
    "cutQueryString",
    "cutWWW",
    "domain",
    "domainWithoutWWW",
    "empty",
    "endsWith",
    "halfMD5",
    "if",
    "ifNull",
    "isNotNull",
    "isNull",
    "JSONExtractBool",
    "JSONExtractFloat",
    "JSONExtractInt",
    "JSONExtractString",
    "JSONExtractUInt",
    "length",
    "lengthUTF8",
    "lower",
    "multiIf",
    "not",
    "notEmpty",
    "or",
    "path",
    "pathFull",
    "protocol",
    "sipHash64",
    "startsWith",
    "topLevelDomain",
    "tuple",
    "upper",
    "xxHash64",
];
/// Comparisons parse a text that stands beside anything else, and a long number has no place beside a time
/// with fractions.
const OF_THE_SAME: [&str; 7] =
    ["equals", "greater", "greaterOrEquals", "less", "lessOrEquals", "notEquals", "nullIf"];
/// A second argument is a time zone, which may not be one.
const OF_ONE: [&str; 1] = ["toString"];
/// Of one date or time; a text would be parsed.
const OF_A_DATE: [&str; 16] = [
    "toDate",
    "toDateTime",
    "toDayOfMonth",
    "toDayOfWeek",
    "toMonday",
    "toMonth",
    "toQuarter",
    "toStartOfDay",
    "toStartOfMonth",
    "toStartOfQuarter",
    "toStartOfWeek",
    "toStartOfYear",
    "toYear",
    "toYYYYMM",
    "toYYYYMMDD",
    "toYYYYMMDDhhmmss",
];
/// Of one time; a date has no hours.
const OF_A_TIME: [&str; 8] = [
    "toHour",
    "toMinute",
    "toSecond",
    "toStartOfFifteenMinutes",
    "toStartOfFiveMinutes",
    "toStartOfHour",
    "toStartOfMinute",
    "toStartOfTenMinutes",
];
/// Of one time in whole seconds; a long one with fractions has no place.
const OF_SECONDS: [&str; 2] = ["toUInt32", "toUnixTimestamp"];
const OF_NUMBERS: [&str; 7] = ["plus", "minus", "multiply", "divide", "toFloat32", "toFloat64", "xor"];
/// A float that is none has no integer.
const OF_INTEGERS: [&str; 8] =
    ["toInt8", "toInt16", "toInt32", "toInt64", "toUInt8", "toUInt16", "toUInt32", "toUInt64"];

/// Aggregate functions that take every value, but for `State` and `If` behind them.
const AGGREGATES: [&str; 21] = [
    "any",
    "anyLast",
    "argMax",
    "argMin",
    "avg",
    "count",
    "max",
    "min",
    "quantile",
    "quantileExact",
    "quantiles",
    "quantileTDigest",
    "quantilesTDigest",
    "stddevPop",
    "stddevSamp",
    "sum",
    "uniq",
    "uniqCombined",
    "uniqCombined64",
    "uniqExact",
    "uniqHLL12",
];

/// True for a function that takes every value of these types.
pub(in crate::ingest::delivery) fn takes(function: &str, arguments: &[&str]) -> bool {
    let is_any = |lists: &[&[&str]]| lists.iter().any(|list| list.contains(&function));
    let all = |allowed: fn(&str) -> bool| arguments.iter().all(|argument| allowed(bare(argument)));
    let is_one = arguments.len() == 1;
    is_any(&[&OF_ANYTHING])
        || is_any(&[&OF_ONE]) && is_one
        || is_any(&[&OF_THE_SAME]) && (all(is_number) || all(is_text) || are_the_same(arguments))
        || is_any(&[&OF_A_DATE]) && is_one && all(is_date)
        || is_any(&[&OF_A_DATE, &OF_A_TIME, &OF_SECONDS]) && is_one && all(is_time)
        || is_any(&[&OF_A_DATE, &OF_A_TIME]) && is_one && all(is_fine_time)
        || is_any(&[&OF_NUMBERS]) && all(is_number)
        || is_any(&[&OF_INTEGERS]) && all(is_integer)
}

/// True for an aggregate function that takes every value of these types.
pub(super) fn gathers(function: &str, arguments: &[&str]) -> bool {
    let is_of_states = arguments.iter().any(|argument| argument.contains("AggregateFunction("));
    AGGREGATES.contains(&without_combinators(function)) && !is_of_states
}

/// True where what a view gives is what a column holds, without a conversion that may fail.
pub(in crate::ingest::delivery) fn fits(given: &str, column: &str) -> bool {
    let (given, column) = (plain(given), plain(column));
    given == column || inner(column, "Nullable(") == Some(given)
}

/// The values of a type, however they lie in a column.
fn plain(data_type: &str) -> &str {
    let simple = |text| inner(text, "SimpleAggregateFunction(").and_then(|inner| inner.split_once(", "));
    let data_type = simple(data_type).map_or(data_type, |(_, values)| values);
    inner(data_type, "LowCardinality(").unwrap_or(data_type)
}

fn inner<'a>(text: &'a str, head: &str) -> Option<&'a str> {
    text.strip_prefix(head)?.strip_suffix(')')
}

fn without_combinators(aggregate: &str) -> &str {
    let name = aggregate.strip_suffix("SimpleState").or_else(|| aggregate.strip_suffix("State"));
    let name = name.unwrap_or(aggregate);
    name.strip_suffix("If").unwrap_or(name)
}

/// The type of the values that are not NULL.
fn bare(data_type: &str) -> &str {
    let data_type = plain(data_type);
    inner(data_type, "Nullable(").unwrap_or(data_type)
}

/// True for integers of up to 64 bits.
pub(in crate::ingest::delivery) fn is_integer(data_type: &str) -> bool {
    let bits = data_type.strip_prefix('U').unwrap_or(data_type).strip_prefix("Int");
    matches!(bits, Some("8" | "16" | "32" | "64")) || data_type == "Bool"
}

fn is_number(data_type: &str) -> bool {
    is_integer(data_type) || matches!(data_type, "Float32" | "Float64")
}

fn is_text(data_type: &str) -> bool {
    data_type == "String" || data_type.starts_with("FixedString(")
}

fn is_date(data_type: &str) -> bool {
    matches!(data_type, "Date" | "Date32")
}

fn is_time(data_type: &str) -> bool {
    data_type == "DateTime" || data_type.starts_with("DateTime(")
}

fn is_fine_time(data_type: &str) -> bool {
    data_type.starts_with("DateTime64(")
}

fn are_the_same(data_types: &[&str]) -> bool {
    data_types.windows(2).all(|pair| bare(pair[0]) == bare(pair[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_fits_where_nothing_is_converted() {
        for (given, column) in [
            ("Int64", "SimpleAggregateFunction(sum, Int64)"),
            ("String", "LowCardinality(String)"),
            ("LowCardinality(String)", "String"),
            ("String", "LowCardinality(Nullable(String))"),
            ("AggregateFunction(uniq, UInt32)", "AggregateFunction(uniq, UInt32)"),
        ] {
            assert!(fits(given, column), "{given} in {column}");
        }
        for (given, column) in [
            ("Int64", "Int32"),
            ("Nullable(String)", "String"),
            ("String", "FixedString(2)"),
            ("String", "Enum8('a' = 1)"),
            ("AggregateFunction(uniq, UInt32)", "AggregateFunction(uniq, UInt64)"),
        ] {
            assert!(!fits(given, column), "{given} in {column}");
        }
    }
}
