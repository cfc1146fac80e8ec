//! The words of the commands about coding agents' hosts.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Place;

/// A host whose tool calls pass the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Host {
    /// Anthropic's Claude Code.
    ClaudeCode,
}

/// A gate directory to start from, beside the small example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Pack {
    /// The tools that are built into Claude Code.
    ClaudeCode,
    /// The gate's own tools, for any agent that speaks MCP.
    Tools,
}

/// Whether a hook denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HookMode {
    /// What policy denies does not run, and nothing runs that could not be decided.
    Enforce,
    /// Everything runs; what policy would deny is recorded.
    Observe,
}

impl From<HookMode> for callgate_policy::Mode {
    fn from(mode: HookMode) -> Self {
        match mode {
            HookMode::Enforce => Self::Enforce,
            HookMode::Observe => Self::Observe,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct InstallAt {
    /// The host.
    pub(crate) host: Host,
    /// Whether the hook denies. Unless told, what the gate's configuration says of this door; unless that says
    /// anything, it only watches.
    #[arg(long, value_enum)]
    pub(crate) mode: Option<HookMode>,
    /// In this user's own settings: advisory, since the agent runs as this user.
    #[arg(long)]
    pub(crate) user: bool,
    /// Only show what would change.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The host's program, to learn its version.
    #[arg(long, value_name = "PATH", default_value = "claude")]
    pub(crate) program: PathBuf,
    /// A credential file for the hook; without it, `[[door]]` in entities.toml says who a user is.
    #[arg(long, value_name = "FILE")]
    pub(crate) credential: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct UninstallAt {
    /// The host.
    pub(crate) host: Host,
    /// From this user's own settings.
    #[arg(long)]
    pub(crate) user: bool,
    /// Only show what would change.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorAt {
    /// The host's program.
    #[arg(long, value_name = "PATH", default_value = "claude")]
    pub(crate) program: PathBuf,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct HookAt {
    /// The host.
    pub(crate) host: Host,
    /// A file made by `callgate agent token`. Without it, `[[door]]` in entities.toml says who this user is.
    #[arg(long, value_name = "FILE")]
    pub(crate) credential: Option<PathBuf>,
    /// Deny nothing, not even if no gate runs: for the time before the operator says `enforce`.
    #[arg(long)]
    pub(crate) observe: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}
