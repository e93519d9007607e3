//! The sources of settings, laid over each other.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

use ::config::{File, FileFormat, Map, Source, Value, ValueKind};
use serde::de::DeserializeOwned;

use super::key::{Key, leaves, nearest};
use super::{ConfigError, DEFAULTS, Flags, Origin, Place};

/// The settings read so far, each with the source that set it last. Not `Debug`: it holds secrets.
pub(super) struct Layers {
    keys: Vec<Key>,
    values: BTreeMap<String, (ValueKind, Origin)>,
}

impl Layers {
    /// Starts with the defaults.
    pub(super) fn defaults() -> Result<Self, ConfigError> {
        let defaults = parse(Path::new("defaults.toml"), DEFAULTS)?;
        let keys = leaves(defaults).into_iter().map(|(name, default)| Key { name, default }).collect();
        let mut layers = Self { keys, values: BTreeMap::new() };
        for key in layers.keys.clone() {
            layers.set(&key, key.default.clone(), Origin::Defaults, Path::new(""))?;
        }
        Ok(layers)
    }

    /// Lays a settings file over what is there.
    pub(super) fn add_file(&mut self, path: &Path, text: &str) -> Result<(), ConfigError> {
        let origin = Origin::File(path.to_owned());
        let base = path.parent().unwrap_or(Path::new(""));
        for (name, value) in leaves(parse(path, text)?) {
            if self.is_empty_section(&name, &value) {
                continue;
            }
            match self.key(&name) {
                Some(key) => self.set(&key, value, origin.clone(), base)?,
                None => return Err(self.unknown(&name, origin)),
            }
        }
        Ok(())
    }

    /// Lays the variables that begin with `ROOST__`, and the two short ones, over what is there.
    pub(super) fn add_environment(
        &mut self,
        environment: &BTreeMap<String, String>,
    ) -> Result<(), ConfigError> {
        for (variable, text) in environment {
            let origin = Origin::Variable(variable.clone());
            let key = self.keys.iter().find(|key| key.is_set_by(variable)).cloned();
            match (key, variable.strip_prefix("ROOST__")) {
                (Some(_), None) if text.is_empty() => {}
                (Some(key), _) => {
                    refuse_second_variable(&key, variable, environment)?;
                    self.set(&key, text.as_str().into(), origin, Path::new(""))?;
                }
                (None, Some(name)) => {
                    return Err(self.unknown(&name.to_lowercase().replace("__", "."), origin));
                }
                (None, None) => {}
            }
        }
        Ok(())
    }

    /// Lays the flags over what is there.
    pub(super) fn add_flags(&mut self, flags: &Flags) -> Result<(), ConfigError> {
        let port = flags.port.map(|port| port.to_string());
        let given: [(&'static str, &str, Option<&OsStr>); 4] = [
            ("--project", "project.directory", flags.project.as_deref().map(Path::as_os_str)),
            ("--data-dir", "data.directory", flags.data_dir.as_deref().map(Path::as_os_str)),
            ("--host", "server.host", flags.host.as_deref().map(OsStr::new)),
            ("--port", "server.port", port.as_deref().map(OsStr::new)),
        ];
        for (flag, name, value) in given {
            if let (Some(key), Some(value)) = (self.key(name), value) {
                let origin = Origin::Flag(flag);
                let text = value.to_str().ok_or_else(|| ConfigError::InvalidValue {
                    place: Place { key: name.into(), origin: origin.clone() },
                    rule: "its text is not valid UTF-8".to_owned(),
                })?;
                self.set(&key, text.into(), origin, Path::new(""))?;
            }
        }
        Ok(())
    }

    /// Reads the sections out of the layers.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        ::config::Config::builder()
            .add_source(Merged(self.values.clone()))
            .build()
            .and_then(::config::Config::try_deserialize)
            .map_err(|error| self.invalid(error))
    }

    /// The place where a key was set.
    pub(super) fn place(&self, name: &str) -> Place {
        let origin = self.values.get(name).map_or(Origin::Defaults, |(_, origin)| origin.clone());
        Place { key: name.into(), origin }
    }

    /// The place where a key was set to something else than its default.
    pub(super) fn changed(&self, name: &str) -> Option<Place> {
        Some(self.place(name)).filter(|place| place.origin != Origin::Defaults)
    }

    /// Refuses a number that is larger than another one of the same unit.
    pub(super) fn at_most(&self, smaller: &str, larger: &str) -> Result<(), ConfigError> {
        match (self.number(smaller), self.number(larger)) {
            (Some(small), Some(large)) if small > large => Err(ConfigError::Contradiction {
                first: self.place(smaller),
                second: self.place(larger),
                rule: format!("{small} is more than {large}; lower the first or raise the second"),
            }),
            _ => Ok(()),
        }
    }

    fn number(&self, name: &str) -> Option<i64> {
        match self.values.get(name) {
            Some((ValueKind::I64(number), _)) => Some(*number),
            _ => None,
        }
    }

    fn key(&self, name: &str) -> Option<Key> {
        self.keys.iter().find(|key| key.name == name).cloned()
    }

    fn set(&mut self, key: &Key, value: ValueKind, origin: Origin, base: &Path) -> Result<(), ConfigError> {
        let written = value.clone();
        let value = key.check(value, &origin, base)?;
        let is_default = written == key.default || value == key.default;
        let origin = if is_default { Origin::Defaults } else { origin };
        self.values.insert(key.name.clone(), (value, origin));
        Ok(())
    }

    fn is_empty_section(&self, name: &str, value: &ValueKind) -> bool {
        let section = format!("{name}.");
        matches!(value, ValueKind::Table(_)) && self.keys.iter().any(|key| key.name.starts_with(&section))
    }

    fn unknown(&self, name: &str, origin: Origin) -> ConfigError {
        let nearest = nearest(&self.keys, name).map(|key| key.spelled_as(&origin)).unwrap_or_default();
        ConfigError::UnknownKey { place: Place { key: name.into(), origin }, nearest }
    }

    /// Gives an error of the typed reading its place.
    fn invalid(&self, error: ::config::ConfigError) -> ConfigError {
        let (key, rule) = match error {
            ::config::ConfigError::At { key: Some(key), error, .. } => (key, error.to_string()),
            ::config::ConfigError::Type { key: Some(key), expected, .. } => {
                (key, format!("expected {expected}"))
            }
            other => (String::new(), other.to_string()),
        };
        ConfigError::InvalidValue { place: self.place(&key), rule }
    }
}

/// Two variables for one key must agree.
fn refuse_second_variable(
    key: &Key,
    variable: &str,
    environment: &BTreeMap<String, String>,
) -> Result<(), ConfigError> {
    let long = key.variable();
    let place =
        |name: &str| Place { key: key.name.as_str().into(), origin: Origin::Variable(name.to_owned()) };
    match environment.get(&long) {
        Some(text) if environment.get(variable) != Some(text) => Err(ConfigError::Contradiction {
            first: place(variable),
            second: place(&long),
            rule: "both set the same key; unset one of them".to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Reads TOML. Lines of the file are left out of the error: they may hold a secret.
fn parse(path: &Path, text: &str) -> Result<Map<String, Value>, ConfigError> {
    File::from_str(text, FileFormat::Toml).collect().map_err(|error| {
        let message = error.to_string();
        let reason: Vec<_> = message.lines().filter(|line| !line.contains('|')).collect();
        ConfigError::FileSyntax { path: path.to_owned(), reason: reason.join(": ") }
    })
}

/// The layers as one source for the `config` crate.
#[derive(Clone)]
struct Merged(BTreeMap<String, (ValueKind, Origin)>);

impl fmt::Debug for Merged {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Merged")
    }
}

impl Source for Merged {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ::config::ConfigError> {
        let value = |kind: &ValueKind| Value::new(None, kind.clone());
        Ok(self.0.iter().map(|(name, (kind, _))| (name.clone(), value(kind))).collect())
    }
}
