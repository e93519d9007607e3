//! What can be wrong with a text of SQL.

use super::token::Fault;
use crate::syntax::Span;

/// A problem at a place of one text; the text itself is known to the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{situation}")]
pub struct SqlError {
    /// Where in the text.
    pub span: Span,
    /// What is wrong there.
    pub situation: Situation,
}

impl SqlError {
    /// Puts a situation at a place.
    pub fn new(span: Span, situation: Situation) -> Self {
        Self { span, situation }
    }

    /// What to do next, where that is not plain from the message.
    pub fn help(&self) -> Option<&'static str> {
        self.situation.help()
    }
}

/// Everything that this room refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Situation {
    /// A token that is broken in itself.
    #[error("{0}")]
    Lexical(Fault),
    /// A token that cannot stand where it stands.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What could have stood there.
        expected: &'static str,
        /// The token, or `the end`.
        found: String,
    },
    /// Parentheses or subqueries inside each other without end.
    #[error("nested more than {limit} levels deep")]
    NestedTooDeep {
        /// The depth that is still read.
        limit: usize,
    },
    /// Nothing but blanks and comments.
    #[error("the statement is empty")]
    Empty,
    /// More than one statement; the text is Tinybird's.
    #[error("Multi-statements are not allowed")]
    SeveralStatements,
    /// A statement that writes, or that has no table to read.
    #[error("{verb} statements are not allowed, only SELECT")]
    Verb {
        /// The first word, in upper case.
        verb: String,
    },
    /// A clause that writes a file on the server.
    #[error("INTO OUTFILE is not allowed")]
    IntoOutfile,
    /// `FORMAT x SETTINGS y`.
    #[error("SETTINGS after FORMAT are not supported")]
    SettingsAfterFormat,
    /// `FROM 'name'`: `ClickHouse` reads the text as a table name.
    #[error("a table name stands in single quotes")]
    TextAsTable,
    /// `FROM {name:Identifier}` and the like.
    #[error("a query parameter stands for a name")]
    ParameterAsName,
    /// `db.schema.table`.
    #[error("the table name '{name}' has more than two parts")]
    TooManyNameParts {
        /// The name as written.
        name: String,
    },
    /// `` WITH `db.table` AS (…) ``, which `ClickHouse` prefers to the table `db.table`.
    #[error("the name of the common table expression '{name}' contains a dot")]
    DottedCommonTable {
        /// The name, unquoted.
        name: String,
    },
    /// `x IN (table AS alias)`.
    #[error("the name on the right of IN has an alias")]
    AliasInSet,
    /// `joinGet(expression, …)`.
    #[error("the first argument of {function} is not a plain table name")]
    ComputedTableName {
        /// The function.
        function: String,
    },
    /// A quoted name whose text is not text.
    #[error("the quoted name is empty or not UTF-8")]
    UnreadableName,
    /// A table function outside the allowed set; the text is Tinybird's.
    #[error("The query uses disabled table functions: '{name}'")]
    TableFunctionDisabled {
        /// The function as written.
        name: String,
    },
    /// A table function that only copies may use; the text is Tinybird's.
    #[error("The {name} table function is only allowed in Copy Pipes")]
    TableFunctionOnlyInCopies {
        /// The function as written.
        name: String,
    },
    /// A function that looks at the server and not at the data.
    #[error("the function '{name}' is not allowed")]
    FunctionRefused {
        /// The function as written.
        name: String,
    },
    /// A function that is in no list: misspelled, or newer than the lists; the text is ClickHouse's.
    #[error("Function with name `{name}` does not exist (UNKNOWN_FUNCTION)")]
    FunctionUnknown {
        /// The function as written.
        name: String,
    },
    /// A dictionary: there are none.
    #[error("dictionaries are not available")]
    Dictionary,
    /// `SETTINGS` in a caller's own query.
    #[error("SETTINGS are not allowed in this query")]
    SettingsRefused,
    /// `WITH x -> y AS name`: would replace the function `name` in every subquery, row filters included.
    #[error("the lambda named '{name}' is not allowed in this query")]
    NamedLambda {
        /// The alias of the lambda.
        name: String,
    },
    /// A row filter with a subquery, a table or a setting in it.
    #[error("a row filter cannot read '{found}'")]
    FilterReads {
        /// What it would read.
        found: String,
    },
    /// A table name that nobody knows; the text is Tinybird's.
    #[error("Resource '{name}' not found")]
    ResourceNotFound {
        /// The name, with its database if it was written.
        name: String,
    },
    /// Nodes or pipes that read each other in a circle.
    #[error("the resources read each other in a circle: {}", path.join(" → "))]
    Circle {
        /// From the first resource of the circle back to it.
        path: Vec<String>,
    },
    /// A chain of resources longer than the limit.
    #[error("the chain of resources is longer than {limit}: {}", path.join(" → "))]
    ChainTooLong {
        /// The limit.
        limit: usize,
        /// The chain so far.
        path: Vec<String>,
    },
    /// More text than the limit.
    #[error("the composed query is larger than {limit} bytes")]
    ComposedTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// `FROM node FINAL`, `FROM node SAMPLE 0.1`.
    #[error("FINAL and SAMPLE need a data source, and '{name}' is a query")]
    ModifierOnQuery {
        /// The resource.
        name: String,
    },
    /// `joinGet('node', …)`.
    #[error("joinGet needs a data source of its own engine, and '{name}' is not one")]
    JoinGetOnQuery {
        /// The resource.
        name: String,
    },
    /// EXPLAIN or DESCRIBE where another query reads from it.
    #[error("only a SELECT can be read as a table")]
    NotReadable,
}

impl Situation {
    fn help(&self) -> Option<&'static str> {
        Some(match self {
            Self::SeveralStatements => "keep one statement and drop everything after the first ';'",
            Self::TextAsTable => "write the name bare or in backticks",
            Self::ParameterAsName => "write the name itself",
            Self::DottedCommonTable { .. } => "name it without a dot",
            Self::AliasInSet => "drop the alias, or write IN (SELECT … FROM name)",
            Self::ComputedTableName { .. } => "write the table name as a literal",
            Self::SettingsAfterFormat => "put SETTINGS before FORMAT",
            Self::ModifierOnQuery { .. } => "put FINAL or SAMPLE where the data source itself is read",
            Self::NamedLambda { .. } => "write the lambda where it is used",
            Self::NestedTooDeep { .. } | Self::ChainTooLong { .. } => "split the query",
            Self::ComposedTooLarge { .. } => "materialize one of the nodes that are read several times",
            _ => return None,
        })
    }
}
