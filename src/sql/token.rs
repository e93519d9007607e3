//! The pieces that SQL is cut into.

use crate::syntax::Span;

/// One piece of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// Blanks, Unicode blanks included.
    Whitespace,
    /// `-- …`, `// …`, `# …`, `#!…`, `/* … */`.
    Comment,
    /// A bare word: keyword or name.
    Word,
    /// A name in backticks, double quotes or “these”.
    QuotedName,
    /// A text in single quotes or ‘these’, a heredoc, `x'…'` or `b'…'`.
    Text,
    /// A number.
    Number,
    /// Punctuation or an operator.
    Symbol(Symbol),
    /// Something `ClickHouse` refuses as well.
    Broken(Fault),
}

/// Punctuation and operators, as far apart as a reader must tell them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symbol {
    /// `(`
    OpenParenthesis,
    /// `)`
    CloseParenthesis,
    /// `[`
    OpenBracket,
    /// `]`
    CloseBracket,
    /// `{`
    OpenBrace,
    /// `}`
    CloseBrace,
    /// `,`
    Comma,
    /// `;`
    Semicolon,
    /// `.`
    Dot,
    /// `*`
    Star,
    /// `+`
    Plus,
    /// `-` and `−`
    Minus,
    /// `/`, `%` and `||`: operators that bind more tightly than `IN`
    Arithmetic,
    /// `=`, `==`, `!=`, `<>`, `<`, `>`, `<=`, `>=`, `<=>`
    Comparison,
    /// `->`
    Arrow,
    /// `?`
    Question,
    /// `:`
    Colon,
    /// `::`
    DoubleColon,
    /// `^`
    Caret,
    /// `|`
    Pipe,
    /// `@` and `@@`
    At,
    /// `\G`
    VerticalOutput,
}

/// Why a token is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A text without its closing quote.
    #[error("the text is not closed")]
    OpenText,
    /// A heredoc without its closing tag.
    #[error("the heredoc is not closed")]
    OpenHeredoc,
    /// A quoted name without its closing quote.
    #[error("the quoted name is not closed")]
    OpenName,
    /// A block comment without its end.
    #[error("the comment is not closed")]
    OpenComment,
    /// `x'zz'`, `b'2'`.
    #[error("the binary text has a wrong digit")]
    BadDigit,
    /// `1.5a`.
    #[error("the number runs into a word")]
    BadNumber,
    /// A character without a meaning.
    #[error("the character has no meaning here")]
    StrayCharacter,
}
