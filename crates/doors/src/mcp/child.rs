//! The server's process: started in a group of its own, and ended with all that it started.

use std::ffi::OsString;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

#[derive(Debug)]
pub(super) struct Child {
    process: tokio::process::Child,
    group: Option<Pid>,
}

impl Child {
    /// Starts `command`. Its errors go where ours go; it does not see variables of Callgate's own.
    pub(super) fn start(command: &[OsString]) -> std::io::Result<(Self, ChildStdin, ChildStdout)> {
        let (program, arguments) = command.split_first().ok_or(std::io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        command.process_group(0).kill_on_drop(true);
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"CALLGATE_") {
                command.env_remove(name);
            }
        }
        let mut process = command.spawn()?;
        let group = process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let pipes = process.stdin.take().zip(process.stdout.take());
        let (stdin, stdout) = pipes.ok_or(std::io::ErrorKind::BrokenPipe)?;
        Ok((Self { process, group }, stdin, stdout))
    }

    /// Resolves when the process ended. Cancel safe.
    pub(super) async fn exited(&mut self) {
        let _ = self.process.wait().await;
    }

    /// Waits for its end for `grace`, then asks for it, then forces it. Takes what it left behind along.
    pub(super) async fn end(&mut self, grace: Duration) -> Option<ExitStatus> {
        for signal in [None, Some(Signal::TERM), Some(Signal::KILL)] {
            self.signal(signal);
            if let Ok(Ok(status)) = timeout(grace, self.process.wait()).await {
                self.signal(Some(Signal::KILL));
                return Some(status);
            }
        }
        None
    }

    /// To the whole group, which nobody but the server's own descendants can be in.
    fn signal(&self, signal: Option<Signal>) {
        if let (Some(group), Some(signal)) = (self.group, signal) {
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.process.id().is_some() {
            self.signal(Some(Signal::KILL));
        }
    }
}
