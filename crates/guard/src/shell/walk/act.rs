//! A command in the making.

use std::collections::BTreeSet;

use super::super::command::Command;
use super::super::cwd::Cwd;
use super::super::scope::Variable;
use super::super::{Argument, Argv, Dynamic, Effect};
use super::Input;

/// What a command runs, once it has been recorded itself.
#[derive(Debug)]
pub(in super::super) enum Nested {
    /// A program and its arguments, with what was assigned for it.
    Argv {
        wrapper: String,
        argv: Argv,
        assignments: Vec<(String, Argument)>,
        /// The arguments are names that fall apart at blanks.
        loose: bool,
    },
    /// A script.
    Script {
        wrapper: String,
        text: Argument,
        /// It is known to be bash that reads it.
        bash: bool,
        /// `$0`, `$1`, …, for a shell that is started for it; `None` if the shell itself goes on with it.
        positional: Option<Vec<Argument>>,
    },
    /// What comes in is a script.
    Standard { wrapper: String, bash: bool },
}

/// A command, and what it will lead to.
#[derive(Debug, Default)]
pub(in super::super) struct Act {
    pub(in super::super) command: Command,
    /// What a redirection puts into it.
    pub(in super::super) input: Option<Input>,
    /// Its output goes to a file.
    pub(in super::super) redirected: bool,
    pub(in super::super) nested: Vec<Nested>,
    /// It goes down into the directories that it reads, and shows what is in them.
    pub(in super::super) recursive: bool,
    /// What it prints, if that is known.
    pub(in super::super) text: Option<String>,
    /// What it prints are names of files.
    pub(in super::super) names: Vec<Argument>,
    pub(in super::super) diverges: bool,
    /// The directory to go back to, if this command's paths start elsewhere.
    pub(in super::super) elsewhere: Option<Cwd>,
    /// What it prints is what comes in, or some lines of it.
    pub(in super::super) filters: bool,
}

impl Act {
    pub(in super::super) fn effect(&mut self, effect: Effect) {
        self.command.effects.insert(effect);
    }

    pub(in super::super) fn dynamic(&mut self, dynamic: Dynamic) {
        self.command.dynamic.insert(dynamic);
    }

    pub(in super::super) fn effects(&mut self, effects: &[Effect]) {
        self.command.effects.extend(effects.iter().copied());
    }

    pub(in super::super) fn argv(&mut self, wrapper: &str, argv: &[Argument]) {
        if !argv.is_empty() {
            let (wrapper, argv) = (wrapper.to_owned(), self.command.argv.end(argv));
            self.nested.push(Nested::Argv { wrapper, argv, assignments: Vec::new(), loose: false });
        }
    }

    pub(in super::super) fn script(&mut self, wrapper: &str, text: Argument, bash: bool) {
        self.nested.push(Nested::Script { wrapper: wrapper.to_owned(), text, bash, positional: Some(Vec::new()) });
    }
}

/// Which of a command's paths are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Way {
    Reads,
    Writes,
    Deletes,
}

impl Act {
    pub(in super::super) fn paths(&mut self, way: Way) -> &mut BTreeSet<String> {
        match way {
            Way::Reads => &mut self.command.reads,
            Way::Writes => &mut self.command.writes,
            Way::Deletes => &mut self.command.deletes,
        }
    }
}

/// The value of a variable after `NAME+=more`.
pub(super) fn appended(before: Option<&Variable>, more: &Argument) -> Variable {
    match before {
        Some(Variable::Scalar(before)) => {
            let mut value = before.clone();
            value.push_value(more);
            Variable::Scalar(value)
        }
        Some(Variable::Unset) => Variable::Scalar(more.clone()),
        _ => Variable::Unknown,
    }
}
