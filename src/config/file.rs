//! The only place that looks outside: the environment of the process and the settings file.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;

use super::{ConfigError, Flags};

/// Reads the variables that the settings depend on. Others may hold any bytes.
pub(super) fn environment() -> Result<BTreeMap<String, String>, ConfigError> {
    let mut found = BTreeMap::new();
    for (name, value) in std::env::vars_os() {
        let Ok(name) = name.into_string() else { continue };
        if name.starts_with("ROOST_")
            || matches!(name.as_str(), "XDG_CACHE_HOME" | "XDG_RUNTIME_DIR" | "HOME")
        {
            let value = value.into_string();
            let value = value.map_err(|_| ConfigError::VariableNotText { variable: name.clone() })?;
            found.insert(name, value);
        }
    }
    Ok(found)
}

/// Reads the settings file: the one of `--config`, which must exist, or `roost.toml` in the project
/// directory, which may be missing. A `project.directory` inside the file does not lead to another.
pub(super) fn read(
    flags: &Flags,
    environment: &BTreeMap<String, String>,
) -> Result<Option<(PathBuf, String)>, ConfigError> {
    let path = flags.config.clone().unwrap_or_else(|| {
        let variable = environment.get("ROOST__PROJECT__DIRECTORY").map(PathBuf::from);
        let project = flags.project.clone().or(variable);
        project.unwrap_or_default().join("roost.toml")
    });
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some((path, text))),
        Err(error) if error.kind() == ErrorKind::NotFound && flags.config.is_none() => Ok(None),
        Err(reason) => Err(ConfigError::FileUnreadable { path, reason }),
    }
}
