//! What a command can do to the world.

use std::str::FromStr;

/// An effect of a simple command, as policy sees it (`Effect::"destroys"`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Takes data away that no undo brings back: files, volumes, databases, remote resources.
    Destroys,
    /// Runs code that comes from the network in the same line.
    ExecutesDownload,
    /// Reads or prints keys, tokens or passwords.
    ReadsCredentials,
    /// Changes who may read, write or run something.
    ChangesPermissions,
    /// Leaves something that runs later by itself: start files, timers, services, hooks.
    Persists,
    /// Sends data to another machine.
    Sends,
    /// Gets data from another machine.
    Fetches,
    /// Acts with more rights than the agent has.
    Escalates,
    /// Ends processes or the machine.
    Kills,
    /// Rewrites or drops what version control has recorded.
    RewritesHistory,
    /// Makes what was built or committed visible to others: push, publish, deploy.
    Publishes,
    /// Changes resources of other systems: clusters, clouds, databases, hosted repositories.
    ChangesRemote,
    /// Installs packages, whose own scripts may run.
    Installs,
    /// Runs code of a file, of the project, or of the line itself in another language.
    Executes,
    /// Turns other programs into something else: the loader, the search path, interpreters' start files.
    Hijacks,
    /// Changes the system itself: disks, mounts, kernel, network, accounts, services.
    ChangesSystem,
    /// Listens for others or opens a way in.
    Listens,
}

impl Effect {
    /// All effects, in the order of their words in [`Effect::WORDS`].
    pub const ALL: [Self; 17] = [
        Self::Destroys,
        Self::ExecutesDownload,
        Self::ReadsCredentials,
        Self::ChangesPermissions,
        Self::Persists,
        Self::Sends,
        Self::Fetches,
        Self::Escalates,
        Self::Kills,
        Self::RewritesHistory,
        Self::Publishes,
        Self::ChangesRemote,
        Self::Installs,
        Self::Executes,
        Self::Hijacks,
        Self::ChangesSystem,
        Self::Listens,
    ];

    /// The words of all effects, in the order of [`Effect::ALL`].
    pub const WORDS: &'static [&'static str] = &[
        "destroys",
        "executes_download",
        "reads_credentials",
        "changes_permissions",
        "persists",
        "sends",
        "fetches",
        "escalates",
        "kills",
        "rewrites_history",
        "publishes",
        "changes_remote",
        "installs",
        "executes",
        "hijacks",
        "changes_system",
        "listens",
    ];

    /// The word in policies, tables and explanations.
    pub fn as_str(self) -> &'static str {
        let place = Self::ALL.iter().position(|effect| *effect == self).unwrap_or_default();
        Self::WORDS.get(place).copied().unwrap_or("destroys")
    }
}

impl FromStr for Effect {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        let place = Self::WORDS.iter().position(|known| *known == word).ok_or(())?;
        Self::ALL.get(place).copied().ok_or(())
    }
}

impl<'de> serde::Deserialize<'de> for Effect {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        word.parse().map_err(|()| serde::de::Error::custom(format!("no effect is called `{word}`")))
    }
}
