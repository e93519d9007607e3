//! A folder of one engine, removed when dropped.

use std::path::{Path, PathBuf};

/// Holds an engine's data and its socket. Lies directly below `/tmp`, because the path of a Unix
/// socket ends at 108 bytes.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::Builder::new().prefix("roost-it-").tempdir_in("/tmp").unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Where the engine's data are.
    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("engine")
    }
}
