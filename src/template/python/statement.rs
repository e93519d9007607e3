//! The ways into the parser: one for each kind of tag.

use super::SyntaxError;
use super::lexer::Token;
use super::operators;
use super::parser::{self, Parser};
use super::tree::{Binary, Expression, Name};

/// What stands inside `{{ }}`.
#[derive(Debug)]
pub(in crate::template) enum Snippet {
    Expression(Expression),
    /// A statement, under the name that Python's tree gives it.
    Statement(&'static str),
}

/// What stands after `set`.
#[derive(Debug)]
pub(in crate::template) enum Assignment {
    /// `a = b = value`
    Plain { targets: Vec<Expression>, value: Expression },
    /// `a += value`
    Augmented { target: Expression, operator: Binary, value: Expression },
    /// Only an expression, evaluated for what it does.
    Bare(Expression),
}

/// What [`assignment`] makes of a text.
#[derive(Debug)]
pub(in crate::template) enum Set {
    Assignment(Assignment),
    /// Python, but nothing that `set` may hold: an annotation, several statements, `import`.
    NotAnAssignment,
}

/// What [`condition`] makes of a text.
#[derive(Debug)]
pub(in crate::template) enum Condition {
    Expression(Expression),
    /// A colon and more code after the condition: an attempt to smuggle statements in.
    Smuggled,
}

/// Statements that start with a word of their own, and their names in Python's tree.
const SIMPLE_STATEMENTS: [(&str, &str); 11] = [
    ("assert", "Assert"),
    ("break", "Break"),
    ("continue", "Continue"),
    ("del", "Delete"),
    ("global", "Global"),
    ("import", "Import"),
    ("nonlocal", "Nonlocal"),
    ("pass", "Pass"),
    ("raise", "Raise"),
    ("return", "Return"),
    ("yield", "Yield"),
];

/// Words that start statements which hold others.
const COMPOUND_STATEMENTS: [&str; 9] = ["async", "class", "def", "for", "from", "if", "try", "while", "with"];

/// Reads the content of `{{ }}`.
pub(in crate::template) fn snippet(text: &str) -> Result<Snippet, SyntaxError> {
    let mut parser = Parser::new(text)?;
    if let Token::Word(word) = parser.peek()
        && let Some((_, node)) = SIMPLE_STATEMENTS.iter().find(|(keyword, _)| keyword == word)
    {
        return Ok(Snippet::Statement(node));
    }
    let expression = parser.expressions()?;
    let snippet = match parser.peek() {
        Token::Operator("=") => Snippet::Statement("Assign"),
        Token::Operator(symbol) if operators::augmented(symbol).is_some() => Snippet::Statement("AugAssign"),
        _ => {
            parser.expect_end()?;
            Snippet::Expression(expression)
        }
    };
    // The tag becomes the argument of a call: a comment at its end would swallow the bracket.
    let comment = text.get(parser.end_of_last()..).unwrap_or_default();
    if comment.contains('#') { parser.unexpected() } else { Ok(snippet) }
}

/// Reads what stands after `if`, `elif` and `while`.
pub(in crate::template) fn condition(text: &str) -> Result<Condition, SyntaxError> {
    let mut parser = Parser::new(text)?;
    let condition = parser.named_expression()?;
    colon_or_end(&mut parser, text, condition)
}

/// Reads what stands after `for`: the targets and the iterable.
pub(in crate::template) fn for_clause(text: &str) -> Result<(Expression, Condition), SyntaxError> {
    let mut parser = Parser::new(text)?;
    let target = parser.targets()?;
    parser.expect_word("in")?;
    let iterable = parser.expressions()?;
    Ok((target, colon_or_end(&mut parser, text, iterable)?))
}

fn colon_or_end(parser: &mut Parser, text: &str, expression: Expression) -> Result<Condition, SyntaxError> {
    if parser.take(":") {
        return if *parser.peek() == Token::End { parser.unexpected() } else { Ok(Condition::Smuggled) };
    }
    parser.expect_end()?;
    let comment = text.get(parser.end_of_last()..).unwrap_or_default();
    if comment.contains('#') { parser.unexpected() } else { Ok(Condition::Expression(expression)) }
}

/// Reads what stands after `except`: which exceptions, and under what name.
pub(in crate::template) fn handler(text: &str) -> Result<(Option<Expression>, Option<Name>), SyntaxError> {
    let mut parser = Parser::new(text)?;
    if *parser.peek() == Token::End {
        return Ok((None, None));
    }
    let class = parser.expression()?;
    let name = if parser.take_word("as") { Some(parser.name()?) } else { None };
    parser.expect_end()?;
    Ok((Some(class), name))
}

/// Reads what stands after `set`.
pub(in crate::template) fn assignment(text: &str) -> Result<Set, SyntaxError> {
    let mut parser = Parser::new(text)?;
    if let Token::Word(word) = parser.peek() {
        let simple = SIMPLE_STATEMENTS.iter().any(|(keyword, _)| keyword == word);
        if simple || COMPOUND_STATEMENTS.contains(&word.as_str()) {
            return Ok(Set::NotAnAssignment);
        }
    }
    let mut offset = parser.offset();
    let mut value = parser.expressions()?;
    if let Token::Operator(symbol) = parser.peek()
        && let Some(operator) = operators::augmented(symbol)
    {
        let target = parser::assignable(value, offset)?;
        parser.advance();
        let value = parser.expressions()?;
        return finish(&parser, Assignment::Augmented { target, operator, value });
    }
    let mut targets = Vec::new();
    while parser.take("=") {
        targets.push(parser::assignable(value, offset)?);
        offset = parser.offset();
        value = parser.expressions()?;
    }
    let assignment =
        if targets.is_empty() { Assignment::Bare(value) } else { Assignment::Plain { targets, value } };
    finish(&parser, assignment)
}

fn finish(parser: &Parser, assignment: Assignment) -> Result<Set, SyntaxError> {
    match parser.peek() {
        Token::End => Ok(Set::Assignment(assignment)),
        Token::Newline | Token::Operator(";" | ":") => Ok(Set::NotAnAssignment),
        _ => parser.unexpected(),
    }
}

impl Assignment {
    /// The expressions in it, in the order of Python's tree.
    pub(in crate::template) fn expressions(&self) -> Vec<&Expression> {
        match self {
            Self::Plain { targets, value } => targets.iter().chain(std::iter::once(value)).collect(),
            Self::Augmented { target, value, .. } => vec![target, value],
            Self::Bare(value) => vec![value],
        }
    }
}
