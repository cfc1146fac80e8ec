//! Where a file tool works: opening what a path names, without being led elsewhere.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use callgate_text::escaped;
use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, mkdirat, openat};
use rustix::io::Errno;

use crate::done::Kind;
use crate::{Done, Fault};

/// The workspace, open.
pub(crate) struct Folder {
    workspace: PathBuf,
    root: OwnedFd,
}

/// A place that a path names, by its text alone: `.` and `..` are taken out before anything is opened, as policy does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    /// The path without `.` and `..`: absolute.
    full: PathBuf,
    /// Below the workspace, or below `/`.
    below: PathBuf,
    inside: bool,
}

impl Spot {
    /// The path as the model may read it.
    pub(crate) fn shown(&self) -> String {
        shown(if self.inside && !self.below.as_os_str().is_empty() { &self.below } else { &self.full })
    }

    /// The absolute path.
    pub(crate) fn full(&self) -> &Path {
        &self.full
    }
}

/// A path as the model may read it: whoever named the file does not get to write lines of his own.
pub(crate) fn shown(path: &Path) -> String {
    escaped(path.as_os_str().as_bytes())
}

/// A folder, only to go on from.
const PASSING: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens `below`, name by name, so that no link is followed: the sandbox's filter knows no `openat2`, which would do it
/// at once. There is no `..` in it.
fn walk(root: BorrowedFd<'_>, below: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let mut names = below.iter().peekable();
    let mut folder: Option<OwnedFd> = None;
    loop {
        let here = folder.as_ref().map_or(root, AsFd::as_fd);
        let Some(name) = names.next() else {
            return openat(here, ".", flags, Mode::empty());
        };
        if names.peek().is_none() {
            return openat(here, name, flags, Mode::empty());
        }
        folder = Some(openat(here, name, PASSING, Mode::empty())?);
    }
}

fn top() -> rustix::io::Result<OwnedFd> {
    rustix::fs::open("/", PASSING, Mode::empty())
}

impl Folder {
    pub(crate) fn open(workspace: &Path) -> Result<Self, Fault> {
        let below = workspace.strip_prefix("/").unwrap_or(workspace);
        let root = top()
            .and_then(|top| walk(top.as_fd(), below, PASSING))
            .map_err(|error| Fault::new(Kind::Failed, format!("the workspace cannot be opened: {error}")))?;
        Ok(Self { workspace: workspace.to_owned(), root })
    }

    /// What `path` names.
    pub(crate) fn spot(&self, path: &str) -> Result<Spot, Fault> {
        if path.is_empty() || path.len() > 4096 || path.contains('\0') {
            return Err(Fault::invalid("a path has 1 to 4096 bytes and no NUL"));
        }
        let mut full = PathBuf::from("/");
        for part in self.workspace.join(path).components() {
            match part {
                Component::Normal(name) => full.push(name),
                Component::ParentDir => {
                    full.pop();
                }
                Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            }
        }
        let (below, inside) = match full.strip_prefix(&self.workspace) {
            Ok(below) => (below.to_owned(), true),
            Err(_) => (full.strip_prefix("/").unwrap_or(&full).to_owned(), false),
        };
        Ok(Spot { full, below, inside })
    }

    /// What `path` names, if it is below the workspace and not the workspace itself: elsewhere nothing that is written
    /// would last.
    pub(crate) fn spot_to_write(&self, path: &str) -> Result<Spot, Fault> {
        let spot = self.spot(path)?;
        if !spot.inside || spot.below.as_os_str().is_empty() {
            let message = format!("`{}` does not lie in the workspace {}", spot.shown(), shown(&self.workspace));
            return Err(Fault::new(Kind::Outside, message));
        }
        // A name that ends in `/` means a folder to everybody else.
        if path.ends_with('/') {
            return Err(Fault::new(Kind::NotAFile, format!("`{}` is written like a folder", spot.shown())));
        }
        Ok(spot)
    }

    /// Opens what stands at `spot`. No symbolic link is followed, wherever it leads.
    pub(crate) fn open_at(&self, spot: &Spot, flags: OFlags) -> Result<OwnedFd, Fault> {
        // Whoever left a pipe with a name must not be able to make us wait.
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let opened = match spot.inside {
            true => walk(self.root.as_fd(), &spot.below, flags),
            false => top().and_then(|top| walk(top.as_fd(), &spot.below, flags)),
        };
        opened.map_err(|error| self.why(spot, error))
    }

    /// A file, to read, and what it is.
    pub(crate) fn file(&self, spot: &Spot) -> Result<(OwnedFd, Stat), Fault> {
        let file = self.open_at(spot, OFlags::RDONLY)?;
        let stat = fstat(&file).map_err(|error| self.why(spot, error))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok((file, stat)),
            FileType::Directory => Err(Fault::new(Kind::NotAFile, format!("`{}` is a folder", spot.shown()))),
            _ => Err(Fault::new(Kind::NotAFile, format!("`{}` is no ordinary file", spot.shown()))),
        }
    }

    /// The folder that `spot` lies in, made with those above it if it is asked for.
    pub(crate) fn parent(&self, spot: &Spot, make: bool) -> Result<OwnedFd, Fault> {
        let parent = Spot {
            full: spot.full.parent().unwrap_or(Path::new("/")).to_owned(),
            below: spot.below.parent().unwrap_or(Path::new("")).to_owned(),
            inside: spot.inside,
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        match self.open_at(&parent, flags) {
            Err(fault) if fault.kind == Kind::NotFound && make => {}
            Err(fault) if fault.kind == Kind::NotFound => {
                let message = format!("the folder `{}` is not there; `create_parents` makes it", parent.shown());
                return Err(Fault::new(Kind::NotFound, message));
            }
            other => return other,
        }
        let above = self.parent(&parent, true)?;
        let name = parent.full.file_name().unwrap_or_default();
        match mkdirat(&above, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => self.open_at(&parent, flags),
            Err(error) => Err(self.why(&parent, error)),
        }
    }

    /// What the system's error means here.
    pub(crate) fn why(&self, spot: &Spot, error: Errno) -> Fault {
        let shown = spot.shown();
        // What a link is instead of the folder or file that was expected says less than that it is one.
        if matches!(error, Errno::LOOP | Errno::NOTDIR)
            && let Some(link) = self.link(spot)
        {
            return Fault::new(Kind::Link, link);
        }
        match error {
            Errno::NOENT => Fault::new(Kind::NotFound, format!("`{shown}` is not there")),
            Errno::NOTDIR => Fault::new(Kind::NotAFolder, format!("`{shown}` is not a folder, or lies in none")),
            Errno::LOOP => Fault::new(Kind::Link, format!("a symbolic link stands on the way to `{shown}`")),
            Errno::ISDIR => Fault::new(Kind::NotAFile, format!("`{shown}` is a folder")),
            error => Fault::new(Kind::Failed, format!("`{shown}`: {error}")),
        }
    }

    /// Which link stands in the way, so that one can name what it leads to and have that decided.
    fn link(&self, spot: &Spot) -> Option<String> {
        let start = if spot.inside { self.workspace.clone() } else { PathBuf::from("/") };
        let mut path = start;
        for part in spot.below.components() {
            path.push(part);
            if let Ok(target) = std::fs::read_link(&path) {
                let (path, target) = (shown(&path), shown(&target));
                return Some(format!(
                    "`{path}` is a symbolic link to `{target}`; links are not followed: name the place itself"
                ));
            }
        }
        None
    }
}

/// The name of `spot` in its folder.
pub(crate) fn name_of(spot: &Spot) -> &OsStr {
    spot.full.file_name().unwrap_or_default()
}

/// What a tool says that only wrote.
pub(crate) fn wrote(spot: &Spot, what: &str) -> Done {
    Done::new(format!("{what} {}", spot.shown())).with("path", spot.shown())
}

/// What stands at `name` in `folder`, without following it.
pub(crate) fn stat_in(folder: impl AsFd, name: &OsStr) -> rustix::io::Result<Stat> {
    rustix::fs::statat(folder, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)
}
