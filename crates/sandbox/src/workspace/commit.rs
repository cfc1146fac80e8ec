//! Bringing a write-set to the host: all of it, or nothing.
//!
//! Everything new is written to a staging folder inside the workspace first; then the host's state is compared with
//! what was walked; then a journal says what will be done; then each path is exchanged by one rename. If one of them
//! fails, those before it are taken back. If the commit is killed or the machine dies in between, whoever looks at the
//! workspace next takes them back ([`Journals`]).

use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, Gid, Mode, OFlags, Uid, chownat, fchmod, fdatasync, fstat, fsync, mkdirat, openat, statat, symlinkat,
    syncfs,
};
use rustix::io::Errno;

use super::journal::{Journals, lock};
use super::staging::{self, Staging};
use super::steps::{Known, Step, folder_at, name_of, parent_of, staged_name};
use super::walk::{look, open_file, open_root};
use super::{Change, Class, Node, Op, WriteSet, shown, steps};

/// From so many changes on, the whole file system is made durable at once, which waits for what others have written to
/// it, too, but once.
const SYNC_ALL: usize = 256;

/// What the owner of a folder needs, to change what is in it.
const OPEN: u32 = 0o700;

/// Why nothing was committed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Something cannot be read or written: the path, and the system's error.
    #[error("`{0}`: {1}")]
    Io(String, String),
    /// Folders in folders, or names of files, beyond all measure.
    #[error("`{0}` is too deep, or its name and those before it are too long")]
    TooDeep(String),
    /// The profile says that the tool has nothing to do there.
    #[error("`{0}` is closed to the tool by its profile")]
    Closed(String),
    /// More bytes than the run may write at all: files with holes in them, or many names for one file. The path with
    /// which they are too many.
    #[error("with `{0}`, its files are longer together than the run may write; files with holes count in full")]
    TooLarge(String),
    /// A class of change without a permit: the class, and the first path of it.
    #[error("`{path}` needs a permit for `{}`", class.as_str())]
    NotPermitted {
        /// Which class.
        class: Class,
        /// The first path of it.
        path: String,
    },
    /// What nobody can commit: a device or a socket.
    #[error("`{0}` is a device, a socket or a pipe, which cannot be committed")]
    Special(String),
    /// What is the sandbox's own: a staging folder, or where the journals lie.
    #[error("`{0}` is the sandbox's own, and no tool's to change")]
    Reserved(String),
    /// Another commit to the same folder does not end.
    #[error("another commit to `{0}` is under way")]
    Busy(String),
    /// The journal of the commit cannot be kept: its path, and what is wrong.
    #[error("cannot keep the journal of the commit, `{0}`: {1}")]
    Journal(String, String),
    /// A commit was interrupted, and something of it cannot be taken back: neither the old nor the new stands there.
    #[error(
        "a commit that was interrupted cannot be taken back at `{path}`: {error}; put the folder in order, then delete `{journal}`"
    )]
    HalfDone {
        /// What cannot be taken back.
        path: String,
        /// Why.
        error: String,
        /// The journal that says what was to be done.
        journal: String,
    },
    /// The host's file is no longer what it was when the changes were walked.
    #[error("`{0}` has changed on the host meanwhile")]
    Conflict(String),
}

impl CommitError {
    pub(super) fn at(path: &Path, error: Errno) -> Self {
        Self::Io(shown(path), error.to_string())
    }
}

impl WriteSet {
    /// Refuses what needs a permit that is not among `permitted`.
    ///
    /// # Errors
    /// The first change that is not permitted.
    pub fn check(&self, permitted: &BTreeSet<Class>) -> Result<(), CommitError> {
        for change in self.changes() {
            if let Some(class) = change.classes.iter().find(|class| !permitted.contains(class)) {
                return Err(CommitError::NotPermitted { class: *class, path: shown(&change.path) });
            }
            if matches!(change.after, Some(Node::Special { .. })) {
                return Err(CommitError::Special(shown(&change.path)));
            }
        }
        Ok(())
    }

    /// Applies everything, if all of it is permitted and the host is as it was when the changes were walked. Commits to
    /// one folder wait for each other.
    ///
    /// # Errors
    /// Why nothing was changed; but see [`CommitError::HalfDone`].
    pub fn commit(self, permitted: &BTreeSet<Class>, journals: &Journals) -> Result<usize, CommitError> {
        self.check(permitted)?;
        let count = self.changes().len();
        if count == 0 {
            return Ok(0);
        }
        let own = |change: &&Change| staging::holds(&change.path) || journals.hold(&self.folder().join(&change.path));
        if let Some(change) = self.changes().iter().find(own) {
            return Err(CommitError::Reserved(shown(&change.path)));
        }
        let root = open_root(self.folder())?;
        lock(&root, self.folder())?;
        let name = Staging::name(&root).map_err(|error| CommitError::at(self.folder(), error))?;
        let mut journal = journals.begin(self.folder(), &root, &name)?;
        let staging = Staging::make(&root, name)?;
        let done = self.stage_all(&root, &staging).and_then(|(steps, seen)| {
            journal.plan(steps)?;
            self.apply(&root, &staging, journal.steps(), &seen)?;
            // What the journal says counts: from here on nothing is taken back.
            journal.settle()
        });
        if done.is_err() {
            let taken = steps::take_back(journal.steps(), &root, staging.folder());
            taken.map_err(|(path, error)| journal.half_done(&path, error))?;
            if !journal.steps().is_empty() {
                // If that cannot be written, whoever comes next finds that there is nothing to take back.
                journal.settle()?;
            }
        }
        journal.close(staging.remove());
        done.map(|()| count)
    }

    /// Stages everything, compares the host with what was walked, and says what will be done. With it comes what each
    /// change's side of the host was known by.
    fn stage_all(&self, root: &OwnedFd, staging: &Staging<'_>) -> Result<(Vec<Step>, Vec<Option<Known>>), CommitError> {
        for (index, change) in self.changes().iter().enumerate() {
            self.stage(root, staging, index, change)?;
        }
        let seen = self.changes().iter().map(|change| unchanged(root, change)).collect::<Result<_, _>>()?;
        Ok((self.steps(root, staging)?, seen))
    }

    /// Folders that are closed to their owner are opened first; then goes what goes, the deepest first; then comes what
    /// comes, from the top; then folders get their modes, the deepest first.
    fn steps(&self, root: &OwnedFd, staging: &Staging<'_>) -> Result<Vec<Step>, CommitError> {
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        // What folders have now and will have, of those in which something happens.
        let mut modes: BTreeMap<&Path, (Option<u32>, Option<u32>)> = BTreeMap::new();
        for (index, change) in self.changes().iter().enumerate() {
            let at = |error: Errno| CommitError::at(&change.path, error);
            let path = || change.path.clone();
            let staged = u32::try_from(index).map_err(|_| at(Errno::OVERFLOW))?;
            let around = change.path.parent().unwrap_or(Path::new(""));
            if let btree_map::Entry::Vacant(entry) = modes.entry(around) {
                let now = match folder_at(root, around) {
                    Ok(folder) => Some(fstat(folder).map_err(at)?.st_mode & 0o7777),
                    // It comes, too.
                    Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => None,
                    Err(error) => return Err(at(error)),
                };
                entry.insert((now, now));
            }
            let of = |node: &Option<Node>| match node {
                Some(Node::Folder { mode }) => Some(*mode),
                _ => None,
            };
            if let (before, after) = (of(&change.before), of(&change.after))
                && (before.is_some() || after.is_some())
            {
                // What is deleted here may come back as a folder, of which the next change says so.
                let known = modes.entry(&change.path).or_default();
                *known = (known.0.or(before), after);
            }
            let known = |folder: &OwnedFd, name: &OsStr| Known::at(folder, name).map_err(at)?.ok_or(at(Errno::NOENT));
            let new = || known(staging.folder(), OsStr::new(&staged_name(staged)));
            match (change.op, &change.after) {
                (Op::Deleted, _) => {
                    let known = known(&parent_of(root, &change.path).map_err(at)?, name_of(&change.path))?;
                    gone.push(Step::TakeAway { path: path(), staged, known });
                }
                (Op::Created, Some(_)) => come.push(Step::Put { path: path(), staged, known: new()? }),
                (Op::Changed, None | Some(Node::Folder { .. })) | (Op::Created, None) => {}
                (Op::Changed, Some(_)) => come.push(Step::Exchange { path: path(), staged, known: new()? }),
            }
        }
        let mode = |path: &Path, before, after| Step::Mode { path: path.to_owned(), before, after };
        let opened = modes
            .iter()
            .filter_map(|(path, (now, _))| now.filter(|now| now | OPEN != *now).map(|now| mode(path, now, now | OPEN)));
        // One that is there is open by now, and so is one that comes.
        let closed = modes.iter().rev().filter_map(|(path, (now, then))| {
            let (open, then) = (now.or(*then)? | OPEN, (*then)?);
            (open != then).then(|| mode(path, open, then))
        });
        gone.reverse();
        Ok(opened.chain(gone).chain(come).chain(closed).collect())
    }

    /// Carries the steps out, and makes them durable.
    fn apply(
        &self,
        root: &OwnedFd,
        staging: &Staging<'_>,
        steps: &[Step],
        seen: &[Option<Known>],
    ) -> Result<(), CommitError> {
        for step in steps {
            let at = |error| CommitError::at(step.path(), error);
            step.apply(root, staging.folder()).map_err(at)?;
            // What left the host is what was compared: whoever wrote since then is not overwritten.
            let left = match step {
                Step::TakeAway { staged, .. } | Step::Exchange { staged, .. } => *staged,
                Step::Put { .. } | Step::Mode { .. } => continue,
            };
            let now = Known::at(staging.folder(), OsStr::new(&staged_name(left))).map_err(at)?;
            let before = usize::try_from(left).ok().and_then(|index| seen.get(index).copied().flatten());
            // A folder is empty, or it could not be removed.
            if before != now && !now.is_some_and(|now| now.is_folder()) {
                return Err(CommitError::Conflict(shown(step.path())));
            }
        }
        let at = |error| CommitError::at(self.folder(), error);
        if steps.len() >= SYNC_ALL {
            return syncfs(root).map_err(at);
        }
        let parents: BTreeSet<&Path> = steps.iter().filter_map(|step| step.path().parent()).collect();
        for parent in parents {
            // It may be gone itself, or closed by now, with what is in it.
            match parent_of(root, &parent.join("x")) {
                Ok(parent) => fsync(parent).map_err(at)?,
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ACCESS) => {}
                Err(error) => return Err(at(error)),
            }
        }
        fsync(staging.folder()).map_err(at)
    }

    /// Writes what will stand at a path into the staging folder.
    fn stage(&self, root: &OwnedFd, staging: &Staging<'_>, index: usize, change: &Change) -> Result<(), CommitError> {
        let at = |error: Errno| CommitError::at(&change.path, error);
        let name = staged_name(u32::try_from(index).map_err(|_| at(Errno::OVERFLOW))?);
        let folder = staging.folder();
        match &change.after {
            Some(Node::File { mode, size, digest }) => {
                let parent = parent_of(&self.written.changes, &change.path).map_err(at)?;
                let from = open_file(parent.as_fd(), name_of(&change.path)).map_err(at)?;
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
                let to = openat(folder, &name, flags, Mode::from_raw_mode(0o600)).map_err(at)?;
                let io = |error: std::io::Error| CommitError::Io(shown(&change.path), error.to_string());
                let mut to = File::from(to);
                let copied = std::io::copy(&mut File::from(from), &mut to).map_err(io)?;
                if copied != *size {
                    return Err(CommitError::Conflict(shown(&change.path)));
                }
                // What lands is what was walked, and recorded.
                let landed = look(folder.as_fd(), OsStr::new(&name), &change.path)?;
                if !matches!(&landed, Some(Node::File { digest: landed, .. }) if landed == digest) {
                    return Err(CommitError::Conflict(shown(&change.path)));
                }
                give(root, staging, &name, change).map_err(at)?;
                keep_access_list(root, change, &to).map_err(at)?;
                // After the owner, whose change takes set-ID bits away.
                fchmod(&to, Mode::from_raw_mode(*mode)).map_err(at)?;
                if self.changes().len() < SYNC_ALL { fdatasync(&to).map_err(at) } else { Ok(()) }
            }
            Some(Node::Link { target }) => {
                symlinkat(target, folder, &name).map_err(at)?;
                give(root, staging, &name, change).map_err(at)
            }
            Some(Node::Folder { mode }) if change.op == Op::Created => {
                mkdirat(folder, &name, Mode::from_raw_mode(OPEN)).map_err(at)?;
                give(root, staging, &name, change).map_err(at)?;
                super::steps::set_mode(folder, OsStr::new(&name), mode | OPEN).map_err(at)
            }
            Some(Node::Folder { .. } | Node::Special { .. }) | None => Ok(()),
        }
    }
}

/// As root: what comes belongs to whom the workspace belongs to. A file of his that was changed keeps its group; one of
/// somebody else's that was replaced does not become the other's, as what he writes himself would not.
fn give(root: &OwnedFd, staging: &Staging<'_>, name: &str, change: &Change) -> rustix::io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let workspace = staging.owner()?;
    let mut group = workspace.st_gid;
    if change.before.is_some() {
        let before = statat(parent_of(root, &change.path)?, name_of(&change.path), AtFlags::SYMLINK_NOFOLLOW)?;
        if before.st_uid == workspace.st_uid {
            group = before.st_gid;
        }
    }
    let (user, group) = (Uid::from_raw(workspace.st_uid), Gid::from_raw(group));
    chownat(staging.folder(), name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)
}

/// The list of who else may read or write the file that is replaced stays with its name. Without it, its upper bound
/// would become the rights of the group.
fn keep_access_list(root: &OwnedFd, change: &Change, to: &File) -> rustix::io::Result<()> {
    const LIST: &str = "system.posix_acl_access";
    if !matches!(change.before, Some(Node::File { .. })) {
        return Ok(());
    }
    let parent = parent_of(root, &change.path)?;
    let before = open_file(parent.as_fd(), name_of(&change.path))?;
    let mut list = vec![0; 4 << 10];
    match rustix::fs::fgetxattr(&before, LIST, &mut list) {
        Ok(length) => {
            rustix::fs::fsetxattr(to, LIST, list.get(..length).unwrap_or_default(), rustix::fs::XattrFlags::empty())
        }
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The file of a change below `root`, open to read.
pub(super) fn open_at(root: &OwnedFd, change: &Change) -> Option<OwnedFd> {
    let parent = parent_of(root, &change.path).ok()?;
    open_file(parent.as_fd(), name_of(&change.path)).ok()
}

/// The host's side is still what was walked; what it is known by, if something is there.
fn unchanged(root: &OwnedFd, change: &Change) -> Result<Option<Known>, CommitError> {
    let parent = match parent_of(root, &change.path) {
        Ok(parent) => parent,
        // It will be made, with the rest of what is new, or made where something else was.
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) if change.before.is_none() => return Ok(None),
        Err(error) => return Err(CommitError::at(&change.path, error)),
    };
    // Before it is read, so that whoever writes meanwhile is noticed.
    let seen = Known::at(&parent, name_of(&change.path)).map_err(|error| CommitError::at(&change.path, error))?;
    let now = look(parent.as_fd(), name_of(&change.path), &change.path)?;
    // Where something else is deleted first, what is made finds it still there.
    if now == change.before || change.op == Op::Created && change.before.is_none() {
        Ok(seen)
    } else {
        Err(CommitError::Conflict(shown(&change.path)))
    }
}
