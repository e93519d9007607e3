//! Why a call has no answer.

use super::OutputFormat;
use super::disclosure::Audience;
use crate::catalog::NodeError;
use crate::engine::EngineError;
use crate::sql::SqlError;
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
    /// A text to be looked at is no SQL.
    #[error("{0}")]
    Text(SqlError),
    /// The rendered SQL of a pipe cannot run, and the caller may not see it.
    #[error("a pipe that is read cannot run: a token that may read everything is told the reason")]
    PipeBroken,
    /// The caller's own text names something out of reach. The text is that of the composition.
    #[error("{0}")]
    OutOfReach(String),
    /// A plan shows the SQL of pipes and the names of tables.
    #[error("EXPLAIN shows the SQL of pipes and the tables below them: it needs the scope `ADMIN`")]
    PlanRefused,
    /// The caller's own text is longer than the limit.
    #[error(
        "the SQL has {length} bytes, and the limit is {limit}: move parts of it into a pipe, or raise query.max_sql_bytes"
    )]
    TextTooLong {
        /// Its bytes.
        length: usize,
        /// The most that is read.
        limit: usize,
    },
    /// The FORMAT clause names another format.
    #[error("FORMAT {name} is not supported: it is one of {}", OutputFormat::clauses())]
    FormatUnknown {
        /// The name as written.
        name: String,
    },
    /// No node of the pipe has this name.
    #[error("The node '{node}' does not exist in the pipe '{pipe}'")]
    NodeNotFound {
        /// The pipe.
        pipe: String,
        /// The name that was asked for.
        node: String,
    },
    /// The token's row filter does not fit the data source that is read.
    #[error("{0}")]
    Filter(String),
    /// The engine refused the query.
    #[error("{message}")]
    Engine {
        /// ClickHouse's error code.
        code: u32,
        /// What the caller may see of ClickHouse's text.
        message: String,
    },
    /// The engine is away.
    #[error("the engine is not available: {0}; try again in a moment")]
    Unavailable(String),
    /// The connection to the engine broke in the middle.
    #[error("the query was not finished: {0}; try again")]
    Lost(String),
    /// So many callers listen already.
    #[error(
        "{limit} callers listen already, which is the limit: try again later, or raise query.max_listeners"
    )]
    ListenersFull {
        /// The most that may listen.
        limit: usize,
    },
    /// Too many queries are running.
    #[error(
        "too many queries are running: try again in a moment, or raise query.concurrency and query.queue"
    )]
    Busy,
}

impl QueryError {
    /// Sorts a failure to compose.
    pub(super) fn from_node(error: NodeError, audience: Audience<'_>) -> Self {
        match error {
            NodeError::Template(error) => Self::Template(error),
            NodeError::Sql(error) if audience.reads_everything() || is_own(&error, audience) => {
                Self::Sql(error)
            }
            NodeError::Sql(_) => Self::PipeBroken,
            error @ NodeError::FilterColumn { .. } => Self::Filter(error.to_string()),
            error @ NodeError::OutOfReach { .. } => Self::OutOfReach(error.to_string()),
        }
    }

    /// Sorts a failure of the engine.
    pub(super) fn from_engine(error: EngineError, audience: Audience<'_>) -> Self {
        match error {
            EngineError::Exception { code, message } => {
                Self::Engine { code, message: audience.told(code, &message) }
            }
            EngineError::Unavailable(reason) => Self::Unavailable(reason),
            EngineError::Lost(reason) => Self::Lost(reason),
        }
    }
}

/// True for a mistake in the text that the caller wrote; without such a text, the outermost one is
/// a pipe's.
fn is_own(error: &ComposeError, audience: Audience<'_>) -> bool {
    error.path.is_empty() && !audience.own_text.is_empty()
}
