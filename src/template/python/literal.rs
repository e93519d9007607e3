//! String literals: prefixes, quotes and escapes.

use std::sync::Arc;

use super::SyntaxError;
use super::tree::Constant;

/// A string literal as it was read.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::template) enum Literal {
    Plain(Constant),
    /// An f-string, whose fields only the parser can read.
    Formatted {
        /// What stands between the quotes, escapes not yet decoded.
        content: String,
        /// Where the content starts in the tag.
        start: usize,
        escapes: Escapes,
    },
}

/// What a backslash means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::template) enum Escapes {
    /// It starts an escape sequence.
    Decoded,
    /// It is a character, as in `r''`.
    Raw,
}

/// True for what may stand right before an opening quote.
pub(super) fn is_prefix(word: &str) -> bool {
    matches!(word.to_ascii_lowercase().as_str(), "r" | "u" | "b" | "f" | "br" | "rb" | "fr" | "rf")
}

/// Reads the literal that `text` starts with; `at` is where that is in the tag. Gives its length too.
pub(super) fn read(text: &str, prefix: &str, at: usize) -> Result<(Literal, usize), SyntaxError> {
    let quoted = text.get(prefix.len()..).unwrap_or_default();
    let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| quoted.starts_with(quote));
    let quote = quote.ok_or(SyntaxError::UnterminatedText(at))?;
    let inside = quoted.get(quote.len()..).unwrap_or_default();
    let length = content_length(inside, quote).ok_or(SyntaxError::UnterminatedText(at))?;
    let content = inside.get(..length).unwrap_or_default();
    let escapes = if prefix.contains('r') { Escapes::Raw } else { Escapes::Decoded };
    let literal = if prefix.contains('f') {
        let start = at + prefix.len() + quote.len();
        Literal::Formatted { content: content.to_owned(), start, escapes }
    } else if prefix.contains('b') {
        Literal::Plain(Constant::Bytes(bytes(content, escapes, at)?))
    } else {
        Literal::Plain(Constant::Text(decode(content, escapes, at)?.into()))
    };
    Ok((literal, prefix.len() + 2 * quote.len() + length))
}

/// How many bytes stand before the closing quote.
fn content_length(inside: &str, quote: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = inside.get(at..)?;
        if rest.starts_with(quote) {
            return Some(at);
        }
        let mut chars = rest.chars();
        match chars.next()? {
            '\\' => at += 1 + chars.next()?.len_utf8(),
            '\n' if quote.len() == 1 => return None,
            c => at += c.len_utf8(),
        }
    }
}

fn bytes(content: &str, escapes: Escapes, at: usize) -> Result<Arc<[u8]>, SyntaxError> {
    let text = decode(content, escapes, at)?;
    text.chars().map(|c| u8::try_from(u32::from(c)).map_err(|_| SyntaxError::BadEscape(at))).collect()
}

/// Replaces escape sequences as Python does; unknown ones stay as they are.
pub(super) fn decode(content: &str, escapes: Escapes, at: usize) -> Result<String, SyntaxError> {
    if escapes == Escapes::Raw || !content.contains('\\') {
        return Ok(content.to_owned());
    }
    let mut out = String::with_capacity(content.len());
    let mut rest = content;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        rest = escape(after, &mut out).ok_or(SyntaxError::BadEscape(at))?;
    }
    out.push_str(rest);
    Ok(out)
}

/// Decodes one escape, which `text` continues after the backslash; gives what follows it.
fn escape<'a>(text: &'a str, out: &mut String) -> Option<&'a str> {
    let first = text.chars().next()?;
    let rest = text.get(first.len_utf8()..)?;
    match first {
        '\n' => {}
        '\\' | '\'' | '"' => out.push(first),
        'a' => out.push('\u{7}'),
        'b' => out.push('\u{8}'),
        'f' => out.push('\u{c}'),
        'n' => out.push('\n'),
        'r' => out.push('\r'),
        't' => out.push('\t'),
        'v' => out.push('\u{b}'),
        '0'..='7' => return octal(text, out),
        'x' => return hexadecimal(rest, 2, out),
        'u' => return hexadecimal(rest, 4, out),
        'U' => return hexadecimal(rest, 8, out),
        // `\N{…}` needs the names of all characters: refused, not guessed.
        'N' => return None,
        other => {
            out.push('\\');
            out.push(other);
        }
    }
    Some(rest)
}

fn octal<'a>(text: &'a str, out: &mut String) -> Option<&'a str> {
    let length = text.bytes().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count();
    let code = u32::from_str_radix(text.get(..length)?, 8).ok()?;
    out.push(char::from_u32(code)?);
    text.get(length..)
}

fn hexadecimal<'a>(text: &'a str, digits: usize, out: &mut String) -> Option<&'a str> {
    let code = text.get(..digits).filter(|code| code.bytes().all(|b| b.is_ascii_hexdigit()))?;
    out.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
    text.get(digits..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(source: &str) -> Result<String, SyntaxError> {
        match read(source, "", 0)?.0 {
            Literal::Plain(Constant::Text(text)) => Ok(text.to_string()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn escapes_are_decoded_as_python_decodes_them() {
        assert_eq!(text(r"'a\'b\n\x41\u00e9\101\d'").unwrap(), "a'b\nA\u{e9}A\\d");
        assert_eq!(text("'''it's'''").unwrap(), "it's");
    }

    #[test]
    fn literals_without_an_end_are_errors() {
        for source in ["'a", "'a\nb'", "'''a'", r"'a\'", r"'\x4'", r"'\ud800'"] {
            assert!(text(source).is_err(), "{source}");
        }
    }
}
