//! What the gate finds out about a call before policy is asked.

use crate::seam::Snapshot;
use crate::{Call, Changes, Code, Containment, Fact, FactSpec, FactType, Facts, ProfileAsked, Reason, Timestamp};

use super::Gate;

/// The time of the call.
pub const NOW: FactSpec = FactSpec { path: "env.now", kind: FactType::Datetime };

/// The least tier of the sandbox that the call runs in, 1 to 4; 0 if it does not run contained.
pub const SANDBOX: FactSpec = FactSpec { path: "env.sandbox", kind: FactType::Long };

/// The facts of a call, and what it is held to if it is allowed.
pub(super) struct Established {
    pub(super) facts: Facts,
    pub(super) containment: Option<Containment>,
}

impl Gate {
    /// The gate's own facts, then each layer's, then what commands among the arguments would do and what a run wrote.
    pub(super) fn establish(
        &self,
        call: &Call,
        changes: Option<&Changes>,
        at: Timestamp,
        snapshot: &dyn Snapshot,
    ) -> Result<Established, Reason> {
        let mut facts = Facts::default();
        facts.insert(NOW.path, Fact::Datetime(at));
        let containment = snapshot.profile(call).map(|asked| self.contain(&asked)).transpose()?;
        let tier = containment.as_ref().map_or(0, |containment| containment.tier.into());
        facts.insert(SANDBOX.path, Fact::Long(tier));
        for source in &self.seams.facts {
            let established = source.establish(call, at);
            for (path, fact) in established.map_err(|error| Reason::new(Code::Internal, error))? {
                facts.insert(path, fact);
            }
        }
        let commands = snapshot.commands(call);
        if !commands.is_empty() {
            for source in &self.seams.facts {
                source.take_apart(&commands, &mut facts)?;
            }
        }
        if let Some(changes) = changes {
            let changes = snapshot.tell_apart(call, changes);
            for source in &self.seams.facts {
                source.weigh(&changes, &mut facts)?;
            }
        }
        Ok(Established { facts, containment })
    }

    /// No layer that knows the profile is no sandbox, and no sandbox is a denial.
    fn contain(&self, asked: &ProfileAsked) -> Result<Containment, Reason> {
        let found = self.seams.facts.iter().find_map(|source| source.contain(asked));
        found.unwrap_or_else(|| Err(Reason::new(Code::SandboxUnavailable, "this gate has no sandbox")))
    }
}
