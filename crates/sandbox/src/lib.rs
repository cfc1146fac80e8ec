//! Layer 3: run contained. Policy decides what may be tried; the sandbox bounds what a permitted tool can do.
//!
//! A [`Profile`] says what a run may have, as plain data with a digest. [`compile`] works out, purely, what that means
//! on a [`Host`], or refuses with every clause that cannot be enforced there. A [`Launcher`], a process of its own,
//! carries the [`Plan`] out: seven namespaces, a file system built from nothing, Landlock, a default-deny filter on
//! system calls, no capabilities, limits. Before the program starts it reads back what the kernel really gave
//! ([`ReadBack`]) and refuses anything less. What the program wrote over a copy-on-write workspace comes back as an
//! open folder; nothing of it reaches the host before a commit.
//!
//! We assume that the program is hostile, and so may be what lies in the workspace. User 0 of the host is never mapped.
#![cfg(target_os = "linux")]

mod built_in;
mod ending;
mod facts;
mod host;
pub mod launcher;
mod message;
mod plan;
mod profile;
mod readback;
mod run;
mod seccomp;
mod standby;
#[allow(unsafe_code, reason = "the system calls that have no safe wrapper; the only place for them")]
mod sys;
mod wire;
mod workspace;

pub use ending::{Ending, Exit, Fault, Limited, Usage};
pub use facts::{FACTS, SandboxFacts, TooManyChanges};
pub use host::{Groups, Host, Missing, Part};
#[doc(hidden)]
pub use message::check_message;
pub use plan::{Ground, Layer, Plan, Program, Refusal, Request, compile};
pub use profile::{
    Access, Environment, Limits, Loosened, MemoryBy, Network, Place, PlaceError, Profile, ProfileError, Profiles, Tier,
};
pub use readback::ReadBack;
pub use run::{Canceller, Finished, LaunchError, Launcher, Running, Sink, Streams, Written};
pub use standby::{Fitting, Standby, Unfit};
#[doc(hidden)]
pub use workspace::check_names;
pub use workspace::{Change, Class, CommitError, Journals, Node, Op, WriteSet, shown};
