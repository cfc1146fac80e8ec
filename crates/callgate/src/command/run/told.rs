//! What came of a run: the exit code, and with `--format json` one line for programs.

use std::process::ExitCode;

use callgate_sandbox::{Exit, Refusal};
use callgate_text::Json;

use crate::exit;

/// What a run that was ended by its limits exits with; as `timeout` does.
const TIMED_OUT: u8 = 124;
const LIMITED: u8 = 125;

/// What came of a run.
pub(super) enum Told {
    /// Something else went wrong. Nothing was committed; whether anything ran, the error says.
    Failed(anyhow::Error),
    /// It never started: the profile cannot be enforced.
    Refused(Refusal),
    /// It never started: the gate does not allow it.
    Denied(String),
    /// It was started.
    Ended {
        /// How it ended.
        exit: Exit,
        /// The signal to this program by which it was cancelled.
        signal: Option<u8>,
        /// What became of its changes.
        changes: Changes,
        /// It wrote something to standard error.
        spoke: bool,
    },
}

/// What became of what a run changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Changes {
    /// There were none, or nobody wanted them.
    None,
    /// All of them are on the host.
    Committed,
    /// Those of at least one folder are not, though they were to be.
    KeptOut,
}

impl Changes {
    /// Of two folders: what is missing goes before what is there.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::KeptOut, _) | (_, Self::KeptOut) => Self::KeptOut,
            (Self::Committed, _) | (_, Self::Committed) => Self::Committed,
            (Self::None, Self::None) => Self::None,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Committed => "committed",
            Self::KeptOut => "kept_out",
        }
    }
}

impl Told {
    /// What to exit with. How a run was cut short says more than that its changes were, too.
    pub(super) fn code(&self) -> ExitCode {
        match self {
            Self::Failed(_) | Self::Refused(_) => exit::INTERNAL.into(),
            Self::Denied(_) => exit::DENIED.into(),
            Self::Ended { exit: Exit::Code(_), changes: Changes::KeptOut, .. } => exit::DENIED.into(),
            Self::Ended { exit: Exit::Code(code), .. } => ExitCode::from(u8::try_from(*code).unwrap_or(u8::MAX)),
            Self::Ended { exit: Exit::Signal(signal), .. } => by(u8::try_from(*signal).unwrap_or(u8::MAX)),
            Self::Ended { exit: Exit::TimedOut, .. } => ExitCode::from(TIMED_OUT),
            Self::Ended { exit: Exit::Cancelled, signal: Some(signal), .. } => by(*signal),
            Self::Ended { exit: Exit::OutOfMemory | Exit::Limit(_) | Exit::OutputCap | Exit::Cancelled, .. } => {
                ExitCode::from(LIMITED)
            }
            Self::Ended { exit: Exit::Refused(_), .. } => exit::INTERNAL.into(),
        }
    }

    /// More about it, for people.
    pub(super) fn detail(&self) -> Option<String> {
        match self {
            Self::Failed(error) => Some(format!("{error:#}")),
            Self::Refused(refusal) => Some(refusal.to_string()),
            Self::Denied(denied) => Some(denied.clone()),
            Self::Ended { exit: Exit::Code(_), .. } => None,
            Self::Ended { exit, .. } => Some(exit.to_string()),
        }
    }

    /// Whether something of the program's stands on standard error.
    pub(super) fn spoke(&self) -> bool {
        matches!(self, Self::Ended { spoke: true, .. })
    }

    /// For programs; the states are those of the gate's own tools.
    pub(super) fn json(&self) -> Json {
        let (state, number, changes) = match self {
            Self::Failed(_) => ("failed", None, Changes::None),
            Self::Refused(_) => ("refused", None, Changes::None),
            Self::Denied(_) => ("denied", None, Changes::None),
            Self::Ended { exit, changes, .. } => match exit {
                Exit::Code(code) => (exit.word(), Some(("code", *code)), *changes),
                Exit::Signal(signal) => (exit.word(), Some(("signal", *signal)), *changes),
                _ => (exit.word(), None, *changes),
            },
        };
        let detail = self.detail().map(|detail| ("detail", Json::String(detail)));
        let number = number.map(|(key, number)| (key, Json::integer(number.into())));
        let members = [("state", Json::from(state)), ("changes", Json::from(changes.word()))];
        Json::object(members.into_iter().chain(number).chain(detail))
    }
}

/// As a shell says it.
fn by(signal: u8) -> ExitCode {
    ExitCode::from(signal.saturating_add(128))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_goes_before_what_is_there() {
        use Changes::{Committed, KeptOut, None};
        for (a, b, both) in
            [(None, None, None), (None, Committed, Committed), (Committed, KeptOut, KeptOut), (None, KeptOut, KeptOut)]
        {
            assert_eq!((a.and(b), b.and(a)), (both, both));
        }
    }
}
