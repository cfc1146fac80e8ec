//! How a run ended.

use std::fmt;

use crate::wire::{Malformed, Wire, fields};

/// How a run ended. Each is told apart from all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The program ended by itself, with this code.
    Code(i32),
    /// A signal that nobody here sent ended it.
    Signal(i32),
    /// The deadline passed.
    TimedOut,
    /// The tree of processes was above its memory.
    OutOfMemory,
    /// A limit ended it: which one.
    Limit(Limited),
    /// It wrote more than it may; what was within the cap has been handed on.
    OutputCap,
    /// The supervisor ended it, or went away.
    Cancelled,
    /// It never ran.
    Refused(Fault),
}

/// Limits that end a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limited {
    /// Processor time.
    Cpu,
    /// The size of a file.
    FileSize,
    /// A system call that kills: another architecture's.
    SystemCall,
}

crate::wire::variants!(Limited { Cpu, FileSize, SystemCall });

/// A step of the launch that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{step}: {why}")]
pub struct Fault {
    /// What was being done.
    pub step: String,
    /// What the system said.
    pub why: String,
}

fields!(Fault { step, why });

impl Fault {
    pub(crate) fn new(step: impl Into<String>, why: impl fmt::Display) -> Self {
        Self { step: step.into(), why: why.to_string() }
    }
}

/// Names the step that failed.
pub(crate) trait Step<T> {
    fn step(self, step: impl Into<String>) -> Result<T, Fault>;
}

impl<T, E: fmt::Display> Step<T> for Result<T, E> {
    fn step(self, step: impl Into<String>) -> Result<T, Fault> {
        self.map_err(|error| Fault::new(step, error))
    }
}

/// What a run used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Milliseconds from the start of the program to the end of all of it.
    pub wall_millis: u64,
    /// Processor time of the program and of the children that it waited for, in microseconds.
    pub cpu_micros: u64,
    /// The most memory that its largest process held, in KiB.
    pub peak_kib: u64,
    /// Bytes on standard output that were handed on.
    pub stdout: u64,
    /// Bytes on standard error that were handed on.
    pub stderr: u64,
}

fields!(Usage { wall_millis, cpu_micros, peak_kib, stdout, stderr });

/// How it ended and what it used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// How.
    pub exit: Exit,
    /// What it used.
    pub usage: Usage,
}

fields!(Ending { exit, usage });

impl Wire for Exit {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Code(code) => {
                out.push(0);
                code.put(out);
            }
            Self::Signal(signal) => {
                out.push(1);
                signal.put(out);
            }
            Self::TimedOut => out.push(2),
            Self::OutOfMemory => out.push(3),
            Self::Limit(limit) => {
                out.push(4);
                limit.put(out);
            }
            Self::OutputCap => out.push(5),
            Self::Cancelled => out.push(6),
            Self::Refused(fault) => {
                out.push(7);
                fault.put(out);
            }
        }
    }

    fn take(from: &mut &[u8]) -> Result<Self, Malformed> {
        Ok(match u8::take(from)? {
            0 => Self::Code(i32::take(from)?),
            1 => Self::Signal(i32::take(from)?),
            2 => Self::TimedOut,
            3 => Self::OutOfMemory,
            4 => Self::Limit(Limited::take(from)?),
            5 => Self::OutputCap,
            6 => Self::Cancelled,
            7 => Self::Refused(Fault::take(from)?),
            _ => return Err(Malformed),
        })
    }
}

impl Exit {
    /// The word for records: one for each way of ending.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Code(_) => "exit",
            Self::Signal(_) => "signal",
            Self::TimedOut => "timeout",
            Self::OutOfMemory => "out_of_memory",
            Self::Limit(_) => "limit",
            Self::OutputCap => "output_cap",
            Self::Cancelled => "cancelled",
            Self::Refused(_) => "refused",
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with {code}"),
            Self::Signal(signal) => write!(f, "killed by signal {signal}"),
            Self::TimedOut => f.write_str("ended at its deadline"),
            Self::OutOfMemory => f.write_str("ended for its memory"),
            Self::Limit(Limited::Cpu) => f.write_str("ended for its processor time"),
            Self::Limit(Limited::FileSize) => f.write_str("ended for the size of a file"),
            Self::Limit(Limited::SystemCall) => f.write_str("ended for a system call of another architecture"),
            Self::OutputCap => f.write_str("ended for its output"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::Refused(fault) => write!(f, "never ran: {fault}"),
        }
    }
}
