//! Programs whose arguments a rule alone does not read: those that run other programs in ways of their own.

mod builtin;
mod code;
mod environment;
mod files;
mod filter;
mod git;
mod languages;
mod later;
mod packages;
mod screens;
mod sed;
mod shells;
mod streams;

use super::walk::{Act, Walker};
use super::{Argument, Refusal};

pub(super) use builtin::{is_builtin, runs_in_an_index};
pub(super) use code::code;
pub(super) use packages::package;

/// A way of reading a program's arguments that is all its own; `opener` in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Opener {
    At,
    Awk,
    Builtin,
    Crontab,
    Dd,
    Debugger,
    Ed,
    Editor,
    Filter,
    Find,
    Git,
    GitConfig,
    Interpreter,
    Jq,
    JqKin,
    Make,
    Module,
    Names,
    PackageRunner,
    Pager,
    Parallel,
    Pytest,
    Sed,
    Shell,
    Ssh,
    Tar,
    Xargs,
}

/// Reads the arguments of the program called `name` as `opener` does. Says whether that is all there is to read; if
/// not, its rule reads them, too.
pub(super) fn open(
    walker: &mut Walker<'_>,
    opener: Opener,
    name: &str,
    arguments: &[Argument],
    act: &mut Act,
    shell: bool,
) -> Result<bool, Refusal> {
    match opener {
        Opener::Builtin => return builtin::open(walker, name, arguments, act, shell),
        Opener::Shell => shells::shell(walker, name, arguments, act),
        Opener::Xargs => streams::xargs(walker, arguments, act),
        Opener::Find => files::find(walker, arguments, act),
        Opener::Filter => {
            act.filters = true;
            if name == "cat" && arguments.is_empty() {
                let input = act.input.as_ref().unwrap_or_else(|| walker.input());
                act.text = input.text.as_deref().map(str::to_owned);
            }
            return Ok(false);
        }
        Opener::Names => {
            act.names.push(names_in(&arguments.iter().rev().find(|last| !last.text().starts_with('-')).cloned()));
            return Ok(false);
        }
        Opener::At => return Ok(later::at(arguments, act)),
        Opener::Crontab => return Ok(later::crontab(walker, arguments, act)),
        Opener::Ed => later::ed(walker, arguments, act),
        Opener::Debugger => return Ok(screens::debugger(arguments, act)),
        Opener::Ssh => return Ok(screens::ssh(arguments, act)),
        Opener::Jq => filter::jq(walker, arguments, act),
        Opener::JqKin => return Ok(filter::kin(arguments, act)),
        Opener::Module => return Ok(packages::module(arguments, act)),
        Opener::Pytest => return Ok(packages::pytest(arguments, act)),
        Opener::Editor => return Ok(screens::editor(arguments, act)),
        Opener::Pager => return Ok(screens::pager(arguments, act)),
        Opener::PackageRunner => packages::run(walker, arguments, act),
        Opener::Git => return Ok(git::git(walker, arguments, act)),
        Opener::GitConfig => git::config(walker, arguments, act),
        Opener::Tar => files::tar(walker, arguments, act),
        Opener::Dd => files::dd(walker, arguments, act),
        Opener::Awk => code::awk(walker, arguments, act),
        Opener::Sed => sed::sed(walker, arguments, act),
        Opener::Interpreter => languages::interpreter(walker, name, arguments, act),
        Opener::Parallel => streams::parallel(arguments, act),
        Opener::Make => languages::make(walker, arguments, act),
    }
    Ok(true)
}

/// Names below a directory; below the working directory, if there is none.
fn names_in(directory: &Option<Argument>) -> Argument {
    let mut names = Argument::default();
    if let Some(directory) = directory
        && directory.known().is_some_and(|text| text.starts_with(['/', '.', '~']))
    {
        names.push_value(directory);
        names.push("/");
    }
    names.push_pattern("*");
    names
}

impl Walker<'_> {
    /// What a variable makes of the program that it is set for.
    pub(super) fn environment(&mut self, name: &str, value: &Argument, append: bool, act: &mut Act) {
        environment::note(self, name, value, append, act);
    }
}
