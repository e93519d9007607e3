//! Quoting for ClickHouse: the only way for a user's text into SQL.

/// A string literal, as Tinybird writes it.
///
/// `%` gets a backslash too, which ClickHouse keeps: templates count on it (`sql_unescape` undoes it).
pub(super) fn literal(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    push_literal(text, &mut quoted);
    quoted
}

/// Appends a string literal.
pub(super) fn push_literal(text: &str, out: &mut String) {
    out.push('\'');
    push_escaped(text, out);
    out.push('\'');
}

/// The text with everything escaped that has a meaning between quotes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_escaped(text, &mut out);
    out
}

fn push_escaped(text: &str, out: &mut String) {
    let mut rest = text;
    // What is escaped is one byte; what stands between is copied at once.
    while let Some(place) = rest.bytes().position(|byte| escape_letter(byte).is_some()) {
        let (plain, special) = rest.split_at(place);
        out.push_str(plain);
        out.push('\\');
        out.extend(special.bytes().next().and_then(escape_letter));
        rest = &special[1..];
    }
    out.push_str(rest);
}

fn escape_letter(byte: u8) -> Option<char> {
    Some(match byte {
        b'\\' | b'\'' | b'"' | b'`' | b'%' => byte.into(),
        b'\0' => '0',
        8 => 'b',
        b'\t' => 't',
        b'\n' => 'n',
        b'\r' => 'r',
        0x1a => 'z',
        _ => return None,
    })
}

/// The text of an identifier, to stand between back quotes: double quotes are dropped.
pub(super) fn identifier_text(text: &str) -> String {
    escaped(&text.replace('"', ""))
}

/// One identifier between back quotes.
pub(super) fn identifier(text: &str) -> String {
    format!("`{}`", identifier_text(text))
}

/// Identifiers with dots between them: each part is quoted by itself.
pub(super) fn path(text: &str) -> String {
    text.split('.').map(identifier).collect::<Vec<_>>().join(".")
}

/// True for a text that is a name, or names with dots between them, and needs no quotes.
pub(super) fn is_plain_path(text: &str) -> bool {
    text.split('.').all(is_plain_identifier)
}

/// True for a text that is a name and needs no quotes.
pub(super) fn is_plain_identifier(text: &str) -> bool {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A string inside a printed list or dict: Python's notation, but always in single quotes, because
/// ClickHouse takes a text in double quotes for a column.
pub(super) fn item(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for c in text.chars() {
        match c {
            '\\' | '\'' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\0' => quoted.push_str("\\0"),
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

/// Reads a quoted literal as ClickHouse would find its end; none where it does not end with the text.
#[cfg(test)]
pub(super) fn unquoted(quoted: &str) -> Option<String> {
    let mut chars = quoted.strip_prefix('\'')?.chars();
    let mut text = String::new();
    loop {
        match chars.next()? {
            '\'' => return chars.next().is_none().then_some(text),
            '\\' => text.push(match chars.next()? {
                '0' => '\0',
                'b' => '\u{8}',
                't' => '\t',
                'n' => '\n',
                'r' => '\r',
                'z' => '\u{1a}',
                c => c,
            }),
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_quoted_text_reads_back_as_itself(text in any::<String>()) {
            prop_assert_eq!(unquoted(&literal(&text)), Some(text.clone()));
            prop_assert_eq!(unquoted(&item(&text)), Some(text));
        }

        #[test]
        fn no_text_ends_a_quoted_identifier(text in "[`\"\\\\.a ]{0,20}") {
            let quoted = identifier(&text).replace('\'', "").replace('`', "'");
            prop_assert!(unquoted(&quoted).is_some());
        }
    }

    #[test]
    fn dots_separate_the_parts_of_a_column() {
        assert_eq!(path("a.b`c"), "`a`.`b\\`c`");
        assert!(is_plain_path("db.table_1") && !is_plain_path("t FINAL") && !is_plain_path("a..b"));
    }
}
