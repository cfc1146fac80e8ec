//! Arguments that are commands: what a layer takes apart before policy is asked.

use std::sync::Arc;

/// A command among a call's arguments, and where it would run, as the host or else the operator says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// The command itself.
    pub form: CommandForm,
    /// The directory in which it starts.
    pub cwd: Option<Arc<str>>,
    /// The home directory of the user as whom it runs.
    pub home: Option<Arc<str>>,
    /// Whose shell reads it.
    pub shell: Shell,
    /// What the operator says about programs, as the text of `programs.toml`.
    pub programs: Option<Arc<str>>,
}

/// How a command is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandForm {
    /// A line that a shell reads.
    Line(String),
    /// A program and its arguments, which nothing reads again.
    Argv(Vec<String>),
    /// The call has none.
    Absent,
}

/// Whose shell reads a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shell {
    /// The host's, with the user's aliases, functions and search path: which program a name means is unproven.
    #[default]
    Host,
    /// The gate's own, with a cleared environment.
    Gate,
}

impl Shell {
    /// The word in policy.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Gate => "gate",
        }
    }
}
