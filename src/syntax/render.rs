//! Diagnostics drawn for people (`file:line:col`, excerpt, caret, help) and printed for machines.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

use super::{Diagnostic, Label, Severity, Sources};

/// Draws one diagnostic as plain text, in the manner of rustc; no final newline.
pub fn plain(sources: &Sources, diagnostic: &Diagnostic) -> String {
    draw(&Renderer::plain(), sources, diagnostic)
}

/// Draws one diagnostic with terminal colours; no final newline.
pub fn styled(sources: &Sources, diagnostic: &Diagnostic) -> String {
    draw(&Renderer::styled(), sources, diagnostic)
}

fn draw(renderer: &Renderer, sources: &Sources, diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code).element(snippet(
        sources,
        &diagnostic.primary,
        &diagnostic.labels,
    ));
    for label in diagnostic.labels.iter().filter(|label| label.source != diagnostic.primary.source) {
        group = group.element(snippet(sources, label, &[]));
    }
    let help: Option<Group<'_>> =
        diagnostic.help.as_ref().map(|help| Group::with_title(Level::HELP.secondary_title(help.as_str())));
    let report: Vec<Group<'_>> = [group].into_iter().chain(help).collect();
    renderer.render(&report)
}

/// The excerpt around `primary`, with the labels that lie in the same source.
fn snippet<'a>(
    sources: &'a Sources,
    primary: &'a Label,
    labels: &'a [Label],
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let source = sources.get(primary.source);
    let fit = |label: &Label| {
        let end = label.span.end.min(source.text.len());
        label.span.start.min(end)..end
    };
    let beside = labels.iter().filter(|label| label.source == primary.source);
    Snippet::source(source.text.as_str())
        .path(source.name.as_str())
        .annotation(AnnotationKind::Primary.span(fit(primary)).label(primary.text.as_str()))
        .annotations(beside.map(|label| AnnotationKind::Context.span(fit(label)).label(label.text.as_str())))
}

/// One diagnostic as `roost check --format json` prints it.
#[derive(Debug, Serialize)]
pub struct Json<'a> {
    code: &'a str,
    severity: &'a str,
    message: &'a str,
    file: &'a str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
}

/// The machine-readable form of a diagnostic; lines and columns count from 1.
pub fn json<'a>(sources: &'a Sources, diagnostic: &'a Diagnostic) -> Json<'a> {
    let source = sources.get(diagnostic.primary.source);
    let start = source.position(diagnostic.primary.span.start);
    let end = source.position(diagnostic.primary.span.end);
    Json {
        code: diagnostic.code,
        severity: diagnostic.severity.word(),
        message: &diagnostic.message,
        file: &source.name,
        line: start.line,
        column: start.column,
        end_line: end.line,
        end_column: end.column,
        help: diagnostic.help.as_deref(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::Span;

    fn example() -> (Sources, Diagnostic) {
        let mut sources = Sources::new();
        let id = sources.add("datasources/events.datasource", "SCHEMA >\n    `id` Strin\n");
        let diagnostic = Diagnostic::error("unknown-type", id, Span::new(18, 23), "unknown type `Strin`")
            .with_note("not a ClickHouse type")
            .with_help("write `String`");
        (sources, diagnostic)
    }

    #[test]
    fn a_diagnostic_names_file_line_column_and_help() {
        let (sources, diagnostic) = example();
        insta::assert_snapshot!(plain(&sources, &diagnostic), @r"
        error[unknown-type]: unknown type `Strin`
         --> datasources/events.datasource:2:10
          |
        2 |     `id` Strin
          |          ^^^^^ not a ClickHouse type
          |
        help: write `String`
        ");
    }

    #[test]
    fn json_has_positions_from_one() {
        let (sources, diagnostic) = example();
        let text = serde_json::to_string(&json(&sources, &diagnostic)).unwrap();
        assert_eq!(
            text,
            r#"{"code":"unknown-type","severity":"error","message":"unknown type `Strin`","file":"datasources/events.datasource","line":2,"column":10,"end_line":2,"end_column":15,"help":"write `String`"}"#
        );
    }
}
