//! File systems that fail as asked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, dead_code, unreachable_pub)]

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use callgate_audit::{Disk, LogFile, Storage};

/// Bytes and where they belong.
type Write = (u64, Vec<u8>);

/// What is to go wrong. Shared with the files.
#[derive(Debug)]
pub struct Faults {
    /// The next sync fails with EIO.
    pub fail_sync: AtomicBool,
    /// Writes fail with EIO.
    pub fail_write: AtomicBool,
    /// How many more bytes fit; negative for any number.
    pub room: AtomicI64,
    /// What the file system says is free.
    pub free: AtomicI64,
    /// How many syncs there were.
    pub syncs: AtomicUsize,
    /// Whether what was not synced is lost when the power is cut.
    pub volatile: bool,
    /// The mutant: a sync that does nothing.
    pub no_sync: bool,
    /// What was written and not synced, by file.
    unsynced: Mutex<BTreeMap<PathBuf, Vec<Write>>>,
    /// Writers cannot get beyond this while it is held.
    pub gate: Mutex<()>,
}

impl Faults {
    pub fn none() -> Arc<Self> {
        Arc::new(Self::new(false, false))
    }

    pub fn new(volatile: bool, no_sync: bool) -> Self {
        Self {
            fail_sync: AtomicBool::new(false),
            fail_write: AtomicBool::new(false),
            room: AtomicI64::new(-1),
            free: AtomicI64::new(1 << 40),
            syncs: AtomicUsize::new(0),
            volatile,
            no_sync,
            unsynced: Mutex::default(),
            gate: Mutex::default(),
        }
    }
}

/// A file system with faults.
#[derive(Clone, Debug)]
pub struct Faulty(pub Arc<Faults>);

#[derive(Debug)]
struct FaultyFile {
    path: PathBuf,
    inner: Box<dyn LogFile>,
    faults: Arc<Faults>,
}

impl Storage for Faulty {
    fn open(&self, path: &Path, new: bool) -> io::Result<Box<dyn LogFile>> {
        let inner = Disk.open(path, new)?;
        Ok(Box::new(FaultyFile { path: path.to_owned(), inner, faults: Arc::clone(&self.0) }))
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        Disk.sync_directory(directory)
    }

    fn bytes_free(&self, _: &Path) -> io::Result<u64> {
        Ok(u64::try_from(self.0.free.load(Ordering::SeqCst)).unwrap_or_default())
    }
}

impl LogFile for FaultyFile {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        drop(self.faults.gate.lock().expect("whole"));
        if self.faults.fail_write.load(Ordering::SeqCst) {
            return Err(io::Error::from_raw_os_error(5));
        }
        let room = self.faults.room.load(Ordering::SeqCst);
        if room >= 0 {
            let length = i64::try_from(bytes.len()).expect("small");
            let fits = usize::try_from(room.min(length)).expect("positive");
            self.faults.room.fetch_sub(room.min(length), Ordering::SeqCst);
            self.inner.write_at(&bytes[..fits], offset)?;
            if room < length {
                return Err(io::Error::from_raw_os_error(28));
            }
            return Ok(());
        }
        if self.faults.volatile
            && self.path.extension().is_some_and(|extension| extension == "wal" || extension == "new")
            && offset > 0
        {
            self.faults
                .unsynced
                .lock()
                .expect("whole")
                .entry(self.path.with_extension("wal"))
                .or_default()
                .push((offset, bytes.to_vec()));
            return Ok(());
        }
        self.inner.write_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.faults.syncs.fetch_add(1, Ordering::SeqCst);
        if self.faults.fail_sync.swap(false, Ordering::SeqCst) {
            return Err(io::Error::from_raw_os_error(5));
        }
        if self.faults.no_sync {
            return Ok(());
        }
        for (offset, bytes) in
            self.faults.unsynced.lock().expect("whole").remove(&self.path.with_extension("wal")).unwrap_or_default()
        {
            self.inner.write_at(&bytes, offset)?;
        }
        self.inner.sync()
    }

    fn allocate(&mut self, offset: u64, length: u64) -> io::Result<()> {
        if self.faults.room.load(Ordering::SeqCst) >= 0 {
            return Err(io::Error::from_raw_os_error(28));
        }
        self.inner.allocate(offset, length)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.inner.truncate(length)
    }
}
