//! What kind of statement a text is, and the FORMAT clause at its end.
//!
//! In: SQL as the client sent it.  Out: [`Statement`].  Pure.
//! Only the first word and the tail are looked at: deciding what may run is the parent's business.

/// A statement, sorted by how the engine has to be called.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Statement<'a> {
    /// Answers rows: runs with `INTO OUTFILE` so that its result can be streamed.
    Rows(&'a str),
    /// `INSERT … FORMAT f`: the data come apart from the text.
    Insert {
        /// The text before FORMAT.
        text: &'a str,
        /// The format of the data.
        format: &'a str,
    },
    /// Everything else: DDL, `INSERT … SELECT`, KILL, SYSTEM.
    Command(&'a str),
}

const ROWS: [&str; 8] = ["SELECT", "WITH", "FROM", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS"];

impl<'a> Statement<'a> {
    /// Sorts a statement without data of its own.
    pub(super) fn query(text: &'a str) -> Self {
        let start = skip_blanks_and_comments(text).trim_start_matches(['(', ' ', '\n', '\t']);
        let word = first_word(start);
        if ROWS.iter().any(|known| word.eq_ignore_ascii_case(known)) {
            Self::Rows(text)
        } else {
            Self::Command(text)
        }
    }

    /// Whether settings, the current database or temporary tables may be others afterwards. Reading,
    /// inserting and emptying tables change none of them. Behind every `;` another statement may begin;
    /// where one stands in a text literal instead, that costs a connection and no more.
    pub(super) fn may_change_session(text: &'a str) -> bool {
        let leaves_alone = |statement: &str| {
            let word = first_word(skip_blanks_and_comments(statement));
            let known = ["INSERT", "TRUNCATE"].iter().any(|known| word.eq_ignore_ascii_case(known));
            known || matches!(Statement::query(statement), Statement::Rows(_))
        };
        !text.split(';').all(leaves_alone)
    }

    /// Sorts a statement whose data are in the body of the request: it must be an INSERT that
    /// ends in `FORMAT name`.
    pub(super) fn insert(text: &'a str) -> Option<Self> {
        if !first_word(skip_blanks_and_comments(text)).eq_ignore_ascii_case("INSERT") {
            return None;
        }
        let text = text.trim_end();
        let format_start = text.rfind(|c: char| !is_word(c))? + 1;
        let (before, format) = text.split_at(format_start);
        let before = before.trim_end();
        let keyword_start = before.rfind(|c: char| !is_word(c))? + 1;
        let (before, keyword) = before.split_at(keyword_start);
        let fits = keyword.eq_ignore_ascii_case("FORMAT") && !format.is_empty();
        fits.then(|| Self::Insert { text: before.trim_end(), format })
    }
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

fn first_word(text: &str) -> &str {
    text.split(|c: char| !is_word(c)).next().unwrap_or_default()
}

/// The text after leading blanks, `--` and `#` lines and `/* */` comments.
fn skip_blanks_and_comments(mut text: &str) -> &str {
    loop {
        text = text.trim_start();
        let rest = if text.starts_with("--") || text.starts_with('#') {
            text.split_once('\n').map(|(_, rest)| rest)
        } else if let Some(comment) = text.strip_prefix("/*") {
            comment.split_once("*/").map(|(_, rest)| rest)
        } else {
            return text;
        };
        text = rest.unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_answer_rows_are_told_from_commands() {
        for text in
            ["SELECT 1", " with 1 as x select x", "(SELECT 1) UNION ALL SELECT 2", "/*roost:1*/SELECT 1"]
        {
            assert_eq!(Statement::query(text), Statement::Rows(text));
        }
        for text in ["-- a\n# b\n/* c */ explain SELECT 1", "SHOW TABLES", "FROM t SELECT x"] {
            assert_eq!(Statement::query(text), Statement::Rows(text));
        }
        for text in [
            "CREATE TABLE t (x Int8)",
            "INSERT INTO t SELECT 1",
            "SYSTEM SHUTDOWN",
            "",
            "-- nothing",
            "SELECTED",
        ] {
            assert_eq!(Statement::query(text), Statement::Command(text));
        }
    }

    #[test]
    fn a_session_stays_as_it_was_after_statements_that_read_insert_or_empty() {
        for text in ["SELECT 1", "INSERT INTO t SELECT 1", "/*m*/TRUNCATE TABLE a;\nTRUNCATE TABLE b"] {
            assert!(!Statement::may_change_session(text), "{text}");
        }
        for text in [
            "SET a = 1",
            "USE d",
            "SELECT 1; SET a = 1",
            "INSERT INTO t SELECT 1;SET a = 1",
            "INSERT INTO t SELECT ';SET a = 1'",
            "/**/ set a = 1",
            "(SET a = 1)",
            "CREATE TEMPORARY TABLE t (a Int8)",
        ] {
            assert!(Statement::may_change_session(text), "{text}");
        }
    }

    #[test]
    fn the_format_of_an_insert_is_cut_off() {
        assert_eq!(
            Statement::insert("INSERT INTO `d`.`t` (`a`, `b`)\nFORMAT  Native "),
            Some(Statement::Insert { text: "INSERT INTO `d`.`t` (`a`, `b`)", format: "Native" })
        );
        assert_eq!(Statement::insert("INSERT INTO t VALUES"), None);
        assert_eq!(Statement::insert("INSERT INTO t FORMAT"), None);
        assert_eq!(Statement::insert("SELECT 1 FORMAT Native"), None);
        assert_eq!(Statement::insert(""), None);
    }
}
