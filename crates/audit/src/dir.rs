//! Where a log lives.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::checkpoint::Checkpoint;
use crate::error::AuditError;
use crate::key::{Key, sync_parent, write_new};
use crate::merkle::empty_root;
use crate::note::{Note, NoteError, VerifierKey, valid_name};

/// The directory of one log. See the crate's page for its layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDir {
    root: PathBuf,
    origin: String,
}

/// The right to write a log, for as long as it is kept.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "the lock lives as long as the file is open")] File);

impl LogDir {
    /// Makes a log called `origin` in `root`, or opens the one that is there. Only its owner may enter `root`.
    ///
    /// # Errors
    /// [`AuditError::OtherOrigin`] if there is another log, [`AuditError`] otherwise.
    pub fn create(root: &Path, origin: &str) -> Result<Self, AuditError> {
        if !valid_name(origin) {
            return Err(AuditError::Note {
                what: "the log's origin".to_owned(),
                source: NoteError::Malformed("an origin is 1 to 200 printable ASCII characters but space and `+`"),
            });
        }
        let wanted = Self { root: root.to_owned(), origin: origin.to_owned() };
        if !wanted.checkpoint_path().exists() {
            wanted.make()?;
        }
        let found = Self::open(root)?;
        if found.origin == origin {
            Ok(found)
        } else {
            Err(AuditError::OtherOrigin { path: found.root, found: found.origin, wanted: wanted.origin })
        }
    }

    /// Opens the log in `root`.
    ///
    /// # Errors
    /// [`AuditError::Missing`] if there is none.
    pub fn open(root: &Path) -> Result<Self, AuditError> {
        let path = root.join("origin");
        let origin = match fs::read_to_string(&path) {
            Ok(origin) => origin.trim_end_matches('\n').to_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(AuditError::Missing { path: root.to_owned() });
            }
            Err(error) => return Err(AuditError::io(&path)(error)),
        };
        if !valid_name(&origin) {
            return Err(AuditError::Tampered("the file `origin` holds no name".to_owned()));
        }
        Ok(Self { root: root.to_owned(), origin })
    }

    /// Every step may be there already, from a creation that was cut short; the checkpoint comes last.
    fn make(&self) -> Result<(), AuditError> {
        for (path, mode) in [
            (self.root.clone(), 0o700),
            (self.keys_path(), 0o700),
            (self.wal_path(), 0o700),
            (self.disclosures_path(), 0o700),
            (self.public_path(), 0o755),
        ] {
            DirBuilder::new().recursive(true).mode(mode).create(&path).map_err(AuditError::io(&path))?;
        }
        let _lock = self.lock()?;
        if self.checkpoint_path().exists() {
            // Somebody else was faster.
            return Ok(());
        }
        sync_parent(&self.root).map_err(AuditError::io(&self.root))?;
        let origin = self.root.join("origin");
        if !origin.exists() {
            write_new(&origin, format!("{}\n", self.origin).as_bytes()).map_err(AuditError::io(&origin))?;
        }
        if Self::open(&self.root)?.origin != self.origin {
            return Ok(());
        }
        let segments = fs::read_dir(self.wal_path()).map_err(AuditError::io(&self.wal_path()))?;
        if segments.count() > 0 {
            return Err(AuditError::Tampered("there are records, but no checkpoint".to_owned()));
        }
        let path = self.key_path();
        let key = if path.exists() { Key::load(&path)? } else { Key::create(&path, &self.origin)? };
        let trusted = self.trusted_path();
        if !trusted.exists() {
            write_new(&trusted, format!("{}\n", key.verifier()).as_bytes()).map_err(AuditError::io(&trusted))?;
        }
        let empty = Checkpoint { origin: self.origin.clone(), size: 0, root: empty_root() };
        let text = empty.to_text();
        let note = Note::new(text.clone(), vec![key.sign(&text)]).to_string();
        let path = self.checkpoint_path();
        replace(&path, note.as_bytes(), 0o644).map_err(AuditError::io(&path))
    }

    /// The log's directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The log's name: the origin of its checkpoints and the name of its keys.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// What may be served to anybody, as it is: `checkpoint` and `tile/`.
    pub fn public_path(&self) -> PathBuf {
        self.root.join("public")
    }

    /// The newest checkpoint.
    pub fn checkpoint_path(&self) -> PathBuf {
        self.root.join("public/checkpoint")
    }

    pub(crate) fn wal_path(&self) -> PathBuf {
        self.root.join("wal")
    }

    pub(crate) fn disclosures_path(&self) -> PathBuf {
        self.root.join("disclosures")
    }

    pub(crate) fn keys_path(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// The signing key.
    pub fn key_path(&self) -> PathBuf {
        self.root.join("keys/log.key")
    }

    /// The key before the last rotation, until it is retired.
    pub(crate) fn old_key_path(&self) -> PathBuf {
        self.root.join("keys/old.key")
    }

    pub(crate) fn trusted_path(&self) -> PathBuf {
        self.root.join("keys/trusted")
    }

    pub(crate) fn reserve_path(&self) -> PathBuf {
        self.root.join("reserve")
    }

    /// The verifier keys that this machine itself trusts: all that ever signed the log. Whoever does not trust
    /// this machine verifies with keys that were taken off it before.
    ///
    /// # Errors
    /// If the list cannot be read.
    pub fn trusted_keys(&self) -> Result<Vec<VerifierKey>, AuditError> {
        let path = self.trusted_path();
        let text = fs::read_to_string(&path).map_err(AuditError::io(&path))?;
        let keys = text.lines().map(str::parse).collect::<Result<_, _>>();
        keys.map_err(|source| AuditError::Note { what: "`keys/trusted`".to_owned(), source })
    }

    /// The newest checkpoint, signed, as its bytes stand.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn checkpoint_bytes(&self) -> Result<Vec<u8>, AuditError> {
        let path = self.checkpoint_path();
        match fs::read(&path) {
            Ok(bytes) => Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(AuditError::Tampered("the checkpoint is gone".to_owned()))
            }
            Err(error) => Err(AuditError::io(&path)(error)),
        }
    }

    /// The newest checkpoint, if one of `trusted` signed it.
    ///
    /// # Errors
    /// [`AuditError::Note`].
    pub fn checkpoint(&self, trusted: &[VerifierKey]) -> Result<Checkpoint, AuditError> {
        let note = |source| AuditError::Note { what: "the log's checkpoint".to_owned(), source };
        let checkpoint = Checkpoint::open(&self.checkpoint_bytes()?, trusted).map_err(note)?;
        if checkpoint.origin != self.origin {
            return Err(AuditError::Tampered("the checkpoint is that of another log".to_owned()));
        }
        Ok(checkpoint)
    }

    /// Takes the right to write.
    pub(crate) fn lock(&self) -> Result<Lock, AuditError> {
        let path = self.root.join("lock");
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = options.map_err(AuditError::io(&path))?;
        // A few tries: a reader that asks whether the log is in use holds the lock for an instant.
        let mut tries = 5;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Lock(file)),
                Err(rustix::io::Errno::WOULDBLOCK) if tries > 0 => {
                    tries -= 1;
                    std::thread::sleep(std::time::Duration::from_millis(10));
                }
                Err(rustix::io::Errno::WOULDBLOCK) => return Err(AuditError::InUse { path: self.root.clone() }),
                Err(error) => return Err(AuditError::io(&path)(error.into())),
            }
        }
    }

    /// Whether a writer has the log open.
    pub fn is_in_use(&self) -> bool {
        File::open(self.root.join("lock"))
            .is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockShared) == Err(rustix::io::Errno::WOULDBLOCK))
    }
}

/// Puts `bytes` in the place of the file at `path`, durably, whole or not at all.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let temporary = path.with_extension("new");
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
    io::Write::write_all(&mut file, bytes)?;
    file.sync_data()?;
    fs::rename(&temporary, path)?;
    sync_parent(path)
}
