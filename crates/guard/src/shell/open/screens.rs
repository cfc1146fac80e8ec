//! Pagers and editors, which take commands of their own behind a `+`.

use super::super::walk::Act;
use super::super::{Argument, Dynamic, Effect};

/// `less +G file`: a place to go to, or a command: `!`, `|`, `v` and others run programs.
pub(super) fn pager(arguments: &[Argument], act: &mut Act) -> bool {
    act.filters = true;
    for argument in arguments {
        let text = argument.prefix();
        let Some(command) = text.strip_prefix('+') else {
            // Keys of one's own can run programs, too.
            if text.starts_with("--lesskey") || text.starts_with("-k") {
                runs(act);
            }
            continue;
        };
        let command = command.trim_start_matches('+');
        let goes =
            command.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'G' | b'g' | b'F' | b'p' | b'%'));
        let searches = command.starts_with(['/', '?']) && !command.contains(['\n', '\r']);
        if !(goes || searches) || argument.is_unknown() {
            shelled(&Argument::literal(command), act);
            runs(act);
        }
    }
    false
}

/// `vim +12 file`, `vim +/word file`: a place to go to, or a command.
pub(super) fn editor(arguments: &[Argument], act: &mut Act) -> bool {
    for (nth, argument) in arguments.iter().enumerate() {
        if matches!(argument.prefix(), "-c" | "--cmd") {
            arguments.get(nth + 1).into_iter().for_each(|command| shelled(command, act));
        }
        let Some(command) = argument.prefix().strip_prefix('+') else { continue };
        // Behind a bar stands another command.
        let goes = command.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b',' | b':'));
        let searches = command.starts_with('/') && !command.contains(['|', '\n']);
        if !(goes || searches) || argument.is_unknown() {
            shelled(&argument.after(1), act);
            runs(act);
        }
    }
    false
}

/// `gdb -ex 'shell …'`; the rule reads what is debugged.
pub(super) fn debugger(arguments: &[Argument], act: &mut Act) -> bool {
    for (nth, argument) in arguments.iter().enumerate() {
        match argument.prefix() {
            "-ex" | "-iex" | "--ex" | "-eval-command" | "--eval-command" | "-o" => {
                arguments.get(nth + 1).into_iter().for_each(|command| shelled(command, act));
            }
            text if text.starts_with("--eval-command=") => shelled(&argument.after("--eval-command=".len()), act),
            _ => {}
        }
    }
    false
}

/// Settings of `ssh` whose value it runs here.
const RUN_HERE: &[&str] = &["proxycommand", "localcommand", "knownhostscommand"];

/// `ssh -o ProxyCommand=…`; the rule reads the rest.
pub(super) fn ssh(arguments: &[Argument], act: &mut Act) -> bool {
    for (nth, argument) in arguments.iter().enumerate() {
        let setting = match argument.prefix() {
            "-o" => arguments.get(nth + 1).cloned(),
            text if text.starts_with("-o") => Some(argument.after(2)),
            _ => None,
        };
        let Some(setting) = setting else { continue };
        let Some((name, _)) = setting.prefix().split_once(['=', ' ', '\t']) else { continue };
        if RUN_HERE.contains(&name.trim().to_ascii_lowercase().as_str()) {
            let length = name.len() + 1;
            let value = setting.after(length);
            let value = value.after(value.text().len() - value.text().trim_start_matches([' ', '=']).len());
            act.script("ssh", value, false);
        }
    }
    false
}

/// A command that a shell runs, behind the `!` or the word that says so.
fn shelled(command: &Argument, act: &mut Act) {
    let text = command.text();
    let plain = text.trim_start_matches([':', ' ', '%']);
    let starts = ["!", "shell ", "platform shell ", "silent !", "sil !"];
    if let Some(script) = starts.iter().find_map(|start| plain.strip_prefix(start)) {
        act.script("!", command.after(text.len() - script.len()), false);
    }
}

fn runs(act: &mut Act) {
    act.effect(Effect::Executes);
    act.dynamic(Dynamic::Code);
}
