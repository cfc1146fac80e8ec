//! Inheritance: a profile may take away from the one that it extends, never add.

use super::{Access, Profile};

/// What a profile grants beyond the one that it extends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("profile `{profile}` may only tighten `{base}`: {what}")]
pub struct Loosened {
    /// The profile.
    pub profile: String,
    /// What it extends.
    pub base: String,
    /// What it grants, and what it may at most.
    pub what: String,
}

impl Profile {
    /// Refuses a profile that grants anything that `base` does not.
    ///
    /// # Errors
    /// The first such thing, in words for the operator.
    pub fn tightens(&self, base: &Self) -> Result<(), Loosened> {
        match self.loosened(base) {
            None => Ok(()),
            Some(what) => Err(Loosened { profile: self.name.clone(), base: base.name.clone(), what }),
        }
    }

    fn loosened(&self, base: &Self) -> Option<String> {
        if self.tier < base.tier {
            return Some(format!("tier {} is below {}", self.tier, base.tier));
        }
        // Every place that either names must be no wider here than there; between them nothing changes.
        for place in self.files.keys().chain(base.files.keys()) {
            let (here, there) = (self.access(place), base.access(place));
            if here > there {
                return Some(format!("`{place}` is {} there, {} here", there.as_str(), here.as_str()));
            }
            // A scratch folder over something that was hidden would reveal nothing, but it could be written.
            debug_assert!(!(here == Access::Tmpfs && there == Access::Hidden));
        }
        if self.network > base.network {
            return Some(format!("network `{}` is wider than `{}`", self.network.as_str(), base.network.as_str()));
        }
        if self.unix_sockets && !base.unix_sockets {
            return Some("Unix sockets are not allowed there".to_owned());
        }
        let (here, there) = (&self.limits, &base.limits);
        let amounts = [
            ("wall", here.wall, there.wall),
            ("cpu", here.cpu, there.cpu),
            ("memory", here.memory, there.memory),
            ("processes", here.processes, there.processes),
            ("open_files", here.open_files, there.open_files),
            ("output", here.output, there.output),
            ("disk", here.disk, there.disk),
            ("files", here.files, there.files),
        ];
        if let Some((name, here, there)) = amounts.into_iter().find(|(_, here, there)| here > there) {
            return Some(format!("`{name}` of {here} is above {there}"));
        }
        if here.memory_by > there.memory_by {
            return Some("memory is held by the kernel there".to_owned());
        }
        let known = |name: &String| base.environment.pass.contains(name) || base.environment.set.contains_key(name);
        if let Some(name) = self.environment.pass.iter().find(|name| !base.environment.pass.contains(*name)) {
            return Some(format!("the variable `{name}` is not passed there"));
        }
        if let Some(name) = self.environment.set.keys().find(|name| !known(name)) {
            return Some(format!("the variable `{name}` does not exist there"));
        }
        let secrets = self.secrets.iter().find(|(name, reference)| base.secrets.get(*name) != Some(reference));
        secrets.map(|(name, _)| format!("the secret of `{name}` is not granted there"))
    }
}
