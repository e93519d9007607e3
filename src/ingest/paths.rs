//! JSON paths of a table as a tree, walked along with each event.

use std::collections::HashMap;

use super::json::{JsonError, JsonText, JsonValue, for_each_member};
use crate::schema::JsonPath;

/// The value that an event holds for each column; `None` where it holds none.
pub(super) type Slots<'a> = Vec<Option<JsonText<'a>>>;

/// All paths of a table, put together by their keys.
#[derive(Debug, Default)]
pub(super) struct PathTree {
    columns: Vec<usize>,
    children: Vec<(Box<str>, PathTree)>,
    places: HashMap<Box<str>, usize>,
}

impl PathTree {
    /// Adds the path of the column with this number.
    pub(super) fn add(&mut self, path: &JsonPath, column: usize) {
        let mut node = self;
        for key in path.keys() {
            let place = *node.places.entry(key.clone()).or_insert_with(|| {
                node.children.push((key.clone(), Self::default()));
                node.children.len() - 1
            });
            node = &mut node.children[place].1;
        }
        node.columns.push(column);
    }

    /// Finds the values of all columns in an event and returns how many keys were looked at; of a
    /// path that occurs twice the last value counts.
    pub(super) fn collect<'a>(&self, event: &'a str, slots: &mut Slots<'a>) -> Result<usize, JsonError> {
        let mut keys = 0;
        let whole = self.descend(event, slots, &mut keys)?;
        for column in &self.columns {
            slots[*column] = Some(whole);
        }
        Ok(keys)
    }

    fn descend<'a>(
        &self,
        object: &'a str,
        slots: &mut Slots<'a>,
        keys: &mut usize,
    ) -> Result<JsonText<'a>, JsonError> {
        let mut expected = 0;
        let mut outcome = Ok(());
        let whole = for_each_member(object, &mut |key, value| {
            *keys += 1;
            if let Some(place) = self.place(key, expected) {
                expected = place + 1;
                if let Err(error) = self.children[place].1.take(value, slots, keys) {
                    outcome = Err(error);
                }
            }
        })?;
        outcome.map(|()| whole)
    }

    fn take<'a>(
        &self,
        value: JsonText<'a>,
        slots: &mut Slots<'a>,
        keys: &mut usize,
    ) -> Result<(), JsonError> {
        for column in &self.columns {
            slots[*column] = Some(value);
        }
        match value.read() {
            Some(JsonValue::Object(object)) if !self.children.is_empty() => {
                self.descend(object.as_str(), slots, keys).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Events mostly hold their keys in the order of the columns: looks there first.
    fn place(&self, key: &str, expected: usize) -> Option<usize> {
        match self.children.get(expected) {
            Some((name, _)) if **name == *key => Some(expected),
            _ => self.places.get(key).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(paths: &[&str], event: &str) -> Vec<Option<String>> {
        let mut tree = PathTree::default();
        for (column, path) in paths.iter().enumerate() {
            tree.add(&JsonPath::parse(path).unwrap(), column);
        }
        let mut slots = vec![None; paths.len()];
        tree.collect(event, &mut slots).unwrap();
        slots.into_iter().map(|slot| slot.map(|text| text.as_str().to_owned())).collect()
    }

    #[test]
    fn values_are_found_whatever_the_order_of_keys() {
        let found = collect(&["$.a", "$.b.c", "$.b.d", "$.e"], r#"{"x":[{}],"b":{"d":[1],"c":"t"},"a":1}"#);
        assert_eq!(found, [Some("1".into()), Some("\"t\"".into()), Some("[1]".into()), None]);
    }

    #[test]
    fn a_path_may_end_where_another_goes_on() {
        let found = collect(&["$.b", "$.b.c", "$", "$.b"], r#" {"b":{"c":2}} "#);
        let (inner, whole) = (Some(r#"{"c":2}"#.to_owned()), Some(r#"{"b":{"c":2}}"#.to_owned()));
        assert_eq!(found, [inner.clone(), Some("2".into()), whole, inner]);
    }

    #[test]
    fn a_path_through_a_text_or_an_array_finds_nothing() {
        assert_eq!(collect(&["$.a.b"], r#"{"a":"b"}"#), [None]);
        assert_eq!(collect(&["$.a.b"], r#"{"a":[{"b":1}]}"#), [None]);
    }

    #[test]
    fn of_a_key_that_occurs_twice_the_last_value_counts() {
        assert_eq!(collect(&["$.a"], r#"{"a":1,"a":2}"#), [Some("2".into())]);
    }
}
