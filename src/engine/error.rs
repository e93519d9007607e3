//! What can go wrong between Roost and the engine.

/// A call to the engine that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The engine is not there: nothing was sent, so a retry cannot double anything.
    #[error("the engine is not available: {0}")]
    Unavailable(String),
    /// The engine answered with an exception.
    #[error("{message}")]
    Exception {
        /// ClickHouse's error code.
        code: u32,
        /// ClickHouse's text, `Code: 60. DB::Exception: …`.
        message: String,
    },
    /// The connection broke or the time ran out after something was sent: what was asked for may
    /// have happened.
    #[error("the engine's answer was lost: {0}")]
    Lost(String),
}

impl EngineError {
    /// ClickHouse's code, where it answered with an exception.
    pub fn code(&self) -> Option<u32> {
        match self {
            Self::Exception { code, .. } => Some(*code),
            Self::Unavailable(_) | Self::Lost(_) => None,
        }
    }

    /// Sorts an error of the client library.
    pub(super) fn from_client(error: clickhouse::error::Error) -> Self {
        use clickhouse::error::Error;
        match error {
            Error::BadResponse(message) => Self::from_response(message),
            Error::Network(cause) => match cause.downcast_ref::<hyper_util::client::legacy::Error>() {
                Some(error) if error.is_connect() => Self::Unavailable(reason(error)),
                Some(error) => Self::Lost(reason(error)),
                None => Self::Lost(cause.to_string()),
            },
            Error::InvalidParams(cause) => Self::Unavailable(cause.to_string()),
            other => Self::Lost(other.to_string()),
        }
    }

    fn from_response(message: String) -> Self {
        let digits = message.split_once("Code: ").map_or("", |(_, rest)| rest);
        let digits = digits.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        match digits.parse() {
            Ok(code) => Self::Exception { code, message },
            Err(_) => Self::Lost(message),
        }
    }
}

/// The innermost cause of an error, where the useful words are.
fn reason(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
