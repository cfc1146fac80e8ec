//! Exit codes, the same for every command.

use std::process::ExitCode;

use callgate_core::Decision;

/// A check found something: policy findings, a failed test, a log that does not verify.
pub(crate) const CHECK_FAILED: ExitCodeOf = ExitCodeOf(1);
/// The call is denied.
pub(crate) const DENIED: ExitCodeOf = ExitCodeOf(2);
/// A person must approve the call.
pub(crate) const ESCALATED: ExitCodeOf = ExitCodeOf(3);
/// The command line, or what was read, is wrong.
pub(crate) const USAGE: ExitCodeOf = ExitCodeOf(64);
/// The gate itself failed. Callers treat it as a denial.
pub(crate) const INTERNAL: ExitCodeOf = ExitCodeOf(70);

/// A code that can stand in a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExitCodeOf(u8);

impl From<ExitCodeOf> for ExitCode {
    fn from(code: ExitCodeOf) -> Self {
        Self::from(code.0)
    }
}

/// The code of a decision.
pub(crate) fn of(decision: Decision) -> ExitCode {
    match decision {
        Decision::Allow | Decision::WouldDeny => ExitCode::SUCCESS,
        Decision::Deny => DENIED.into(),
        Decision::Escalate => ESCALATED.into(),
    }
}
