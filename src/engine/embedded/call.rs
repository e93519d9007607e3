//! One request of ClickHouse's HTTP protocol, read and checked.
//!
//! In: URL parameters, the body of a query.  Out: [`Call`], or a [`Refusal`] before the engine is
//! touched.  The part of the protocol is the one that the `clickhouse` crate uses: SQL as the body,
//! as the `query` field of a multipart form with `param_*` fields, or in the URL with the data of
//! an INSERT as the body.

use std::collections::HashSet;

use super::pool::Profile;

/// What to run, and how.
#[derive(Debug)]
pub(super) struct Call {
    /// The statement, in the URL (the body then holds data) or in the body.
    pub(super) sql: Sql,
    /// The output format where the statement names none.
    pub(super) format: String,
    /// Settings and database of the connection to use.
    pub(super) profile: Profile,
    /// Values for `{name:Type}`, escaped as in TSV.
    pub(super) parameters: Vec<(String, String)>,
    /// The client's name for the query, echoed in the answer.
    pub(super) query_id: Option<String>,
    /// How much of a result to hold back before the status is sent.
    pub(super) buffering: Buffering,
}

/// Where the statement is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sql {
    /// In the URL: the body holds the data of an INSERT.
    InUrl(String),
    /// In the body, which has not been read yet.
    InBody,
}

/// How much of a result is held back before the status line is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Buffering {
    /// The first mebibyte: errors before that have a real status.
    Front,
    /// Everything (`wait_end_of_query=1`).
    Whole,
}

/// A request that is refused before the engine sees it, or that the engine refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// ClickHouse's error code.
    pub(super) code: u32,
    /// The text, in ClickHouse's form.
    pub(super) message: String,
}

/// ClickHouse's code for a wrong argument.
const BAD_ARGUMENTS: u32 = 36;
/// ClickHouse's code for a setting it does not know.
const UNKNOWN_SETTING: u32 = 115;
/// Parameters of the protocol that are neither settings nor supported here.
const UNSUPPORTED: [&str; 5] = ["session_id", "session_timeout", "compress", "decompress", "role"];

impl Refusal {
    pub(super) fn new(code: u32, message: impl std::fmt::Display) -> Self {
        Self { code, message: format!("Code: {code}. DB::Exception: {message}") }
    }

    pub(super) fn bad(message: impl std::fmt::Display) -> Self {
        Self::new(BAD_ARGUMENTS, message)
    }

    /// Reads the code out of an exception text of the engine.
    pub(super) fn from_exception(message: String) -> Self {
        let digits = message.split_once("Code: ").map_or("", |(_, rest)| rest);
        let digits = digits.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        // 1002 is ClickHouse's UNKNOWN_EXCEPTION.
        Self { code: digits.parse().unwrap_or(1002), message }
    }
}

impl Call {
    /// Reads the URL's query string; `known_settings` are the engine's own names.
    pub(super) fn from_url(query: &str, known_settings: &HashSet<String>) -> Result<Self, Refusal> {
        let mut call = Self {
            sql: Sql::InBody,
            format: "TabSeparated".to_owned(),
            profile: Profile::default(),
            parameters: Vec::new(),
            query_id: None,
            buffering: Buffering::Front,
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            call.accept(&name, value.into_owned(), known_settings)?;
        }
        call.profile.settings.sort_unstable();
        Ok(call)
    }

    fn accept(&mut self, name: &str, value: String, known_settings: &HashSet<String>) -> Result<(), Refusal> {
        match name {
            "query" => self.sql = Sql::InUrl(value),
            "database" => self.profile.database = Some(value),
            "default_format" => self.format = format_name(value)?,
            "query_id" => self.query_id = Some(checked_query_id(value)?),
            "wait_end_of_query" if value == "1" => self.buffering = Buffering::Whole,
            "wait_end_of_query" => {}
            unsupported if UNSUPPORTED.contains(&unsupported) && value != "0" => {
                return Err(Refusal::bad(format_args!(
                    "the parameter {unsupported} is not supported by this engine"
                )));
            }
            unsupported if UNSUPPORTED.contains(&unsupported) => {}
            setting if known_settings.contains(setting) => {
                self.profile.settings.push((setting.to_owned(), value));
            }
            parameter if parameter.starts_with("param_") => self.parameter(parameter, value),
            unknown => {
                return Err(Refusal::new(UNKNOWN_SETTING, format_args!("Unknown setting '{unknown}'")));
            }
        }
        Ok(())
    }

    /// Takes a `param_x` field of the URL or of a multipart form.
    pub(super) fn parameter(&mut self, field: &str, value: String) {
        if let Some(name) = field.strip_prefix("param_") {
            self.parameters.push((name.to_owned(), value));
        }
    }
}

/// A format name is pasted into SQL: letters, digits and `_` only.
fn format_name(text: String) -> Result<String, Refusal> {
    let fits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if fits { Ok(text) } else { Err(Refusal::bad(format_args!("'{text}' is not a format name"))) }
}

/// A query id is echoed in a header and pasted into a comment.
fn checked_query_id(text: String) -> Result<String, Refusal> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let fits = (1..=64).contains(&text.len()) && text.bytes().all(plain);
    if fits { Ok(text) } else { Err(Refusal::bad("a query_id has 1 to 64 letters, digits, '-', '_' or '.'")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> HashSet<String> {
        ["max_threads", "readonly"].map(str::to_owned).into()
    }

    #[test]
    fn settings_database_and_parameters_are_told_apart() {
        let call = Call::from_url(
            "readonly=1&database=d%201&max_threads=2&default_format=JSON&param_x=a%09b&query_id=q-1",
            &known(),
        )
        .unwrap();
        assert_eq!(call.profile.database.as_deref(), Some("d 1"));
        let settings = [("max_threads", "2"), ("readonly", "1")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(call.profile.settings, settings);
        assert_eq!(call.parameters, [("x".to_owned(), "a\tb".to_owned())]);
        assert_eq!((call.format.as_str(), call.query_id.as_deref()), ("JSON", Some("q-1")));
        assert_eq!((call.sql, call.buffering), (Sql::InBody, Buffering::Front));
    }

    #[test]
    fn an_empty_query_string_is_a_call() {
        assert!(Call::from_url("", &known()).is_ok());
    }

    #[test]
    fn unknown_settings_and_odd_names_are_refused_before_the_engine() {
        let refused = |query: &str| Call::from_url(query, &known()).unwrap_err();
        assert_eq!(refused("path=/etc").message, "Code: 115. DB::Exception: Unknown setting 'path'");
        assert_eq!(refused("default_format=JSON;DROP").code, BAD_ARGUMENTS);
        assert_eq!(refused("query_id=a*/b").code, BAD_ARGUMENTS);
        assert_eq!(refused("session_id=1").code, BAD_ARGUMENTS);
        assert_eq!(refused("decompress=1").code, BAD_ARGUMENTS);
    }

    #[test]
    fn the_code_of_an_exception_is_read_from_its_text() {
        let text = "Code: 241. DB::Exception: Memory limit exceeded";
        assert_eq!(Refusal::from_exception(text.to_owned()).code, 241);
        assert_eq!(Refusal::from_exception("gone".to_owned()).code, 1002);
    }
}
