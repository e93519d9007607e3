//! What `roost serve` prints when it serves: where, with which token, and lines to paste.
//!
//! Pure: the example event and call are worked out from the project's own schema, so that the
//! pasted lines return rows whatever the project is.

use std::net::SocketAddr;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::auth::Identity;
use crate::catalog::{DataSource, Pipe, Workspace};
use crate::config::Config;
use crate::schema::{Column, DataType};

/// What the text is about.
pub(super) struct Welcome<'a> {
    pub(super) settings: &'a Config,
    pub(super) data_directory: &'a Path,
    pub(super) address: SocketAddr,
    pub(super) workspace: &'a Workspace,
    pub(super) now: DateTime<Utc>,
}

impl Welcome<'_> {
    /// The whole text.
    pub(super) fn text(&self) -> String {
        let Self { settings, workspace, .. } = self;
        let project = settings.project.directory.display();
        let (sources, pipes) = (workspace.data_sources.len(), workspace.pipes.len());
        let mut lines = vec![
            format!("Roost {} serves {project} on {}", env!("CARGO_PKG_VERSION"), self.url()),
            String::new(),
            format!("  data sources {sources}, pipes {pipes}"),
            format!("  admin token  {}", self.token_place()),
            format!("  all tokens   {}", self.token_command()),
        ];
        lines.extend(self.example());
        lines.push(String::new());
        lines.join("\n")
    }

    /// An address that can be called from this machine.
    fn url(&self) -> String {
        let port = self.address.port();
        match self.address {
            address if address.ip().is_unspecified() || address.ip().is_loopback() => {
                format!("http://localhost:{port}")
            }
            address => format!("http://{address}"),
        }
    }

    fn token_place(&self) -> String {
        match self.settings.tokens.admin {
            Some(_) => "the one given in the settings (ROOST_ADMIN_TOKEN)".to_owned(),
            None => Identity::admin_token_file(self.data_directory).display().to_string(),
        }
    }

    /// The command that shows all tokens of this very server.
    fn token_command(&self) -> String {
        let project = shell_word(&self.settings.project.directory);
        let data = shell_word(self.data_directory);
        format!("roost token ls --project {project} --data-dir {data}")
    }

    /// Two curl lines: one that writes an event, one that reads it back.
    fn example(&self) -> Vec<String> {
        let Some(data_source) = self.workspace.data_sources.values().find(|source| takes_events(source))
        else {
            return Vec::new();
        };
        let token = match self.settings.tokens.admin {
            Some(_) => "$ROOST_ADMIN_TOKEN".to_owned(),
            None => format!("$(cat {})", shell_word(&Identity::admin_token_file(self.data_directory))),
        };
        let url = self.url();
        let name = &data_source.name;
        let event = self.event(data_source);
        let mut lines = vec![
            String::new(),
            "Try it in another terminal:".to_owned(),
            String::new(),
            format!(
                "  curl -H \"Authorization: Bearer {token}\" \"{url}/v0/events?name={name}&wait=true\" -d '{event}'"
            ),
        ];
        if let Some((pipe, parameters)) = self.call(data_source, &event) {
            let name = &pipe.name;
            lines.push(format!(
                "  curl -H \"Authorization: Bearer {token}\" \"{url}/v0/pipes/{name}.json{parameters}\""
            ));
        }
        lines
    }

    fn event(&self, data_source: &DataSource) -> Value {
        let mut event = Value::Object(Map::new());
        for column in &data_source.table.columns {
            if let Some(path) = &column.json_path
                && !path.keys().is_empty()
            {
                put(&mut event, path.keys(), self.value(column));
            }
        }
        event
    }

    fn value(&self, column: &Column) -> Value {
        let Some(data_type) = column.data_type.as_ref() else { return Value::Null };
        match data_type.plain() {
            DataType::FixedString(_) => json!("x"),
            DataType::String => json!(format!("{}_1", column.name)),
            DataType::DateTime { .. } | DataType::DateTime64 { .. } => {
                json!(self.now.format("%Y-%m-%d %H:%M:%S").to_string())
            }
            DataType::Date | DataType::Date32 => json!(self.now.format("%Y-%m-%d").to_string()),
            DataType::Uuid => json!("00000000-0000-4000-8000-000000000001"),
            DataType::Bool => json!(true),
            DataType::Ipv4 => json!("127.0.0.1"),
            DataType::Ipv6 => json!("::1"),
            DataType::Enum { values, .. } => json!(values.first().map(|(name, _)| name)),
            DataType::Array(_) | DataType::Nested(_) => json!([]),
            DataType::Map(..) | DataType::Json(_) | DataType::Tuple(_) => json!({}),
            _ => json!(1),
        }
    }

    /// An endpoint that finds the event: one that requires the value of a column, by its name.
    fn call<'a>(&'a self, data_source: &DataSource, event: &Value) -> Option<(&'a Pipe, String)> {
        let columns = &data_source.table.columns;
        let endpoints = self.workspace.pipes.values().filter(|pipe| pipe.is_endpoint());
        endpoints.map(AsRef::as_ref).find_map(|pipe: &Pipe| {
            let wanted = columns.iter().find(|column| pipe.requires(column.name.as_str()))?;
            let keys = wanted.json_path.as_ref()?.keys();
            let value = keys.iter().try_fold(event, |value, key| value.get(&**key))?.as_str()?;
            let pair = form_urlencoded::Serializer::new(String::new())
                .append_pair(wanted.name.as_str(), value)
                .finish();
            Some((pipe, format!("?{pair}")))
        })
    }
}

/// A path as one word of a shell command.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

fn takes_events(data_source: &DataSource) -> bool {
    data_source.table.columns.iter().any(|column| column.json_path.is_some())
}

/// Puts a value at a path of keys, making the objects on the way.
fn put(object: &mut Value, keys: &[Box<str>], value: Value) {
    let Some((first, rest)) = keys.split_first() else { return };
    let slot = &mut object[&**first];
    if rest.is_empty() {
        *slot = value;
    } else {
        if !slot.is_object() {
            *slot = json!({});
        }
        put(slot, rest, value);
    }
}
