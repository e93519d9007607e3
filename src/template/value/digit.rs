//! Decimal digits of all scripts, which Python's `int` and `\d` accept.

/// The zeros of the decimal digits known to Unicode 14, in order; nine more digits follow each.
const ZEROS: [u32; 66] = [
    0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50,
    0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40,
    0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x11066,
    0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950,
    0x11c50, 0x11d50, 0x11da0, 0x16a60, 0x16ac0, 0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6,
    0x1e140, 0x1e2f0, 0x1e950, 0x1fbf0,
];

/// The digit that the character is, as an ASCII character.
pub(in crate::template) fn to_ascii(c: char) -> Option<char> {
    let code = u32::from(c);
    let zero = ZEROS.partition_point(|zero| *zero <= code).checked_sub(1).and_then(|at| ZEROS.get(at))?;
    char::from_digit(code - zero, 10)
}

/// True for a decimal digit of any script.
pub(in crate::template) fn is_digit(c: char) -> bool {
    to_ascii(c).is_some()
}

/// The text with the digits of all scripts made ASCII.
pub(in crate::template) fn ascii_digits(text: &str) -> String {
    text.chars().map(|c| to_ascii(c).unwrap_or(c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_all_scripts_are_digits() {
        assert_eq!(ascii_digits("٢٠٢٠-०१x"), "2020-01x");
        assert!(!is_digit('²') && !is_digit('a') && !is_digit('/') && !is_digit('\u{1}'));
    }
}
