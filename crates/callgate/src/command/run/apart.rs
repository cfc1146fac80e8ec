//! What a run must not see: the gate's own state, and the credential that asks for it.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use callgate_sandbox::{Access, Place as Inside, Profile};

use crate::cli::{Place, RunAt};
use crate::place::State;

/// Refuses a run that could read the gate's keys or a credential, or change what it knows.
pub(super) fn keep(at: &RunAt, workspace: &Path, profile: &Profile) -> Result<()> {
    let mut own: Vec<PathBuf> = at.credential.iter().cloned().collect();
    if let Some(gate) = &at.gate {
        let place = Place { gate: gate.clone(), state: at.state.clone(), socket: at.socket.clone() };
        own.push(State::of(&place)?.root().to_owned());
    }
    for own in own {
        // What is not there cannot be seen. A state of another user's is none of ours to look at, nor the run's.
        let Ok(real) = own.canonicalize() else { continue };
        let shown = || real.to_str().and_then(|path| path.parse().ok()).map(|place: Inside| profile.access(&place));
        let near = real.starts_with(workspace) || workspace.starts_with(&real);
        if near || shown().is_none_or(|access| access > Access::Tmpfs) {
            bail!(
                "the run could reach {}, which belongs to the gate: keep it out of the workspace and of the profile",
                own.display()
            );
        }
    }
    Ok(())
}
