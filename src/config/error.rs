//! Why the settings cannot be used.

use std::path::PathBuf;

use super::Place;

/// A reason not to start, found in the settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The settings file exists, or was asked for, and cannot be read.
    #[error("cannot read the settings file {}: {reason}", path.display())]
    FileUnreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        reason: std::io::Error,
    },
    /// The settings file is no TOML.
    #[error("{} is not valid TOML: {reason}", path.display())]
    FileSyntax {
        /// The file.
        path: PathBuf,
        /// Line, column and what was expected there.
        reason: String,
    },
    /// A variable of ours holds bytes that are not UTF-8.
    #[error("the variable {variable} is not valid UTF-8")]
    VariableNotText {
        /// Its name.
        variable: String,
    },
    /// A key that does not exist.
    #[error("{place} is not a setting; the nearest one is {nearest}")]
    UnknownKey {
        /// The key and where it stands.
        place: Place,
        /// The key to write instead, in the spelling of the same source.
        nearest: String,
    },
    /// A value of the wrong type.
    #[error("{place} must be {expected}, as in {example}, but it is {found}")]
    WrongType {
        /// The key and where it stands.
        place: Place,
        /// The type it must have.
        expected: &'static str,
        /// The default, in the spelling of the same source.
        example: String,
        /// The type it has.
        found: &'static str,
    },
    /// A value of the right type that makes no sense.
    #[error("{place} is not usable: {rule}")]
    InvalidValue {
        /// The key and where it stands.
        place: Place,
        /// What is expected.
        rule: String,
    },
    /// Two settings that exclude each other.
    #[error("{first} contradicts {second}: {rule}")]
    Contradiction {
        /// One of them.
        first: Place,
        /// The other.
        second: Place,
        /// Why, and what to do.
        rule: String,
    },
    /// Nothing says where the engine library is.
    #[error(
        "no place is known for the engine library: set ROOST_ENGINE_LIB to the path of libchdb.so \
         (tools/engine.sh fetches it), or `engine.url` to use a ClickHouse server"
    )]
    LibraryUnknown,
}
