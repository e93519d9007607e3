//! Where a setting comes from, so that every complaint can name it.

use std::fmt;
use std::path::PathBuf;

/// A source of settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The defaults that are compiled in.
    Defaults,
    /// A settings file.
    File(PathBuf),
    /// A variable of the environment.
    Variable(String),
    /// A flag of the command line.
    Flag(&'static str),
}

/// One setting at the place where it was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The key with its section, as in `server.port`.
    pub key: Box<str>,
    /// Where it was set.
    pub origin: Origin,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Defaults => write!(formatter, "the default of `{}`", self.key),
            Origin::File(path) => write!(formatter, "`{}` in {}", self.key, path.display()),
            Origin::Variable(name) => write!(formatter, "the variable {name}"),
            Origin::Flag(name) => write!(formatter, "the flag {name}"),
        }
    }
}
