//! The project's datafiles on disk.
//!
//! In: a directory; `tinybird.config.json` in it may name the project's folder and its files.  Out:
//! the datafiles of the project, each with its path relative to the project's folder.  Left out are
//! hidden folders, `node_modules`, `target`, and `tests` and `fixtures` at the top, which by
//! Tinybird's convention hold no datafiles.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::DeployError;
use crate::datafile::project::Role;

mod config;

use config::Selection;

/// Folders below the project's; real projects have two levels.
const MAX_DEPTH: usize = 8;
/// Datafiles of one project; the largest public one has 262.
const MAX_FILES: usize = 20_000;
/// Bytes of one datafile.
const MAX_FILE_BYTES: u64 = 1 << 20;

const SKIPPED_EVERYWHERE: [&str; 2] = ["node_modules", "target"];
const SKIPPED_AT_THE_TOP: [&str; 2] = ["tests", "fixtures"];

/// One datafile as it lies on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectFile {
    /// Its path below the project's directory, with `/` between folders.
    pub path: String,
    /// Its text, or why it has none.
    pub text: Result<String, Unreadable>,
}

/// Why a datafile has no text. The other files are still checked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// No datafile is that long.
    #[error("the file is longer than {limit} bytes")]
    TooLong {
        /// The longest that is read.
        limit: u64,
    },
    /// Datafiles are text.
    #[error("the file is not UTF-8: see its byte {valid}")]
    NotText {
        /// How many bytes before the wrong one are well.
        valid: usize,
    },
    /// The system does not hand it out.
    #[error("the file cannot be read: {0}")]
    System(String),
}

/// Reads all datafiles of a project, sorted by path.
pub fn read(directory: &Path) -> Result<Vec<ProjectFile>, DeployError> {
    let selection = Selection::of(directory)?;
    let mut paths = Vec::new();
    walk(&selection.folder, 0, &mut paths)?;
    paths.retain(|path| selection.includes(path.strip_prefix(directory).unwrap_or(path)));
    paths.sort();
    Ok(paths.iter().map(|path| read_file(&selection.folder, path)).collect())
}

fn walk(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), DeployError> {
    let failed = |reason| DeployError::File { path: directory.to_owned(), reason };
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // Symbolic links are not followed: a project lies where it lies.
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() && depth < MAX_DEPTH && !is_skipped(&name, depth) {
            walk(&path, depth + 1, found)?;
        } else if kind.is_file() && is_datafile(&path) && !name.starts_with('.') {
            found.push(path);
        }
        if found.len() > MAX_FILES {
            let what = format!("more than {MAX_FILES} datafiles");
            return Err(DeployError::TooLarge { path: directory.to_owned(), what });
        }
    }
    Ok(())
}

fn is_skipped(name: &str, depth: usize) -> bool {
    name.starts_with('.')
        || SKIPPED_EVERYWHERE.contains(&name)
        || (depth == 0 && SKIPPED_AT_THE_TOP.contains(&name))
}

fn is_datafile(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| matches!(Role::of(name), Role::Datafile { .. } | Role::Legacy))
}

fn read_file(directory: &Path, path: &Path) -> ProjectFile {
    let relative = path.strip_prefix(directory).unwrap_or(path);
    let parts: Vec<_> = relative.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    ProjectFile { path: parts.join("/"), text: read_text(path) }
}

fn read_text(path: &Path) -> Result<String, Unreadable> {
    let failed = |error: std::io::Error| Unreadable::System(error.to_string());
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(Unreadable::TooLong { limit: MAX_FILE_BYTES });
    }
    String::from_utf8(bytes).map_err(|error| Unreadable::NotText { valid: error.utf8_error().valid_up_to() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        directory
    }

    fn paths(directory: &Path) -> Vec<String> {
        read(directory).unwrap().into_iter().map(|file| file.path).collect()
    }

    #[test]
    fn datafiles_are_found_at_any_depth_and_sorted() {
        let project = project(&[
            ("pipes/b.pipe", ""),
            ("a.datasource", "x"),
            ("x/y/z/c.connection", ""),
            ("pipes/readme.md", ""),
            ("inner/tests/d.pipe", ""),
        ]);
        let found = ["a.datasource", "inner/tests/d.pipe", "pipes/b.pipe", "x/y/z/c.connection"];
        assert_eq!(paths(project.path()), found);
    }

    #[test]
    fn folders_that_hold_no_datafiles_are_left_out() {
        let project = project(&[
            (".roost/a.pipe", ""),
            ("node_modules/p/a.pipe", ""),
            ("target/a.pipe", ""),
            ("tests/fixtures/a.pipe", ""),
            ("fixtures/a.datasource", ""),
            ("pipes/.hidden.pipe", ""),
        ]);
        assert!(paths(project.path()).is_empty());
    }

    #[test]
    fn a_missing_directory_a_large_file_and_other_bytes_are_named() {
        let missing = read(Path::new("/nonexistent/project")).unwrap_err().to_string();
        assert!(missing.starts_with("cannot read /nonexistent/project"), "{missing}");
        let odd = project(&[("a.pipe", &" ".repeat((1 << 20) + 1)), ("c.pipe", "NODE n\n")]);
        std::fs::write(odd.path().join("b.pipe"), [b'a', 0xff, 0xfe]).unwrap();
        let files = read(odd.path()).unwrap();
        let texts: Vec<_> = files.into_iter().map(|file| file.text).collect();
        assert_eq!(
            texts,
            [
                Err(Unreadable::TooLong { limit: MAX_FILE_BYTES }),
                Err(Unreadable::NotText { valid: 1 }),
                Ok("NODE n\n".to_owned())
            ]
        );
        let problems =
            super::super::check(odd.path(), &crate::datafile::Options::default()).unwrap().to_string();
        for expected in
            ["a.pipe", "longer than 1048576 bytes", "b.pipe", "not UTF-8: see its byte 1", "c.pipe"]
        {
            assert!(problems.contains(expected), "{problems}");
        }
    }

    #[test]
    fn the_config_file_names_the_folder_and_the_files() {
        let files = [
            ("data/a.datasource", ""),
            ("data/more/b.pipe", ""),
            ("other/c.pipe", ""),
            ("d.pipe", ""),
            ("lib/sources.ts", ""),
        ];
        let chosen = |config: &str| {
            let project = project(&files);
            std::fs::write(project.path().join("tinybird.config.json"), config).unwrap();
            paths(project.path()).join(" ")
        };
        assert_eq!(chosen(r#"{"folder": "data"}"#), "a.datasource more/b.pipe");
        assert_eq!(chosen(r#"{"folder": "data", "include": "data/*.datasource"}"#), "a.datasource");
        assert_eq!(
            chosen(r#"{"include": ["data", "./o*/{b,c}.pipe"]}"#),
            "data/a.datasource data/more/b.pipe other/c.pipe"
        );
        assert_eq!(chosen(r#"{"include": ["lib/*.ts", "*.pipe"]}"#), "d.pipe");
        let all = "d.pipe data/a.datasource data/more/b.pipe other/c.pipe";
        for config in ["{}", "no JSON", r#"{"include": "lib/*.ts"}"#, r#"{"include": "**/*"}"#] {
            assert_eq!(chosen(config), all, "{config}");
        }
    }

    #[test]
    fn a_config_file_that_cannot_be_followed_is_named() {
        for (config, complaint) in [
            (r#"{"include": "a[.pipe"}"#, "`include` cannot be read"),
            (r#"{"branch_data_on_create": 1}"#, "branch_data_mode"),
            (r#"{"folder": "nowhere"}"#, "nowhere"),
        ] {
            let project = project(&[("tinybird.json", config)]);
            let error = read(project.path()).unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
        }
    }
}
