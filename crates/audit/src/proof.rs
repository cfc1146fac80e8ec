//! Receipts that stand alone: `c2sp.org/tlog-proof@v1`, file extension `.tlog-proof`.
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! extra <base64>            (optional, not authenticated)
//! index <decimal>
//! <base64 hash>             (inclusion proof, the leaf's sibling first; none or more lines)
//! <empty line>
//! <signed checkpoint>
//! ```

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::{Checkpoint, decimal, decode_hash};
use crate::merkle::{Hash, leaf_hash, verify_inclusion};
use crate::note::{MAX_NOTE, NoteError, VerifierKey};

const HEAD: &str = "c2sp.org/tlog-proof@v1";

/// The proof that a record is in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// The record's index.
    pub index: u64,
    /// The inclusion proof.
    pub hashes: Vec<Hash>,
    /// The signed checkpoint, verbatim.
    pub checkpoint: String,
    /// Opaque data beside the proof. Nothing vouches for it.
    pub extra: Option<Vec<u8>>,
}

impl TlogProof {
    /// Reads a proof. Never panics, whatever the bytes.
    ///
    /// # Errors
    /// [`NoteError::Malformed`]. Says nothing about its truth: [`TlogProof::verify`] does.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        const FORM: NoteError = NoteError::Malformed("not a tlog-proof");
        if bytes.len() > MAX_NOTE {
            return Err(NoteError::Malformed("the proof is too long"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| FORM)?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or(FORM)?;
        let mut lines = head.split('\n');
        if lines.next() != Some(HEAD) {
            return Err(FORM);
        }
        let mut line = lines.next().ok_or(FORM)?;
        let mut extra = None;
        if let Some(encoded) = line.strip_prefix("extra ") {
            extra = Some(STANDARD.decode(encoded).map_err(|_| FORM)?);
            line = lines.next().ok_or(FORM)?;
        }
        let index = line.strip_prefix("index ").and_then(decimal).ok_or(FORM)?;
        let hashes = lines.map(|line| decode_hash(line).ok_or(FORM)).collect::<Result<Vec<_>, _>>()?;
        if hashes.len() > 64 {
            return Err(FORM);
        }
        Ok(Self { index, hashes, checkpoint: checkpoint.to_owned(), extra })
    }

    /// Whether `leaf`, byte for byte, is the record that the proof is about, in the log that `trusted` signs.
    /// Gives the checkpoint.
    ///
    /// # Errors
    /// [`NoteError`]: about the checkpoint's signature, or `Malformed` if the proof does not lead to its root.
    pub fn verify(&self, leaf: &[u8], trusted: &[VerifierKey]) -> Result<Checkpoint, NoteError> {
        let checkpoint = Checkpoint::open(self.checkpoint.as_bytes(), trusted)?;
        if verify_inclusion(&self.hashes, self.index, checkpoint.size, &leaf_hash(leaf), &checkpoint.root) {
            Ok(checkpoint)
        } else {
            Err(NoteError::Malformed("the proof does not lead from this record to the checkpoint's root"))
        }
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{}", STANDARD.encode(hash)))?;
        write!(f, "\n{}", self.checkpoint)
    }
}
