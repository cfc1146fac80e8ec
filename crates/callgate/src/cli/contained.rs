//! The words of `callgate run` and `callgate sandbox`.

use std::ffi::OsString;
use std::path::PathBuf;

use callgate_sandbox::Class;
use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct RunAt {
    /// The profile to run under: built in, or of the gate's callgate.toml. Without it, the strictest built-in one that
    /// this machine can enforce.
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// The directory of a running gate. It then decides whether this may run, and whether what changed may be
    /// committed, and records both; its callgate.toml may hold profiles below [sandbox.profile.NAME].
    #[arg(long, value_name = "DIR", env = "CALLGATE_GATE")]
    pub(crate) gate: Option<PathBuf>,
    /// The state directory of that gate, if it is not the usual one.
    #[arg(long, value_name = "DIR", env = "CALLGATE_STATE")]
    pub(crate) state: Option<PathBuf>,
    /// The socket of that gate, if it is not the one in its state directory.
    #[arg(long, value_name = "PATH", env = "CALLGATE_SOCKET")]
    pub(crate) socket: Option<PathBuf>,
    /// A file made by `callgate agent token`. Without it, the user's uid must be mapped to an agent.
    #[arg(long, value_name = "FILE")]
    pub(crate) credential: Option<PathBuf>,
    /// The folder to work in; the current one unless told. Changes are made to a copy.
    #[arg(long, value_name = "DIR")]
    pub(crate) workspace: Option<PathBuf>,
    /// Show what changed, and ask before any of it is committed.
    #[arg(long, conflicts_with = "discard")]
    pub(crate) review: bool,
    /// Commit nothing.
    #[arg(long)]
    pub(crate) discard: bool,
    /// Without a gate, commit changes of this class without asking: repository_hook, repository_config, pipeline, agent_config,
    /// instructions, shell_start, tool_config, outward_link, set_id, strange_name, changed_meanwhile. Without it they stop the
    /// commit.
    #[arg(long, value_name = "CLASS", value_parser = class, conflicts_with = "gate")]
    pub(crate) permit: Vec<Class>,
    /// Write what the run really got, how it ended and what it changed to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// The program and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Sandbox {
    /// Show what this machine offers to contain a tool, and why not more. Exits 1 if nothing can be contained.
    Probe,
    /// Show a profile in its full form, with its digest.
    Profile {
        /// The profile.
        name: String,
        /// A gate directory with profiles of its own.
        #[arg(long, value_name = "DIR", env = "CALLGATE_GATE")]
        gate: Option<PathBuf>,
    },
}

fn class(word: &str) -> Result<Class, String> {
    let known = Class::ALL.into_iter().find(|class| class.as_str() == word);
    known.ok_or_else(|| format!("there is no class `{}`", word.escape_debug()))
}
