//! `TAGS` lines.

use super::Strictness;
use super::problems::Problems;
use super::raw::RawDirective;

/// The entries of the `TAGS` lines of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags {
    /// Words that resources are filtered by.
    pub filters: Vec<String>,
    /// Entries with `=`: settings of Classic, as `with_staging=true`.
    pub settings: Vec<String>,
}

/// Reads the `TAGS` lines of a file; they add up.
pub(super) fn read<'a>(lines: impl Iterator<Item = &'a RawDirective>, problems: &mut Problems) -> Tags {
    let mut tags = Tags::default();
    for line in lines {
        let value = line.text().trimmed();
        let value = match problems.strictness {
            Strictness::Tolerant => value,
            Strictness::Strict => value.unquoted(),
        };
        for entry in value.as_str().split([',', '\n']) {
            let quotes =
                |character| problems.strictness == Strictness::Tolerant && matches!(character, '"' | '\'');
            let entry = entry.trim().trim_matches(quotes).trim();
            if !entry.is_empty() {
                let list = if entry.contains('=') { &mut tags.settings } else { &mut tags.filters };
                list.push(entry.to_owned());
            }
        }
    }
    tags
}
