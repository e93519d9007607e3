//! Names and texts as ClickHouse writes them: `` `name` `` and `'text'`.

/// A name in backticks, safe inside any statement.
pub fn identifier(name: &str) -> String {
    quoted(name, '`')
}

/// A name as people write it: in backticks only where it is no plain word.
pub fn name(name: &str) -> String {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let word = name.bytes().next().is_some_and(letter)
        && name.bytes().all(|byte| letter(byte) || byte.is_ascii_digit());
    if word { name.to_owned() } else { identifier(name) }
}

/// A text in single quotes, safe inside any statement.
pub fn string(text: &str) -> String {
    quoted(text, '\'')
}

fn quoted(text: &str, quote: char) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push(quote);
    for character in text.chars() {
        match character {
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\0' => quoted.push_str("\\0"),
            character => {
                if character == '\\' || character == quote {
                    quoted.push('\\');
                }
                quoted.push(character);
            }
        }
    }
    quoted.push(quote);
    quoted
}

/// Reads a quoted name or text from the start of `text`: what it says, and how many bytes it took.
///
/// Understands doubled quotes and backslashes. `None` where `text` does not begin with `quote` or
/// the quote is never closed.
pub fn read(text: &str, quote: char) -> Option<(String, usize)> {
    let mut characters = text.char_indices().peekable();
    characters.next_if(|&(_, first)| first == quote)?;
    let mut said = String::new();
    while let Some((offset, character)) = characters.next() {
        match character {
            '\\' => said.push(unescaped(characters.next()?.1)),
            character if character != quote => said.push(character),
            _ if characters.next_if(|&(_, next)| next == quote).is_some() => said.push(quote),
            _ => return Some((said, offset + quote.len_utf8())),
        }
    }
    None
}

fn unescaped(character: char) -> char {
    match character {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        '0' => '\0',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_and_backslashes_inside_are_escaped() {
        assert_eq!(identifier("a`b\\c"), r"`a\`b\\c`");
        assert_eq!(string("it's"), r"'it\'s'");
    }

    #[test]
    fn doubled_quotes_are_read_as_one() {
        assert_eq!(read("'it''s' rest", '\''), Some(("it's".into(), 7)));
        assert_eq!(read("'open", '\''), None);
        assert_eq!(read("'open\\", '\''), None);
        assert_eq!(read("bare", '\''), None);
    }

    proptest! {
        #[test]
        fn what_is_quoted_reads_back(text in any::<String>()) {
            let quoted = string(&text);
            prop_assert_eq!(read(&quoted, '\''), Some((text, quoted.len())));
        }
    }
}
