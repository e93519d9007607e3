//! Settings given on the command line.

use std::path::PathBuf;

/// What the flags of `roost serve` say; `None` where a flag was not given.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config FILE`: the settings file, instead of `roost.toml` in the project directory.
    pub config: Option<PathBuf>,
    /// `--project DIR`.
    pub project: Option<PathBuf>,
    /// `--data-dir DIR`.
    pub data_dir: Option<PathBuf>,
    /// `--host ADDR`.
    pub host: Option<String>,
    /// `--port N`.
    pub port: Option<u16>,
}
