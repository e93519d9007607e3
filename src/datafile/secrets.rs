//! Secrets in data source and connection files: `{{ tb_secret("name") }}` before anything else.
//!
//! Tinybird renders these files as templates. Only secrets are of use there, so only secrets are
//! understood: the rest of the template language is an error, comments aside.

use std::collections::BTreeMap;

use super::problems::Problems;
use super::text::MappedText;
use super::{Kind, Strictness};
use crate::syntax::Span;

/// The secrets of a workspace, by name.
pub type Secrets = BTreeMap<String, String>;

/// Fills in the secrets of a whole file.
pub(super) fn fill(kind: Kind, file: &MappedText, secrets: &Secrets, problems: &mut Problems) -> MappedText {
    let text = file.as_str();
    let mut filled = MappedText::default();
    let mut at = 0;
    while let Some(start) = next_opening(text, at) {
        filled.push_slice(file, Span::new(at, start));
        let Some((tag, end)) = tag(text, start) else {
            let opening = file.locate(Span::new(start, start + 2));
            problems.error("template-not-closed", opening, "a template expression is never closed");
            problems.distrust(file.locate(Span::new(start, text.len())));
            at = start;
            break;
        };
        let place = file.locate(Span::new(start, end));
        match tag {
            Tag::Comment => {}
            Tag::Statement => {
                let message = format!("template statements are not supported in {} files", kind.word());
                problems.error("template-in-datafile", place, message);
                problems.distrust(place);
            }
            Tag::Expression(expression) => match evaluate(expression, secrets, problems, place).as_deref() {
                Some("") => filled.push_replaced("\"\"", place),
                Some(value) => filled.push_replaced(value, place),
                None => {
                    problems.distrust(place);
                    filled.push_slice(file, Span::new(start, end));
                }
            },
        }
        at = end;
    }
    filled.push_slice(file, Span::new(at, text.len()));
    filled
}

/// True where a value holds a template expression.
pub(super) fn holds_template(text: &str) -> bool {
    next_opening(text, 0).is_some()
}

enum Tag<'a> {
    Comment,
    Statement,
    Expression(&'a str),
}

fn next_opening(text: &str, from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    let found = ["{{", "{%", "{#"].iter().filter_map(|opening| rest.find(opening)).min()?;
    Some(from + found)
}

/// The tag that begins at `start`, and where it ends.
fn tag(text: &str, start: usize) -> Option<(Tag<'_>, usize)> {
    let rest = text.get(start..)?;
    let inside = rest.get(2..)?;
    let until = |closing: &str| inside.find(closing).map(|end| (end, start + 2 + end + closing.len()));
    if rest.starts_with("{#") {
        return until("#}").map(|(_, end)| (Tag::Comment, end));
    }
    if rest.starts_with("{%") {
        return until("%}").map(|(_, end)| (Tag::Statement, end));
    }
    let (length, end) = until("}}")?;
    inside.get(..length).map(|expression| (Tag::Expression(expression.trim()), end))
}

/// What stands for an expression; reports why there is nothing.
fn evaluate(expression: &str, secrets: &Secrets, problems: &mut Problems, place: Span) -> Option<String> {
    let Some(call) = Call::parse(expression) else {
        problems.error("template-in-datafile", place, format!("`{expression}` cannot be evaluated here"));
        problems
            .help("only {{ tb_secret(\"name\") }} and {{ tb_secret(\"name\", \"default\") }} are supported");
        return None;
    };
    if call.function == "tb_var" && problems.strictness == Strictness::Strict {
        problems.error("template-in-datafile", place, "name 'tb_var' is not defined");
        return None;
    }
    let value = secrets.get(&call.name).cloned().or(call.default);
    if value.is_none() {
        problems.error("secret-missing", place, missing(&call.name));
    }
    value
}

fn missing(name: &str) -> String {
    format!(
        "Cannot access secret '{name}'. Check the secret exists in the Workspace and the token has the required scope."
    )
}

/// `tb_secret("name", default)`.
struct Call<'a> {
    function: &'a str,
    name: String,
    default: Option<String>,
}

impl<'a> Call<'a> {
    fn parse(expression: &'a str) -> Option<Self> {
        let (function, rest) = expression.split_once('(')?;
        let function = function.trim_end();
        if !matches!(function, "tb_secret" | "tb_var") {
            return None;
        }
        let (name, rest) = text_literal(rest.trim_start())?;
        let rest = rest.trim_start();
        if rest == ")" {
            return Some(Self { function, name, default: None });
        }
        let default = rest.strip_prefix(',')?.strip_suffix(')')?.trim();
        let default = default
            .strip_prefix("default")
            .and_then(|rest| rest.trim_start().strip_prefix('='))
            .map_or(default, str::trim);
        Some(Self { function, name, default: Some(literal(default)?) })
    }
}

/// A whole literal: a text or a number.
fn literal(text: &str) -> Option<String> {
    match text_literal(text) {
        Some((value, "")) => Some(value),
        Some(_) => None,
        None => text.parse::<f64>().is_ok().then(|| text.to_owned()),
    }
}

/// A quoted text at the start, and what follows it.
fn text_literal(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    let (said, end) = crate::schema::quoting::read(text, quote)?;
    Some((said, text.get(end..)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::syntax::Sources;

    /// The filled text, or the first problem with what it points at.
    fn filled(text: &str, strictness: Strictness) -> String {
        let secrets = Secrets::from([("key".into(), "s3cr#t".into()), ("none".into(), String::new())]);
        let mut problems = Problems::new(Sources::new().add("x", text), strictness);
        let filled = fill(Kind::Connection, &MappedText::of_file(text), &secrets, &mut problems);
        match problems.into_diagnostics().first() {
            Some(problem) => format!("{} @{}", problem.message, problem.primary.span.of(text)),
            None => filled.as_str().to_owned(),
        }
    }

    #[test]
    fn secrets_are_filled_in_as_they_are() {
        let fill = |text| filled(text, Strictness::Tolerant);
        assert_eq!(fill("KEY {{ tb_secret(\"key\") }} x"), "KEY s3cr#t x");
        assert_eq!(fill("{{tb_secret( 'key' )}}{{tb_var('key')}}"), "s3cr#ts3cr#t");
        assert_eq!(fill("{{ tb_secret('absent', 'default') }}"), "default");
        assert_eq!(fill("{{ tb_secret('absent', 5432) }}"), "5432");
        assert_eq!(fill("{{ tb_secret('none') }}{{ tb_secret('absent', '') }}"), "\"\"\"\"");
        assert_eq!(fill("a {# gone #}b"), "a b");
    }

    #[test]
    fn everything_else_is_an_error_at_its_place() {
        let fill = |text| filled(text, Strictness::Tolerant);
        assert_eq!(
            fill("a {{ tb_secret('absent') }}"),
            "Cannot access secret 'absent'. Check the secret exists in the Workspace and the token has the required scope. @{{ tb_secret('absent') }}"
        );
        assert_eq!(fill("{{ 1 + 1 }}"), "`1 + 1` cannot be evaluated here @{{ 1 + 1 }}");
        assert_eq!(
            fill("{% if x %}"),
            "template statements are not supported in connection files @{% if x %}"
        );
        assert_eq!(fill("a {{ b"), "a template expression is never closed @{{");
        assert_eq!(
            filled("{{ tb_var('key') }}", Strictness::Strict),
            "name 'tb_var' is not defined @{{ tb_var('key') }}"
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(\\{\\{|\\}\\}|\\{%|%\\}|\\{#|#\\}|tb_secret|\\(|\\)|'|\"|,|ñ| ){0,12}") {
            filled(&text, Strictness::Tolerant);
        }
    }
}
