//! What a statement may use besides tables.
//!
//! In: a [`Statement`] and who wrote it for what.  Out: the reasons to refuse it.  Promise: functions
//! and table functions pass by allow-lists, whoever wrote the text; a stranger's text may neither
//! tune the engine (SETTINGS), nor rename functions (named lambdas), nor ask for more of a plan than
//! its steps.  Which tables may be read is decided where names are resolved.  May use: `statement`.

use super::error::{Situation, SqlError};
use super::statement::Statement;

pub mod functions;
pub mod table_functions;
pub mod varying;

pub use varying::Constancy;

/// What is allowed in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gate {
    /// Who wrote the text.
    pub author: Author,
    /// What its rows are for.
    pub purpose: Purpose,
}

/// Who wrote a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    /// A file of the project: may tune the engine.
    Project,
    /// The caller of the query API: may only read.
    Caller,
}

/// What the rows are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// An answer.
    Read,
    /// A copy pipe, which may fetch from other systems.
    Copy,
}

impl Gate {
    /// All reasons to refuse the statement, in the order of its text.
    pub fn problems(self, statement: &Statement<'_>) -> Vec<SqlError> {
        let mut problems: Vec<_> = statement
            .table_functions()
            .iter()
            .filter_map(|function| table_functions::problem(function, self.purpose))
            .collect();
        let called = statement.functions().iter().filter(|function| !is_lambda(statement, &function.name));
        problems.extend(called.filter_map(functions::problem));
        if self.author == Author::Caller {
            let settings = statement.settings().iter();
            problems.extend(settings.map(|&span| SqlError::new(span, Situation::SettingsRefused)));
            let lambdas = statement.lambdas().iter();
            problems.extend(lambdas.map(|lambda| {
                SqlError::new(lambda.span, Situation::NamedLambda { name: lambda.name.clone() })
            }));
        }
        problems.sort_by_key(|problem| problem.span);
        problems
    }
}

/// True where the name is a lambda of the text itself; what that calls is looked at where it stands.
fn is_lambda(statement: &Statement<'_>, name: &str) -> bool {
    statement.lambdas().iter().any(|lambda| lambda.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(author: Author, purpose: Purpose, text: &str) -> Vec<String> {
        let statement = Statement::parse(text).unwrap();
        Gate { author, purpose }.problems(&statement).iter().map(ToString::to_string).collect()
    }

    fn of_caller(text: &str) -> Vec<String> {
        problems(Author::Caller, Purpose::Read, text)
    }

    #[test]
    fn table_functions_pass_by_name_only() {
        let clean: &[&str] = &[];
        assert_eq!(
            of_caller("SELECT * FROM numbers(1), values('a Int8', 1), generateSeries(1, 2), null('a Int8')"),
            clean
        );
        assert_eq!(
            of_caller("SELECT * FROM file('/etc/passwd'), s3('x')"),
            [
                "The query uses disabled table functions: 'file'",
                "The s3 table function is only allowed in Copy Pipes"
            ]
        );
        assert_eq!(problems(Author::Project, Purpose::Copy, "SELECT * FROM s3('x'), url('y')"), clean);
        assert_eq!(
            problems(Author::Project, Purpose::Copy, "SELECT * FROM merge('db', '.*')"),
            ["The query uses disabled table functions: 'merge'"]
        );
    }

    #[test]
    fn functions_that_look_at_the_server_are_refused_in_every_disguise() {
        for text in [
            "SELECT file('/etc/passwd')",
            "SELECT `file`('/etc/passwd')",
            "SELECT FILE('/etc/passwd')",
            "SELECT arrayMap(file, ['/etc/passwd'])",
            "SELECT arrayMap((file), ['/etc/passwd'])",
            "SELECT arrayMap(file AS f, ['/etc/passwd'])",
            "SELECT arrayMap(x -> file(x), ['/etc/passwd'])",
            "SELECT * APPLY file FROM t",
            "SELECT * APPLY(`file`) FROM t",
            "SELECT COLUMNS('a') APPLY file FROM t",
            "WITH (SELECT file('x')) AS a SELECT a",
            "SELECT 1 FROM t ORDER BY file('x') WITH FILL FROM file('y')",
        ] {
            assert!(!of_caller(text).is_empty(), "{text}");
            assert!(of_caller(text)[0].contains("is not allowed"), "{text}: {:?}", of_caller(text));
        }
        assert_eq!(of_caller("SELECT dictGet('d', 'x', 1)"), ["dictionaries are not available"]);
        assert_eq!(of_caller("SELECT sleep(3), filesystemAvailable()").len(), 2);
        assert!(of_caller("SELECT file, max(user), uniq(file) FROM t").is_empty(), "columns of those names");
    }

    #[test]
    fn callers_may_not_tune_or_redefine() {
        let text = "WITH (a, b) -> 1 AS equals SELECT * FROM (SELECT 1 SETTINGS max_threads = 1)";
        assert_eq!(
            of_caller(text),
            [
                "the lambda named 'equals' is not allowed in this query",
                "SETTINGS are not allowed in this query"
            ]
        );
        assert!(problems(Author::Project, Purpose::Read, text).is_empty());
    }
}
