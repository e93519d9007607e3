//! Settings of a table: those that were asked for and those that every table gets.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Engine, EngineFamily, EngineProblem};
use crate::schema::expression::{Expression, Token, TokenKind};
use crate::schema::quoting;

/// One setting of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Its name.
    pub name: Box<str>,
    /// Its value.
    pub value: SettingValue,
}

/// A value of a setting. Only plain values: a `disk(...)` could read any file of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SettingValue {
    /// A number that is no negative and no fraction.
    Whole(u64),
    /// `true` or `false`.
    Flag(bool),
    /// Another number, as written.
    Number {
        /// The digits.
        number: Box<str>,
    },
    /// A text, unquoted.
    Text(Box<str>),
}

/// Values below which a table may lose rows in a crash, or refuse to load after one: merged parts
/// are kept until the merge is surely on disk, and broken parts are set aside rather than feared.
const LOWER_BOUNDS: &[(&str, u64)] = &[
    ("old_parts_lifetime", 480),
    ("max_suspicious_broken_parts", 1_000_000),
    ("max_suspicious_broken_parts_bytes", 1_000_000_000_000),
];

impl Setting {
    fn whole(name: &str, value: u64) -> Self {
        Self { name: name.into(), value: SettingValue::Whole(value) }
    }

    /// True for what ClickHouse would do anyway, and for what is not shown for that reason.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::whole("index_granularity", 8192)
    }

    /// Reads `name = value, ...`.
    pub(super) fn parse_all(text: &str) -> Result<Vec<Self>, EngineProblem> {
        let refuse = || EngineProblem::Settings(text.to_owned());
        let list = Expression::parse(text).map_err(|_| refuse())?;
        list.items().into_iter().map(|item| Self::parse(item).ok_or_else(refuse)?.bounded()).collect()
    }

    fn parse(item: &str) -> Option<Self> {
        let item = Expression::parse(item).ok()?;
        let tokens = item.tokens();
        let [name, equals, value @ ..] = tokens.as_slice() else { return None };
        if name.kind != TokenKind::Word || equals.text != "=" {
            return None;
        }
        Some(Self { name: name.text.into(), value: SettingValue::read(value)? })
    }

    fn bounded(self) -> Result<Self, EngineProblem> {
        let bound = LOWER_BOUNDS.iter().find(|(name, _)| **name == *self.name);
        match (bound, &self.value) {
            (None, _) => Ok(self),
            (Some((_, least)), SettingValue::Whole(value)) if value >= least => Ok(self),
            (Some(&(name, least)), _) => Err(EngineProblem::LoweredSetting { name, least }),
        }
    }
}

impl SettingValue {
    fn read(tokens: &[Token<'_>]) -> Option<Self> {
        match tokens {
            [Token { kind: TokenKind::Number, text, .. }] => {
                Some(text.parse().map_or_else(|_| Self::Number { number: (*text).into() }, Self::Whole))
            }
            [Token { text: "-", .. }, Token { kind: TokenKind::Number, text, .. }] => {
                Some(Self::Number { number: format!("-{text}").into() })
            }
            [Token { kind: TokenKind::Text, text, .. }] => {
                quoting::read(text, '\'').map(|(said, _)| Self::Text(said.into()))
            }
            [Token { kind: TokenKind::Word, text, .. }] => {
                text.to_ascii_lowercase().parse().ok().map(Self::Flag)
            }
            _ => None,
        }
    }
}

impl fmt::Display for SettingValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(number) => write!(formatter, "{number}"),
            Self::Flag(flag) => write!(formatter, "{flag}"),
            Self::Number { number } => formatter.write_str(number),
            Self::Text(text) => formatter.write_str(&quoting::string(text)),
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} = {}", self.name, self.value)
    }
}

impl Engine {
    /// All settings that the table is made with: what every table gets, then what was asked for.
    pub fn effective_settings(&self) -> Vec<Setting> {
        if self.family == EngineFamily::Null {
            return Vec::new();
        }
        let mut settings: Vec<Setting> =
            LOWER_BOUNDS.iter().map(|&(name, value)| Setting::whole(name, value)).collect();
        settings.push(Setting::whole("allow_nullable_key", 1));
        if self.family == EngineFamily::Aggregating {
            settings.push(Setting::whole("allow_dimensions_outside_sorting_key", 1));
        }
        if self.expires_by_partition() {
            settings.push(Setting::whole("ttl_only_drop_parts", 1));
        }
        settings.retain(|own| !self.settings.iter().any(|asked| asked.name == own.name));
        settings.extend(self.settings.iter().cloned());
        settings
    }
}
