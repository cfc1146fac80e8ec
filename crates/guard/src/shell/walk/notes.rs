//! What is noted about a command while its words are expanded.

use std::collections::BTreeSet;

use super::super::command::{Command, Dynamic};
use super::super::secret::is_secret_name;
use super::super::{Effect, Refusal};
use super::Walker;

impl Walker<'_> {
    /// Notes something about the command whose words are being expanded.
    pub(in super::super) fn note(&mut self, dynamic: Dynamic) {
        self.notes.insert(dynamic);
    }

    /// Notes that the words of a command show the variable `name`, if by its name it holds a secret and the line has not
    /// given it another value.
    pub(in super::super) fn note_secret(&mut self, name: &str) {
        if is_secret_name(name) && self.scope.variable(name).is_none() {
            self.secrets = true;
        }
    }

    /// Whether such a variable was shown since this was last asked.
    pub(in super::super) fn take_secrets(&mut self) -> bool {
        std::mem::take(&mut self.secrets)
    }

    /// Notes a construct that a plain `sh` reads otherwise.
    pub(in super::super) fn note_dialect(&mut self) {
        if self.any_shell {
            self.note(Dynamic::Dialect);
        }
    }

    /// What was noted about no command in particular becomes one of its own.
    pub(super) fn flush_notes(&mut self) -> Result<(), Refusal> {
        let secrets = self.take_secrets();
        if self.notes.is_empty() && !secrets {
            return Ok(());
        }
        let dynamic = std::mem::take(&mut self.notes);
        let effects = if secrets { BTreeSet::from([Effect::ReadsCredentials]) } else { BTreeSet::new() };
        self.push(Command { program: ":".to_owned(), known: true, dynamic, effects, ..Command::default() })
    }
}
