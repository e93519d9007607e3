//! Standard output and standard error, for people. Colours are left out where no terminal shows
//! them. A reader that has gone away is not an error.

use std::fmt::Display;
use std::io::Write;

/// Prints a text and a line break on standard output.
pub(super) fn say(text: impl Display) {
    let _ = writeln!(anstream::stdout().lock(), "{text}");
}

/// Prints a text on standard output as it is.
pub(super) fn print(text: impl Display) {
    let _ = write!(anstream::stdout().lock(), "{text}");
}

/// Prints a text that is not the result, and a line break, on standard error.
pub(super) fn remark(text: impl Display) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Prints why the program ends, with every cause, on standard error.
pub(super) fn problem(error: &anyhow::Error) {
    remark(format_args!("error: {error:#}"));
}
