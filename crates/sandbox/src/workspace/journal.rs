//! What a commit is about to do, on disk before it does it. A commit that was interrupted, by a kill or by the power, is
//! taken back by whoever looks at the workspace next.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use callgate_text::Digest;
use rustix::fs::{FlockOperation, flock, fstat};
use rustix::io::Errno;

use super::staging::Staging;
use super::steps::{self, Step};
use super::walk::open_root;
use super::{CommitError, shown};
use crate::wire::{Wire, fields};

/// How often, and how long apart, a commit asks for a workspace that another one holds: half a minute in all.
const TRIES: u32 = 1500;
const BETWEEN: Duration = Duration::from_millis(20);

/// Where commits keep their journals: a folder of the supervisor's, out of reach of whatever runs contained. It holds
/// one journal for each workspace that is being committed to, and none if all is well.
#[derive(Clone, Debug)]
pub struct Journals {
    folder: PathBuf,
}

/// What a journal says.
#[derive(Debug, Default)]
struct Entry {
    /// Device and inode of the workspace.
    root: (u64, u64),
    /// The staging folder's name in it.
    staging: String,
    /// What would have to be taken back, in the order in which it is done.
    steps: Vec<Step>,
}

fields!(Entry { root, staging, steps });

/// The journal of one commit. Dropping it removes it, unless something is left to be done.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    entry: Entry,
    /// Whether what stands in it is still needed.
    kept: bool,
}

impl Journals {
    /// Journals in `folder`, which is made when it is needed, for this user alone.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Takes back what an interrupted commit has done to `workspace`, if there was one. A commit that is under way is
    /// waited for.
    ///
    /// # Errors
    /// If something cannot be taken back: what stands in the workspace then is neither the old nor the new.
    pub fn recover(&self, workspace: &Path) -> Result<bool, CommitError> {
        let path = self.path(workspace);
        if !path.try_exists().map_err(|error| failed(&path, &error))? {
            return Ok(false);
        }
        let root = open_root(workspace)?;
        lock(&root, workspace)?;
        take_back(&path, &root)
    }

    /// Begins a journal for the commit to `workspace`, which is open as `root` and locked. What an earlier one has left
    /// is taken back first.
    pub(super) fn begin(&self, workspace: &Path, root: &OwnedFd, staging: &str) -> Result<Journal, CommitError> {
        let folder = &self.folder;
        make(folder).map_err(|error| failed(folder, &error))?;
        let path = self.path(workspace);
        take_back(&path, root)?;
        let entry = Entry { root: identity(root)?, staging: staging.to_owned(), steps: Vec::new() };
        let journal = Journal { path, entry, kept: false };
        journal.write(&journal.entry)?;
        Ok(journal)
    }

    /// Whether `path` is, or lies in, the folder of the journals.
    pub(super) fn hold(&self, path: &Path) -> bool {
        self.folder.canonicalize().is_ok_and(|folder| path.starts_with(folder))
    }

    fn path(&self, workspace: &Path) -> PathBuf {
        let digest = Digest::of(workspace.as_os_str().as_bytes()).to_string();
        self.folder.join(format!("{}.journal", digest.trim_start_matches("sha256:")))
    }
}

impl Journal {
    /// Makes what will be done durable, before any of it is.
    pub(super) fn plan(&mut self, steps: Vec<Step>) -> Result<(), CommitError> {
        self.entry.steps = steps;
        self.kept = true;
        self.write(&self.entry)
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.entry.steps
    }

    /// All is done, or all is taken back: only the staging folder is left to be removed.
    pub(super) fn settle(&self) -> Result<(), CommitError> {
        let entry = Entry { steps: Vec::new(), staging: self.entry.staging.clone(), ..self.entry };
        self.write(&entry)
    }

    /// The staging folder is gone, or is left to whoever looks next.
    pub(super) fn close(mut self, gone: bool) {
        self.kept = !gone;
    }

    pub(super) fn half_done(&self, what: &Path, error: Errno) -> CommitError {
        half_done(&self.path, what, error)
    }

    fn write(&self, entry: &Entry) -> Result<(), CommitError> {
        let write = || -> io::Result<()> {
            let new = self.path.with_extension("new");
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(&entry.to_bytes())?;
            file.sync_data()?;
            fs::rename(&new, &self.path)?;
            File::open(self.path.parent().unwrap_or(Path::new("/")))?.sync_all()
        };
        write().map_err(|error| failed(&self.path, &error))
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Makes the folder for this user alone. What it lies in may hold what others have to reach, as a gate's socket.
fn make(folder: &Path) -> io::Result<()> {
    let made = |folder: &Path, mode| fs::DirBuilder::new().recursive(true).mode(mode).create(folder);
    folder.parent().map_or(Ok(()), |above| made(above, 0o711))?;
    made(folder, 0o700)
}

/// Holds the workspace, so that no two commits change it at once.
pub(super) fn lock(root: &OwnedFd, workspace: &Path) -> Result<(), CommitError> {
    for _ in 0..TRIES {
        match flock(root, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK | Errno::INTR) => thread::sleep(BETWEEN),
            other => return other.map_err(|error| CommitError::at(workspace, error)),
        }
    }
    Err(CommitError::Busy(shown(workspace)))
}

/// Takes back what the journal at `path` says, if there is one and it is about this workspace.
fn take_back(path: &Path, root: &OwnedFd) -> Result<bool, CommitError> {
    let entry = match fs::read(path) {
        Ok(bytes) => Entry::from_bytes(&bytes).map_err(|error| failed(path, &error))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(path, &error)),
    };
    // Another folder has taken its place: nothing of that commit is here.
    let same = entry.root == identity(root)?;
    let interrupted = same && !entry.steps.is_empty();
    match Staging::left(root, &entry.staging).filter(|_| same) {
        Some(staging) => {
            let taken = steps::take_back(&entry.steps, root, staging.folder());
            taken.map_err(|(what, error)| half_done(path, &what, error))?;
            if !staging.remove() {
                return Err(half_done(path, Path::new(&entry.staging), Errno::NOTEMPTY));
            }
        }
        // What was replaced lay in it.
        None if interrupted => return Err(half_done(path, Path::new(&entry.staging), Errno::NOENT)),
        None => {}
    }
    fs::remove_file(path).map_err(|error| failed(path, &error))?;
    Ok(interrupted)
}

fn half_done(journal: &Path, what: &Path, error: Errno) -> CommitError {
    CommitError::HalfDone { path: shown(what), error: error.to_string(), journal: shown(journal) }
}

fn identity(root: &OwnedFd) -> Result<(u64, u64), CommitError> {
    let stat = fstat(root).map_err(|error| CommitError::at(Path::new("."), error))?;
    Ok((stat.st_dev, stat.st_ino))
}

fn failed(path: &Path, error: &dyn std::error::Error) -> CommitError {
    CommitError::Journal(shown(path), error.to_string())
}
