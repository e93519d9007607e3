//! Rust text as words and signs, without comments and without what stands in text literals.

/// A word (`crate`, `r#type`), a `::`, or one other sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) text: String,
    /// Counted from one.
    pub(super) line: usize,
}

/// Splits a file. Made for text that compiles; other text gives other tokens, and no panic.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut rest = text;
    let mut line = 1;
    let mut found = Vec::new();
    while let Some(first) = rest.chars().next() {
        let (length, kept) = next(rest, first);
        let piece = &rest[..length];
        if kept {
            found.push(Token { text: piece.to_owned(), line });
        }
        line += piece.matches('\n').count();
        rest = &rest[length..];
    }
    found
}

/// The length of the next piece of text, and whether it is a token.
fn next(rest: &str, first: char) -> (usize, bool) {
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), false);
    }
    if rest.starts_with("/*") {
        return (block_comment(rest), false);
    }
    if let Some(length) = raw_text(rest) {
        return (length, false);
    }
    match first {
        '"' => (quoted(rest, '"'), false),
        '\'' => quote_or_lifetime(rest),
        _ if is_word(first) => (rest.find(|c| !is_word(c)).unwrap_or(rest.len()), true),
        _ if rest.starts_with("::") => (2, true),
        _ => (first.len_utf8(), !first.is_whitespace()),
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        let here = &rest.as_bytes()[at..];
        if here.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// `r"…"`, `r#"…"#`, also with a `b` or `c` in front.
fn raw_text(rest: &str) -> Option<usize> {
    let inner =
        rest.strip_prefix("br").or_else(|| rest.strip_prefix("cr")).or_else(|| rest.strip_prefix('r'))?;
    let hashes = inner.len() - inner.trim_start_matches('#').len();
    let body = inner[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let begin = rest.len() - body.len();
    Some(body.find(&end).map_or(rest.len(), |at| begin + at + end.len()))
}

/// The length of a literal up to its closing quote; a backslash keeps the next character in it.
fn quoted(rest: &str, quote: char) -> usize {
    let mut characters = rest.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        if character == '\\' {
            characters.next();
        } else if character == quote {
            return at + 1;
        }
    }
    rest.len()
}

/// A character literal is skipped; of a lifetime, only the quote is a token of its own.
fn quote_or_lifetime(rest: &str) -> (usize, bool) {
    let mut characters = rest.chars().skip(1);
    let is_literal = match characters.next() {
        Some('\\') => true,
        Some(_) => characters.next() == Some('\''),
        None => false,
    };
    if is_literal { (quoted(rest, '\''), false) } else { (1, true) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        tokens(text).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn comments_and_literals_are_left_out() {
        assert_eq!(words("a /* b /* c */ d */ e // f\ng"), ["a", "e", "g"]);
        assert_eq!(words(r##"a "b \" c" r#"d " e"# br"f" 'g' '\'' h"##), ["a", "h"]);
        assert_eq!(words("&'a str"), ["&", "'", "a", "str"]);
        assert_eq!(words("crate::a"), ["crate", "::", "a"]);
        assert_eq!(words("\"open"), Vec::<String>::new());
    }

    #[test]
    fn lines_are_counted_through_comments_and_literals() {
        let lines: Vec<usize> = tokens("/*\n*/ a \"\n\n\" b\nc").iter().map(|token| token.line).collect();
        assert_eq!(lines, [2, 4, 5]);
    }
}
