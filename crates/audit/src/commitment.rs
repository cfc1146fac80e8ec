//! Salted commitments: what stands in the log instead of a value.
//!
//! `SHA-256("callgate commitment v1\n" ‖ salt, 32 bytes ‖ length of the name, 4 bytes big-endian ‖ name ‖ value)`,
//! with the value in its canonical form (RFC 8785). The salt is fresh from the system's generator for each
//! commitment, so without it nobody can test a guess at the value, however few values there are. Whoever is
//! given name, salt and value can check that they are what was logged. The construction is that of RFC 9901
//! (SD-JWT) disclosures, without their encoding.

use callgate_text::Digest;

/// A salt, 32 bytes.
pub type Salt = [u8; 32];

/// The commitment to `value`, canonical JSON, under `name`.
pub fn commitment(salt: &Salt, name: &str, value: &[u8]) -> [u8; 32] {
    // A name is at most 65,535 bytes long; see `disclosure`.
    let length = u32::try_from(name.len()).unwrap_or(u32::MAX).to_be_bytes();
    let digest = Digest::of_parts(&[b"callgate commitment v1\n", salt, &length, name.as_bytes(), value]);
    *digest.as_bytes()
}

/// One opened value: what the disclosure store keeps, and what may be handed to an auditor.
#[derive(Clone, PartialEq, Eq)]
pub struct Disclosure {
    /// The index of its record.
    pub index: u64,
    /// What it is; the name in the record's `commitments`, or `call` or `facts`.
    pub name: String,
    /// The salt.
    pub salt: Salt,
    /// The value, canonical JSON.
    pub value: Vec<u8>,
}

impl std::fmt::Debug for Disclosure {
    /// Without salt and value: secrets stay out of messages.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Disclosure({} of {})", self.name, self.index)
    }
}

impl Disclosure {
    /// The commitment that this opens.
    pub fn commitment(&self) -> [u8; 32] {
        commitment(&self.salt, &self.name, &self.value)
    }
}
