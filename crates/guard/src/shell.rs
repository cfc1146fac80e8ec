//! What a shell line does, from how it is written.
//!
//! A line passes four steps, each in its own module: `parse` reads it into a tree (`ast`), `expand` turns words into the
//! arguments that programs will see, `walk` follows the tree in the order of execution and opens every wrapper (`open`),
//! and `table` says, as data, what the programs do with their arguments.
//!
//! Two things keep it honest. Whatever the line decides only when it runs (an expansion of the environment's, the output
//! of another command, a file that is sourced) is *dynamic*, with the reason. And where the parser would have to guess
//! how a shell reads something, it refuses to read it, which is dynamic, too.

mod argument;
mod argv;
mod ast;
mod braces;
mod command;
mod cwd;
mod effect;
mod expand;
mod limits;
mod open;
mod parse;
mod places;
mod refusal;
mod scope;
mod secret;
mod table;
mod walk;

pub use argument::Argument;
pub use argv::Argv;
pub use command::{Command, Dynamic, Line};
pub use effect::Effect;
pub use limits::Limits;
pub use refusal::Refusal;
pub use table::{Table, TableError};

/// Where a line would run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// The working directory, absolute; relative paths are dynamic without it.
    pub cwd: Option<String>,
    /// The home directory, absolute.
    pub home: Option<String>,
}

/// Says what `text` does when a shell runs it in `setting`.
///
/// # Errors
/// [`Refusal`] if the line holds what hides from a reader, or is larger than anything that can be judged. What merely
/// cannot be read is no error: the line is then one command that is dynamic.
pub fn analyse(text: &str, setting: &Setting, table: &Table) -> Result<Line, Refusal> {
    refusal::inspect(text)?;
    walk::line(text, setting, table)
}

/// Says what the program and arguments `argv` do, started without a shell.
///
/// # Errors
/// As [`analyse`].
pub fn analyse_argv(argv: &[&str], setting: &Setting, table: &Table) -> Result<Line, Refusal> {
    for argument in argv {
        refusal::inspect(argument)?;
    }
    walk::argv(argv, setting, table)
}

/// Reads `text` and says whether it can be read; the floor that [`analyse`] is measured against.
#[doc(hidden)]
pub fn parses(text: &str) -> bool {
    parse::script(text, limits::DEPTH).is_ok()
}
