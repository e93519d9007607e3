//! What a caller asks for.

use std::borrow::Cow;

use crate::auth::{FixedValue, ReadPermit};
use crate::template::{ArgumentValue, Arguments};

/// One call of a pipe's endpoint.
pub struct Call {
    /// The pipe, and the right to read it.
    pub permit: ReadPermit,
    /// How the answer is written.
    pub format: OutputFormat,
    /// Details of the format.
    pub output: OutputSettings,
    /// Values for the template's parameters.
    pub arguments: Arguments,
}

impl Call {
    /// The values that the templates see: the caller's, and in place of any that came under the
    /// same name, however it was sent, those that the token decides.
    pub fn decided_arguments(&self) -> Cow<'_, Arguments> {
        let fixed = self.permit.fixed_parameters();
        if fixed.is_empty() {
            return Cow::Borrowed(&self.arguments);
        }
        let mut arguments = self.arguments.clone();
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
}

/// The formats of an endpoint, by the ending of its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    /// `.json`: ClickHouse's JSON document with meta, data, rows and statistics.
    Json,
    /// `.csv`: with a header line.
    Csv,
    /// `.ndjson`: one object per line.
    Ndjson,
}

impl OutputFormat {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::Json, Self::Csv, Self::Ndjson];

    /// The format of an ending, without its dot.
    pub fn from_extension(extension: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.extension() == extension)
    }

    /// The ending of the path.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }

    /// ClickHouse's name.
    pub fn engine_name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Csv => "CSVWithNames",
            Self::Ndjson => "JSONEachRow",
        }
    }

    /// The content type that Tinybird's clients decide by.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Ndjson => "application/x-ndjson",
        }
    }
}

/// How numbers are printed; the reserved request parameters of the same names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutputSettings {
    /// `output_format_json_quote_64bit_integers`.
    pub wide_integers: WideIntegers,
    /// `output_format_json_quote_denormals`.
    pub denormals: Denormals,
}

/// How integers of 64 bits and more stand in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WideIntegers {
    /// As numbers, as Tinybird does.
    #[default]
    Numbers,
    /// As strings, so that JavaScript keeps every digit.
    Strings,
}

/// How `inf` and `nan` stand in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Denormals {
    /// As `null`.
    #[default]
    Null,
    /// As `"inf"`, `"nan"`.
    Strings,
}
