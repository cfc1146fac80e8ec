//! What the operator says about a tool that its schema does not say.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

/// The overlay of one tool: `[tool."bank.payment_send"]` in `callgate.toml`.
///
/// Arguments are named by pointers without the leading slash, `path` or `files/path`; the elements of
/// an array need no name of their own. `~` and `/` inside a name are written `~0` and `~1`. A pointer
/// that names no argument is an error, so that a typo cannot switch a kind off.
///
/// ```
/// let overlay: callgate_policy::Overlay = toml::from_str(r#"
///     groups = ["egress"]
///     kinds = { to = "mailbox", "attachments/path" = "path" }
///     roots = { "attachments/path" = "/workspace" }
/// "#)?;
/// assert_eq!(overlay.groups, ["egress"]);
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Overlay {
    /// Action groups that the tool belongs to beside its server: `finance`, `destructive`, `egress`.
    pub groups: Vec<String>,
    /// What strings and numbers mean, by argument. `text` undoes a kind that name or format suggest.
    pub kinds: BTreeMap<String, Kind>,
    /// Numbers that policy sees as `Long`, multiplied by ten to this power, by argument.
    pub scale: BTreeMap<String, u32>,
    /// Where relative paths start, by argument of kind `path`: an absolute path, or `.` for a place of
    /// the tool's own (a repository, say), which policy names `Path::"."`. Without it they are refused.
    pub roots: BTreeMap<String, String>,
    /// Arguments that policy does not look into; a permit that covers one says `@opaque("name")`.
    pub opaque: Vec<String>,
    /// What to do with arguments that the tool does not declare but its schema would allow.
    pub additional: Additional,
    /// What the arguments are for, by argument.
    pub roles: BTreeMap<String, String>,
    /// Fields of the result that the gate may read.
    pub returns: Vec<String>,
    /// The sandbox profile under which the tool runs.
    pub profile: Option<String>,
}

/// Whether arguments that the tool does not declare may pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Additional {
    /// They are refused, whether or not the schema forbids them.
    #[default]
    Refuse,
    /// Where the schema allows them they pass unseen. A permit then says `@opaque("*")` for those
    /// beside the top-level arguments, and `@opaque("name")` for those inside `name`.
    Opaque,
}

/// What a string or number argument means, and so which values of it are the same to policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kind {
    /// A string of which the exact bytes count.
    Text,
    /// A file or directory: `Path in [Path]`.
    Path,
    /// A URL with a host: `Url in [Host, Domain, Zone]`.
    Url,
    /// A host name or address: `Host in [Domain, Zone]`.
    Host,
    /// One e-mail address: `Mailbox in [Domain]`.
    Mailbox,
    /// A shell command: a string to policy; the shell guard takes it apart.
    Command,
    /// An amount of money: a number that is not negative, with at most two fractional digits.
    Money,
}

impl Kind {
    /// The name in `callgate.toml`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Path => "path",
            Self::Url => "url",
            Self::Host => "host",
            Self::Mailbox => "mailbox",
            Self::Command => "command",
            Self::Money => "money",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
