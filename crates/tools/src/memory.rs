//! `memory`: what an agent wants to know next time. One file for each agent, in the gate's own state.
//!
//! ```json
//! {"v": 1, "agent": "dev-1", "entries": [["key", "value"], …], "digest": "sha256:…"}
//! ```
//!
//! `digest` covers the rest. A file that is not exactly this is refused and left as it is: what an agent remembered is
//! neither believed nor lost.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use callgate_text::{Digest, Json, Object};

use crate::done::{Kind, count};
use crate::work::Arguments;
use crate::{Done, Fault};

const MOST_KEYS: usize = 256;
const MOST_KEY: usize = 128;
const MOST_VALUE: usize = 64 << 10;
const MOST_IN_ALL: usize = 1 << 20;

/// The longest file: every byte of a value may need six in JSON.
const MOST_FILE: usize = 8 << 20;

/// What is asked of the memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The value of a key.
    Get(String),
    /// Gives a key a value.
    Set(String, String),
    /// All keys.
    List,
    /// Forgets a key.
    Delete(String),
}

impl Operation {
    /// Reads the arguments of `memory`.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn of(arguments: Option<&Object>) -> Result<Self, Fault> {
        let mut arguments = Arguments(arguments.cloned().unwrap_or_default());
        let operation = arguments.required("operation")?;
        let key = arguments.text("key")?;
        let value = arguments.text("value")?;
        arguments.end()?;
        let named = |key: Option<String>| match key {
            Some(key) if key.is_empty() || key.chars().count() > MOST_KEY || key.chars().any(char::is_control) => {
                Err(Fault::invalid("a key has 1 to 128 characters, and none that is a control character"))
            }
            Some(key) => Ok(key),
            None => Err(Fault::invalid(format!("`{operation}` needs a key"))),
        };
        match (operation.as_str(), value) {
            ("get", None) => named(key).map(Self::Get),
            ("delete", None) => named(key).map(Self::Delete),
            ("list", None) if key.is_none() => Ok(Self::List),
            ("list", None) => Err(Fault::invalid("`list` has no key")),
            ("set", Some(value)) if value.len() > MOST_VALUE => {
                Err(Fault::new(Kind::TooLarge, "a value has at most 64 KiB"))
            }
            ("set", Some(value)) => named(key).map(|key| Self::Set(key, value)),
            ("set", None) => Err(Fault::invalid("`set` needs a value")),
            ("get" | "list" | "delete", Some(_)) => Err(Fault::invalid("only `set` has a value")),
            _ => Err(Fault::invalid("`operation` is get, set, list or delete")),
        }
    }
}

/// The memories of all agents.
#[derive(Debug)]
pub struct Memory {
    folder: PathBuf,
    /// One change at a time.
    turn: Mutex<()>,
}

type Entries = BTreeMap<String, String>;

impl Memory {
    /// Memories in `folder`, which is made when something is first remembered.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), turn: Mutex::new(()) }
    }

    /// Does what one agent asks for. A change is on the disk when this returns.
    ///
    /// # Errors
    /// Why nothing was done.
    pub fn run(&self, agent: &str, operation: &Operation) -> Result<Done, Fault> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path(agent);
        let mut entries = load(&path, agent)?;
        match operation {
            Operation::Get(key) => match entries.get(key) {
                Some(value) => Ok(Done::new(value.as_str()).with("found", Json::Bool(true))),
                None => Ok(Done::new("").with("found", Json::Bool(false)).noting("Nothing is known by this key.")),
            },
            Operation::List => {
                let keys: String = entries.keys().map(|key| format!("{key}\n")).collect();
                Ok(Done::new(keys).with("keys", count(entries.len())))
            }
            Operation::Set(key, value) => {
                let replaced = entries.insert(key.clone(), value.clone()).is_some();
                let size: usize = entries.iter().map(|(key, value)| key.len() + value.len()).sum();
                if entries.len() > MOST_KEYS || size > MOST_IN_ALL {
                    return Err(Fault::new(Kind::TooLarge, "the memory is full: 256 keys, 1 MiB in all"));
                }
                self.store(&path, agent, &entries)?;
                Ok(Done::new("Remembered.").with("replaced", Json::Bool(replaced)).with("keys", count(entries.len())))
            }
            Operation::Delete(key) => {
                let found = entries.remove(key).is_some();
                if found {
                    self.store(&path, agent, &entries)?;
                }
                Ok(Done::new(if found { "Forgotten." } else { "Nothing was known by this key." })
                    .with("found", Json::Bool(found)))
            }
        }
    }

    /// By digest: an agent's name may hold what a file's cannot, and no two agents share a file.
    fn path(&self, agent: &str) -> PathBuf {
        let digest = Digest::of(agent.as_bytes()).to_string();
        self.folder.join(format!("{}.json", digest.trim_start_matches("sha256:")))
    }

    fn store(&self, path: &Path, agent: &str, entries: &Entries) -> Result<(), Fault> {
        let bytes = encode(agent, entries);
        let staged = path.with_extension("new");
        let written = DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).and_then(|()| {
            // What a crash left of an earlier change.
            match fs::remove_file(&staged) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&staged)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&staged, path)?;
            File::open(&self.folder)?.sync_all()
        });
        written.map_err(|error| Fault::new(Kind::Failed, format!("it could not be remembered: {}", error.kind())))
    }
}

fn content(agent: &str, entries: &Entries) -> Object {
    let entries = entries.iter().map(|(key, value)| Json::Array(vec![Json::from(key.as_str()), value.as_str().into()]));
    let mut content = Object::default();
    content.set("v", Json::integer(1));
    content.set("agent", agent);
    content.set("entries", Json::Array(entries.collect()));
    content
}

fn encode(agent: &str, entries: &Entries) -> Vec<u8> {
    let mut content = content(agent, entries);
    let digest = Digest::of(&Json::Object(content.clone()).canonical());
    content.set("digest", digest);
    Json::Object(content).canonical()
}

fn load(path: &Path, agent: &str) -> Result<Entries, Fault> {
    let mut bytes = Vec::new();
    let most = u64::try_from(MOST_FILE).unwrap_or(u64::MAX).saturating_add(1);
    let read = File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes));
    match read {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Entries::new()),
        Err(error) => return Err(Fault::new(Kind::Failed, format!("the memory cannot be read: {}", error.kind()))),
    }
    decode(&bytes, agent).ok_or_else(|| {
        Fault::new(Kind::Corrupt, "what was remembered is damaged and is left as it is; tell whoever runs this gate")
    })
}

/// Only what [`encode`] writes, to the last byte.
fn decode(bytes: &[u8], agent: &str) -> Option<Entries> {
    let Json::Object(mut file) = Json::parse_within(bytes, MOST_FILE).ok()? else { return None };
    let Some(Json::Array(items)) = file.remove("entries") else { return None };
    let mut entries = Entries::new();
    for item in items {
        let Json::Array(pair) = item else { return None };
        let [Json::String(key), Json::String(value)] = pair.as_slice() else { return None };
        entries.insert(key.clone(), value.clone());
    }
    (encode(agent, &entries) == bytes).then_some(entries)
}
