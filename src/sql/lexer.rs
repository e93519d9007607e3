//! Cuts `ClickHouse` SQL into tokens without losing a byte.
//!
//! In: any text.  Out: tokens whose texts, one after the other, are the input again.
//! Promise: never fails; what `ClickHouse` would not read is a [`TokenKind::Broken`] token.  The
//! cuts are those of `ClickHouse` 26.7, so that what is a comment or a quoted text here is one
//! there.  May use: `syntax` spans.

use super::token::{Fault, Symbol, Token, TokenKind};
use crate::syntax::Span;

/// Cuts `text` into tokens.
pub fn tokenize(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { text, at: 0, previous: None };
    let mut tokens = Vec::new();
    while lexer.at < text.len() {
        let start = lexer.at;
        let kind = lexer.token();
        if !matches!(kind, TokenKind::Whitespace | TokenKind::Comment) {
            lexer.previous = Some(kind);
        }
        tokens.push(Token { kind, span: Span::new(start, lexer.at) });
    }
    tokens
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// The last token that is neither blank nor comment: `t.1.2` and `.5` depend on it.
    previous: Option<TokenKind>,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The byte `ahead` of the current one; zero past the end, which no rule below asks for.
    fn byte(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    fn skip_while(&mut self, keep: impl Fn(u8) -> bool) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        self.at += rest.iter().take_while(|&&byte| keep(byte)).count();
    }

    fn skip_to_end(&mut self) {
        self.at = self.text.len();
    }

    fn token(&mut self) -> TokenKind {
        match self.byte(0) {
            byte if is_blank(byte) => {
                self.skip_while(is_blank);
                TokenKind::Whitespace
            }
            b'0'..=b'9' => self.number(),
            b'x' | b'X' if self.byte(1) == b'\'' => self.binary_text(|digit| digit.is_ascii_hexdigit()),
            b'b' | b'B' if self.byte(1) == b'\'' => self.binary_text(|digit| matches!(digit, b'0' | b'1')),
            b'$' => self.dollar(),
            byte if is_word(byte) => self.word(),
            b'\'' => self.quoted(b'\'', TokenKind::Text, Fault::OpenText),
            quote @ (b'"' | b'`') => self.quoted(quote, TokenKind::QuotedName, Fault::OpenName),
            b'.' if self.byte(1).is_ascii_digit() && !self.follows_operand() => self.number(),
            b'-' if self.byte(1) == b'-' => self.line_comment(),
            b'/' if self.byte(1) == b'/' => self.line_comment(),
            b'/' if self.byte(1) == b'*' => self.block_comment(),
            b'#' if matches!(self.byte(1), b' ' | b'!') => self.line_comment(),
            128.. => self.beyond_ascii(),
            _ => self.symbol(),
        }
    }

    /// True after something that a `.` can reach into.
    fn follows_operand(&self) -> bool {
        matches!(
            self.previous,
            Some(
                TokenKind::Word
                    | TokenKind::QuotedName
                    | TokenKind::Number
                    | TokenKind::Symbol(Symbol::CloseParenthesis | Symbol::CloseBracket)
            )
        )
    }

    fn word(&mut self) -> TokenKind {
        self.skip_while(|byte| is_word(byte) || byte == b'$');
        TokenKind::Word
    }

    fn number(&mut self) -> TokenKind {
        let start = self.at;
        if self.previous == Some(TokenKind::Symbol(Symbol::Dot)) {
            self.digits(u8::is_ascii_digit);
        } else if let Err(fault) = self.whole_number() {
            return TokenKind::Broken(fault);
        }
        if !is_word(self.byte(0)) {
            return TokenKind::Number;
        }
        self.skip_while(is_word);
        if self.text.as_bytes().get(start..self.at).is_some_and(|all| all.iter().all(|&byte| is_word(byte))) {
            TokenKind::Word // `1st` is a name
        } else {
            TokenKind::Broken(Fault::BadNumber)
        }
    }

    fn whole_number(&mut self) -> Result<(), Fault> {
        let is_hexadecimal = matches!(self.byte(1), b'x' | b'X') && self.byte(2).is_ascii_hexdigit();
        let is_binary = matches!(self.byte(1), b'b' | b'B') && matches!(self.byte(2), b'0' | b'1');
        let has_prefix = self.byte(0) == b'0' && (is_hexadecimal || is_binary);
        if has_prefix {
            self.at += 2;
        }
        let in_base_16 = has_prefix && is_hexadecimal;
        let is_digit = if in_base_16 { u8::is_ascii_hexdigit } else { u8::is_ascii_digit };
        self.digits(is_digit);
        if self.byte(0) == b'.' {
            self.at += 1;
            self.digits(is_digit);
        }
        let exponent = if in_base_16 { b'p' } else { b'e' };
        let sign = usize::from(matches!(self.byte(1), b'+' | b'-'));
        if self.byte(0).to_ascii_lowercase() != exponent {
            return Ok(());
        }
        if self.byte(1 + sign).is_ascii_digit() {
            self.at += 1 + sign;
            self.digits(u8::is_ascii_digit);
        } else if sign == 1 {
            self.at += 2; // `1e--x`: ClickHouse takes the first dash, so there is no comment
            return Err(Fault::BadNumber);
        }
        Ok(())
    }

    /// Digits, with single underscores between them.
    fn digits(&mut self, is_digit: fn(&u8) -> bool) {
        while is_digit(&self.byte(0)) {
            self.at += 1;
            if self.byte(0) == b'_' && is_digit(&self.byte(1)) {
                self.at += 1;
            }
        }
    }

    fn binary_text(&mut self, is_digit: impl Fn(u8) -> bool) -> TokenKind {
        self.at += 2;
        self.skip_while(is_digit);
        if self.byte(0) == b'\'' {
            self.at += 1;
            return TokenKind::Text;
        }
        self.skip_while(|byte| byte != b'\'');
        if self.at == self.text.len() {
            return TokenKind::Broken(Fault::OpenText);
        }
        self.at += 1;
        TokenKind::Broken(Fault::BadDigit)
    }

    /// `$tag$ … $tag$`, or a word that begins with a dollar.
    fn dollar(&mut self) -> TokenKind {
        let rest = self.rest();
        let tag_length = 1 + rest.bytes().skip(1).take_while(|&byte| is_word(byte)).count();
        let Some(tag) = rest.get(..=tag_length).filter(|tag| tag.ends_with('$')) else { return self.word() };
        let closing = rest.get(tag.len()..).and_then(|body| body.find(tag));
        let Some(length) = closing.map(|length| tag.len() + length + tag.len()) else {
            // ClickHouse reads a word here; joined with other text it could become a heredoc.
            self.skip_to_end();
            return TokenKind::Broken(Fault::OpenHeredoc);
        };
        self.at += length;
        TokenKind::Text
    }

    fn quoted(&mut self, quote: u8, kind: TokenKind, fault: Fault) -> TokenKind {
        self.at += 1;
        loop {
            self.skip_while(|byte| byte != quote && byte != b'\\');
            let found = self.byte(0);
            if self.at + usize::from(found == b'\\') >= self.text.len() {
                self.skip_to_end();
                return TokenKind::Broken(fault);
            }
            if found == b'\\' {
                self.at += 1;
                self.at += self.rest().chars().next().map_or(0, char::len_utf8);
            } else if self.byte(1) == quote {
                self.at += 2;
            } else {
                self.at += 1;
                return kind;
            }
        }
    }

    fn line_comment(&mut self) -> TokenKind {
        self.skip_while(|byte| byte != b'\n');
        TokenKind::Comment
    }

    /// Block comments nest.
    fn block_comment(&mut self) -> TokenKind {
        let mut depth = 0_usize;
        while self.at < self.text.len() {
            match (self.byte(0), self.byte(1)) {
                (b'/', b'*') => {
                    depth += 1;
                    self.at += 2;
                }
                (b'*', b'/') => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return TokenKind::Comment;
                    }
                }
                _ => self.at += 1,
            }
        }
        TokenKind::Broken(Fault::OpenComment)
    }

    fn beyond_ascii(&mut self) -> TokenKind {
        let Some(first) = self.rest().chars().next() else { return TokenKind::Whitespace };
        match first {
            '‘' => self.typographic('’', TokenKind::Text, Fault::OpenText),
            '“' => self.typographic('”', TokenKind::QuotedName, Fault::OpenName),
            '−' => {
                self.at += first.len_utf8();
                TokenKind::Symbol(Symbol::Minus)
            }
            _ if is_wide_blank(first) => {
                let rest = self.rest();
                self.at += rest.find(|c| !is_wide_blank(c)).unwrap_or(rest.len());
                TokenKind::Whitespace
            }
            _ => {
                self.at += first.len_utf8();
                TokenKind::Broken(Fault::StrayCharacter)
            }
        }
    }

    /// Typographic quotes know no escapes.
    fn typographic(&mut self, close: char, kind: TokenKind, fault: Fault) -> TokenKind {
        let Some(length) = self.rest().find(close) else {
            self.skip_to_end();
            return TokenKind::Broken(fault);
        };
        self.at += length + close.len_utf8();
        kind
    }

    fn symbol(&mut self) -> TokenKind {
        let found = SYMBOLS.iter().find(|(text, _)| self.rest().starts_with(text));
        let (length, kind) = match found {
            Some(&(text, symbol)) => (text.len(), TokenKind::Symbol(symbol)),
            None => (1, TokenKind::Broken(Fault::StrayCharacter)),
        };
        self.at += length;
        kind
    }
}

/// Longer symbols stand before their beginnings.
const SYMBOLS: [(&str, Symbol); 33] = [
    ("<=>", Symbol::Comparison),
    ("->", Symbol::Arrow),
    ("::", Symbol::DoubleColon),
    ("||", Symbol::Arithmetic),
    ("==", Symbol::Comparison),
    ("!=", Symbol::Comparison),
    ("<>", Symbol::Comparison),
    ("<=", Symbol::Comparison),
    (">=", Symbol::Comparison),
    ("@@", Symbol::At),
    ("\\G", Symbol::VerticalOutput),
    ("(", Symbol::OpenParenthesis),
    (")", Symbol::CloseParenthesis),
    ("[", Symbol::OpenBracket),
    ("]", Symbol::CloseBracket),
    ("{", Symbol::OpenBrace),
    ("}", Symbol::CloseBrace),
    (",", Symbol::Comma),
    (";", Symbol::Semicolon),
    (".", Symbol::Dot),
    ("*", Symbol::Star),
    ("+", Symbol::Plus),
    ("-", Symbol::Minus),
    ("/", Symbol::Arithmetic),
    ("%", Symbol::Arithmetic),
    ("=", Symbol::Comparison),
    ("<", Symbol::Comparison),
    (">", Symbol::Comparison),
    ("?", Symbol::Question),
    (":", Symbol::Colon),
    ("^", Symbol::Caret),
    ("|", Symbol::Pipe),
    ("@", Symbol::At),
];

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The blanks of other alphabets that `ClickHouse` skips.
fn is_wide_blank(character: char) -> bool {
    matches!(
        character,
        '\u{85}' | '\u{a0}' | '\u{180e}' | '\u{2000}'
            ..='\u{200d}'
                | '\u{2028}'
                | '\u{2029}'
                | '\u{202f}'
                | '\u{205f}'
                | '\u{2060}'
                | '\u{3000}'
                | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kinds(text: &str) -> Vec<(TokenKind, &str)> {
        tokenize(text)
            .into_iter()
            .filter(|token| token.kind != TokenKind::Whitespace)
            .map(|token| (token.kind, token.span.of(text)))
            .collect()
    }

    fn single(text: &str) -> TokenKind {
        let tokens = tokenize(text);
        assert_eq!(tokens.len(), 1, "{text}: {tokens:?}");
        tokens[0].kind
    }

    #[test]
    fn every_kind_of_text_is_one_token() {
        for text in [
            "'a'",
            "''",
            r"'a\'b'",
            "'a''b'",
            r"'\\'",
            "$$a'b$$",
            "$x$a$$b$x$",
            "‘it's’",
            "‘’",
            "x'4142'",
            "X'4'",
            "b'01'",
            "'a\nb'",
            r"'\ñ'",
        ] {
            assert_eq!(single(text), TokenKind::Text, "{text}");
        }
    }

    #[test]
    fn every_kind_of_quoted_name_is_one_token() {
        for text in ["`a``b`", r"`a\`b`", r#""a""b""#, r#""a\"b""#, "“a b”"] {
            assert_eq!(single(text), TokenKind::QuotedName, "{text}");
        }
    }

    #[test]
    fn every_kind_of_comment_is_one_token() {
        for text in ["-- a", "--a", "// a", "# a", "#!a", "/* a /* b */ c */", "/**/"] {
            assert_eq!(single(text), TokenKind::Comment, "{text}");
        }
        assert_eq!(kinds("--a\n1"), [(TokenKind::Comment, "--a"), (TokenKind::Number, "1")]);
    }

    #[test]
    fn numbers_and_words_that_look_like_numbers() {
        for text in ["1", "1.5", "1.", ".5", "1e5", "1.5E-3", "0x1F", "0x1p3", "0b101", "1_000", "0x1_F"] {
            assert_eq!(single(text), TokenKind::Number, "{text}");
        }
        for text in ["1a", "1e", "1_", "1__0", "0x", "0b2", "$1", "a$b$c", "$a"] {
            assert_eq!(single(text), TokenKind::Word, "{text}");
        }
        assert_eq!(single("1.a"), TokenKind::Broken(Fault::BadNumber));
        assert_eq!(kinds("1e--x")[0], (TokenKind::Broken(Fault::BadNumber), "1e-"));
    }

    #[test]
    fn a_dot_after_an_operand_reaches_into_it() {
        let texts = |text| kinds(text).into_iter().map(|(_, piece)| piece).collect::<Vec<_>>();
        assert_eq!(texts("t.1.2"), ["t", ".", "1", ".", "2"]);
        assert_eq!(texts("(a).1"), ["(", "a", ")", ".", "1"]);
        assert_eq!(texts("a[1].5"), ["a", "[", "1", "]", ".", "5"]);
        assert_eq!(texts("a /* x */ .5"), ["a", "/* x */", ".", "5"]);
        assert_eq!(texts("+.5"), ["+", ".5"]);
    }

    #[test]
    fn broken_pieces_are_tokens_too() {
        for (text, fault) in [
            ("'a", Fault::OpenText),
            (r"'a\'", Fault::OpenText),
            (r"'a\", Fault::OpenText),
            ("‘a", Fault::OpenText),
            ("$$a", Fault::OpenHeredoc),
            ("$x$ a $y$", Fault::OpenHeredoc),
            ("`a", Fault::OpenName),
            ("\"a``", Fault::OpenName),
            ("“a", Fault::OpenName),
            ("/* /* */", Fault::OpenComment),
            ("/*/", Fault::OpenComment),
            ("x'zz'", Fault::BadDigit),
            ("b'2'", Fault::BadDigit),
            ("x'41", Fault::OpenText),
            ("&", Fault::StrayCharacter),
            ("!", Fault::StrayCharacter),
            ("ñ", Fault::StrayCharacter),
            ("\0", Fault::StrayCharacter),
        ] {
            assert_eq!(single(text), TokenKind::Broken(fault), "{text}");
        }
    }

    #[test]
    fn operators_take_the_longest_form() {
        let texts: Vec<_> = kinds("a<=>b::c->d<>e!=f||g−h@@i").into_iter().map(|(_, text)| text).collect();
        assert_eq!(
            texts,
            ["a", "<=>", "b", "::", "c", "->", "d", "<>", "e", "!=", "f", "||", "g", "−", "h", "@@", "i"]
        );
    }

    #[test]
    fn blanks_of_other_alphabets_are_blanks() {
        assert_eq!(single("\u{a0}\u{3000}\u{feff}"), TokenKind::Whitespace);
        assert_eq!(single("\u{2061}"), TokenKind::Broken(Fault::StrayCharacter));
    }

    fn rejoined(text: &str) -> String {
        tokenize(text).iter().map(|token| token.span.of(text)).collect()
    }

    proptest! {
        #[test]
        fn tokens_join_to_the_input(text in any::<String>()) {
            prop_assert_eq!(rejoined(&text), text);
        }

        #[test]
        fn tokens_of_quote_soups_join_to_the_input(text in r#"[-/*'"`\\$x#!b0-9.e_a‘’“” \n]{0,40}"#) {
            prop_assert_eq!(rejoined(&text), text);
        }
    }
}
