//! Arguments of types that only ClickHouse needs to understand, as tidy text.

/// One argument with the offset at which it begins in the text that was split.
pub(super) type Argument<'a> = (usize, &'a str);

/// Splits at the commas that stand outside quotes and brackets.
pub(super) fn split(text: &str) -> Vec<Argument<'_>> {
    let mut arguments = Vec::new();
    let mut start = 0;
    let mut depth = 0usize;
    for (offset, character) in outside_quotes(text) {
        match character {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                arguments.push(trimmed(text, start, offset));
                start = offset + 1;
            }
            _ => {}
        }
    }
    let last = trimmed(text, start, text.len());
    if !arguments.is_empty() || !last.1.is_empty() {
        arguments.push(last);
    }
    arguments
}

fn trimmed(text: &str, start: usize, end: usize) -> Argument<'_> {
    let piece = text.get(start..end).unwrap_or_default();
    (start + piece.len() - piece.trim_start().len(), piece.trim())
}

/// The offset of the bracket that closes the one before the start of `text`.
pub(super) fn closing_bracket(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (offset, character) in outside_quotes(text) {
        match character {
            '(' => depth += 1,
            ')' if depth == 0 => return Some(offset),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// The same arguments with single spaces inside and one after each comma.
pub(super) fn tidy(text: &str) -> String {
    let mut tidied = String::with_capacity(text.len());
    let mut quote = None;
    let mut escaped = false;
    for character in text.trim().chars() {
        let inside = quote.is_some();
        if !inside && character.is_whitespace() {
            if !tidied.ends_with([' ', '(', '[']) {
                tidied.push(' ');
            }
            continue;
        }
        if !inside && matches!(character, ')' | ']' | ',') && tidied.ends_with(' ') {
            tidied.pop();
        }
        tidied.push(character);
        if !inside && character == ',' {
            tidied.push(' ');
        }
        quote = quote_after(quote, escaped, character);
        escaped = inside && !escaped && character == '\\';
    }
    tidied.truncate(tidied.trim_end().len());
    tidied
}

/// The characters that stand outside quotes, with their offsets.
fn outside_quotes(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut quote = None;
    let mut escaped = false;
    text.char_indices().filter(move |&(_, character)| {
        let inside = quote.is_some();
        quote = quote_after(quote, escaped, character);
        escaped = inside && !escaped && character == '\\';
        !inside && quote.is_none()
    })
}

/// The quote that is open behind `character`; a doubled quote closes and opens again.
fn quote_after(open: Option<char>, escaped: bool, character: char) -> Option<char> {
    match open {
        Some(_) if escaped => open,
        Some(quote) if quote == character => None,
        Some(_) => open,
        None => matches!(character, '\'' | '"' | '`').then_some(character),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_inside_quotes_and_brackets_do_not_split() {
        assert_eq!(split("a, f(b, c) , 'd,\\'e'"), [(0, "a"), (3, "f(b, c)"), (13, "'d,\\'e'")]);
        assert_eq!(split("  "), []);
        assert_eq!(split("a,"), [(0, "a"), (2, "")]);
    }

    #[test]
    fn the_closing_bracket_is_found_past_inner_ones() {
        assert_eq!(closing_bracket("a(')'),b) c"), Some(8));
        assert_eq!(closing_bracket("a(b"), None);
    }

    #[test]
    fn tidying_is_stable() {
        let tidied = tidy(" max_types = 3 ,  `a  b`  UInt32,SKIP( x ,y )  ");
        assert_eq!(tidied, "max_types = 3, `a  b` UInt32, SKIP(x, y)");
        assert_eq!(tidy(&tidied), tidied);
    }
}
