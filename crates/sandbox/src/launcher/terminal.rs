//! A terminal of the sandbox's own, and the host's terminal that is lent to it: bytes and window sizes go from one to
//! the other, and no descriptor does.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::fs::{Mode, OFlags, fcntl_setfl, open};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize};

use crate::ending::{Fault, Step};

/// How soon the terminal inside has the size of the host's.
pub(super) const FOLLOW_EVERY: Duration = Duration::from_millis(100);

/// A new terminal of the file system at `/dev/pts`: the launcher's side, and the program's.
pub(super) fn open_inside() -> Result<(OwnedFd, OwnedFd), Fault> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let ours = open("/dev/pts/ptmx", flags, Mode::empty()).step("terminal")?;
    unlockpt(&ours).step("terminal")?;
    let programs = ioctl_tiocgptpeer(&ours, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC);
    Ok((ours, programs.step("terminal")?))
}

/// Makes `terminal` the one of this session, which this process leads.
pub(super) fn take(terminal: &OwnedFd) -> Result<(), Fault> {
    rustix::process::ioctl_tiocsctty(terminal).step("terminal")?;
    rustix::stdio::dup2_stdin(terminal).step("standard input")?;
    rustix::stdio::dup2_stdout(terminal).step("standard output")?;
    rustix::stdio::dup2_stderr(terminal).step("standard error")
}

/// The host's terminal, raw as long as this lives, so that all that is typed goes to the one inside.
pub(super) struct Lent {
    host: OwnedFd,
    before: Termios,
    inside: OwnedFd,
}

impl Lent {
    /// Lends `host` to the terminal whose launcher's side is `inside`, which begins with the settings of `host`.
    pub(super) fn new(host: BorrowedFd<'_>, inside: &OwnedFd) -> Result<Self, Fault> {
        let before = tcgetattr(host).step("the host's terminal")?;
        tcsetattr(inside, OptionalActions::Now, &before).step("terminal")?;
        // A program that reads nothing must not keep the launcher from watching.
        fcntl_setfl(inside, OFlags::NONBLOCK).step("terminal")?;
        let lent = Self {
            host: host.try_clone_to_owned().step("the host's terminal")?,
            before: before.clone(),
            inside: inside.try_clone().step("terminal")?,
        };
        lent.follow();
        let mut raw = before;
        raw.make_raw();
        tcsetattr(host, OptionalActions::Now, &raw).step("the host's terminal")?;
        Ok(lent)
    }

    /// Gives the terminal inside the size of the host's. Whoever is in front there hears of a change.
    pub(super) fn follow(&self) {
        if let Ok(size) = tcgetwinsize(&self.host) {
            // The kernel does nothing if it is the same.
            let _ = tcsetwinsize(&self.inside, size);
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // What has been typed, or what the terminal has answered to something that was printed, is for the program
        // alone: nothing of it is left to whoever reads next.
        let _ = tcsetattr(&self.host, OptionalActions::Flush, &self.before);
    }
}

/// The host's terminal among the streams of a plan that has one.
pub(super) fn of_host(stdin: Option<&OwnedFd>) -> Result<BorrowedFd<'_>, Fault> {
    let host = stdin.filter(|stdin| isatty(stdin)).map(AsFd::as_fd);
    host.ok_or_else(|| Fault::new("terminal", "standard input is none"))
}
