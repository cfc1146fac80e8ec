//! Text that passes without a call.

use callgate_text::{Revealed, reveal};

use crate::guarded::{Cut, guarded};
use crate::{Caller, Code, Reason};

use super::{Gate, internal};

/// A text on its way to a model that no call stands behind: a prompt, a resource, progress, sampling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passing {
    /// The text.
    pub text: String,
}

/// What may be handed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// The text as it was.
    Unchanged,
    /// The text without what hides from a reader.
    Sanitised(Revealed),
}

impl Gate {
    /// Looks at text that passes and takes out what hides from a reader.
    ///
    /// # Errors
    /// The reason for which the text must not be handed on.
    pub async fn observe(&self, caller: &Caller, passing: &[Passing]) -> Result<Vec<Observed>, Reason> {
        let work = async {
            let Caller::Agent { .. } = caller else {
                return Err(Reason::new(Code::UnknownAgent, "the credential names no agent"));
            };
            Ok(passing
                .iter()
                .map(|passing| reveal(&passing.text).map_or(Observed::Unchanged, Observed::Sanitised))
                .collect())
        };
        match guarded(work, &*self.seams.clock, self.deadlines.observe).await {
            Ok(result) => result,
            Err(Cut::Deadline) => Err(Reason::new(Code::DeadlineExceeded, "the text was not inspected in time")),
            Err(Cut::Panic) => Err(internal()),
        }
    }
}
