//! What a request sends.

use foldhash::HashMap;
use serde_json::{Map, Value as Json};

/// The parameters of one request, by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Arguments {
    values: HashMap<String, ArgumentValue>,
}

/// The value of one parameter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ArgumentValue {
    /// From a query string.
    Text(String),
    /// From a query string that repeats the key.
    List(Vec<String>),
    /// From a JSON body; null means that the parameter is missing.
    Json(Json),
}

impl Arguments {
    /// No parameters at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// From the pairs of a query string; a repeated key makes a list.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut arguments = Self::new();
        for (name, value) in pairs {
            arguments.add(name, value);
        }
        arguments
    }

    /// From the object of a JSON body.
    pub fn from_json(object: &Map<String, Json>) -> Self {
        let values = object.iter().map(|(name, value)| (name.clone(), ArgumentValue::Json(value.clone())));
        Self { values: values.collect() }
    }

    /// Adds a text; a name that is there already gets a list.
    pub fn add(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let (name, value) = (name.into(), value.into());
        let value = match self.values.remove(&name) {
            Some(ArgumentValue::Text(first)) => ArgumentValue::List(vec![first, value]),
            Some(ArgumentValue::List(mut several)) => {
                several.push(value);
                ArgumentValue::List(several)
            }
            Some(ArgumentValue::Json(_)) | None => ArgumentValue::Text(value),
        };
        self.values.insert(name, value);
    }

    /// Puts the value under the name, in place of what was there.
    pub fn insert(&mut self, name: impl Into<String>, value: ArgumentValue) {
        self.values.insert(name.into(), value);
    }

    /// The value of a parameter, if it was sent.
    pub fn get(&self, name: &str) -> Option<&ArgumentValue> {
        self.values.get(name)
    }

    /// How many parameters there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// True where nothing was sent.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// All names with their values, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ArgumentValue)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_key_is_a_list() {
        let arguments = Arguments::from_pairs([("a", "1"), ("b", "2"), ("a", "3"), ("a", "4")]);
        assert_eq!(arguments.get("b"), Some(&ArgumentValue::Text("2".into())));
        assert_eq!(arguments.get("a"), Some(&ArgumentValue::List(vec!["1".into(), "3".into(), "4".into()])));
    }
}
