//! The few things that the writer asks of a file system. Tests put a faulty one in its place.

use std::fmt::Debug;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

/// A file system as the writer sees it.
pub trait Storage: Send + Sync + Debug {
    /// Opens the file at `path` for writing; `new` demands that it does not exist.
    ///
    /// # Errors
    /// As [`OpenOptions::open`].
    fn open(&self, path: &Path, new: bool) -> io::Result<Box<dyn LogFile>>;

    /// Makes the names in `directory` durable.
    ///
    /// # Errors
    /// If the directory cannot be synced.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;

    /// How many bytes an unprivileged user could still write at `directory`.
    ///
    /// # Errors
    /// If the file system cannot be asked.
    fn bytes_free(&self, directory: &Path) -> io::Result<u64>;
}

/// A file as the writer sees it.
pub trait LogFile: Send + Debug {
    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// If not all could be written; what stands at `offset` is then unknown.
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes what was written durable: `fdatasync`.
    ///
    /// # Errors
    /// If the device reports an error. What was written may then be lost, whatever a later call says.
    fn sync(&mut self) -> io::Result<()>;

    /// Allocates `length` bytes at `offset`, which then read as zeros, so that writing there needs no change of
    /// metadata. Does nothing where the file system cannot.
    ///
    /// # Errors
    /// If there is no space.
    fn allocate(&mut self, offset: u64, length: u64) -> io::Result<()>;

    /// Cuts the file off.
    ///
    /// # Errors
    /// If the file cannot be changed.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
}

/// The operating system's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Storage for Disk {
    fn open(&self, path: &Path, new: bool) -> io::Result<Box<dyn LogFile>> {
        let file = OpenOptions::new().read(true).write(true).create_new(new).mode(0o600).open(path)?;
        Ok(Box::new(DiskFile(file)))
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        File::open(directory)?.sync_all()
    }

    fn bytes_free(&self, directory: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(directory)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

#[derive(Debug)]
struct DiskFile(File);

impl LogFile for DiskFile {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn allocate(&mut self, offset: u64, length: u64) -> io::Result<()> {
        use rustix::io::Errno;
        match rustix::fs::fallocate(&self.0, rustix::fs::FallocateFlags::empty(), offset, length) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
            other => Ok(other?),
        }
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }
}
