//! The names that mean something to the engine.

use super::fault::Class;
use super::functions;

/// The functions that `{{ }}` may call.
pub(super) const EXPRESSION_FUNCTIONS: [&str; 53] = [
    "Array",
    "Boolean",
    "Date",
    "DateTime",
    "DateTime64",
    "Float32",
    "Float64",
    "Int",
    "Int128",
    "Int16",
    "Int256",
    "Int32",
    "Int64",
    "Int8",
    "Integer",
    "JSON",
    "String",
    "TABLE",
    "UInt128",
    "UInt16",
    "UInt256",
    "UInt32",
    "UInt64",
    "UInt8",
    "activate",
    "backend_hint",
    "cache_ttl",
    "column",
    "columns",
    "custom_error",
    "date_diff_in_days",
    "date_diff_in_hours",
    "date_diff_in_minutes",
    "date_diff_in_seconds",
    "day_diff",
    "defined",
    "disable",
    "enumerate_with_last",
    "error",
    "float",
    "int",
    "len",
    "list",
    "max",
    "max_threads",
    "min",
    "split_to_array",
    "sql_and",
    "sql_unescape",
    "symbol",
    "table",
    "tb_secret",
    "tb_var",
];

/// The methods that `{{ }}` may call.
pub(super) const EXPRESSION_METHODS: [&str; 4] = ["get", "join", "replace", "split"];

/// The functions that no tag may call.
pub(super) const FORBIDDEN_FUNCTIONS: [&str; 21] = [
    "breakpoint",
    "classmethod",
    "compile",
    "delattr",
    "dir",
    "eval",
    "exec",
    "exit",
    "getattr",
    "globals",
    "help",
    "locals",
    "memoryview",
    "object",
    "property",
    "quit",
    "setattr",
    "staticmethod",
    "super",
    "type",
    "vars",
];

/// The attributes that no tag may look at, besides those that start with `_`.
pub(super) const FORBIDDEN_ATTRIBUTES: [&str; 22] = [
    "ag_await",
    "ag_code",
    "ag_frame",
    "ag_running",
    "cr_await",
    "cr_code",
    "cr_frame",
    "cr_origin",
    "cr_running",
    "f_back",
    "f_builtins",
    "f_code",
    "f_globals",
    "f_locals",
    "format",
    "format_map",
    "gi_code",
    "gi_frame",
    "gi_yieldfrom",
    "mro",
    "tb_frame",
    "tb_next",
];

/// Statements of the original template language that are switched off.
pub(super) const FORBIDDEN_STATEMENTS: [&str; 8] =
    ["apply", "autoescape", "block", "extends", "import", "include", "module", "raw"];

/// Names that no parameter may have.
pub(super) const RESERVED_PARAMETERS: [&str; 2] = ["format", "q"];

/// Names that the service uses itself: a parameter of this name is reported as a warning.
pub(super) const SERVICE_PARAMETERS: [&str; 17] = [
    "__tb__csv_header",
    "__tb__semver",
    "debug",
    "debug_source_tables",
    "explain",
    "finalize_aggregations",
    "job_timestamp",
    "output_format_json_quote_64bit_integers",
    "output_format_json_quote_denormals",
    "output_format_parquet_string_as_string",
    "pipeline",
    "playground",
    "query_id",
    "release_replacements",
    "tag",
    "template_parameters",
    "token",
];

/// The functions that declare a parameter and its type.
pub(super) const TYPED_FUNCTIONS: [&str; 21] = [
    "Array",
    "Boolean",
    "Date",
    "DateTime",
    "DateTime64",
    "Float32",
    "Float64",
    "Int128",
    "Int16",
    "Int256",
    "Int32",
    "Int64",
    "Int8",
    "JSON",
    "String",
    "UInt128",
    "UInt16",
    "UInt256",
    "UInt32",
    "UInt64",
    "UInt8",
];

/// The functions whose first argument is reported as a parameter of no particular type.
pub(super) const PARAMETER_FUNCTIONS: [&str; 11] = [
    "column",
    "columns",
    "date_diff_in_days",
    "date_diff_in_hours",
    "date_diff_in_minutes",
    "date_diff_in_seconds",
    "day_diff",
    "defined",
    "enumerate_with_last",
    "split_to_array",
    "sql_and",
];

/// True for `__x__`: Python's own names.
pub(super) fn is_dunder(name: &str) -> bool {
    name.len() > 4 && name.starts_with("__") && name.ends_with("__")
}

/// True for names that are no parameters where nothing declares them: functions, mostly.
///
/// Types are not among them: a template may use one as the name of a variable.
pub(super) fn is_unreported(name: &str) -> bool {
    let function = functions::template_function(name).is_some() || functions::builtin(name).is_some();
    let known = function || Class::named(name).is_some() || name == "_tt_tmp";
    known && !TYPED_FUNCTIONS.contains(&name) && !RESERVED_PARAMETERS.contains(&name)
}

/// True for names that only the engine may give a value.
///
/// Tinybird takes them from the request too, which would let a caller break or bypass checks.
pub(super) fn is_internal(name: &str) -> bool {
    name.starts_with("_tt_") || matches!(name, "tb_secrets" | "tb_secret_dont_raise" | "expression_wrapper")
}
