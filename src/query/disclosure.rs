//! What a caller is told of the engine's text about a failure.
//!
//! In: ClickHouse's message, and what the caller may see.  Out: a text.  Pure.
//! Nobody is shown the composed statement, the name of the database or the engine's own files. A
//! caller who may not read everything also learns nothing about the inside of a pipe: no value, no
//! name that did not stand in the caller's own text, no table beyond the token's scopes.

use crate::catalog::{Access, ResourceName};

/// The caller, as far as messages go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Audience<'a> {
    /// What the caller may read.
    pub(super) access: &'a Access,
    /// The SQL that the caller wrote, if any.
    pub(super) own_text: &'a str,
    /// The workspace's database.
    pub(super) database: &'a str,
}

/// Where the part of a message begins that repeats the statement or its inner names.
const STATEMENT_BEGINS: [&str; 13] = [
    " from table with name ",
    ": In scope ",
    " In scope ",
    " in scope ",
    ". In query ",
    " In query ",
    ": while executing ",
    ": While executing ",
    ": while processing ",
    ": While processing ",
    ". Stack trace",
    ". Maybe you meant",
    " Maybe you meant",
];

/// Limits, and divisions by zero: told to everybody.
const PLAIN: [u32; 8] = [153, 158, 159, 160, 241, 307, 394, 396];
/// A text raised with `throwIf`: its author's, unless a row filter can have raised it.
const RAISED: u32 = 395;

/// Messages about names and types, by code and beginning: told where every quoted name is the
/// caller's own. Others of the same code print expressions, names or values without quotes.
const ABOUT_NAMES: [(u32, &str); 10] = [
    (36, "Column '"),
    (36, "Illegal type '"),
    (42, "Number of arguments for function "),
    (43, "Illegal type"),
    (46, "Function with name "),
    (47, "Unknown expression identifier "),
    (47, "Identifier '"),
    (SYNTAX_ERROR, "Syntax error"),
    (181, "Storage "),
    (215, "Column '"),
];

/// What the engine says about a text that it only looked at: the places are those of that text.
pub(super) fn about_text(message: &str) -> &str {
    without_statement(Message::parse(message).text).split(" (").next().unwrap_or_default()
}

impl Audience<'_> {
    /// True for a caller who may read every row of every resource: the filter that somebody reads
    /// through stands in every plan.
    pub(super) fn reads_everything(&self) -> bool {
        self.access.reaches_everything() && !self.access.is_filtered()
    }

    /// The text for this caller.
    pub(super) fn told(&self, code: u32, message: &str) -> String {
        let Message { text, name } = Message::parse(message);
        let text = if code == SYNTAX_ERROR { syntax_error(text) } else { without_statement(text) };
        let text = self.without_database(text.trim_end_matches('.'));
        let told = if self.may_hear(code, &text) { text } else { WITHHELD.to_owned() };
        if name.is_empty() { told } else { format!("{told} ({name})") }
    }

    fn may_hear(&self, code: u32, text: &str) -> bool {
        // A message can quote the row filter, whose values are not the caller's.
        self.reads_everything()
            || (code == RAISED && !self.access.is_filtered())
            || PLAIN.contains(&code)
            || (ABOUT_NAMES.iter().any(|(known, begin)| *known == code && text.starts_with(begin))
                && quoted(text).all(|word| self.wrote(word)))
    }

    /// True for a word that the caller wrote, or that the token covers; qualified names are judged
    /// by their parts.
    fn wrote(&self, word: &str) -> bool {
        let covered = |part: &str| {
            ResourceName::parse(part)
                .is_ok_and(|name| self.access.reaches_data_source(&name) || self.access.reaches_pipe(&name))
        };
        word.split('.')
            .all(|part| FORMAT_WORDS.contains(&part) || contains_word(self.own_text, part) || covered(part))
    }

    fn without_database(&self, text: &str) -> String {
        if self.database.is_empty() {
            return text.to_owned();
        }
        text.replace(&format!("`{}`.", self.database), "").replace(&format!("{}.", self.database), "")
    }
}

/// What stands in place of a text that the caller may not see.
const WITHHELD: &str =
    "the query failed inside of what it reads: a token that may read everything is told the reason";

/// ClickHouse's code for a text that is no SQL.
const SYNTAX_ERROR: u32 = 62;

/// Words that ClickHouse quotes in messages about formats and which are nobody's secret.
const FORMAT_WORDS: [&str; 5] = ["Prometheus", "name", "value", "String", "labels"];

/// A message without its wrapping.
struct Message<'a> {
    text: &'a str,
    /// ClickHouse's name of the error, `UNKNOWN_IDENTIFIER`.
    name: &'a str,
}

impl<'a> Message<'a> {
    /// Takes off `Code: 36. DB::Exception: ` and ` (version …)`, however often they are there.
    fn parse(message: &'a str) -> Self {
        let (mut text, mut name) = (message.trim(), "");
        while let Some((_, inner)) =
            text.strip_prefix("Code: ").and_then(|rest| rest.split_once("Exception: "))
        {
            text = inner;
        }
        while let Some((before, word)) =
            text.trim_end_matches('.').strip_suffix(')').and_then(|text| text.rsplit_once(" ("))
        {
            if is_error_name(word) {
                name = word;
            } else if !word.starts_with("version ") {
                break;
            }
            text = before;
        }
        Self { text, name }
    }
}

fn is_error_name(word: &str) -> bool {
    !word.is_empty()
        && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

fn without_statement(text: &str) -> &str {
    let ends = STATEMENT_BEGINS.iter().filter_map(|begin| text.find(begin));
    ends.min().map_or(text, |end| &text[..end])
}

/// `Syntax error: failed at position 28 ('x') (line 2, col 14): …`: the places are those of the
/// composed text, which the caller does not see, and behind its end stands what Roost added.
fn syntax_error(text: &str) -> &str {
    match text.find("failed at position") {
        Some(_) => "Syntax error",
        None => without_statement(text),
    }
}

/// The words in quotes of both kinds.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    ['`', '\''].into_iter().flat_map(move |quote| text.split(quote).skip(1).step_by(2))
}

/// Whether a text holds a word that is not part of a longer one.
fn contains_word(text: &str, word: &str) -> bool {
    let is_part = |character: Option<char>| character.is_some_and(|c| c.is_alphanumeric() || c == '_');
    !word.is_empty()
        && text.match_indices(word).any(|(at, _)| {
            !is_part(text[..at].chars().next_back()) && !is_part(text[at + word.len()..].chars().next())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(access: &Access, own_text: &str, code: u32, message: &str) -> String {
        Audience { access, own_text, database: "w" }.told(code, message)
    }

    fn to_admin(code: u32, message: &str) -> String {
        told(&Access::everything(), "", code, message)
    }

    fn to_reader(own_text: &str, code: u32, message: &str) -> String {
        let access = Access::nothing().with_pipe(ResourceName::parse("shop").unwrap());
        told(&access, own_text, code, message)
    }

    const UNKNOWN: &str = "Code: 47. DB::Exception: Unknown expression identifier `nope` in scope SELECT nope FROM w.t. (UNKNOWN_IDENTIFIER)";

    #[test]
    fn a_caller_sees_the_reason_and_its_name_but_not_the_statement() {
        assert_eq!(to_admin(47, UNKNOWN), "Unknown expression identifier `nope` (UNKNOWN_IDENTIFIER)");
        assert_eq!(
            to_admin(159, "Code: 159. DB::Exception: Timeout exceeded: elapsed 1 s. (TIMEOUT_EXCEEDED)"),
            "Timeout exceeded: elapsed 1 s (TIMEOUT_EXCEEDED)"
        );
        assert_eq!(to_admin(1002, "something else"), "something else");
    }

    #[test]
    fn wrappings_are_taken_off_however_many_there_are() {
        let message = "Code: 36. DB::Exception: Code: 36. DB::Exception: Column 'name' is required for output format 'Prometheus'. (BAD_ARGUMENTS) (version 26.7.2.1). (BAD_ARGUMENTS)";
        let text = "Column 'name' is required for output format 'Prometheus' (BAD_ARGUMENTS)";
        assert_eq!(to_admin(36, message), text);
        assert_eq!(to_reader("", 36, message), text);
    }

    #[test]
    fn nobody_sees_the_database_or_what_the_server_added_to_the_text() {
        let message = "Code: 215. DB::Exception: Column 'w.t.id' is not under aggregate function. In query SELECT 1. (NOT_AN_AGGREGATE)";
        assert_eq!(
            to_admin(215, message),
            "Column 't.id' is not under aggregate function (NOT_AN_AGGREGATE)"
        );
        let message = "Code: 62. DB::Exception: Syntax error: failed at position 28 ('/proc/self/fd/36') (line 2, col 14): '/proc/self/fd/36' APPEND. Expected one of: x. (SYNTAX_ERROR)";
        assert_eq!(to_admin(62, message), "Syntax error (SYNTAX_ERROR)");
    }

    #[test]
    fn a_reader_is_told_about_names_of_its_own_only() {
        let mine = "Unknown expression identifier `nope` (UNKNOWN_IDENTIFIER)";
        assert_eq!(to_reader("SELECT nope FROM _", 47, UNKNOWN), mine);
        let withheld = format!("{WITHHELD} (UNKNOWN_IDENTIFIER)");
        assert_eq!(to_reader("", 47, UNKNOWN), withheld);
        assert_eq!(to_reader("SELECT nopes FROM _", 47, UNKNOWN), withheld, "a longer word is another");
    }

    #[test]
    fn a_reader_sees_no_values_and_no_files() {
        let value = "Code: 6. DB::Exception: Cannot parse string 's3cret' as Int32: syntax error at begin of string. (CANNOT_PARSE_TEXT)";
        assert_eq!(to_reader("s3cret", 6, value), format!("{WITHHELD} (CANNOT_PARSE_TEXT)"));
        assert!(to_admin(6, value).contains("s3cret"));
        let file = "Code: 76. DB::ErrnoException: Cannot open file /data/x: , errno: 13. (CANNOT_OPEN_FILE)";
        assert_eq!(to_reader("", 76, file), format!("{WITHHELD} (CANNOT_OPEN_FILE)"));
    }

    #[test]
    fn limits_and_texts_of_authors_are_told_to_everybody() {
        let raised = "Code: 395. DB::Exception: too many days: while executing 'FUNCTION throwIf(x)'. (FUNCTION_THROW_IF_VALUE_IS_NON_ZERO)";
        assert_eq!(to_reader("", 395, raised), "too many days (FUNCTION_THROW_IF_VALUE_IS_NON_ZERO)");
    }
}
