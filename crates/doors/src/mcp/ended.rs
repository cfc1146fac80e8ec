//! How a relay ended.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use super::Anomalies;

/// Why a relay ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The client closed its end.
    ClientLeft,
    /// The server closed its end, or ended.
    ServerEnded,
    /// The relay was told to stop.
    Stopped,
}

/// How a relay ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Why.
    pub cause: Cause,
    /// How the server ended, if it was started here and could be waited for.
    pub server: Option<ExitStatus>,
    /// Requests of the client that the server never answered.
    pub unanswered: usize,
    /// What was not passed on.
    pub anomalies: Anomalies,
}

impl Ended {
    /// The exit code for the relay's own process: 0 if nothing went wrong, the server's if it failed,
    /// 70 if it left a question open, 128 and the signal if one ended it unasked.
    pub fn code(&self) -> u8 {
        if self.cause != Cause::ServerEnded {
            return 0;
        }
        let failed = self.server.and_then(|status| match (status.code(), status.signal()) {
            (Some(code), _) => u8::try_from(code).ok(),
            (None, Some(signal)) => u8::try_from(signal.saturating_add(128)).ok(),
            (None, None) => None,
        });
        match failed {
            Some(code) if code != 0 => code,
            _ if self.unanswered > 0 => 70,
            _ => 0,
        }
    }
}
