//! Projects of servers under test: datafiles in memory, laid out when a server starts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// Datafiles by their path below the project's directory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Project(BTreeMap<String, String>);

impl Project {
    /// The repository's own project: the clickstream of the tutorial.
    pub(crate) fn clickstream() -> Self {
        let mut project = Self::default();
        for folder in ["datasources", "pipes"] {
            let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            for entry in std::fs::read_dir(directory).unwrap() {
                let entry = entry.unwrap();
                let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
                project = project.with(&path, &std::fs::read_to_string(entry.path()).unwrap());
            }
        }
        project
    }

    /// A data source whose columns are read from the keys of their names. A column is written
    /// `name Type`, with a DEFAULT behind it if it has one; the first is the sorting key.
    pub(crate) fn data_source(self, name: &str, columns: &[&str]) -> Self {
        let mut text = "SCHEMA >\n".to_owned();
        for (number, column) in columns.iter().enumerate() {
            let (column, rest) = column.split_once(' ').unwrap();
            let (data_type, default) = rest.split_once(" DEFAULT ").unwrap_or((rest, ""));
            let separator = if number == 0 { "" } else { ",\n" };
            write!(text, "{separator}    `{column}` {data_type} `json:$.{column}`").unwrap();
            if !default.is_empty() {
                write!(text, " DEFAULT {default}").unwrap();
            }
        }
        let sorting_key = columns[0].split(' ').next().unwrap();
        write!(text, "\n\nENGINE \"MergeTree\"\nENGINE_SORTING_KEY \"{sorting_key}\"\n").unwrap();
        self.with(&format!("datasources/{name}.datasource"), &text)
    }

    /// A pipe with one node, published. Its SQL is a template.
    pub(crate) fn endpoint(self, name: &str, sql: &str) -> Self {
        let lines: String = sql.lines().fold(String::new(), |text, line| text + "    " + line.trim() + "\n");
        let text = format!("NODE endpoint\nSQL >\n    %\n{lines}\nTYPE endpoint\n");
        self.with(&format!("pipes/{name}.pipe"), &text)
    }

    /// Adds a file, or puts it in the place of another.
    pub(crate) fn with(mut self, path: &str, text: &str) -> Self {
        self.0.insert(path.to_owned(), text.to_owned());
        self
    }

    /// Takes a file away.
    pub(crate) fn without(mut self, path: &str) -> Self {
        self.0.remove(path).expect("the file is there");
        self
    }

    /// Replaces a text that a file holds once.
    pub(crate) fn edited(mut self, path: &str, old: &str, new: &str) -> Self {
        let text = self.0.get_mut(path).expect("the file is there");
        assert_eq!(text.matches(old).count(), 1, "{old:?} in {text}");
        *text = text.replace(old, new);
        self
    }

    /// Makes `directory` hold these files and no other datafiles.
    pub(crate) fn write(&self, directory: &Path) {
        for folder in ["datasources", "pipes"] {
            let folder = directory.join(folder);
            let _ = std::fs::remove_dir_all(&folder);
            std::fs::create_dir_all(&folder).unwrap();
        }
        for (path, text) in &self.0 {
            std::fs::write(directory.join(path), text).unwrap();
        }
    }
}
