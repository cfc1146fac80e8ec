//! What a call, a fact, a decision and a record *are*, and the one way in which they follow from each
//! other.
//!
//! [`judge`] is pure: the same call, facts and policy give the same [`Verdict`], byte for byte. The
//! [`Gate`] is the short pipeline around it, over the seams in [`seam`]; it names no runtime, clock,
//! file or random source. Read [`gate`] top to bottom and you have read the product.

mod call;
mod command;
mod contained;
mod directory;
mod fact;
pub mod gate;
mod guarded;
mod judge;
mod name;
mod reason;
mod record;
pub mod seam;
mod timestamp;
mod verdict;

pub use call::{Call, CallFault, Caller, NotOffered, Offered, Posture, Request};
pub use command::{CommandForm, CommandLine, Shell};
pub use contained::{ChangeGroup, Changes, Containment, ProfileAsked, RunReport};
pub use directory::{NotADirectory, WorkingDirectory};
pub use fact::{Fact, FactSpec, FactType, Facts, Subject};
pub use gate::{Answer, Completion, Gate, Outcome, Receipt};
pub use judge::{Evaluation, Near, Satisfied, judge};
pub use name::{AgentId, DoorName, HostCall, NameError, ServerName, SessionId, ToolName};
pub use reason::{Code, PolicyRef, Reason, UnknownCode};
pub use record::{Entry, Kind, Lane, Record, Sealed};
pub use timestamp::Timestamp;
pub use verdict::{Approval, Decision, Disclose, Verdict};
