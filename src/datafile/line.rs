//! Words of a line that may be a directive.

/// One word of a line, quotes included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    /// Where it begins in the line.
    pub(super) start: usize,
}

/// Splits a line as Tinybird does: at blanks; a word that begins with a quote runs to its partner;
/// `#` outside quotes begins a comment, even inside a word. There are no escapes.
///
/// A leading quote that is never closed makes the whole line one word.
pub(super) fn words(line: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(rest) = line.get(at..) {
        let blanks = rest.len() - rest.trim_start().len();
        let start = at + blanks;
        let rest = rest.trim_start();
        if rest.is_empty() || rest.starts_with('#') {
            break;
        }
        let Some(length) = word_length(rest) else {
            return vec![Word { text: line.trim(), start: line.len() - line.trim_start().len() }];
        };
        words.push(Word { text: rest.get(..length).unwrap_or_default(), start });
        at = start + length;
    }
    words
}

/// The length of the word at the start; `None` where its quote is never closed.
fn word_length(rest: &str) -> Option<usize> {
    let Some(quote) = rest.chars().next().filter(|first| matches!(first, '"' | '\'')) else {
        return Some(rest.find(|next: char| next.is_whitespace() || next == '#').unwrap_or(rest.len()));
    };
    let inside = rest.get(1..)?;
    inside.find(quote).map(|end| end + 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(line: &str) -> Vec<&str> {
        words(line).into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn a_word_that_begins_with_a_quote_runs_to_its_partner() {
        assert_eq!(split("TOKEN \"read api token\" READ"), ["TOKEN", "\"read api token\"", "READ"]);
        assert_eq!(split("'a b'c"), ["'a b'", "c"]);
        assert_eq!(
            split("ENGINE_TTL toDate('2020-01-01') + 1"),
            ["ENGINE_TTL", "toDate('2020-01-01')", "+", "1"]
        );
        assert_eq!(split("DESCRIPTION it's fine"), ["DESCRIPTION", "it's", "fine"]);
        assert_eq!(split(r#"A "b\" c"#), ["A", r#""b\""#, "c"]);
    }

    #[test]
    fn a_hash_outside_quotes_begins_a_comment() {
        assert_eq!(split("IMPORT_BUCKET_URI s3://x#y/z"), ["IMPORT_BUCKET_URI", "s3://x"]);
        assert_eq!(split("A \"b # c\" # d"), ["A", "\"b # c\""]);
        assert!(split("   # only a comment").is_empty());
        assert!(split(" \t ").is_empty());
    }

    #[test]
    fn an_open_quote_makes_the_line_one_word() {
        assert_eq!(split("  DESCRIPTION 'tis fine "), ["DESCRIPTION 'tis fine"]);
        assert_eq!(split("ENGINE_SORTING_KEY \"a'"), ["ENGINE_SORTING_KEY \"a'"]);
    }

    proptest! {
        #[test]
        fn words_lie_where_they_say(line in "[a-zñ '\"#\t\\\\]{0,40}") {
            for word in words(&line) {
                prop_assert!(line[word.start..].starts_with(word.text));
                prop_assert!(!word.text.is_empty());
            }
        }
    }
}
