//! The terminal that somebody sits at.

use rustix::process::getpgrp;
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetpgrp, tcsetattr};

/// How the terminal was before the run. The launcher sets it back itself, even if this program is killed; this does so
/// in case that the launcher was.
pub(super) struct Kept(Termios);

impl Kept {
    /// The settings of the caller's terminal, if both input and output are one, and nobody else is in front
    /// there.
    pub(super) fn of_caller() -> Option<Self> {
        let (stdin, stdout) = (rustix::stdio::stdin(), rustix::stdio::stdout());
        let behind = tcgetpgrp(stdin).is_ok_and(|front| front != getpgrp());
        if behind || !isatty(stdin) || !isatty(stdout) {
            return None;
        }
        tcgetattr(stdin).ok().map(Self)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Flush, &self.0);
    }
}
