//! Why a call has no answer.

use crate::catalog::{Access, NodeError};
use crate::engine::EngineError;
use crate::sql::compose::ComposeError;
use crate::template::TemplateError;

/// A call that failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueryError {
    /// No endpoint has this name. The text is Tinybird's.
    #[error("The pipe '{0}' does not exist")]
    PipeNotFound(String),
    /// The pipe is there for other pipes only.
    #[error(
        "The pipe '{0}' does not exist as an endpoint: add TYPE endpoint below the node that callers shall read"
    )]
    NotPublished(String),
    /// The caller's parameters do not fit the template, or the template raised an error.
    #[error(transparent)]
    Template(TemplateError),
    /// The rendered SQL is not what may run, or names something that is not there.
    #[error(transparent)]
    Sql(Box<ComposeError>),
    /// The token's row filter does not fit the data source that is read.
    #[error("{0}")]
    Filter(String),
    /// The engine refused the query.
    #[error("{}", client_text(.message))]
    Engine {
        /// ClickHouse's error code.
        code: u32,
        /// ClickHouse's text.
        message: String,
    },
    /// The engine is away.
    #[error("the engine is not available: {0}; try again in a moment")]
    Unavailable(String),
    /// The connection to the engine broke in the middle.
    #[error("the query was not finished: {0}; try again")]
    Lost(String),
    /// Too many queries are running.
    #[error(
        "too many queries are running: try again in a moment, or raise query.concurrency and query.queue"
    )]
    Busy,
}

impl QueryError {
    /// The same without the engine's text where that text could quote a row filter of the token:
    /// whoever may not see some rows must not learn by which rule.
    pub(super) fn for_reader_of(self, access: &Access) -> Self {
        match self {
            Self::Engine { code, message } if access.is_filtered() => {
                let text = "the engine refused the query; its text is kept back, because it may quote the row filter of the token";
                Self::Engine { code, message: format!("{text}{}", code_name(&message)) }
            }
            other => other,
        }
    }
}

impl From<NodeError> for QueryError {
    fn from(error: NodeError) -> Self {
        match error {
            NodeError::Template(error) => Self::Template(error),
            NodeError::Sql(error) => Self::Sql(error),
            error @ NodeError::FilterColumn { .. } => Self::Filter(error.to_string()),
        }
    }
}

impl From<EngineError> for QueryError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Exception { code, message } => Self::Engine { code, message },
            EngineError::Unavailable(reason) => Self::Unavailable(reason),
            EngineError::Lost(reason) => Self::Lost(reason),
        }
    }
}

/// What a caller sees of ClickHouse's text: without its prefix, and without the statement, which
/// names tables that are none of the caller's business.
fn client_text(message: &str) -> String {
    let text = message.split_once("Exception: ").map_or(message, |(_, text)| text);
    let name = code_name(text);
    let body = text.strip_suffix(name).unwrap_or(text);
    let body = body.split(": In scope ").next().unwrap_or(body);
    let body = body.split(" in scope ").next().unwrap_or(body);
    format!("{}{name}", body.trim_end_matches('.'))
}

/// The ` (NAME)` of ClickHouse's code at the end of its text; empty where there is none.
fn code_name(message: &str) -> &str {
    let is_name = |name: &str| {
        !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    };
    match message.rfind(" (").map(|start| &message[start..]) {
        Some(name) if is_name(name[2..].trim_end_matches(')')) => name,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_sees_the_reason_and_its_name_but_not_the_statement() {
        let shown = |message: &str| client_text(message);
        assert_eq!(
            shown(
                "Code: 47. DB::Exception: Unknown expression identifier `nope` in scope SELECT nope FROM w.t. (UNKNOWN_IDENTIFIER)"
            ),
            "Unknown expression identifier `nope` (UNKNOWN_IDENTIFIER)"
        );
        assert_eq!(
            shown("Code: 159. DB::Exception: Timeout exceeded: elapsed 1 s. (TIMEOUT_EXCEEDED)"),
            "Timeout exceeded: elapsed 1 s (TIMEOUT_EXCEEDED)"
        );
        assert_eq!(shown("something else"), "something else");
    }

    #[test]
    fn who_reads_through_a_filter_sees_the_name_of_the_error_only() {
        let filter = crate::sql::RowFilter::parse("id = 'canary'").unwrap();
        let name = crate::catalog::ResourceName::parse("hits").unwrap();
        let access = Access::everything().with_filter(name, filter);
        let message = "Code: 53. DB::Exception: Cannot convert string 'canary'. (TYPE_MISMATCH)".to_owned();
        let error = QueryError::Engine { code: 53, message };
        assert!(error.clone().for_reader_of(&Access::everything()).to_string().contains("canary"));
        let shown = error.for_reader_of(&access).to_string();
        assert!(!shown.contains("canary") && shown.ends_with(" (TYPE_MISMATCH)"), "{shown}");
    }
}
