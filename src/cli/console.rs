//! Standard output and standard error, for people.

use std::io::Write;

/// Prints a text and a line break on standard output. A reader that has gone away is not an error.
pub(super) fn say(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Prints why the program ends, with every cause, on standard error.
pub(super) fn problem(error: &anyhow::Error) {
    let _ = writeln!(std::io::stderr().lock(), "error: {error:#}");
}
