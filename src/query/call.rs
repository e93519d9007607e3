//! What a caller asks for.

use std::borrow::Cow;

use super::OutputFormat;
use super::cache::Freshness;
use crate::auth::{FixedValue, ReadPermit, SqlPermit};
use crate::catalog::ResourceName;
use crate::template::{ArgumentValue, Arguments};

/// One call of a pipe's endpoint.
#[derive(Clone)]
pub struct Call {
    /// The pipe, and the right to read it.
    pub permit: ReadPermit,
    /// SQL over the endpoint's rows, in which the pipe is called `_`. Its FORMAT does not count.
    pub sql: Option<String>,
    /// How the answer is written.
    pub format: OutputFormat,
    /// Details of the format.
    pub output: OutputSettings,
    /// Values for the template's parameters.
    pub arguments: Arguments,
    /// Whether a kept answer will do.
    pub freshness: Freshness,
}

impl Call {
    /// The values that the templates see: the caller's, and those that the token decides in their place.
    pub fn decided_arguments(&self) -> Cow<'_, Arguments> {
        decided(&self.permit, &self.arguments)
    }
}

impl PlanCall {
    /// The values that the templates see: the caller's, and those that the token decides in their place.
    pub fn decided_arguments(&self) -> Cow<'_, Arguments> {
        decided(&self.permit, &self.arguments)
    }
}

/// The caller's values, and in place of any that came under the same name, however it was sent,
/// those that the token decides.
fn decided<'a>(permit: &ReadPermit, arguments: &'a Arguments) -> Cow<'a, Arguments> {
    let fixed = permit.fixed_parameters();
    if fixed.is_empty() {
        return Cow::Borrowed(arguments);
    }
    let mut arguments = arguments.clone();
    for (name, value) in fixed {
        let value = match value {
            FixedValue::Text(text) => ArgumentValue::Text(text.clone()),
            FixedValue::Number(number) => ArgumentValue::Json(number.clone().into()),
            FixedValue::Flag(flag) => ArgumentValue::Json((*flag).into()),
        };
        arguments.insert(name.as_str(), value);
    }
    Cow::Owned(arguments)
}

/// One query of the caller's own.
pub struct SqlCall {
    /// The right to run it, and what it may name.
    pub permit: SqlPermit,
    /// The text: a template where it begins with `%`.
    pub sql: String,
    /// The pipe that is called `_` in the text.
    pub subject: Option<ResourceName>,
    /// Details of the format, which the text names.
    pub output: OutputSettings,
    /// Values for the parameters of the text and of the pipes that it reads.
    pub arguments: Arguments,
    /// Whether a kept answer will do.
    pub freshness: Freshness,
}

/// A question about how a pipe would run.
pub struct PlanCall {
    /// The pipe, and the right to read it.
    pub permit: ReadPermit,
    /// The node; without it the one that answers.
    pub node: Option<String>,
    /// Values for the template's parameters.
    pub arguments: Arguments,
}

/// How values are printed; most are reserved request parameters of the same names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct OutputSettings {
    /// `output_format_json_quote_64bit_integers`.
    pub wide_integers: WideIntegers,
    /// `output_format_json_quote_denormals`.
    pub denormals: Denormals,
    /// `output_format_parquet_string_as_string`.
    pub parquet_texts: ParquetTexts,
    /// `finalize_aggregations`.
    pub aggregates: Aggregates,
}

/// How integers of 64 bits and more stand in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum WideIntegers {
    /// As numbers, as Tinybird does.
    #[default]
    Numbers,
    /// As strings, so that JavaScript keeps every digit.
    Strings,
}

/// How `inf` and `nan` stand in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Denormals {
    /// As `null`.
    #[default]
    Null,
    /// As `"inf"`, `"nan"`.
    Strings,
}

/// The Parquet type of `String` columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ParquetTexts {
    /// Bytes, as Tinybird does.
    #[default]
    Binary,
    /// Text.
    Strings,
}

/// What becomes of columns that hold half-made aggregates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Aggregates {
    /// Their bytes are printed.
    #[default]
    States,
    /// Their values are printed.
    Finalized,
}
