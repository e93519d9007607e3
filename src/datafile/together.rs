//! Settings that mean something only together: a connection, a topic and a group.

use super::directive::{self, Directive};
use super::problems::Problems;
use super::raw::RawDatafile;
use super::text::MappedText;
use super::{Kind, ResourceName};
use crate::syntax::Span;

/// The settings of one connector, as far as a file gives them.
pub(super) struct Group<'a> {
    pub(super) kind: Kind,
    /// What messages call the connector: `Kafka`, `connection`, `copy node`.
    pub(super) label: &'a str,
    pub(super) required: &'a [Directive],
    pub(super) optional: &'a [Directive],
}

impl Group<'_> {
    /// Where the file first gives one of the settings.
    pub(super) fn first_use(&self, file: &RawDatafile) -> Option<Span> {
        let mut all = self.required.iter().chain(self.optional);
        all.find_map(|&directive| file.last(directive)).map(|found| found.keyword)
    }

    /// Reports the required settings that are missing, at `place`; true where there are none.
    pub(super) fn is_complete(&self, file: &RawDatafile, place: Span, problems: &mut Problems) -> bool {
        let missing: Vec<Directive> =
            self.required.iter().copied().filter(|&directive| file.last(directive).is_none()).collect();
        if !missing.is_empty() {
            let (label, names) = (self.label, names(self.kind, &missing));
            let message = format!(
                "Some {label} params have been provided, but the following required ones are missing: {names}"
            );
            problems.error("missing-setting", place, message);
        }
        missing.is_empty()
    }
}

/// The names of directives as Tinybird lists them: `['kafka_topic', 'kafka_group_id']`.
fn names(kind: Kind, directives: &[Directive]) -> String {
    let name = |&wanted: &Directive| format!("'{}'", directive::name(kind, wanted).to_ascii_lowercase());
    format!("[{}]", directives.iter().map(name).collect::<Vec<_>>().join(", "))
}

/// The value of a setting, unquoted; reports an empty one. Of several the last one wins.
pub(super) fn value(file: &RawDatafile, directive: Directive, problems: &mut Problems) -> Option<MappedText> {
    file.last(directive)?.required_value(problems)
}

/// The value of a setting as text.
pub(super) fn text(file: &RawDatafile, directive: Directive, problems: &mut Problems) -> Option<String> {
    value(file, directive, problems).map(|value| value.as_str().to_owned())
}

/// The value of a setting as the name of a resource.
pub(super) fn resource(
    file: &RawDatafile,
    directive: Directive,
    problems: &mut Problems,
) -> Option<ResourceName> {
    let value = value(file, directive, problems)?;
    name(&value, problems)
}

/// A value as the name of a resource; reports why it is none.
pub(super) fn name(value: &MappedText, problems: &mut Problems) -> Option<ResourceName> {
    match ResourceName::parse(value.as_str()) {
        Ok(name) => Some(name),
        Err(error) => {
            problems.error("name", value.span(), error.to_string());
            None
        }
    }
}

/// The value of a setting that is one of a few words, in any case; `None` where it is not given or
/// wrong, which is reported.
pub(super) fn choice<T: Copy>(
    file: &RawDatafile,
    directive: Directive,
    choices: &[(&str, T)],
    problems: &mut Problems,
) -> Option<T> {
    let value = value(file, directive, problems)?;
    let found = choices.iter().find(|(word, _)| word.eq_ignore_ascii_case(value.as_str()));
    if found.is_none() {
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
        problems.error(
            "value",
            value.span(),
            format!("`{}` is not one of {}", value.as_str(), words.join(", ")),
        );
    }
    found.map(|&(_, choice)| choice)
}
