//! Why a log cannot be opened, read or trusted.

use std::io;
use std::path::{Path, PathBuf};

use crate::key::KeyError;
use crate::note::NoteError;

/// What can go wrong with a log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// A file or directory cannot be read or written: a permission, a full disk, a device.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has the log open for writing. Only one may: two would sign two histories.
    #[error("the log in `{}` is in use by another process", path.display())]
    InUse {
        /// The log's directory.
        path: PathBuf,
    },
    /// There is no log here.
    #[error("there is no log in `{}`", path.display())]
    Missing {
        /// The log's directory.
        path: PathBuf,
    },
    /// There already is a log, with another origin.
    #[error("the log in `{}` is `{found}`, not `{wanted}`", path.display())]
    OtherOrigin {
        /// The log's directory.
        path: PathBuf,
        /// Its origin.
        found: String,
        /// The origin that was asked for.
        wanted: String,
    },
    /// A key cannot be had.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A checkpoint is malformed, or not signed by a trusted key.
    #[error("{what}: {source}")]
    Note {
        /// Which checkpoint.
        what: String,
        /// Why it is refused.
        source: NoteError,
    },
    /// The log contradicts itself or a checkpoint: it was changed, or the disk lost what was durable. Compare
    /// with copies and checkpoints that are kept elsewhere; nothing was written.
    #[error("the log was tampered with or damaged: {0}")]
    Tampered(String),
    /// There is no such record, or none yet.
    #[error("there is no record {index}; the log has {size}")]
    NoSuchRecord {
        /// Which was asked for.
        index: u64,
        /// How many there are.
        size: u64,
    },
    /// The running writer cannot do it; holds why.
    #[error("the log cannot be written: {0}")]
    Unavailable(String),
    /// A selector selects everything without saying so.
    #[error("nothing was selected; say which records, agent, session or time is meant")]
    NothingSelected,
}

impl AuditError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}
