//! Which files below a directory are the project's, as `tinybird.config.json` says.
//!
//! The file is looked for in the directory that was asked for, and not in the folders above it: a
//! command that names a directory means that directory.

use std::path::{Path, PathBuf};

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

use super::{DeployError, is_datafile, read_text};
use crate::datafile::project::ProjectConfig;
use crate::datafile::project::config::FILE_NAMES;

/// The files of a project.
pub(super) struct Selection {
    /// The folder that holds them.
    pub(super) folder: PathBuf,
    /// Patterns of the files that belong to it; `None`: all of them.
    include: Option<GlobSet>,
}

impl Selection {
    /// What the configuration in `directory` selects; everything where there is none.
    pub(super) fn of(directory: &Path) -> Result<Self, DeployError> {
        let everything = Self { folder: directory.to_owned(), include: None };
        let path = FILE_NAMES.iter().map(|name| directory.join(name)).find(|path| path.is_file());
        let Some(path) = path else { return Ok(everything) };
        let text = read_text(&path).map_err(|reason| DeployError::File {
            path: path.clone(),
            reason: std::io::Error::other(reason),
        })?;
        let config = ProjectConfig::parse(&text)
            .map_err(|reason| DeployError::Config { path: path.clone(), reason })?;
        let Some(config) = config else { return Ok(everything) };
        let folder = config.folder.map_or(everything.folder, |folder| directory.join(folder));
        let include = patterns(&config.include).map_err(|reason| DeployError::Include { path, reason })?;
        Ok(Self { folder, include })
    }

    /// Whether a datafile belongs to the project; `path` is relative to the directory.
    pub(super) fn includes(&self, path: &Path) -> bool {
        self.include.as_ref().is_none_or(|patterns| patterns.is_match(path))
    }
}

/// The patterns that can meet datafiles. Others are for the sources of Tinybird's SDKs; a list of
/// nothing but those selects no datafile, so it is no selection.
fn patterns(include: &[String]) -> Result<Option<GlobSet>, globset::Error> {
    let mut patterns = GlobSetBuilder::new();
    let include = include.iter().map(|pattern| pattern.trim_start_matches("./").trim_end_matches('/'));
    let mut count = 0;
    for pattern in include.filter(|pattern| meets_datafiles(pattern)) {
        patterns.add(glob(pattern)?).add(glob(&format!("{pattern}/**"))?);
        count += 1;
    }
    Ok(if count == 0 { None } else { Some(patterns.build()?) })
}

fn glob(pattern: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(pattern).literal_separator(true).build()
}

/// True for a pattern of datafiles, of files of any kind, or of folders.
fn meets_datafiles(pattern: &str) -> bool {
    let extension = Path::new(pattern).extension().and_then(|extension| extension.to_str());
    extension.is_none_or(|extension| {
        !extension.bytes().all(|byte| byte.is_ascii_alphanumeric()) || is_datafile(Path::new(pattern))
    })
}
