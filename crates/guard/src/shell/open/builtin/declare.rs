//! `export`, `declare`, `local` and their kin: variables of a scope, and what shows them.

use super::super::super::scope::Variable;
use super::super::super::secret::is_secret_name;
use super::super::super::walk::{Act, Walker};
use super::super::super::{Argument, Dynamic, Effect};

pub(super) fn open(walker: &mut Walker<'_>, name: &str, arguments: &[Argument], act: &mut Act) {
    shows(arguments, act);
    let global = |argument: &Argument| argument.text().starts_with('-') && argument.text().contains('g');
    if !matches!(name, "export" | "readonly") && !arguments.iter().any(global) {
        for argument in arguments.iter().filter(|argument| !argument.prefix().starts_with('-')) {
            local(walker, argument);
        }
    }
    let exports = name == "export"
        || arguments.iter().any(|argument| argument.text().starts_with('-') && argument.text().contains('x'));
    for argument in arguments {
        set(walker, argument, exports, act);
    }
}

/// `export -p`, `declare -p NAME`: shows all variables, or those that are named.
fn shows(arguments: &[Argument], act: &mut Act) {
    let options = || arguments.iter().filter(|argument| argument.prefix().starts_with('-'));
    let mut names = arguments.iter().filter(|argument| !argument.prefix().starts_with('-')).peekable();
    // With these, functions are shown.
    let functions = options().any(|option| option.text().contains(['f', 'F', 'A', 'a']));
    let all = names.peek().is_none() && !functions;
    let prints = options().any(|option| option.text().contains('p'));
    if all || prints && names.any(|name| name.known().is_none_or(is_secret_name)) {
        act.effect(Effect::ReadsCredentials);
    }
}

/// `local name` and `local name=value`.
fn local(walker: &mut Walker<'_>, argument: &Argument) {
    let text = argument.prefix();
    let (name, set) = text.split_once('=').map_or((text, false), |(name, _)| (name.trim_end_matches('+'), true));
    walker.make_local(name);
    // Without a value it is unset for bash, and what it was for other shells.
    if !set && matches!(walker.scope.variable(name), Some(Variable::Scalar(_) | Variable::List(_))) {
        walker.scope.set(name, Variable::Unknown);
    }
}

/// `export NAME=value` and its kin.
fn set(walker: &mut Walker<'_>, argument: &Argument, exports: bool, act: &mut Act) {
    let prefix = argument.prefix();
    if prefix.starts_with('-') {
        // `-n`: a name for another variable; `-i`: values are evaluated; `-f`: functions for programs to come.
        if prefix.contains(['n', 'i', 'f']) {
            act.dynamic(Dynamic::Code);
        }
        return;
    }
    let Some((name, _)) = prefix.split_once('=') else {
        if exports && let Some(name) = argument.known() {
            walker.scope.export(name);
        }
        if argument.is_unknown() {
            act.dynamic(Dynamic::Code);
        }
        return;
    };
    let value = argument.after(name.len() + 1);
    let (name, append) = name.strip_suffix('+').map_or((name, false), |name| (name, true));
    let arguments = std::mem::take(&mut act.command.argv);
    walker.environment(name, &value, append, act);
    act.command.argv = arguments;
    let value = if append { Variable::Unknown } else { Variable::Scalar(value) };
    walker.scope.set(name, value);
    if exports {
        walker.scope.export(name);
    }
}
