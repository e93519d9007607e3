//! The project's datafiles on disk.
//!
//! In: a directory; `tinybird.config.json` in it may name the project's folder and its files.  Out:
//! the datafiles of the project, each with its path relative to the project's folder.  Left out are
//! hidden folders, `node_modules`, `target`, and `tests` and `fixtures` at the top, which by
//! Tinybird's convention hold no datafiles.

use std::path::{Path, PathBuf};

use super::DeployError;
use crate::datafile::project::Role;

mod config;

use config::Selection;

/// Folders below the project's; real projects have two levels.
const MAX_DEPTH: usize = 8;
/// Datafiles of one project; the largest public one has 262.
const MAX_FILES: usize = 10_000;
/// Bytes of one datafile.
const MAX_FILE_BYTES: u64 = 1 << 20;

const SKIPPED_EVERYWHERE: [&str; 2] = ["node_modules", "target"];
const SKIPPED_AT_THE_TOP: [&str; 2] = ["tests", "fixtures"];

/// One datafile as it lies on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectFile {
    /// Its path below the project's directory, with `/` between folders.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// Reads all datafiles of a project, sorted by path.
pub fn read(directory: &Path) -> Result<Vec<ProjectFile>, DeployError> {
    let selection = Selection::of(directory)?;
    let mut paths = Vec::new();
    walk(&selection.folder, 0, &mut paths)?;
    paths.retain(|path| selection.includes(path.strip_prefix(directory).unwrap_or(path)));
    paths.sort();
    paths.into_iter().map(|path| read_file(&selection.folder, &path)).collect()
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

fn read_file(directory: &Path, path: &Path) -> Result<ProjectFile, DeployError> {
    let text = read_text(path)?;
    let relative = path.strip_prefix(directory).unwrap_or(path);
    let parts: Vec<_> = relative.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    Ok(ProjectFile { path: parts.join("/"), text })
}

fn read_text(path: &Path) -> Result<String, DeployError> {
    let failed = |reason| DeployError::File { path: path.to_owned(), reason };
    if std::fs::metadata(path).map_err(failed)?.len() > MAX_FILE_BYTES {
        let what = format!("a file of more than {MAX_FILE_BYTES} bytes");
        return Err(DeployError::TooLarge { path: path.to_owned(), what });
    }
    std::fs::read_to_string(path).map_err(failed)
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
        let large = project(&[("a.pipe", &" ".repeat((1 << 20) + 1))]);
        assert!(read(large.path()).unwrap_err().to_string().contains("a.pipe"));
        let binary = project(&[]);
        std::fs::write(binary.path().join("b.pipe"), [0xff, 0xfe]).unwrap();
        assert!(read(binary.path()).unwrap_err().to_string().contains("b.pipe"));
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
