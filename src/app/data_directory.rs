//! The data directory: private, and one server's at a time.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A data directory that this process holds.
pub struct DataDirectory {
    path: PathBuf,
    _lock: File,
}

/// Why the directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirectoryError {
    /// It cannot be made or entered.
    #[error("cannot use the data directory {}: {reason}; data.directory or --data-dir chooses another", path.display())]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// Another server works on it.
    #[error(
        "the data directory {} is in use by {holder}: stop it first, or choose another with --data-dir",
        path.display()
    )]
    Held {
        /// The directory.
        path: PathBuf,
        /// Who holds it, as it wrote down itself.
        holder: String,
    },
}

impl DataDirectory {
    /// Makes the directory where it is missing (0700) and takes its lock, which the system gives
    /// back however this process ends.
    pub fn take(path: &Path) -> Result<Self, DataDirectoryError> {
        let unusable = |reason| DataDirectoryError::Unusable { path: path.to_owned(), reason };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
        let path = path.canonicalize().map_err(unusable)?;
        let mut lock = open_lock(&path).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = lock.take(256).read_to_string(&mut holder);
                let holder = if holder.is_empty() { "another process".to_owned() } else { holder };
                return Err(DataDirectoryError::Held { path, holder });
            }
            Err(TryLockError::Error(reason)) => return Err(unusable(reason)),
        }
        sign(&mut lock).map_err(unusable)?;
        Ok(Self { path, _lock: lock })
    }

    /// The directory, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the embedded engine keeps its data.
    pub fn engine(&self) -> PathBuf {
        self.path.join("engine")
    }
}

fn open_lock(directory: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).open(directory.join("lock"))
}

/// Writes down who holds the lock, for whoever finds it taken.
fn sign(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    write!(lock, "roost (process {})", std::process::id())?;
    lock.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_second_taker_is_told_who_holds_the_directory() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/.roost");
        let first = DataDirectory::take(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        let Err(DataDirectoryError::Held { holder, .. }) = DataDirectory::take(&path) else {
            panic!("the lock was given twice");
        };
        assert_eq!(holder, format!("roost (process {})", std::process::id()));
        drop(first);
        DataDirectory::take(&path).unwrap();
    }

    #[test]
    fn a_file_in_its_place_is_an_error_that_names_it() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("file");
        std::fs::write(&path, "").unwrap();
        let error = DataDirectory::take(&path).err().unwrap().to_string();
        assert!(error.contains("file") && error.contains("--data-dir"), "{error}");
    }
}
