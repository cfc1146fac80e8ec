//! What the gate says of how a call is run contained, and what is said back of how it went.

use std::collections::BTreeSet;
use std::sync::Arc;

use callgate_text::Json;

/// The profile that the operator named for a call, and the text in which profiles are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileAsked {
    /// Its name.
    pub name: Arc<str>,
    /// The `callgate.toml` of the policy in force.
    pub settings: Arc<str>,
}

/// What a call may only be run under. Whoever releases it runs it so, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Containment {
    /// The profile's name.
    pub profile: Arc<str>,
    /// The digest of the profile's canonical form.
    pub digest: callgate_text::Digest,
    /// The least tier that the profile asks for, 1 to 4: what policy sees as `context.env.sandbox`.
    pub tier: u8,
}

impl Containment {
    /// `{profile, digest, tier}`.
    pub fn to_json(&self) -> Json {
        Json::object([
            ("profile", Json::from(&*self.profile)),
            ("digest", Json::from(self.digest)),
            ("tier", Json::integer(self.tier.into())),
        ])
    }
}

/// How a contained run went, in the words of whoever ran it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunReport {
    /// How it ended: `exit`, `signal`, `timeout`, `out_of_memory`, `limit`, `output_cap`, `cancelled`, `refused`.
    pub exit: String,
    /// What the kernel really gave it, what it used and what it wrote: sealed in the log.
    pub report: Json,
}

impl RunReport {
    /// The longest word.
    const LONGEST_WORD: usize = 32;
    /// The longest report, in bytes of its canonical form.
    pub const LONGEST: usize = 256 << 10;

    /// Whether the log can take it: a plain word and a report that is not too long.
    pub fn is_fit(&self) -> bool {
        let plain = self.exit.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        plain && (1..=Self::LONGEST_WORD).contains(&self.exit.len()) && self.report.canonical().len() <= Self::LONGEST
    }
}

/// What a contained run wrote and wants to bring back, as policy sees it: changes that are of the same kinds together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes(pub Vec<ChangeGroup>);

/// Changes of the same kinds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeGroup {
    /// Why they need a permit of their own, if they do: `repository_hook`, `pipeline`, ….
    pub classes: BTreeSet<Arc<str>>,
    /// Where, absolute.
    pub paths: BTreeSet<Arc<str>>,
}
