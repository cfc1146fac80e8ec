//! The keys that sign now, and how they change hands.

use std::fs;
use std::io;

use crate::dir::{LogDir, replace};
use crate::error::AuditError;
use crate::key::{Key, sync_parent};
use crate::note::{NoteSignature, VerifierKey};

/// The current key and, from a rotation until it is retired, the one before.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) current: Key,
    pub(crate) old: Option<Key>,
}

impl Keys {
    /// Loads the keys, and finishes a rotation that was cut short between its two renames.
    pub(crate) fn load(dir: &LogDir) -> Result<Self, AuditError> {
        let (path, next) = (dir.key_path(), next_path(dir));
        if !path.exists() && next.exists() {
            rename(&next, &path)?;
        }
        let current = Key::load(&path)?;
        let old = dir.old_key_path();
        let old = if old.exists() { Some(Key::load(&old)?) } else { None };
        for key in [Some(&current), old.as_ref()].into_iter().flatten() {
            if key.verifier().name() != dir.origin() {
                return Err(AuditError::Tampered("a signing key has another name than the log".to_owned()));
            }
        }
        Ok(Self { current, old })
    }

    pub(crate) fn sign(&self, text: &str) -> Vec<NoteSignature> {
        [Some(&self.current), self.old.as_ref()].into_iter().flatten().map(|key| key.sign(text)).collect()
    }

    pub(crate) fn verifiers(&self) -> Vec<VerifierKey> {
        [Some(&self.current), self.old.as_ref()].into_iter().flatten().map(|key| key.verifier().clone()).collect()
    }

    /// Makes the next key, trusted from now on but not signing yet.
    pub(crate) fn prepare(&self, dir: &LogDir) -> Result<Key, AuditError> {
        if self.old.is_some() {
            return Err(AuditError::Unavailable("the key of the last rotation was not retired yet".to_owned()));
        }
        let path = next_path(dir);
        let next = if path.exists() { Key::load(&path)? } else { Key::create(&path, dir.origin())? };
        let mut trusted = dir.trusted_keys()?;
        if !trusted.contains(next.verifier()) {
            trusted.push(next.verifier().clone());
            let list: String = trusted.iter().map(|key| format!("{key}\n")).collect();
            let path = dir.trusted_path();
            replace(&path, list.as_bytes(), 0o600).map_err(AuditError::io(&path))?;
        }
        Ok(next)
    }

    /// Lets `next` sign, and the current key beside it.
    pub(crate) fn advance(&mut self, dir: &LogDir, next: Key) -> Result<(), AuditError> {
        rename(&dir.key_path(), &dir.old_key_path())?;
        rename(&next_path(dir), &dir.key_path())?;
        self.old = Some(std::mem::replace(&mut self.current, next));
        Ok(())
    }

    /// Forgets the old key.
    pub(crate) fn retire(&mut self, dir: &LogDir) -> Result<(), AuditError> {
        let path = dir.old_key_path();
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(AuditError::io(&path)(error)),
            _ => {}
        }
        sync_parent(&path).map_err(AuditError::io(&path))?;
        self.old = None;
        Ok(())
    }
}

fn next_path(dir: &LogDir) -> std::path::PathBuf {
    dir.keys_path().join("next.key")
}

fn rename(from: &std::path::Path, to: &std::path::Path) -> Result<(), AuditError> {
    fs::rename(from, to).and_then(|()| sync_parent(to)).map_err(AuditError::io(from))
}
