//! The system calls that a contained program may make: an allow-list with conditions on arguments.
//!
//! [`table`] is the policy, [`program`] its translation into a small search tree of classic BPF. What the table does not
//! name answers `ENOSYS`, as on an older kernel, so that C libraries fall back; what it names as dangerous answers
//! `EPERM`. Calls of another architecture's numbering (i386 by `int 0x80`, x32) kill the process.

mod assemble;
mod calls;
mod table;

pub(crate) use assemble::{Instruction, program};
pub(crate) use table::{Switches, table};

use std::sync::OnceLock;

/// The filter for a program with these switches. The mother of launchers makes all of them when she has time, so that no
/// run has to.
pub(crate) fn filter(switches: Switches) -> &'static [Instruction] {
    static FILTERS: [OnceLock<Vec<Instruction>>; 4] = [const { OnceLock::new() }; 4];
    let [neither, unix, internet, both] = &FILTERS;
    let made = match (switches.internet, switches.unix) {
        (false, false) => neither,
        (false, true) => unix,
        (true, false) => internet,
        (true, true) => both,
    };
    made.get_or_init(|| program(&table(switches), Answer::Errno(libc::ENOSYS as u16)))
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The kernel carries it out.
    Allow,
    /// It fails with this error number; 0 pretends success and does nothing.
    Errno(u16),
    /// The whole process dies of `SIGSYS`.
    Kill,
}

/// A question about one argument. Only the low 32 bits are looked at, as the kernel itself does for every argument
/// that stands in the table: all of them are `int`, `unsigned int` or narrower. (A comparison of all 64 bits would be
/// passed by `TIOCSTI | 1 << 32`: CVE-2019-10063.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Test {
    /// Which argument, from 0.
    pub(crate) argument: u8,
    /// The bits that count.
    pub(crate) mask: u32,
    /// What they must be.
    pub(crate) wanted: Wanted,
}

/// What the bits of a [`Test`] must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Exactly these.
    Equal(u32),
    /// At least one of them set.
    Some,
}

/// If all tests hold, this answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Clause {
    /// The tests, all of which must hold.
    pub(crate) when: Vec<Test>,
    /// The answer then.
    pub(crate) then: Answer,
}

/// What happens to one system call: the first clause that holds, otherwise `otherwise`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// The number of the call on this architecture.
    pub(crate) number: u32,
    /// In this order.
    pub(crate) clauses: Vec<Clause>,
    /// If no clause holds.
    pub(crate) otherwise: Answer,
}
