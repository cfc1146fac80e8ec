//! Builtins of the shell, which change what comes after them.

mod declare;

use std::rc::Rc;

use super::super::cwd::Cwd;
use super::super::scope::Variable;
use super::super::walk::{Act, Nested, Walker};
use super::super::{Argument, Dynamic, Effect, Refusal};

/// Names that a shell does not look up as programs.
const BUILTINS: &[&str] = &[
    ".",
    ":",
    "[",
    "alias",
    "bg",
    "bind",
    "break",
    "builtin",
    "caller",
    "cd",
    "command",
    "compgen",
    "complete",
    "compopt",
    "continue",
    "declare",
    "dirs",
    "disown",
    "echo",
    "enable",
    "eval",
    "exec",
    "exit",
    "export",
    "false",
    "fc",
    "fg",
    "getopts",
    "hash",
    "help",
    "history",
    "jobs",
    "kill",
    "let",
    "local",
    "logout",
    "mapfile",
    "popd",
    "printf",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "return",
    "set",
    "shift",
    "shopt",
    "source",
    "suspend",
    "test",
    "times",
    "trap",
    "true",
    "type",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "unset",
    "wait",
];

pub(in super::super) fn is_builtin(name: &str) -> bool {
    BUILTINS.binary_search(&name).is_ok()
}

/// Whether a builtin that takes the names of variables would run something in `name[…]`.
pub(in super::super) fn runs_in_an_index(argument: &Argument) -> bool {
    let text = argument.text();
    text.find('[').is_some_and(|at| text.get(at..).unwrap_or_default().contains(['$', '`']))
}

/// Says whether the rule has nothing more to read.
pub(super) fn open(
    walker: &mut Walker<'_>,
    name: &str,
    arguments: &[Argument],
    act: &mut Act,
    shell: bool,
) -> Result<bool, Refusal> {
    if name != "echo" && arguments.iter().any(runs_in_an_index) && takes_names(name) {
        act.dynamic(Dynamic::Code);
    }
    match name {
        "echo" => act.text = echo(arguments),
        "printf" => act.text = printf(walker, arguments),
        "pwd" => act.text = walker.scope.cwd().only().map(|cwd| format!("{cwd}\n")),
        "exit" | "return" | "break" | "continue" | "logout" => walker.diverge(name, act),
        _ if !shell => {}
        "cd" | "pushd" => walker.change_directory(arguments, act),
        "popd" => walker.unknown_directory(),
        "export" | "declare" | "typeset" | "local" | "readonly" => declare::open(walker, name, arguments, act),
        "unset" => {
            for argument in arguments.iter().filter_map(Argument::known).filter(|name| !name.starts_with('-')) {
                walker.scope.set(argument, Variable::Unset);
                walker.scope.forget(argument);
            }
        }
        "read" | "mapfile" | "readarray" | "getopts" | "let" => {
            for argument in arguments {
                let name = argument.text().split(['=', '[', '+']).next().unwrap_or_default();
                walker.scope.set(name, Variable::Unknown);
                if argument.is_unknown() || argument.text() == "-C" && name != "read" {
                    act.dynamic(Dynamic::Code);
                }
            }
            walker.scope.set("REPLY", Variable::Unknown);
        }
        "set" if arguments.is_empty() => act.effect(Effect::ReadsCredentials),
        "set" => return Ok(set_options(walker, arguments, act)),
        "shift" => {
            let count = arguments.first().map_or(Some(1), |count| count.known()?.parse::<usize>().ok());
            let all = walker.scope.positional().filter(|all| !all.iter().any(Argument::is_many));
            let rest = match (all, count) {
                // Where there are not as many, nothing is shifted.
                (Some(all), Some(count)) => Some(all.get(count..).unwrap_or(all).to_vec()),
                _ => None,
            };
            walker.limits.bytes(rest.as_ref().map_or(0, Vec::len))?;
            walker.scope.set_positional(rest.map(Rc::new));
        }
        "alias" => alias(walker, arguments, act),
        "source" | "." => source(walker, arguments, act),
        "eval" => eval(arguments, act),
        "trap" => {
            if let Some(script) = arguments.iter().find(|argument| !argument.prefix().starts_with('-')) {
                let text = script.clone();
                act.nested.push(Nested::Script { wrapper: "trap".to_owned(), text, bash: true, positional: None });
            }
        }
        "exec" | "command" | "builtin" => return Ok(false),
        "shopt" => {
            if arguments.iter().any(|argument| matches!(argument.text(), "extglob" | "expand_aliases" | "lastpipe")) {
                act.dynamic(Dynamic::Dialect);
            }
        }
        "enable" => {
            if arguments.iter().any(|argument| argument.text().starts_with("-f") || argument.text() == "-n") {
                act.effect(Effect::Hijacks);
                walker.scope.hijack();
            }
        }
        "hash" => {
            if arguments.iter().any(|argument| argument.text().starts_with("-p")) {
                act.effect(Effect::Hijacks);
                walker.scope.hijack();
            }
        }
        "fc" => {
            // What it runs again, or after an editor, the history says.
            if !arguments.iter().any(|argument| argument.known() == Some("-l")) {
                act.dynamic(Dynamic::Code);
            }
        }
        "bind" | "complete" | "compgen" => {
            if arguments.iter().any(|argument| matches!(argument.text(), "-x" | "-C" | "-F")) {
                act.dynamic(Dynamic::Code);
            }
        }
        _ => return Ok(false),
    }
    Ok(matches!(name, "eval" | "source" | "." | "alias" | "cd" | "pushd" | "trap"))
}

fn takes_names(name: &str) -> bool {
    matches!(
        name,
        "export"
            | "declare"
            | "typeset"
            | "local"
            | "readonly"
            | "unset"
            | "read"
            | "mapfile"
            | "readarray"
            | "let"
            | "getopts"
            | "printf"
            | "test"
            | "["
            | "wait"
    )
}

/// What `echo` prints.
fn echo(arguments: &[Argument]) -> Option<String> {
    let mut rest = arguments;
    let mut line_end = true;
    let mut escapes = false;
    while let Some((first, more)) = rest.split_first() {
        let text = first.known()?;
        let Some(options) = text.strip_prefix('-').filter(|options| !options.is_empty()) else { break };
        if !options.bytes().all(|byte| matches!(byte, b'n' | b'e' | b'E')) {
            break;
        }
        line_end &= !options.contains('n');
        escapes = options.contains('e');
        rest = more;
    }
    words(rest, line_end, escapes)
}

fn words(arguments: &[Argument], line_end: bool, escapes: bool) -> Option<String> {
    let words: Option<Vec<&str>> = arguments.iter().map(Argument::known).collect();
    let mut text = words?.join(" ");
    // What a backslash means differs from shell to shell.
    if text.contains('\\') {
        if !escapes {
            return None;
        }
        text = decoded(&text)?;
    }
    if line_end {
        text.push('\n');
    }
    Some(text)
}

/// The simple escapes; `None` for any other.
fn decoded(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        match letters.next()? {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            '\\' => out.push('\\'),
            'x' => {
                let code =
                    u8::from_str_radix(&[letters.next()?, letters.next()?].iter().collect::<String>(), 16).ok()?;
                out.push(Some(char::from(code)).filter(|decoded| decoded.is_ascii() && *decoded != '\0')?);
            }
            _ => return None,
        }
    }
    Some(out)
}

/// What `printf` prints, for the formats `%s`, `%s\n` and plain text.
fn printf(walker: &mut Walker<'_>, arguments: &[Argument]) -> Option<String> {
    let (format, values) = arguments.split_first()?;
    let format = format.known()?;
    if format == "-v" {
        if let Some(name) = values.first().and_then(Argument::known) {
            walker.scope.set(name, Variable::Unknown);
        }
        return Some(String::new());
    }
    if format.starts_with('-') {
        return None;
    }
    if !format.contains('%') {
        return values.is_empty().then(|| decoded(format)).flatten();
    }
    let end = match format.strip_prefix("%s")? {
        "" => "",
        "\\n" => "\n",
        " " => " ",
        _ => return None,
    };
    let mut text = String::new();
    for value in values {
        text.push_str(value.known()?);
        text.push_str(end);
    }
    Some(text)
}

/// Says whether nothing is left to read: `set -- a b`.
fn set_options(walker: &mut Walker<'_>, arguments: &[Argument], act: &mut Act) -> bool {
    let mut rest = arguments;
    while let Some((first, more)) = rest.split_first() {
        match first.known() {
            Some("--") => {
                rest = more;
                walker.scope.set_positional(Some(Rc::new(rest.to_vec())));
                return true;
            }
            Some("-o" | "+o") => rest = more.get(1..).unwrap_or_default(),
            Some(option) if option.starts_with(['-', '+']) => rest = more,
            Some(_) => {
                walker.scope.set_positional(Some(Rc::new(rest.to_vec())));
                return true;
            }
            None => {
                act.dynamic(Dynamic::Argument);
                walker.scope.set_positional(None);
                return true;
            }
        }
    }
    true
}

fn alias(walker: &mut Walker<'_>, arguments: &[Argument], act: &mut Act) {
    for argument in arguments {
        match argument.prefix().split_once('=') {
            Some((name, text)) if argument.known().is_some() => walker.scope.set_alias(name, text),
            Some(_) => act.dynamic(Dynamic::Code),
            None => {}
        }
    }
}

fn source(walker: &mut Walker<'_>, arguments: &[Argument], act: &mut Act) {
    let Some(file) = arguments.iter().find(|argument| argument.known() != Some("--")) else { return };
    act.effect(Effect::Executes);
    // It may define functions, set variables and change the directory.
    act.dynamic(Dynamic::Sourced);
    walker.run_file(file, act);
    if file.text().starts_with("/dev/fd/") || file.text() == "/dev/stdin" {
        act.dynamic(Dynamic::Input);
    }
}

fn eval(arguments: &[Argument], act: &mut Act) {
    let mut script = Argument::default();
    for (nth, argument) in arguments.iter().filter(|argument| argument.known() != Some("--")).enumerate() {
        if nth > 0 {
            script.push(" ");
        }
        script.push_value(argument);
        if argument.is_many() {
            script.push_unknown(false);
        }
    }
    act.nested.push(Nested::Script { wrapper: "eval".to_owned(), text: script, bash: true, positional: None });
}

impl Walker<'_> {
    fn change_directory(&mut self, arguments: &[Argument], act: &mut Act) {
        let mut operands =
            arguments.iter().filter(|argument| !matches!(argument.known(), Some("--" | "-L" | "-P" | "-e" | "-n")));
        let home = Argument::literal(self.home.as_str());
        let target = operands.next().unwrap_or(&home);
        let before = self.scope.cwd().clone();
        let after = match target.known() {
            Some("-") => match self.scope.variable("OLDPWD") {
                Some(Variable::Scalar(before)) => {
                    before.known().map_or_else(Cwd::unknown, |path| self.scope.cwd().enter(path))
                }
                _ => Cwd::unknown(),
            },
            Some("") => before.clone(),
            Some(path) if path.starts_with('+') && act.command.program == "pushd" => Cwd::unknown(),
            Some(path) => before.enter(path),
            None => Cwd::unknown(),
        };
        // With CDPATH a relative directory may be somewhere else.
        let elsewhere = self.scope.variable("CDPATH").is_some();
        let after = if elsewhere { Cwd::unknown() } else { after };
        // A shell that goes on after this line goes on from there.
        match after.all() {
            Some(all) => act.command.reads.extend(all.iter().cloned()),
            None => act.dynamic(Dynamic::Path),
        }
        let old = before.only().map_or(Variable::Unknown, |cwd| Variable::Scalar(Argument::literal(cwd)));
        self.scope.set("OLDPWD", old);
        // The directory above is always there.
        match target.known() {
            Some(path) if path.split('/').all(|name| matches!(name, "" | "." | "..")) => self.scope.set_cwd(after),
            _ => self.enter(before, after),
        }
    }

    fn unknown_directory(&mut self) {
        let before = self.scope.cwd().clone();
        self.enter(before, Cwd::unknown());
    }
}
