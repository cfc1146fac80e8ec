//! Profiles as the operator writes them, in `callgate.toml`:
//!
//! ```toml
//! [sandbox]
//! warm = 1                     # sandboxes that stand by, for each agent and profile; none unless asked for
//!
//! [sandbox.profile.build]
//! extends = "workspace"        # may only tighten it; without this line, a base of its own that starts as `workspace`
//! wall = "10m"
//! memory = "2GiB"
//! network = "none"
//!
//! [sandbox.profile.build.files]
//! "@workspace/.env" = "hidden"
//!
//! [sandbox.profile.build.env]
//! pass = ["LANG"]
//! ```

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{Access, Environment, Limits, Loosened, MemoryBy, Network, PlaceError, Profile, Tier};
use crate::built_in;

/// What is wrong with the profiles of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// Not of the form above; the reader's own words.
    #[error("{0}")]
    Form(String),
    /// A name that is not lower-case letters, digits and `-`, or is built in.
    #[error("`{0}` cannot be the name of a profile: lower-case letters, digits and `-`, and not one that is built in")]
    Name(String),
    /// It extends what does not exist, or itself.
    #[error("profile `{0}` extends `{1}`, which does not exist or extends it in turn")]
    Base(String, String),
    /// It grants more than what it extends.
    #[error(transparent)]
    Loosened(#[from] Loosened),
    /// A place that is none.
    #[error("profile `{0}`: {1}")]
    Place(String, PlaceError),
    /// A value that means nothing.
    #[error("profile `{profile}`: `{value}` is not {expected}")]
    Value {
        /// Which profile.
        profile: String,
        /// What stands there.
        value: String,
        /// What could.
        expected: &'static str,
    },
    /// More sandboxes are to stand by than may.
    #[error("`warm = {0}` is more than the {most} sandboxes that may stand by", most = Profiles::MOST_WARM)]
    Warm(usize),
    /// A variable that makes interpreters or loaders run something.
    #[error("profile `{0}` passes `{1}`, which lets the caller decide what code a program loads; `set` it if you must")]
    Injecting(String, String),
}

/// All profiles of a gate, the built-in ones among them, and how many sandboxes stand by.
#[derive(Clone, Debug)]
pub struct Profiles {
    by_name: BTreeMap<String, Profile>,
    warm: usize,
}

impl Default for Profiles {
    fn default() -> Self {
        let by_name = built_in::profiles().into_iter().map(|profile| (profile.name.clone(), profile)).collect();
        Self { by_name, warm: 0 }
    }
}

/// The table `[sandbox]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Section {
    profile: BTreeMap<String, Written>,
    warm: usize,
}

/// A profile as it is written: what is not said is inherited.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    extends: Option<String>,
    tier: Option<u8>,
    #[serde(default)]
    files: BTreeMap<String, Word>,
    network: Option<NetworkWord>,
    unix_sockets: Option<bool>,
    wall: Option<String>,
    cpu: Option<String>,
    memory: Option<String>,
    memory_by: Option<MemoryWord>,
    processes: Option<u64>,
    open_files: Option<u64>,
    output: Option<String>,
    disk: Option<String>,
    max_files: Option<u64>,
    #[serde(default)]
    env: WrittenEnvironment,
    secrets: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenEnvironment {
    pass: Option<BTreeSet<String>>,
    set: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Hidden,
    Tmpfs,
    Ro,
    Cow,
    Rw,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum NetworkWord {
    None,
    Loopback,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum MemoryWord {
    Kernel,
    Watched,
}

impl Profiles {
    /// The profiles of a `[sandbox]` table, given as TOML text whose top level is that table.
    ///
    /// # Errors
    /// The first thing that is wrong; then none of them may be used.
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        let section: Section = ::toml::from_str(text).map_err(|error| ProfileError::Form(error.to_string()))?;
        Self::of(section)
    }

    /// The profiles of a whole `callgate.toml`, of which only the table `[sandbox]` is looked at.
    ///
    /// # Errors
    /// As [`Profiles::parse`].
    pub fn of_gate(text: &str) -> Result<Self, ProfileError> {
        #[derive(Deserialize)]
        struct Gate {
            #[serde(default)]
            sandbox: Section,
        }
        let gate: Gate = ::toml::from_str(text).map_err(|error| ProfileError::Form(error.to_string()))?;
        Self::of(gate.sandbox)
    }

    /// The most sandboxes that may stand by for one agent and one profile.
    pub const MOST_WARM: usize = 4;

    /// How many sandboxes stand by for each agent and profile: `warm`, below `[sandbox]`. None unless asked for.
    pub const fn warm(&self) -> usize {
        self.warm
    }

    /// The profile of this name.
    pub fn get(&self, name: &str) -> Option<&Profile> {
        self.by_name.get(name)
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Profile> {
        self.by_name.values()
    }

    fn of(section: Section) -> Result<Self, ProfileError> {
        if section.warm > Self::MOST_WARM {
            return Err(ProfileError::Warm(section.warm));
        }
        let mut known = Self { warm: section.warm, ..Self::default() };
        let proper = |name: &str| {
            let letters = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
            letters && (1..=64).contains(&name.len()) && !known.by_name.contains_key(name)
        };
        if let Some(name) = section.profile.keys().find(|name| !proper(name)) {
            return Err(ProfileError::Name(name.escape_debug().to_string()));
        }
        // Bases before what extends them; what is left when nothing moves any more extends nothing that exists, or
        // itself.
        let mut waiting = section.profile;
        let base_of = |written: &Written, known: &Self| match &written.extends {
            Some(base) => known.by_name.get(base).cloned(),
            None => known.by_name.get(built_in::WORKSPACE).cloned(),
        };
        while let Some((name, base)) =
            waiting.iter().find_map(|(name, written)| Some((name.clone(), base_of(written, &known)?)))
        {
            let Some(written) = waiting.remove(&name) else { break };
            let tightens = written.extends.is_some();
            let profile = written.onto(name.clone(), &base)?;
            if tightens {
                profile.tightens(&base)?;
            }
            known.by_name.insert(name, profile);
        }
        if let Some((name, written)) = waiting.pop_first() {
            return Err(ProfileError::Base(name, written.extends.unwrap_or_default().escape_debug().to_string()));
        }
        Ok(known)
    }
}

impl Written {
    /// The whole profile: `base`, with what is written here in its place.
    fn onto(self, name: String, base: &Profile) -> Result<Profile, ProfileError> {
        let mut profile = Profile { name: name.clone(), ..base.clone() };
        let bad = |value: String, expected| ProfileError::Value { profile: name.clone(), value, expected };
        if let Some(number) = self.tier {
            profile.tier = Tier::numbered(number).ok_or_else(|| bad(number.to_string(), "a tier from 1 to 4"))?;
        }
        for (place, word) in self.files {
            let place = place.parse().map_err(|error| ProfileError::Place(name.clone(), error))?;
            profile.files.insert(place, word.into());
        }
        profile.network = self.network.map_or(profile.network, Network::from);
        profile.unix_sockets = self.unix_sockets.unwrap_or(profile.unix_sockets);
        let limits = &mut profile.limits;
        let time = |text: Option<String>, now: u64| match text {
            None => Ok(now),
            Some(text) => seconds(&text).ok_or_else(|| bad(text, "a duration like \"90s\", \"15m\" or \"2h\"")),
        };
        let size = |text: Option<String>, now: u64| match text {
            None => Ok(now),
            Some(text) => bytes(&text).ok_or_else(|| bad(text, "an amount like \"64KiB\", \"512MiB\" or \"2GiB\"")),
        };
        let count = |number: Option<u64>, now: u64| match number {
            Some(0) => Err(bad("0".to_owned(), "a number from 1 on")),
            other => Ok(other.unwrap_or(now)),
        };
        *limits = Limits {
            wall: time(self.wall, limits.wall)?,
            cpu: time(self.cpu, limits.cpu)?,
            memory: size(self.memory, limits.memory)?,
            memory_by: self.memory_by.map_or(limits.memory_by, MemoryBy::from),
            processes: count(self.processes, limits.processes)?,
            open_files: count(self.open_files, limits.open_files)?,
            output: size(self.output, limits.output)?,
            disk: size(self.disk, limits.disk)?,
            files: count(self.max_files, limits.files)?,
        };
        if let Some(pass) = self.env.pass {
            if let Some(name) = pass.iter().find(|variable| injects(variable)) {
                return Err(ProfileError::Injecting(profile.name, name.escape_debug().to_string()));
            }
            profile.environment.pass = pass;
        }
        profile.environment.set.extend(self.env.set);
        let Environment { pass, set } = &profile.environment;
        if let Some(odd) = pass.iter().chain(set.keys()).find(|name| name.is_empty() || name.contains(['=', '\0'])) {
            return Err(bad(odd.escape_debug().to_string(), "the name of a variable"));
        }
        if let Some(odd) = set.values().find(|value| value.contains('\0')) {
            return Err(bad(odd.escape_debug().to_string(), "the value of a variable"));
        }
        if let Some(secrets) = self.secrets {
            profile.secrets = secrets;
        }
        Ok(profile)
    }
}

/// Whether a variable of this name makes programs load or run what its value says. The caller's value of such a
/// variable never enters; the operator may still set one.
fn injects(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "BASH_ENV",
        "ENV",
        "PROMPT_COMMAND",
        "SHELLOPTS",
        "BASHOPTS",
        "IFS",
        "PERL5OPT",
        "PERL5LIB",
        "PERL5DB",
        "PYTHONSTARTUP",
        "PYTHONPATH",
        "PYTHONHOME",
        "PYTHONINSPECT",
        "RUBYOPT",
        "RUBYLIB",
        "NODE_OPTIONS",
        "NODE_PATH",
        "JAVA_TOOL_OPTIONS",
        "_JAVA_OPTIONS",
        "JDK_JAVA_OPTIONS",
        "CLASSPATH",
        "LUA_INIT",
        "R_PROFILE",
        "PAGER",
        "EDITOR",
        "VISUAL",
        "BROWSER",
        "LESSOPEN",
        "LESSCLOSE",
        "MANPAGER",
        "RUSTC_WRAPPER",
        "RUSTFLAGS",
        "RUSTC_WORKSPACE_WRAPPER",
        "CC",
        "CXX",
        "MAKEFLAGS",
        "HOSTALIASES",
        "LOCPATH",
        "NLSPATH",
        "GCONV_PATH",
        "TERMINFO",
        "TERMCAP",
        "SSH_AUTH_SOCK",
        "DBUS_SESSION_BUS_ADDRESS",
        "DOCKER_HOST",
    ];
    const PREFIXES: &[&str] = &["LD_", "DYLD_", "GIT_", "BASH_FUNC_", "NPM_CONFIG_", "npm_config_", "PIP_", "CARGO_"];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

impl From<Word> for Access {
    fn from(word: Word) -> Self {
        match word {
            Word::Hidden => Self::Hidden,
            Word::Tmpfs => Self::Tmpfs,
            Word::Ro => Self::Ro,
            Word::Cow => Self::Cow,
            Word::Rw => Self::Rw,
        }
    }
}

impl From<NetworkWord> for Network {
    fn from(word: NetworkWord) -> Self {
        match word {
            NetworkWord::None => Self::None,
            NetworkWord::Loopback => Self::Loopback,
        }
    }
}

impl From<MemoryWord> for MemoryBy {
    fn from(word: MemoryWord) -> Self {
        match word {
            MemoryWord::Kernel => Self::Kernel,
            MemoryWord::Watched => Self::Watched,
        }
    }
}

/// `"90s"`, `"15m"`, `"2h"`; never nothing.
fn seconds(text: &str) -> Option<u64> {
    scaled(text, &[("s", 1), ("m", 60), ("h", 3600)])
}

/// `"64KiB"`, `"512MiB"`, `"2GiB"`; never nothing.
fn bytes(text: &str) -> Option<u64> {
    scaled(text, &[("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)])
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (count, unit) = units.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))?;
    if !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    count.parse::<u64>().ok()?.checked_mul(*unit).filter(|amount| *amount > 0)
}

#[cfg(test)]
mod tests;
