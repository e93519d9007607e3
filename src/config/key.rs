//! The keys that exist, with the type and the default of each.

use std::path::Path;

use ::config::{Value, ValueKind};

use super::{ConfigError, Origin, Place};

/// Keys whose value is a path and becomes absolute.
const PATHS: [&str; 4] = ["project.directory", "data.directory", "engine.library", "engine.executable"];

/// Keys that also have a short variable.
const SHORT_VARIABLES: [(&str, &str); 2] =
    [("ROOST_ADMIN_TOKEN", "tokens.admin"), ("ROOST_ENGINE_LIB", "engine.library")];

/// One key of `defaults.toml`.
#[derive(Debug, Clone)]
pub(super) struct Key {
    /// The name with its section, as in `server.port`.
    pub(super) name: String,
    /// The value in `defaults.toml`; it fixes the type.
    pub(super) default: ValueKind,
}

impl Key {
    /// The variable that sets this key, as in `ROOST__SERVER__PORT`.
    pub(super) fn variable(&self) -> String {
        format!("ROOST__{}", self.name.to_uppercase().replace('.', "__"))
    }

    /// Whether a variable, short or long, sets this key.
    pub(super) fn is_set_by(&self, variable: &str) -> bool {
        self.variable() == variable || SHORT_VARIABLES.contains(&(variable, &self.name))
    }

    /// The key in the spelling of the given source.
    pub(super) fn spelled_as(&self, origin: &Origin) -> String {
        match origin {
            Origin::Variable(_) => self.variable(),
            _ => format!("`{}`", self.name),
        }
    }

    /// Checks a value against the type of this key and makes a path absolute.
    pub(super) fn check(
        &self,
        value: ValueKind,
        origin: &Origin,
        base: &Path,
    ) -> Result<ValueKind, ConfigError> {
        let found = type_name(&value);
        let checked = match (&self.default, value) {
            (ValueKind::I64(_), ValueKind::I64(number)) => Some(ValueKind::I64(number)),
            (ValueKind::I64(_), ValueKind::String(text)) if !matches!(origin, Origin::File(_)) => {
                text.trim().parse().ok().map(ValueKind::I64)
            }
            (ValueKind::String(_), ValueKind::String(text)) if self.is_path() && !text.is_empty() => {
                Some(ValueKind::String(self.absolute(&text, origin, base)?))
            }
            (ValueKind::String(_), ValueKind::String(text)) => Some(ValueKind::String(text)),
            _ => None,
        };
        checked.ok_or_else(|| ConfigError::WrongType {
            place: self.place(origin),
            expected: type_name(&self.default),
            example: self.example(origin),
            found,
        })
    }

    fn is_path(&self) -> bool {
        PATHS.contains(&self.name.as_str())
    }

    fn absolute(&self, text: &str, origin: &Origin, base: &Path) -> Result<String, ConfigError> {
        let unusable = |rule: String| ConfigError::InvalidValue { place: self.place(origin), rule };
        let path = std::path::absolute(base.join(text)).map_err(|error| unusable(error.to_string()))?;
        let text = path.into_os_string().into_string();
        text.map_err(|path| unusable(format!("the path {} is not valid UTF-8", path.display())))
    }

    fn place(&self, origin: &Origin) -> Place {
        Place { key: self.name.as_str().into(), origin: origin.clone() }
    }

    fn example(&self, origin: &Origin) -> String {
        let key = last_part(&self.name);
        match (&self.default, origin) {
            (default, Origin::Variable(_)) => format!("{}={default}", self.variable()),
            (ValueKind::String(text), _) => format!("`{key} = {text:?}`"),
            (default, _) => format!("`{key} = {default}`"),
        }
    }
}

/// Lists the leaves below a table; an empty table is a leaf itself.
pub(super) fn leaves(table: impl IntoIterator<Item = (String, Value)>) -> Vec<(String, ValueKind)> {
    let mut found = Vec::new();
    let mut open: Vec<(String, Value)> = table.into_iter().collect();
    while let Some((name, value)) = open.pop() {
        match value.kind {
            ValueKind::Table(table) if !table.is_empty() => {
                open.extend(table.into_iter().map(|(key, value)| (format!("{name}.{key}"), value)));
            }
            kind => found.push((name, kind)),
        }
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

/// What a value is called in a message.
fn type_name(value: &ValueKind) -> &'static str {
    match value {
        ValueKind::Nil => "nothing",
        ValueKind::Boolean(_) => "a boolean",
        ValueKind::I64(_) | ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) => "a whole number",
        ValueKind::Float(_) => "a fraction",
        ValueKind::String(_) => "a string",
        ValueKind::Table(_) => "a section",
        ValueKind::Array(_) => "a list",
    }
}

/// The key that looks most like a name. A key that is used as a section comes first; then the
/// whole names count, and the last parts with a small handicap, for keys in the wrong section.
pub(super) fn nearest<'a>(keys: &'a [Key], name: &str) -> Option<&'a Key> {
    let distance = strsim::damerau_levenshtein;
    keys.iter().min_by_key(|key| {
        let is_section = name.strip_prefix(&key.name).is_some_and(|rest| rest.starts_with('.'));
        let whole = distance(&key.name, name);
        let part = distance(last_part(&key.name), last_part(name));
        (!is_section, whole.min(part + 1), whole)
    })
}

fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or_default()
}
