//! Classic's `VERSION n`: the resource answers to `name__vn` too.

use super::problems::Problems;
use super::raw::RawDirective;
use super::{ResourceName, Strictness};

/// The number of a `VERSION` line. Today's Tinybird ignores the line with the warning given here.
pub(super) fn read(line: Option<&RawDirective>, problems: &mut Problems) -> Option<u32> {
    let line = line?;
    let number = line.text().trimmed().unquoted().as_str().parse().ok();
    problems.warn("deprecated", line.keyword, "VERSION has been deprecated and will be ignored.");
    let number = number.filter(|_| problems.strictness == Strictness::Tolerant)?;
    problems.help(format!("the name stays as it is; the resource answers to the ending __v{number} too"));
    Some(number)
}

/// The second name of a resource with a version.
pub(super) fn name(name: &ResourceName, version: u32) -> String {
    format!("{name}__v{version}")
}
