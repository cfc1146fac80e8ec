//! Checkpoints, `c2sp.org/tlog-checkpoint` v1.0.0: a signed note of origin, size and root.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::merkle::Hash;
use crate::note::{Note, NoteError, VerifierKey, valid_name};

/// The state of a log at one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// How many records.
    pub size: u64,
    /// The root of their tree.
    pub root: Hash,
}

impl Checkpoint {
    /// The text that is signed: three lines.
    pub fn to_text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// Reads the three lines; lines behind them (extensions) are ignored, as the specification allows.
    ///
    /// # Errors
    /// [`NoteError::Malformed`].
    pub fn from_text(text: &str) -> Result<Self, NoteError> {
        let mut lines = text.strip_suffix('\n').ok_or(NoteError::Malformed("a line is cut off"))?.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(NoteError::Malformed("a checkpoint has origin, size and root"));
        };
        if !valid_name(origin) {
            return Err(NoteError::Malformed("the checkpoint's origin is not a name"));
        }
        if lines.any(str::is_empty) {
            return Err(NoteError::Malformed("an extension line of the checkpoint is empty"));
        }
        let size = decimal(size).ok_or(NoteError::Malformed("the checkpoint's size is not a decimal number"))?;
        let root = decode_hash(root).ok_or(NoteError::Malformed("the checkpoint's root is not a SHA-256 hash"))?;
        Ok(Self { origin: origin.to_owned(), size, root })
    }

    /// Reads a signed checkpoint and verifies it: signed by one of `trusted`, whose key name is the origin.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn open(bytes: &[u8], trusted: &[VerifierKey]) -> Result<Self, NoteError> {
        let note = Note::parse(bytes)?;
        let checkpoint = Self::from_text(note.unverified_text())?;
        let own: Vec<_> = trusted.iter().filter(|key| key.name() == checkpoint.origin).cloned().collect();
        note.verify(&own)?;
        Ok(checkpoint)
    }
}

/// An unsigned decimal of 64 bits without sign and leading zeroes.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

/// A hash in base64 (RFC 4648 § 4).
pub(crate) fn decode_hash(text: &str) -> Option<Hash> {
    STANDARD.decode(text).ok()?.try_into().ok()
}
