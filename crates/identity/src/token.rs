//! Bearer tokens of agents: 256 random bits in a file that only its user can read.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use callgate_text::Digest;

const PREFIX: &str = "cgt_";

/// A token: `cgt_` and 43 characters of base64url. Shown in full only to whom it is for.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The text does not have a token's form.
    #[error("not a token of `callgate agent token`")]
    Malformed,
    /// Other users can read the file, so they can be this agent.
    #[error("the credential file can be read by other users; run `chmod 600` on it, or make a new one")]
    Exposed,
    /// The system's random generator failed.
    #[error("the system's random generator failed")]
    Random,
    /// The file cannot be read or written.
    #[error("the credential file: {0}")]
    File(#[from] std::io::Error),
}

impl Token {
    /// A fresh token.
    ///
    /// # Errors
    /// [`TokenError::Random`].
    pub fn mint() -> Result<Self, TokenError> {
        let mut bits = [0; 32];
        rand::fill(&mut bits).map_err(|_| TokenError::Random)?;
        Ok(Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bits))))
    }

    /// Reads a token from its text; white space around it does not count.
    ///
    /// # Errors
    /// [`TokenError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let text = text.trim_ascii();
        let bits = text.strip_prefix(PREFIX).and_then(|bits| URL_SAFE_NO_PAD.decode(bits).ok());
        match bits {
            Some(bits) if bits.len() == 32 => Ok(Self(text.to_owned())),
            _ => Err(TokenError::Malformed),
        }
    }

    /// Reads a token file.
    ///
    /// # Errors
    /// [`TokenError::Exposed`] if group or others can read it, and what can go wrong with a file.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let file = File::open(path)?;
        if file.metadata()?.mode() & 0o077 != 0 {
            return Err(TokenError::Exposed);
        }
        let mut text = String::new();
        file.take(256).read_to_string(&mut text)?;
        Self::parse(&text)
    }

    /// Writes a new token file with mode 0600. An existing file is left alone.
    ///
    /// # Errors
    /// What can go wrong with a file; that it exists already is one of them.
    pub fn write_new(&self, path: &Path) -> Result<(), TokenError> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(self.0.as_bytes())?;
        file.write_all(b"\n")?;
        Ok(file.sync_all()?)
    }

    /// The token in full, for the wire.
    pub fn secret(&self) -> &str {
        &self.0
    }

    /// What the gate keeps of it. Without a salt: there is no dictionary of 256-bit tokens.
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl std::fmt::Debug for Token {
    /// Never the token itself.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}
