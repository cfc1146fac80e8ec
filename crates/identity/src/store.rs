//! Which tokens exist: one small file, rewritten whole and atomically.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use callgate_core::{AgentId, Timestamp};
use callgate_text::{Digest, Json};

use crate::{Token, TokenError};

/// Whose a token is. One kind never opens the other's doors.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// One agent: its calls.
    Agent(AgentId),
    /// The gate's operator: previews, status and metrics over HTTP, and no call.
    Operator,
}

impl Holder {
    /// The agent, if it is one.
    pub fn agent(&self) -> Option<&AgentId> {
        match self {
            Self::Agent(agent) => Some(agent),
            Self::Operator => None,
        }
    }
}

/// A token as the gate knows it: by its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The first 16 hexadecimal digits of the digest: how people name it.
    pub id: String,
    /// Whose it is.
    pub holder: Holder,
    /// When it was made.
    pub created: Timestamp,
}

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file is there, but it is not what this store wrote.
    #[error("{} is damaged ({what}); restore it, or remove it and make every credential anew", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Other users can read or write the file, so they could have made credentials of their own.
    #[error("{} is open to other users; run `chmod 600` on it, then look at `callgate agent list`", path.display())]
    Exposed {
        /// Which file.
        path: PathBuf,
    },
    /// A token could not be made.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The file cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What happened.
        error: std::io::Error,
    },
}

/// The tokens of a gate, in memory and in `credentials.json` below its state.
///
/// Only the process that holds the state's lock opens it, so there is one writer.
#[derive(Debug)]
pub struct TokenStore {
    path: PathBuf,
    tokens: RwLock<BTreeMap<Digest, Credential>>,
}

impl TokenStore {
    /// Opens `credentials.json` in `state`; that there is none yet means no credentials.
    ///
    /// # Errors
    /// If it cannot be read or is damaged. A gate must not start then: guessing could revive a
    /// revoked token.
    pub fn open(state: &Path) -> Result<Self, StoreError> {
        let path = state.join("credentials.json");
        if fs::metadata(&path).is_ok_and(|metadata| metadata.mode() & 0o077 != 0) {
            return Err(StoreError::Exposed { path });
        }
        let tokens = match fs::read(&path) {
            Ok(bytes) => read(&bytes).map_err(|what| StoreError::Damaged { path: path.clone(), what })?,
            Err(error) if error.kind() == ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(StoreError::File { path, error }),
        };
        Ok(Self { path, tokens: RwLock::new(tokens) })
    }

    /// Makes a token for `holder`. It is durable before it is returned, and cannot be shown again.
    ///
    /// # Errors
    /// If no token could be made or kept.
    pub fn mint(&self, holder: Holder, now: Timestamp) -> Result<(Token, Credential), StoreError> {
        let token = Token::mint()?;
        let digest = token.digest();
        let credential = Credential { id: short(&digest), holder, created: now };
        self.change(|tokens| {
            tokens.insert(digest, credential.clone());
        })?;
        Ok((token, credential))
    }

    /// Forgets the credential `id`; `None` if there is no such. Acts on the next call.
    ///
    /// # Errors
    /// If the change could not be kept; the credential then still stands.
    pub fn revoke(&self, id: &str) -> Result<Option<Credential>, StoreError> {
        let found = self.list().into_iter().find(|credential| credential.id == id);
        if found.is_some() {
            self.change(|tokens| tokens.retain(|_, credential| credential.id != id))?;
        }
        Ok(found)
    }

    /// All credentials, by holder and age.
    pub fn list(&self) -> Vec<Credential> {
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = tokens.values().cloned().collect();
        all.sort_by(|a, b| (&a.holder, a.created, &a.id).cmp(&(&b.holder, b.created, &b.id)));
        all
    }

    /// Whose token this is.
    pub fn find(&self, token: &Token) -> Option<Holder> {
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        tokens.get(&token.digest()).map(|credential| credential.holder.clone())
    }

    /// Applies a change to a copy, makes the copy durable, and only then uses it.
    fn change(&self, change: impl FnOnce(&mut BTreeMap<Digest, Credential>)) -> Result<(), StoreError> {
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        let mut changed = tokens.clone();
        change(&mut changed);
        self.persist(&changed).map_err(|error| StoreError::File { path: self.path.clone(), error })?;
        *tokens = changed;
        Ok(())
    }

    fn persist(&self, tokens: &BTreeMap<Digest, Credential>) -> std::io::Result<()> {
        let draft = self.path.with_extension("json.new");
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(&write(tokens))?;
        file.sync_all()?;
        fs::rename(&draft, &self.path)?;
        match self.path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }
}

fn short(digest: &Digest) -> String {
    digest.to_string().chars().skip("sha256:".len()).take(16).collect()
}

fn write(tokens: &BTreeMap<Digest, Credential>) -> Vec<u8> {
    let rows = tokens.iter().map(|(digest, credential)| {
        let holder = match &credential.holder {
            Holder::Agent(agent) => ("agent", Json::from(agent)),
            Holder::Operator => ("operator", Json::Bool(true)),
        };
        let created = ("created", Json::integer(credential.created.as_millis()));
        Json::object([("digest", Json::from(*digest)), holder, created])
    });
    Json::object([("version", Json::integer(1)), ("credentials", Json::Array(rows.collect()))]).canonical()
}

/// No more than this: about 100,000 credentials.
const MOST_BYTES: usize = 16 << 20;

fn read(bytes: &[u8]) -> Result<BTreeMap<Digest, Credential>, &'static str> {
    let document = Json::parse_within(bytes, MOST_BYTES).map_err(|_| "not strict JSON")?;
    if document.get("version").and_then(Json::as_i64) != Some(1) {
        return Err("not version 1");
    }
    let rows = document.get("credentials").and_then(Json::as_array).ok_or("no list of credentials")?;
    rows.iter().map(row).collect::<Option<_>>().ok_or("a credential that cannot be read")
}

fn row(row: &Json) -> Option<(Digest, Credential)> {
    let digest: Digest = row.get("digest")?.as_str()?.parse().ok()?;
    let holder = match (row.get("agent"), row.get("operator")) {
        (Some(agent), None) => Holder::Agent(agent.as_str()?.parse().ok()?),
        (None, Some(Json::Bool(true))) => Holder::Operator,
        _ => return None,
    };
    let created = Timestamp::from_millis(row.get("created")?.as_i64()?);
    Some((digest, Credential { id: short(&digest), holder, created }))
}
