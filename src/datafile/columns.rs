//! The columns of a `SCHEMA`.
//!
//! `name type [json path] [DEFAULT expression] [CODEC(...)] [json path]`, separated by commas;
//! newlines are blanks, `--` begins a comment.

use std::collections::HashMap;

use super::directive;
use super::problems::Problems;
use super::text::MappedText;
use super::{Kind, Strictness};
use crate::schema::types::TypeProblem;
use crate::schema::{Column, ColumnName, DataType, JsonPath};
use crate::syntax::Span;

mod atoms;

use atoms::{Brackets, Cut};

/// Reads the columns; reports all problems.
pub(super) fn read(schema: &MappedText, problems: &mut Problems) -> Vec<Column> {
    let schema = without_comments(schema);
    Reader { schema: &schema, problems, declared: HashMap::new() }.columns()
}

/// The text without its `--` comments. Inside quotes and backticks `--` is no comment.
fn without_comments(schema: &MappedText) -> MappedText {
    let text = schema.as_str();
    let mut kept = MappedText::default();
    for line in schema.lines() {
        let length = comment_start(line.of(text)).unwrap_or(line.end - line.start);
        kept.push_slice(schema, Span::new(line.start, line.start + length));
        kept.push_slice(schema, Span::new(line.end, (line.end + 1).min(text.len())));
    }
    kept
}

fn comment_start(line: &str) -> Option<usize> {
    let mut quote = None;
    for (offset, character) in line.char_indices() {
        match quote {
            Some(open) => quote = Some(open).filter(|&open| open != character),
            None if matches!(character, '\'' | '"' | '`') => quote = Some(character),
            None if line.get(offset..).is_some_and(|rest| rest.starts_with("--")) => return Some(offset),
            None => {}
        }
    }
    None
}

struct Reader<'a> {
    schema: &'a MappedText,
    problems: &'a mut Problems,
    /// The columns so far, and where their names stand.
    declared: HashMap<ColumnName, Span>,
}

/// A part of a column: what stands behind its name, or behind a keyword.
#[derive(Debug, Clone, Copy)]
struct Section {
    kind: SectionKind,
    /// The name or keyword in front of it.
    keyword: Span,
    value: Option<Span>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SectionKind {
    Type,
    Default,
    Codec,
    JsonPath,
}

/// What a word behind the name of a column is.
enum Role {
    Begins(SectionKind),
    /// A clause of ClickHouse's that Tinybird does not have: message and help.
    Refused(&'static str, &'static str),
    Value,
}

impl Reader<'_> {
    fn of(&self, span: Span) -> &str {
        span.of(self.schema.as_str())
    }

    fn error(&mut self, span: Span, message: impl Into<String>) {
        self.problems.error("schema", self.schema.locate(span), message);
    }

    fn columns(&mut self) -> Vec<Column> {
        let brackets = match self.problems.strictness {
            Strictness::Tolerant => Brackets::Protect,
            Strictness::Strict => Brackets::Plain,
        };
        let schema = self.schema;
        let mut columns = Vec::new();
        let mut at = 0;
        while schema.as_str().get(at..).is_some_and(|rest| !rest.trim().is_empty()) {
            match atoms::cut(schema.as_str(), at, brackets) {
                Ok(cut) => {
                    at = cut.end;
                    if let Some(column) = self.column(&cut) {
                        self.declare(&column, cut.name);
                        columns.push(column);
                    }
                }
                Err(broken) => {
                    at = broken.end;
                    self.error(broken.span, broken.message);
                }
            }
        }
        columns
    }

    /// Notes a column; reports that there is one of its name already.
    fn declare(&mut self, column: &Column, name: Span) {
        if let Some(first) = self.declared.insert(column.name.clone(), name) {
            self.error(name, format!("column `{}` is declared twice", column.name));
            self.problems.point(self.schema.locate(first), "first here");
        }
    }

    fn column(&mut self, cut: &Cut) -> Option<Column> {
        let name = self.name(cut)?;
        let sections = self.sections(cut)?;
        let value =
            |kind| sections.iter().rev().find(|section| section.kind == kind).and_then(|found| found.value);
        let data_type = match value(SectionKind::Type) {
            Some(span) => Some(self.data_type(span)?),
            None => None,
        };
        let json_path = match value(SectionKind::JsonPath) {
            Some(span) => Some(self.json_path(span, data_type.as_ref())?),
            None => None,
        };
        let default = value(SectionKind::Default).map(|span| self.of(span));
        let nothing = default.is_some_and(|text| text.eq_ignore_ascii_case("NULL"));
        let is_nullable = data_type.as_ref().is_some_and(DataType::is_nullable);
        let codec = value(SectionKind::Codec).map(|span| self.of(span));
        Some(Column {
            name,
            default: default.filter(|_| !(nothing && is_nullable)).map(Into::into),
            codec: codec.and_then(|text| text.strip_prefix('(')?.strip_suffix(')')).map(Into::into),
            data_type,
            json_path,
        })
    }

    fn name(&mut self, cut: &Cut) -> Option<ColumnName> {
        let written = self.of(cut.name).to_owned();
        if written.is_empty() {
            self.error(
                Span::new(cut.name.start, cut.name.start + 1),
                "Column name contains invalid character ','",
            );
            self.problems.help("a column is missing in front of this comma");
            return None;
        }
        if written == "INDEX" && !cut.atoms.is_empty() {
            self.error(cut.name, "Forbidden INDEX definition");
            self.problems.help("put indexes below INDEXES >");
            return None;
        }
        if let Some(quoted) = written.strip_prefix('`') {
            return Some(ColumnName::new(quoted.trim_end_matches('`')));
        }
        let allowed = |character: char| character.is_ascii_alphanumeric() || "._`*<>+'-".contains(character);
        if let Some((offset, wrong)) = written.char_indices().find(|&(_, character)| !allowed(character)) {
            let start = cut.name.start + offset;
            let place = Span::new(start, start + wrong.len_utf8());
            self.error(place, format!("Column name contains invalid character '{wrong}'"));
            self.problems.help("use backticks");
            return None;
        }
        Some(ColumnName::new(written))
    }

    /// Sorts the words behind the name; reports what may not stand there and what is missing.
    fn sections(&mut self, cut: &Cut) -> Option<Vec<Section>> {
        let mut sections = vec![Section { kind: SectionKind::Type, keyword: cut.name, value: None }];
        let mut previous = cut.name;
        for &atom in &cut.atoms {
            let current = *sections.last()?;
            match role(self.of(atom), current, self.of(previous)) {
                Role::Begins(kind) => sections.push(self.begin(kind, atom, &sections)?),
                Role::Refused(message, help) => {
                    self.error(atom, message);
                    self.problems.help(help);
                    return None;
                }
                Role::Value if current.kind == SectionKind::JsonPath => {
                    let word = self.of(atom).to_owned();
                    self.error(
                        atom,
                        format!("Error parsing type: Syntax error: found {word}. Expected a comma"),
                    );
                    self.problems.help(help_with_stray(&word));
                    return None;
                }
                Role::Value => {
                    let last = sections.last_mut()?;
                    last.value = Some(last.value.map_or(atom, |value| value.to(atom)));
                }
            }
            previous = atom;
        }
        self.check_complete(&sections).then_some(sections)
    }

    fn begin(&mut self, kind: SectionKind, atom: Span, earlier: &[Section]) -> Option<Section> {
        let has = |kind| earlier.iter().any(|section| section.kind == kind);
        let misplaced = match kind {
            SectionKind::Default if has(SectionKind::Codec) => Some("Unexpected DEFAULT after CODEC"),
            SectionKind::Default if has(SectionKind::Default) => Some("Unexpected DEFAULT after DEFAULT"),
            SectionKind::Codec if has(SectionKind::Codec) => Some("Unexpected CODEC after CODEC"),
            _ => None,
        };
        if let Some(message) = misplaced {
            self.error(atom, message);
            return None;
        }
        let path =
            Span::new(atom.start + JSON.len(), atom.end.saturating_sub(1).max(atom.start + JSON.len()));
        let value = (kind == SectionKind::JsonPath && path.start < path.end).then_some(path);
        Some(Section { kind, keyword: atom, value })
    }

    fn check_complete(&mut self, sections: &[Section]) -> bool {
        let empty = |kind| sections.iter().find(|section| section.kind == kind && section.value.is_none());
        let has_default = sections.iter().any(|section| section.kind == SectionKind::Default);
        if let Some(section) = empty(SectionKind::Default) {
            self.error(section.keyword, "Missing mandatory value for DEFAULT");
        } else if let Some(section) = empty(SectionKind::Codec) {
            self.error(section.keyword, "Missing mandatory value for CODEC");
        } else if let Some(section) = empty(SectionKind::Type).filter(|_| !has_default) {
            self.error(section.keyword, "Column name and either type or DEFAULT are required");
        } else {
            return true;
        }
        false
    }

    fn data_type(&mut self, span: Span) -> Option<DataType> {
        match DataType::parse(self.of(span)) {
            Ok(data_type) => Some(data_type),
            Err(error) => {
                let place = error.span.shifted(span.start);
                let stray = self.of(place).to_owned();
                self.error(place, error.problem.to_string());
                if let Some(help) = error.problem.help() {
                    let is_stray = matches!(error.problem, TypeProblem::Syntax { .. });
                    self.problems.help(if is_stray { help_with_stray(&stray) } else { help });
                }
                None
            }
        }
    }

    fn json_path(&mut self, span: Span, data_type: Option<&DataType>) -> Option<JsonPath> {
        let path = match JsonPath::parse(self.of(span)) {
            Ok(path) => path,
            Err(error) => {
                self.error(span, error.to_string());
                return None;
            }
        };
        if path.takes_every_element() && !matches!(data_type, Some(DataType::Array(_))) {
            self.error(
                span,
                format!("`{path}` takes all elements of an array, so the column must be an Array(...)"),
            );
            return None;
        }
        Some(path)
    }
}

/// What to do about a word behind a complete column: a comma is missing, or the line was meant
/// to be a directive.
fn help_with_stray(word: &str) -> String {
    let upper = word.chars().all(|letter| letter.is_uppercase() || letter == '_');
    match directive::similar(Kind::Datasource, word).filter(|_| upper) {
        Some(similar) => format!("did you mean the directive {similar}?"),
        None if directive::looks_like_one(word) => {
            format!("{word} is no directive, so the line was read as a part of SCHEMA")
        }
        None => "columns are separated by commas".to_owned(),
    }
}

/// What a JSON path begins with, in any case.
const JSON: &str = "`json:";

fn role(word: &str, current: Section, previous: &str) -> Role {
    let is = |keyword: &str| word.eq_ignore_ascii_case(keyword);
    if word.get(..JSON.len()).is_some_and(|start| start.eq_ignore_ascii_case(JSON)) {
        return Role::Begins(SectionKind::JsonPath);
    }
    if is("DEFAULT") {
        return Role::Begins(SectionKind::Default);
    }
    if is("CODEC") {
        return Role::Begins(SectionKind::Codec);
    }
    // Inside an expression these words may be columns, unless a whole value stands in front.
    let value_before = previous.ends_with(|last: char| last.is_alphanumeric() || "_)]'\"`".contains(last));
    let in_expression = current.kind == SectionKind::Default && (current.value.is_none() || !value_before);
    match current.kind {
        _ if in_expression => Role::Value,
        _ if is("MATERIALIZED") => Role::Refused(
            "MATERIALIZED columns are not supported",
            "use DEFAULT, or compute the value in a pipe",
        ),
        _ if is("ALIAS") => Role::Refused("ALIAS columns are not supported", "compute the value in a pipe"),
        _ if is("TTL") => Role::Refused("column TTL is not supported", "use ENGINE_TTL"),
        SectionKind::Default => Role::Value,
        _ if is("NULL") => Role::Refused("NULL column syntax not supported", "use Nullable(...)"),
        _ if is("NOT") => {
            Role::Refused("NOT NULL column syntax not supported", "Columns are not nullable by default")
        }
        _ => Role::Value,
    }
}

#[cfg(test)]
mod tests;
