//! What the log asks of a file system, so that tests can put a simulated one under it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A folder of files.
pub trait Disk: Send + Sync + 'static {
    /// The names of its files.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Makes a file that is not there yet.
    fn create(&self, name: &str) -> io::Result<Arc<dyn LogFile>>;
    /// Opens a file for reading and writing.
    fn open(&self, name: &str) -> io::Result<Arc<dyn LogFile>>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Gives a file another name, in place of whatever had it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Makes all that was created, removed and renamed durable.
    fn sync(&self) -> io::Result<()>;
    /// Bytes that may still be written.
    fn free_bytes(&self) -> io::Result<u64>;
}

/// A file of a [`Disk`].
pub trait LogFile: Send + Sync {
    /// Fills the buffer from an offset; an error where the file is too short.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes at an offset.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Its length.
    fn length(&self) -> io::Result<u64>;
    /// Cuts it, or fills it up with zeros.
    fn set_length(&self, length: u64) -> io::Result<()>;
    /// Takes the space for so many bytes from its start; they read as zeros.
    fn reserve(&self, length: u64) -> io::Result<()>;
    /// Makes its bytes and its length durable.
    fn sync(&self) -> io::Result<()>;
}

/// A folder of the operating system.
#[derive(Debug)]
pub struct FolderDisk {
    path: PathBuf,
}

impl FolderDisk {
    /// Uses a folder, made where it is missing (0700).
    pub fn open(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        if let Some(parent) = path.parent() {
            File::open(parent)?.sync_all()?;
        }
        Ok(Self { path: path.to_owned() })
    }

    /// Uses a folder that is there.
    pub fn existing(path: &Path) -> io::Result<Self> {
        std::fs::read_dir(path)?;
        Ok(Self { path: path.to_owned() })
    }

    fn options() -> OpenOptions {
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o600);
        options
    }
}

impl Disk for FolderDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        let names = std::fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name()));
        let names: io::Result<Vec<_>> = names.collect();
        Ok(names?.into_iter().filter_map(|name| name.into_string().ok()).collect())
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn LogFile>> {
        Ok(Arc::new(Self::options().create_new(true).open(self.path.join(name))?))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn LogFile>> {
        Ok(Arc::new(Self::options().open(self.path.join(name))?))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.path.join(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.path.join(from), self.path.join(to))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let found = rustix::fs::statvfs(&self.path)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }
}

impl LogFile for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    #[cfg(target_os = "linux")]
    fn reserve(&self, length: u64) -> io::Result<()> {
        use rustix::io::Errno;
        match rustix::fs::fallocate(self, rustix::fs::FallocateFlags::empty(), 0, length) {
            // Not every file system can: then each write takes its space.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn reserve(&self, _length: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
