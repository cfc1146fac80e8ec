//! Where a gate's configuration and state are on this machine.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use callgate_text::Digest;

use crate::cli::Place;

/// The state directory of one gate.
///
/// ```text
/// state/                0711  so that agents of other users can reach the socket, and nothing else
///   run/gate.sock             one door; who is behind it is proved by uid or token
///   log/                0700  signing keys, write-ahead segments, tiles, checkpoint, disclosures
///   credentials.json    0600  digests of tokens
///   memory/             0700  what agents remember by the gate's own tool
///   commits/            0700  journals of commits that are under way
/// ```
#[derive(Clone, Debug)]
pub(crate) struct State {
    root: PathBuf,
    socket: PathBuf,
}

impl State {
    /// The state that belongs to a gate directory, without touching it.
    pub(crate) fn of(place: &Place) -> Result<Self> {
        let root = match &place.state {
            Some(root) => root.clone(),
            None => default_root(&place.gate)?,
        };
        let socket = place.socket.clone().unwrap_or_else(|| root.join("run").join("gate.sock"));
        Ok(Self { root, socket })
    }

    /// Makes the directories that are missing, and refuses a place that others could write to.
    pub(crate) fn prepare(&self, gate: &Path) -> Result<()> {
        let (root, gate) = (resolved(&self.root)?, fs::canonicalize(gate)?);
        if root.starts_with(&gate) || gate.starts_with(&root) {
            bail!(
                "configuration and state must be apart: the gate directory is {}, the state directory {}; choose \
                 another with --state",
                gate.display(),
                root.display()
            );
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o711)
            .create(&root)
            .with_context(|| format!("cannot make the directory {}", root.display()))?;
        let metadata = fs::metadata(&root)?;
        if metadata.mode() & 0o022 != 0 {
            bail!("others can write to {}; run `chmod go-w` on it", root.display());
        }
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            bail!("{} belongs to another user; run the gate as that user", root.display());
        }
        make(&root.join("run"), 0o755)?;
        make(&root.join("log"), 0o700)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.root.join("log")
    }
}

/// The socket of the running gate. Who names it needs neither the gate directory nor its state: an agent's
/// side may see none of them.
pub(crate) fn socket(place: &Place) -> Result<PathBuf> {
    match &place.socket {
        Some(socket) => Ok(socket.clone()),
        None => State::of(place).map(|state| state.socket),
    }
}

/// A directory of exactly this mode, whatever the umask and whoever made it.
fn make(path: &Path, mode: u32) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(mode).create(path);
    made.with_context(|| format!("cannot make the directory {}", path.display()))?;
    if fs::metadata(path)?.permissions().mode() & 0o777 != mode {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// The path without links and dots, even if its last parts do not exist yet.
fn resolved(path: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let mut missing = Vec::new();
    let mut present = path.as_path();
    loop {
        match fs::canonicalize(present) {
            Ok(real) => return Ok(missing.into_iter().rev().fold(real, |path, part| path.join(part))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| present.display().to_string()),
        }
        match (present.parent(), present.file_name()) {
            (Some(parent), Some(name)) => {
                missing.push(name);
                present = parent;
            }
            _ => bail!("{} cannot be resolved; name a plain path", path.display()),
        }
    }
}

/// Below the system's state directory for root, below the user's otherwise.
fn default_root(gate: &Path) -> Result<PathBuf> {
    let gate = fs::canonicalize(gate).with_context(|| {
        format!("there is no gate directory at {}; write one with `callgate init {0}`", gate.display())
    })?;
    let name = gate.file_name().map_or_else(|| "gate".into(), |name| name.to_string_lossy().into_owned());
    let digest = Digest::of(gate.as_os_str().as_encoded_bytes()).to_string();
    let tag: String = digest.chars().skip("sha256:".len()).take(8).collect();
    Ok(states()?.join("callgate").join(format!("{name}-{tag}")))
}

/// Where the commits of this user's own runs keep their journals.
pub(crate) fn journals() -> Result<PathBuf> {
    Ok(states()?.join("callgate/commits"))
}

fn states() -> Result<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib"));
    }
    match (std::env::var_os("XDG_STATE_HOME"), std::env::var_os("HOME")) {
        (Some(states), _) if Path::new(&states).is_absolute() => Ok(states.into()),
        (_, Some(home)) => Ok(Path::new(&home).join(".local/state")),
        _ => bail!("neither XDG_STATE_HOME nor HOME is set, so there is no place for what must be kept"),
    }
}
