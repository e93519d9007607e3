//! The project's datafiles on disk.
//!
//! In: a directory.  Out: every `.datasource`, `.pipe` and `.connection` file below it, with its
//! path relative to the directory.  Left out are hidden folders, `node_modules`, `target`, and
//! `tests` and `fixtures` at the top, which by Tinybird's convention hold no datafiles.

use std::path::{Path, PathBuf};

use super::DeployError;

/// Folders below the project's; real projects have two levels.
const MAX_DEPTH: usize = 8;
/// Datafiles of one project; the largest public one has 262.
const MAX_FILES: usize = 10_000;
/// Bytes of one datafile.
const MAX_FILE_BYTES: u64 = 1 << 20;

const EXTENSIONS: [&str; 3] = ["datasource", "pipe", "connection"];
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
    let mut paths = Vec::new();
    walk(directory, 0, &mut paths)?;
    paths.sort();
    paths.into_iter().map(|path| read_file(directory, &path)).collect()
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
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| EXTENSIONS.contains(&extension))
}

fn read_file(directory: &Path, path: &Path) -> Result<ProjectFile, DeployError> {
    let failed = |reason| DeployError::File { path: path.to_owned(), reason };
    if std::fs::metadata(path).map_err(failed)?.len() > MAX_FILE_BYTES {
        let what = format!("a datafile of more than {MAX_FILE_BYTES} bytes");
        return Err(DeployError::TooLarge { path: path.to_owned(), what });
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let relative = path.strip_prefix(directory).unwrap_or(path);
    let parts: Vec<_> = relative.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    Ok(ProjectFile { path: parts.join("/"), text })
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
}
