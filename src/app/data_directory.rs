//! The data directory: private, and one server's at a time.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A data directory that this process holds.
pub struct DataDirectory {
    path: PathBuf,
    lock: File,
}

/// Time after which a lock that is held is tried once more: [`DataDirectory::served_at`] holds it
/// for a moment.
const SECOND_TRY: Duration = Duration::from_millis(20);

/// The file that is locked; it says by whom.
const LOCK_FILE: &str = "lock";

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
        match try_twice(&lock) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = lock.take(256).read_to_string(&mut holder);
                let holder = holder.lines().next().unwrap_or_default().to_owned();
                let holder = if holder.is_empty() { "another process".to_owned() } else { holder };
                return Err(DataDirectoryError::Held { path, holder });
            }
            Err(TryLockError::Error(reason)) => return Err(unusable(reason)),
        }
        sign(&mut lock).map_err(unusable)?;
        Ok(Self { path, lock })
    }

    /// Writes down where the server listens, behind the name of the process.
    pub fn announce(&self, address: SocketAddr) -> io::Result<()> {
        let mut lock = &self.lock;
        write!(lock, "\n{address}")?;
        lock.flush()
    }

    /// Where the server of a data directory listens, if one runs.
    pub fn served_at(path: &Path) -> Option<SocketAddr> {
        let mut lock = File::open(path.join(LOCK_FILE)).ok()?;
        let Err(TryLockError::WouldBlock) = lock.try_lock_shared() else { return None };
        let mut text = String::new();
        lock.read_to_string(&mut text).ok()?;
        text.lines().nth(1)?.parse().ok()
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

fn try_twice(lock: &File) -> Result<(), TryLockError> {
    match lock.try_lock() {
        Err(TryLockError::WouldBlock) => {
            std::thread::sleep(SECOND_TRY);
            lock.try_lock()
        }
        tried => tried,
    }
}

fn open_lock(directory: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).open(directory.join(LOCK_FILE))
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
        assert_eq!(DataDirectory::served_at(&path), None);
        first.announce("127.0.0.1:7181".parse().unwrap()).unwrap();
        assert_eq!(DataDirectory::served_at(&path).unwrap().port(), 7181);
        drop(first);
        assert_eq!(DataDirectory::served_at(&path), None, "nobody serves any more");
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
