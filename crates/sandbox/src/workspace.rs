//! What a run wrote over its workspace, and how that comes to the host: as a whole and permitted, or not at all.
//!
//! A copy-on-write run leaves an overlayfs upper folder ([`Written`](crate::Written)). [`WriteSet::of`] walks it and
//! says what was created, changed and deleted against the host's folder, each with what it is: contents by digest, and
//! every [`Class`] that needs a permit of its own. [`WriteSet::commit`] applies all of it or nothing.

mod classify;
mod commit;
mod journal;
mod staging;
mod steps;
mod walk;

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use callgate_text::{Digest, Json};

pub use classify::Class;
pub use commit::CommitError;
pub use journal::Journals;

use crate::run::Written;

/// What happened to one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    /// It is no more. Applied before everything else, deepest first.
    Deleted,
    /// It was not there, or was something else.
    Created,
    /// It is the same kind of thing with other contents or another mode.
    Changed,
}

impl Op {
    /// The word in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Created => "created",
            Self::Changed => "changed",
        }
    }
}

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A file.
    File {
        /// Permission bits, set-ID bits among them.
        mode: u32,
        /// In bytes.
        size: u64,
        /// Of the contents.
        digest: Digest,
    },
    /// A folder.
    Folder {
        /// Permission bits.
        mode: u32,
    },
    /// A symbolic link.
    Link {
        /// Where it leads.
        target: PathBuf,
    },
    /// A pipe with a name, a socket or a device: nothing that a workspace should hold.
    Special {
        /// Which: the file type bits of its mode.
        kind: u32,
    },
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Below the folder.
    pub path: PathBuf,
    /// What happened.
    pub op: Op,
    /// What stood there on the host when the changes were walked.
    pub before: Option<Node>,
    /// What stands there after a commit.
    pub after: Option<Node>,
    /// Why it needs a permit of its own, if it does.
    pub classes: BTreeSet<Class>,
}

/// Everything that a run wrote over one folder.
#[derive(Debug)]
pub struct WriteSet {
    folder: PathBuf,
    changes: Vec<Change>,
    written: Written,
}

impl WriteSet {
    /// Walks what was written.
    ///
    /// # Errors
    /// If something cannot be read; then nothing may be committed.
    pub fn of(written: Written) -> Result<Self, CommitError> {
        let mut changes = walk::changes(&written)?;
        classify::classify(&mut changes);
        changes.sort_by(|a, b| (&a.path, a.op).cmp(&(&b.path, b.op)));
        Ok(Self { folder: written.folder.clone(), changes, written })
    }

    /// The folder on the host.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// All changes, by path.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The classes that need a permit, over all changes.
    pub fn needs(&self) -> BTreeSet<Class> {
        self.changes.iter().flat_map(|change| change.classes.iter().copied()).collect()
    }

    /// What a file was on the host, open to read, if it was one and still is.
    pub fn before(&self, change: &Change) -> Option<OwnedFd> {
        matches!(change.before, Some(Node::File { .. }))
            .then(|| commit::open_at(&walk::open_root(&self.folder).ok()?, change))?
    }

    /// What a file would become, open to read, if it would be one.
    pub fn after(&self, change: &Change) -> Option<OwnedFd> {
        matches!(change.after, Some(Node::File { .. })).then(|| commit::open_at(&self.written.changes, change))?
    }

    /// For records: paths, kinds, digests and classes, but no contents. Bytes of a name that are no UTF-8 are escaped.
    pub fn to_json(&self) -> Json {
        let changes = self.changes.iter().map(|change| {
            let classes = change.classes.iter().map(|class| Json::String(class.as_str().to_owned())).collect();
            Json::object([
                ("path", Json::String(shown(&change.path))),
                ("op", Json::String(change.op.as_str().to_owned())),
                ("before", change.before.as_ref().map_or(Json::Null, Node::to_json)),
                ("after", change.after.as_ref().map_or(Json::Null, Node::to_json)),
                ("classes", Json::Array(classes)),
            ])
        });
        Json::object([("v", Json::integer(1)), ("changes", Json::Array(changes.collect()))])
    }

    /// The digest of [`WriteSet::to_json`]: what a permit to commit is bound to.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_json().canonical())
    }
}

impl Node {
    fn to_json(&self) -> Json {
        let kind = |kind: &str| ("kind", Json::String(kind.to_owned()));
        let number = |number: u64| Json::String(number.to_string());
        match self {
            Self::File { mode, size, digest } => Json::object([
                kind("file"),
                ("mode", number(u64::from(*mode))),
                ("size", number(*size)),
                ("digest", Json::from(*digest)),
            ]),
            Self::Folder { mode } => Json::object([kind("folder"), ("mode", number(u64::from(*mode)))]),
            Self::Link { target } => Json::object([kind("link"), ("target", Json::String(shown(target)))]),
            Self::Special { kind: bits } => Json::object([kind("special"), ("type", number(u64::from(*bits)))]),
        }
    }
}

/// A path as text: one to one, with control characters, backslashes and bytes that are no UTF-8 escaped.
pub fn shown(path: &Path) -> String {
    callgate_text::escaped(path.as_os_str().as_bytes())
}
