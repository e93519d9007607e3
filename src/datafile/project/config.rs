//! `tinybird.config.json`: where the project is and how it is developed.

use serde_json::Value;

/// The names of the file, the preferred one first; looked for from the working directory upwards.
pub const FILE_NAMES: [&str; 2] = ["tinybird.config.json", "tinybird.json"];

/// What the file says, as far as it concerns datafiles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectConfig {
    /// The project folder, relative to the file; where it is absent, and `include` is given, the
    /// folder of the file.
    pub folder: Option<String>,
    /// Paths and globs of the files that belong to the project.
    pub include: Vec<String>,
    /// Where `tb dev` and `tb build` go.
    pub dev_mode: Option<DevMode>,
    /// True for `last_partition`: branches begin with the newest rows.
    pub branches_with_last_partition: bool,
    /// The token, perhaps as `${NAME}`.
    pub token: Option<String>,
    /// The address of the API, perhaps as `${NAME}`.
    pub base_url: Option<String>,
}

/// Where a project is developed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DevMode {
    /// `manual`.
    Manual,
    /// `local`.
    Local,
    /// `branch`.
    Branch,
}

/// Why a configuration is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A key of an older release.
    #[error("`branch_data_on_create` has been renamed: write \"branch_data_mode\": \"last_partition\"")]
    Renamed,
    /// A way of filling branches that does not exist.
    #[error("`{0}` is no branch_data_mode: the only one is last_partition")]
    BranchDataMode(String),
}

impl ProjectConfig {
    /// Reads the text of the file. A text that is no JSON object is ignored, as Tinybird does, and
    /// so are values of other types.
    pub fn parse(text: &str) -> Result<Option<Self>, ConfigError> {
        let Ok(Value::Object(keys)) = serde_json::from_str(text) else { return Ok(None) };
        if keys.contains_key("branch_data_on_create") {
            return Err(ConfigError::Renamed);
        }
        let word = |key: &str| keys.get(key).and_then(Value::as_str).map(str::to_owned);
        let branch_data_mode = word("branch_data_mode");
        if let Some(other) = branch_data_mode.as_ref().filter(|mode| *mode != "last_partition") {
            return Err(ConfigError::BranchDataMode(other.clone()));
        }
        Ok(Some(Self {
            folder: word("folder"),
            include: keys.get("include").map_or_else(Vec::new, include),
            dev_mode: word("dev_mode").or_else(|| word("devMode")).and_then(|mode| dev_mode(&mode)),
            branches_with_last_partition: branch_data_mode.is_some(),
            token: word("token"),
            base_url: word("baseUrl"),
        }))
    }
}

fn include(value: &Value) -> Vec<String> {
    match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(all) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn dev_mode(word: &str) -> Option<DevMode> {
    match word {
        "manual" => Some(DevMode::Manual),
        "local" => Some(DevMode::Local),
        "branch" => Some(DevMode::Branch),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_the_mode_and_both_shapes_of_include_are_read() {
        let config = ProjectConfig::parse(r#"{"dev_mode": "local", "folder": "tinybird"}"#).unwrap().unwrap();
        assert_eq!(config.dev_mode, Some(DevMode::Local));
        assert_eq!(config.folder.as_deref(), Some("tinybird"));
        let text =
            r#"{"include": ["lib/*.ts"], "token": "${TOKEN}", "baseUrl": "http://x", "devMode": "branch"}"#;
        let config = ProjectConfig::parse(text).unwrap().unwrap();
        assert_eq!(config.include, ["lib/*.ts"]);
        assert_eq!(config.dev_mode, Some(DevMode::Branch));
        assert_eq!(ProjectConfig::parse(r#"{"include": "a"}"#).unwrap().unwrap().include, ["a"]);
        assert_eq!(ProjectConfig::parse(r#"{"devMode": "cloud"}"#).unwrap().unwrap().dev_mode, None);
    }

    #[test]
    fn what_is_no_object_is_ignored_and_a_renamed_key_is_not() {
        assert_eq!(ProjectConfig::parse("[1]"), Ok(None));
        assert_eq!(ProjectConfig::parse("{"), Ok(None));
        assert_eq!(ProjectConfig::parse(r#"{"branch_data_on_create": 1}"#), Err(ConfigError::Renamed));
        let other = ProjectConfig::parse(r#"{"branch_data_mode": "all"}"#);
        assert_eq!(other, Err(ConfigError::BranchDataMode("all".into())));
    }
}
