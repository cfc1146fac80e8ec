//! Signed notes, `c2sp.org/signed-note` v1.0.0, with Ed25519 keys (signature type `0x01`).
//!
//! ```text
//! <text, one or more lines>
//! <empty line>
//! — <key name> <base64 of key id (4 bytes) ‖ signature (64 bytes)>
//! ```

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callgate_text::Digest;

/// The longest note that is read, in bytes: room for a proof and far more than 16 signatures.
pub const MAX_NOTE: usize = 256 << 10;
/// The most signature lines that are read. The specification asks for at least 16.
pub const MAX_SIGNATURES: usize = 64;

const ED25519_TYPE: u8 = 1;
const SIGNATURE_MARK: &str = "— ";

/// Why a note, key or proof was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// The bytes do not have the form that the specification demands; holds what is wrong.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// None of the trusted keys signed it.
    #[error("not signed by a trusted key")]
    Untrusted,
    /// A signature that names a trusted key is not by that key: the text was changed.
    #[error("the signature by a trusted key does not match the text")]
    BadSignature,
}

/// A public key with its name: `<name>+<key id, 8 hex digits>+<base64 of 0x01 ‖ public key>`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    public: [u8; 32],
}

impl VerifierKey {
    /// The Ed25519 key `public` (RFC 8032) under `name`.
    ///
    /// # Errors
    /// If `name` is not a key name; see [`valid_name`].
    pub fn new(name: &str, public: [u8; 32]) -> Result<Self, NoteError> {
        if !valid_name(name) {
            return Err(NoteError::Malformed("a key name has no spaces, control characters or `+`, and is not empty"));
        }
        let digest = Digest::of_parts(&[name.as_bytes(), b"\n", &[ED25519_TYPE], &public]);
        let id = digest.as_bytes().first_chunk().copied().unwrap_or_default();
        Ok(Self { name: name.to_owned(), id, public })
    }

    /// The key's name; for a log's key its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first four bytes of the hash over name, type and key.
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    /// The 32 bytes of RFC 8032.
    pub fn public(&self) -> &[u8; 32] {
        &self.public
    }

    fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.public).verify(text, signature).is_ok()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = vec![ED25519_TYPE];
        typed.extend_from_slice(&self.public);
        write!(f, "{}+{:08x}+{}", self.name, u32::from_be_bytes(self.id), STANDARD.encode(typed))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        const FORM: NoteError = NoteError::Malformed("a verifier key is `<name>+<8 hex digits>+<base64>`");
        let mut parts = text.trim_end_matches('\n').splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(FORM);
        };
        let key = STANDARD.decode(key).map_err(|_| FORM)?;
        let Some((&ED25519_TYPE, public)) = key.split_first() else {
            return Err(NoteError::Malformed("the verifier key is not an Ed25519 key (type 1)"));
        };
        let key = Self::new(name, public.try_into().map_err(|_| FORM)?)?;
        if id == format!("{:08x}", u32::from_be_bytes(key.id)) {
            Ok(key)
        } else {
            Err(NoteError::Malformed("the verifier key's id does not match its key"))
        }
    }
}

/// Whether `name` can name a key and a log: printable ASCII without space and `+`, 1 to 200 bytes.
///
/// Narrower than the specification, which allows all of Unicode but its spaces: origins are compared by
/// people, too.
pub fn valid_name(name: &str) -> bool {
    (1..=200).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'+')
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// The name of the key that signed.
    pub name: String,
    /// The id of the key that signed.
    pub id: [u8; 4],
    /// The signature itself; its form is the key type's.
    pub signature: Vec<u8>,
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.id[..], &self.signature].concat();
        writeln!(f, "{SIGNATURE_MARK}{} {}", self.name, STANDARD.encode(bytes))
    }
}

/// A text and the signatures below it, not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl Note {
    /// A note of `text`, which ends in a newline, and its signatures.
    pub fn new(text: String, signatures: Vec<NoteSignature>) -> Self {
        Self { text, signatures }
    }

    /// Reads a note. Never panics, whatever the bytes.
    ///
    /// # Errors
    /// [`NoteError::Malformed`]. Says nothing about the signatures: [`Note::verify`] does.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE {
            return Err(NoteError::Malformed("the note is too long"));
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::Malformed("the note is not UTF-8"))?;
        if note.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
            return Err(NoteError::Malformed("the note holds control characters"));
        }
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::Malformed("the note has no signatures"))?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Malformed("the note does not end in a newline"))?;
        let signatures = lines.split('\n').map(signature_line).collect::<Result<Vec<_>, _>>()?;
        if signatures.len() > MAX_SIGNATURES {
            return Err(NoteError::Malformed("the note has too many signatures"));
        }
        Ok(Self { text: format!("{text}\n"), signatures })
    }

    /// The text as it was signed, if one of `trusted` signed it. Signatures by other keys are ignored.
    ///
    /// # Errors
    /// [`NoteError::BadSignature`] if one that names a trusted key does not verify, [`NoteError::Untrusted`] if
    /// none names one.
    pub fn verify(&self, trusted: &[VerifierKey]) -> Result<&str, NoteError> {
        let mut signed = false;
        for signature in &self.signatures {
            for key in trusted.iter().filter(|key| key.name == signature.name && key.id == signature.id) {
                if !key.verifies(self.text.as_bytes(), &signature.signature) {
                    return Err(NoteError::BadSignature);
                }
                signed = true;
            }
        }
        if signed { Ok(&self.text) } else { Err(NoteError::Untrusted) }
    }

    /// The text, whoever signed it.
    pub fn unverified_text(&self) -> &str {
        &self.text
    }

    /// The signature lines.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| signature.fmt(f))
    }
}

fn signature_line(line: &str) -> Result<NoteSignature, NoteError> {
    const FORM: NoteError = NoteError::Malformed("a signature line is `— <name> <base64>`");
    let (name, encoded) = line.strip_prefix(SIGNATURE_MARK).and_then(|rest| rest.split_once(' ')).ok_or(FORM)?;
    if name.is_empty() || name.contains('+') || name.chars().any(char::is_whitespace) {
        return Err(FORM);
    }
    let bytes = STANDARD.decode(encoded).map_err(|_| FORM)?;
    let (id, signature) = bytes.split_first_chunk().ok_or(FORM)?;
    if signature.is_empty() {
        return Err(FORM);
    }
    Ok(NoteSignature { name: name.to_owned(), id: *id, signature: signature.to_vec() })
}
