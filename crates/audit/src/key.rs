//! The log's signing keys.
//!
//! A key file holds one line in the form of Go's `sumdb/note`,
//! `PRIVATE+KEY+<name>+<key id, 8 hex digits>+<base64 of 0x01 ‖ 32-byte Ed25519 seed>`, mode 0600, and is created
//! atomically: it is there whole, or not at all.
//!
//! *Rotation* makes a new key and keeps the old one: both sign every checkpoint from then on, so that whoever
//! trusts either can go on verifying, until the operator *retires* the old key, which deletes its file. The log
//! holds a `key_change` record for each step, under the signature of the old key.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use aws_lc_rs::rand;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::note::{NoteError, NoteSignature, VerifierKey};

/// Why a key cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("key file `{path}`: {source}")]
    Io {
        /// Which file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Others than its owner may read the file. `chmod 600` it, and rotate the key: it may be known.
    #[error("key file `{path}` is open to others (mode {mode:03o}); it must be 600")]
    Open {
        /// Which file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// The file does not hold a key.
    #[error("key file `{path}` does not hold an Ed25519 note key")]
    Malformed {
        /// Which file.
        path: String,
    },
    /// A key cannot have this name.
    #[error("the key's name is {0}")]
    Name(#[from] NoteError),
    /// The system's random generator failed.
    #[error("the system's random generator failed")]
    Entropy,
}

/// A signing key: Ed25519, named by the origin of the log that it signs.
pub struct Key {
    pair: Ed25519KeyPair,
    verifier: VerifierKey,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.verifier)
    }
}

impl Key {
    fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::Entropy)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| KeyError::Entropy)?;
        Ok(Self { pair, verifier: VerifierKey::new(name, public)? })
    }

    /// Makes a key called `name` and writes it to `path`, which must not exist.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn create(path: &Path, name: &str) -> Result<Self, KeyError> {
        let mut seed = [0; 32];
        rand::fill(&mut seed).map_err(|_| KeyError::Entropy)?;
        let key = Self::from_seed(name, &seed)?;
        let id = u32::from_be_bytes(key.verifier.id());
        let line = format!("PRIVATE+KEY+{name}+{id:08x}+{}\n", STANDARD.encode([&[1][..], &seed].concat()));
        write_new(path, line.as_bytes()).map_err(|source| KeyError::Io { path: path.display().to_string(), source })?;
        Ok(key)
    }

    /// Reads the key at `path`.
    ///
    /// # Errors
    /// [`KeyError::Open`] if the group or the world may read or write it, [`KeyError`] otherwise.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let shown = || path.display().to_string();
        let io = |source| KeyError::Io { path: shown(), source };
        let mut file = OpenOptions::new().read(true).custom_flags(no_follow()).open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        if metadata.mode() & 0o077 != 0 {
            return Err(KeyError::Open { path: shown(), mode: metadata.mode() & 0o777 });
        }
        let mut line = String::new();
        io::Read::take(&mut file, 4096).read_to_string(&mut line).map_err(io)?;
        parse(&line).ok_or_else(|| KeyError::Malformed { path: shown() })?
    }

    /// The public half.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Signs the text of a note.
    pub fn sign(&self, text: &str) -> NoteSignature {
        NoteSignature {
            name: self.verifier.name().to_owned(),
            id: self.verifier.id(),
            signature: self.pair.sign(text.as_bytes()).as_ref().to_vec(),
        }
    }
}

fn parse(line: &str) -> Option<Result<Key, KeyError>> {
    let mut parts = line.trim_end_matches('\n').strip_prefix("PRIVATE+KEY+")?.splitn(3, '+');
    let (name, id, encoded) = (parts.next()?, parts.next()?, parts.next()?);
    let typed = STANDARD.decode(encoded).ok()?;
    let (1, seed) = typed.split_first()? else { return None };
    let key = Key::from_seed(name, seed.try_into().ok()?);
    match &key {
        Ok(key) if format!("{:08x}", u32::from_be_bytes(key.verifier.id())) != id => None,
        _ => Some(key),
    }
}

fn no_follow() -> i32 {
    i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default()
}

/// Writes a file that must not exist, mode 0600, whole or not at all: a temporary file is linked to its name.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let _ = fs::remove_file(&temporary);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::hard_link(&temporary, path));
    fs::remove_file(&temporary)?;
    written?;
    sync_parent(path)
}

/// Makes the names in the directory of `path` durable.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => fs::File::open(parent)?.sync_all(),
        _ => fs::File::open(".")?.sync_all(),
    }
}
