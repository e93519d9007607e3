//! Names and texts as `ClickHouse` writes and reads them.
//!
//! In: plain text, or the text of one token.  Out: the quoted form, or what the quoted form says.
//! Promise: whatever goes into [`identifier`] or [`string`] comes out of `ClickHouse` unchanged and
//! cannot end the quotes early.  May use: `token`.

use super::token::TokenKind;

/// A name in backticks.
pub fn identifier(name: &str) -> String {
    quoted(name, '`')
}

/// `database.name`, both in backticks.
pub fn qualified(database: &str, name: &str) -> String {
    format!("{}.{}", identifier(database), identifier(name))
}

/// A text in single quotes.
pub fn string(text: &str) -> String {
    quoted(text, '\'')
}

fn quoted(text: &str, quote: char) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\0'..='\x1f' | '\x7f' => out.extend(hexadecimal(character)),
            '\\' | '\'' | '`' => out.extend(['\\', character]),
            _ => out.push(character),
        }
    }
    out.push(quote);
    out
}

/// `\xHH` for a control character.
fn hexadecimal(control: char) -> [char; 4] {
    let digit = |value: u32| char::from_digit(value & 0xf, 16).unwrap_or('0').to_ascii_uppercase();
    ['\\', 'x', digit(u32::from(control) >> 4), digit(u32::from(control))]
}

/// What a token says: the name of a word or quoted name, the content of a text.
///
/// `None` for other tokens, and for content that is not UTF-8 (`'\xFF'` is a text to `ClickHouse`).
pub fn unquote(kind: TokenKind, token: &str) -> Option<String> {
    match kind {
        TokenKind::Word => Some(token.to_owned()),
        TokenKind::QuotedName | TokenKind::Text => {
            let first = token.chars().next()?;
            match first {
                '\'' | '"' | '`' => unescaped(token.get(1..token.len().checked_sub(1)?)?, first),
                '‘' | '“' => {
                    token.get(first.len_utf8()..token.len().checked_sub(first.len_utf8())?).map(str::to_owned)
                }
                '$' => heredoc(token),
                'x' | 'X' => digits(token, 16),
                'b' | 'B' => digits(token, 2),
                _ => None,
            }
        }
        _ => None,
    }
}

/// What a name says, bare or quoted.
pub fn unquoted_name(name: &str) -> Option<String> {
    let is_quoted = name.starts_with(['`', '"', '“']);
    unquote(if is_quoted { TokenKind::QuotedName } else { TokenKind::Word }, name)
}

fn heredoc(token: &str) -> Option<String> {
    let tag = token.get(1..)?.find('$')? + 2;
    token.get(tag..token.len().checked_sub(tag)?).map(str::to_owned)
}

/// `x'4142'` and `b'01000001'`: whole bytes, the first one padded with zeros on its left.
fn digits(token: &str, base: u32) -> Option<String> {
    let digits = token.get(2..token.len().checked_sub(1)?)?;
    let per_byte = if base == 16 { 2 } else { 8 };
    let padding = (per_byte - digits.len() % per_byte) % per_byte;
    let padded = format!("{}{digits}", "0".repeat(padding));
    let bytes = padded.as_bytes().chunks(per_byte);
    let bytes = bytes.map(|chunk| u8::from_str_radix(std::str::from_utf8(chunk).ok()?, base).ok());
    String::from_utf8(bytes.collect::<Option<_>>()?).ok()
}

/// Resolves backslashes and doubled quotes inside quotes.
fn unescaped(inside: &str, quote: char) -> Option<String> {
    let mut out = Vec::with_capacity(inside.len());
    let mut characters = inside.chars();
    while let Some(character) = characters.next() {
        if character == quote {
            characters.next(); // the lexer ends a token at a single one
            push(&mut out, quote);
        } else if character == '\\' {
            escape(characters.next()?, &mut characters, &mut out)?;
        } else {
            push(&mut out, character);
        }
    }
    String::from_utf8(out).ok()
}

/// One escape, after its backslash; an unknown one keeps the backslash, as `ClickHouse` does.
fn escape(kind: char, rest: &mut std::str::Chars<'_>, out: &mut Vec<u8>) -> Option<()> {
    let byte = match kind {
        'x' => {
            let (high, low) = (rest.next()?.to_digit(16)?, rest.next()?.to_digit(16)?);
            u8::try_from(high * 16 + low).ok()?
        }
        'N' => return Some(()),
        'a' => 0x07,
        'b' => 0x08,
        'e' => 0x1b,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        '0' => 0,
        '\\' | '\'' | '"' | '`' | '/' | '=' => u8::try_from(kind).ok()?,
        _ => {
            if !kind.is_ascii_control() {
                out.push(b'\\');
            }
            push(out, kind);
            return Some(());
        }
    };
    out.push(byte);
    Some(())
}

fn push(out: &mut Vec<u8>, character: char) {
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::lexer::tokenize;
    use super::*;
    use proptest::prelude::*;

    /// The only token of a text, with what it says.
    fn read(text: &str) -> (TokenKind, Option<String>) {
        let tokens = tokenize(text);
        assert_eq!(tokens.len(), 1, "{text}: {tokens:?}");
        (tokens[0].kind, unquote(tokens[0].kind, text))
    }

    #[test]
    fn quotes_and_backslashes_cannot_end_a_text() {
        assert_eq!(string(r"\' OR 1=1 --"), r"'\\\' OR 1=1 --'");
        assert_eq!(string("a\0\n\u{7f}ñ"), r"'a\x00\n\x7Fñ'");
        assert_eq!(identifier("a`b\"c"), "`a\\`b\"c`");
        assert_eq!(qualified("my db", "t"), "`my db`.`t`");
    }

    #[test]
    fn escapes_mean_what_they_mean_to_clickhouse() {
        for (text, says) in [
            (r"'a''b\'c'", "a'b'c"),
            (r"'\x41\N\q\=\/\0'", "A\\q=/\0"),
            (r"'\e\a\v'", "\u{1b}\u{7}\u{b}"),
            ("‘it's \\n’", "it's \\n"),
            ("$x$a$$b\\n$x$", "a$$b\\n"),
            ("x'4142'", "AB"),
            ("x'142'", "\u{1}B"),
            ("b'1000001'", "A"),
        ] {
            assert_eq!(read(text), (TokenKind::Text, Some(says.into())), "{text}");
        }
        assert_eq!(read(r"'\xFF'").1, None);
        for (text, says) in [("`a``b`", "a`b"), (r#""a\"b\x41""#, "a\"bA"), ("“a b”", "a b"), ("a$1", "a$1")]
        {
            assert_eq!(read(text).1.as_deref(), Some(says), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_quoted_text_is_one_token_that_says_the_text(text in any::<String>()) {
            prop_assert_eq!(read(&string(&text)), (TokenKind::Text, Some(text)));
        }

        #[test]
        fn a_quoted_soup_is_one_token_that_says_the_soup(text in r#"[\\'`"$\n\x00-\x20a-fx0-9]{0,20}"#) {
            prop_assert_eq!(read(&string(&text)), (TokenKind::Text, Some(text.clone())));
            prop_assert_eq!(read(&identifier(&text)), (TokenKind::QuotedName, Some(text)));
        }

        #[test]
        fn unquoting_takes_any_text(kind in prop_oneof![Just(TokenKind::Text), Just(TokenKind::QuotedName)], text in any::<String>()) {
            unquote(kind, &text);
        }
    }
}
